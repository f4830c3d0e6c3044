"""WhatsApp's status events, one entry of a webhook's ``statuses`` in a line, become message statuses in HubSpot."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.gateways import WHATSAPP
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

EVENTS = Path(__file__).parent / "data" / "gateways" / "whatsapp.jsonl"


@dag(schedule=None, max_active_runs=1, params={"events": str(EVENTS), "folder": "/tmp"}, tags=["hubspot"])
def mark_whatsapp() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.events }}",
        columns={"message_id": "biz_opaque_callback_data", "error_message": "errors.0.title"},  # status is called status
        statuses=WHATSAPP,
        max_rejected=0.1,
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
    )


mark_whatsapp()
