"""A campaign that is larger than what is left of the day's quota: the task waits for midnight without a worker slot."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

OUTBOX = Path(__file__).parent / "data" / "outbox.jsonl"


@dag(schedule=None, catchup=False, params={"rows": str(OUTBOX), "folder": "/tmp"}, tags=["hubspot"])
def mark_over_days() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.rows }}",
        status="SENT",
        deferrable=True,  # needs a triggerer; without it the wait takes one of the retries
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
        max_rejected=0.01,
        retries=2,  # for faults: a wait for the quota takes none
    )


mark_over_days()
