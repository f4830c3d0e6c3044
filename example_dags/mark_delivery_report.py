"""An SMS gateway's delivery report becomes message statuses in HubSpot, every quarter of an hour."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.gateways import SMPP
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

REPORT = Path(__file__).parent / "data" / "delivery_report.jsonl"
STATUSES = SMPP | {"READ": "READ"}  # the gateway's one word that is not SMPP's


@dag(
    schedule="*/15 * * * *",
    catchup=False,
    max_active_runs=1,  # of two reports the later one has the last word
    params={"report": str(REPORT), "folder": "/tmp"},
    tags=["hubspot"],
)
def mark_delivery_report() -> None:
    UpdateMessageStatusOperator(
        task_id="mark_statuses",
        messages_file="{{ params.report }}",
        columns={"status": "state", "error_message": "text"},  # message_id is called message_id
        statuses=STATUSES,
        max_rejected=0.01,  # a few ids are always too old, a few codes new
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
        retries=2,
    )


mark_delivery_report()
