"""Event lines of AWS End User Messaging: only the failures are sent to HubSpot, where a message stands as SENT already."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.gateways import AWS_SMS
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

EVENTS = Path(__file__).parent / "data" / "gateways" / "aws.jsonl"


@dag(schedule=None, params={"events": str(EVENTS), "folder": "/tmp"}, tags=["hubspot"])
def mark_aws() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.events }}",
        # hubspot_message is a key of the Context that the message was sent with
        columns={"message_id": "context.hubspot_message", "status": "eventType", "error_message": "messageStatusDescription"},
        statuses=AWS_SMS | {"TEXT_DELIVERED": None, "TEXT_SUCCESSFUL": None},
        max_rejected=0.1,
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
    )


mark_aws()
