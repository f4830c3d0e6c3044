"""Two hundred thousand statuses after a migration: a plan, a person's word, then hours in the background."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

OUTBOX = Path(__file__).parent / "data" / "outbox.jsonl"


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params={
        "path": Param(str(OUTBOX), type="string", description="JSON Lines or CSV; s3:// and gs:// will do"),
        "dry_run": Param(True, type="boolean", description="End after the plan"),
        "folder": "/tmp",
    },
    # Of the same app and account as the daily work's, with requests_per_10s=50: that leaves the daily work its half.
    default_args={"hubchan_conn_id": "hubchan_backfill"},
    tags=["hubspot"],
)
def backfill() -> None:
    plan = UpdateMessageStatusOperator(task_id="plan", messages_file="{{ params.path }}", status="SENT", dry_run=True)

    @task.short_circuit
    def in_earnest(params: Any = None) -> bool:
        return not params["dry_run"]

    approve = ApprovalOperator(
        task_id="approve",
        subject="Mark {{ ti.xcom_pull(task_ids='plan')['rows'] }} messages?",
        body="From {{ params.path }}. The log of the task *plan* says how long it will take.",
        response_timeout=timedelta(days=2),
    )
    mark = UpdateMessageStatusOperator(
        task_id="mark",
        messages_file="{{ params.path }}",
        status="SENT",
        deferrable=True,
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
        max_rejected=0.01,
        retries=5,  # a deploy, a lost node: each retry goes on where the last try ended
        retry_delay=timedelta(minutes=1),
    )
    plan >> in_earnest() >> approve >> mark


backfill()
