"""Buttons of a task in Airflow's UI. Airflow asks for them in the worker when the task ends, and keeps the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class InboxLink(BaseOperatorLink):
    """The conversations inbox of the account, once HubSpot has told which it is: with the token that we fetched."""

    name = "HubSpot inbox"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address, empty if the account is unknown: a ready access token does not say whose it is."""
        portal = getattr(operator, "portal", None)
        return f"https://app.hubspot.com/live-messages/{portal}/inbox" if portal else ""


class ReportLink(BaseOperatorLink):
    """Where the rows are that were not updated."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The URI of the report file, empty if there is none."""
        report = getattr(operator, "report", None)
        return str(report.report_file or "") if report else ""
