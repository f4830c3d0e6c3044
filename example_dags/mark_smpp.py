"""An SMPP client's delivery receipts, in a CSV file with semicolons, become message statuses in HubSpot."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.gateways import SMPP
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

RECEIPTS = Path(__file__).parent / "data" / "gateways" / "smpp.csv"


@dag(schedule=None, params={"receipts": str(RECEIPTS), "folder": "/tmp"}, tags=["hubspot"])
def mark_smpp() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.receipts }}",
        columns={"message_id": "reference", "status": "stat", "error_message": "err"},
        statuses=SMPP,
        max_rejected=2,  # an operator's own words are in the report file
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
    )


mark_smpp()
