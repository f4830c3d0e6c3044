"""Infobip's delivery reports, one result in a line, become message statuses in HubSpot."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.gateways import INFOBIP
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

REPORT = Path(__file__).parent / "data" / "gateways" / "infobip.jsonl"


@dag(schedule=None, params={"report": str(REPORT), "folder": "/tmp"}, tags=["hubspot"])
def mark_infobip() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.report }}",
        columns={"message_id": "callbackData", "status": "status.groupName", "error_message": "error.description"},
        statuses=INFOBIP,
        max_rejected=0.1,
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
    )


mark_infobip()
