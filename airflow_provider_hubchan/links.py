"""Buttons of a task in Airflow's UI. Airflow asks for them in the worker when the task ends, and keeps the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class InboxLink(BaseOperatorLink):
    """The conversations inbox of the account, once HubSpot has told which it is: with the token that we fetched."""

    name = "HubSpot inbox"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address, empty if the account is unknown: a ready access token does not say whose it is.

        HubSpot tells the account's own domain (``uiDomain``) only by a further call, which no task makes for a link.
        """
        portal = getattr(operator, "portal", None)
        return f"https://app.hubspot.com/live-messages/{portal}/inbox" if portal else ""


class ReportLink(BaseOperatorLink):
    """The report, where Airflow shows it: its counters and problems, and where the rows are that were not updated.

    Not the report file itself: Airflow 3.3.2 shows no button for an address that is not http, and takes a bare path for one
    of its own pages.
    """

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The page of the task's XComs, whatever host Airflow is reached by; empty if there is no report."""
        if not getattr(getattr(operator, "report", None), "rows", 0):
            return ""
        served = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
        mapped = "" if ti_key.map_index in (None, -1) else f"/mapped/{ti_key.map_index}"
        return f"{served}/dags/{ti_key.dag_id}/runs/{quote(ti_key.run_id)}/tasks/{ti_key.task_id}{mapped}/xcom"
