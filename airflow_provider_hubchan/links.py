"""Links of a task in Airflow's UI, made in the API server when somebody looks, from its name and the report in its XComs.

So they cost a task nothing. A link of an operator alone (``operator_extra_links``) is made in the worker when the task ends,
and stored as an XCom of its own: a call and a row for each, of every task instance. Classes that users derive from ours have it
so: Airflow finds a plugin's link by the name and the module of the task's class, not by what it is derived from.
"""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink, conf

from airflow_provider_hubchan import ui
from airflow_provider_hubchan.best_effort import best_effort

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


log = logging.getLogger(__name__)
_NO_LINK = "The address of a link could not be made; the task has no such link"


def _stand_in(module: str, name: str) -> type[Any]:
    """A class of which Airflow reads the name and the module, and nothing else: the API server need not import the operators
    for each DAG that it shows, and does not fail where their import does.
    """
    return type(name, (), {"__module__": f"{__package__}.{module}"})


class _TaskLink(BaseOperatorLink):
    """A link of our tasks."""

    operators: ClassVar[list[type[Any]]] = [
        _stand_in("operators", "UpdateMessageStatusOperator"),
        _stand_in("decorators", "HubchanStatusDecoratedOperator"),
    ]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The link's address; empty if there is nothing to make it of. Never raises.

        :param operator: the task as the worker has it, or as the API server reads it from its database.
        """
        with best_effort(log.warning, _NO_LINK):
            return self._address(operator, ti_key)
        return ""

    @abstractmethod
    def _address(self, operator: BaseOperator, ti_key: TaskInstanceKey) -> str:
        """The link's address, empty if there is nothing to make it of."""


class InboxLink(_TaskLink):
    """The conversations inbox of the account. HubSpot tells which account it is when a token is fetched."""

    name = "HubSpot inbox"

    def _address(self, operator: BaseOperator, ti_key: TaskInstanceKey) -> str:
        """From the report. Empty without one, and if the account is not known: a ready access token does not say whose it is.

        HubSpot tells the account's own domain (``uiDomain``) only in a further call, which no task makes for a link.
        """
        report = _report_of_task(operator) if hasattr(operator, "report") else _report_in_xcom(ti_key)
        portal = report.get("portal") if report and report.get("rows") else None
        return f"https://app.hubspot.com/live-messages/{portal}/inbox" if isinstance(portal, int) else ""


class ReportLink(_TaskLink):
    """The page of the batch: while the task runs, how far it is, then its report.

    Not the report file itself: Airflow 3.3.2 shows no link for an address that is not http, and takes a bare path for one
    of its own pages.
    """

    name = "Report"

    def _address(self, operator: BaseOperator, ti_key: TaskInstanceKey) -> str:
        """Below Airflow's own path, whatever host it is reached by. It needs no report, so it is there from the start."""
        base_path = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
        map_index = -1 if ti_key.map_index is None else ti_key.map_index
        return f"{base_path}{ui.batch_address(ti_key.dag_id, ti_key.run_id, ti_key.task_id, map_index)}"


#: For the plugin, and for ``operator_extra_links`` of classes that are derived from ours.
LINKS = (InboxLink(), ReportLink())


def _report_of_task(operator: Any) -> Mapping[str, Any] | None:
    report: Mapping[str, Any] | None = operator.report.summary() if operator.report and operator.do_xcom_push else None
    return report


def _report_in_xcom(ti_key: TaskInstanceKey) -> Mapping[str, Any] | None:
    """The report as it is in Airflow's database: None if there is none, empty if a backend of XComs keeps it elsewhere."""
    from airflow.models.xcom import XComModel  # what follows exists in the API server alone
    from airflow.utils.session import create_session

    query = XComModel.get_many(
        key="return_value",
        run_id=ti_key.run_id,
        dag_ids=ti_key.dag_id,
        task_ids=ti_key.task_id,
        map_indexes=ti_key.map_index,
    )
    with create_session() as session:
        value = session.execute(query.with_only_columns(XComModel.value)).scalars().first()
    if value is None:
        return None
    try:
        report = json.loads(value) if isinstance(value, str) else value
    except ValueError:  # the place where a backend keeps it
        report = None
    return report if isinstance(report, dict) else {}
