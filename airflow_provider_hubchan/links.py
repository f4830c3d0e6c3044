"""Links of a task in Airflow's UI. Airflow asks for them in the worker when the task ends, and stores the answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink, conf

from airflow_provider_hubchan.best_effort import best_effort

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


log = logging.getLogger(__name__)
_NO_LINK = "The address of a link could not be made; the task has no such link"


class InboxLink(BaseOperatorLink):
    """The conversations inbox of the account. HubSpot tells which account it is when a token is fetched."""

    name = "HubSpot inbox"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The inbox's address, empty if the account is not known: a ready access token does not say whose it is.

        HubSpot tells the account's own domain (``uiDomain``) only in a further call, which no task makes for a link.
        """
        with best_effort(log.warning, _NO_LINK):
            portal = getattr(operator, "portal", None)
            return f"https://app.hubspot.com/live-messages/{portal}/inbox" if portal else ""
        return ""


class ReportLink(BaseOperatorLink):
    """The report in the task's XComs: its counters and problems, and the place of the report file.

    Not the report file itself: Airflow 3.3.2 shows no link for an address that is not http, and takes a bare path for one
    of its own pages.
    """

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The page of the task's XComs, whatever host Airflow is reached by; empty if there is no report."""
        with best_effort(log.warning, _NO_LINK):
            if not getattr(getattr(operator, "report", None), "rows", 0):
                return ""
            base_path = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
            mapped = "" if ti_key.map_index in (None, -1) else f"/mapped/{ti_key.map_index}"
            return f"{base_path}/dags/{ti_key.dag_id}/runs/{quote(ti_key.run_id)}/tasks/{ti_key.task_id}{mapped}/xcom"
        return ""
