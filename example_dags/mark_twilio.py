"""Twilio's status callbacks, which a webhook receiver has written into a CSV file, become message statuses in HubSpot."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.gateways import TWILIO
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

REPORT = Path(__file__).parent / "data" / "gateways" / "twilio.csv"


@dag(schedule=None, params={"report": str(REPORT), "folder": "/tmp"}, tags=["hubspot"])
def mark_twilio() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.report }}",
        # client_ref is in the query of the StatusCallback URL that the message was sent with
        columns={"message_id": "client_ref", "status": "MessageStatus", "error_message": "ErrorCode"},
        statuses=TWILIO,
        max_rejected=0.1,
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
    )


mark_twilio()
