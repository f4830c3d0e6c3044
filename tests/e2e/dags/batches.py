"""One DAG for each way in which a batch is disturbed; the rows come from files that ``make e2e`` writes."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

FOLDER = Path(os.environ["HUBCHAN_E2E_FOLDER"])
WAITS: dict[str, Any] = {"deferrable": True, "defer_after": 5.0}  # seconds
BATCHES: dict[str, dict[str, Any]] = {
    "killed": {"retries": 1, "retry_delay": timedelta(seconds=3)},
    "stopped": {"report_file": (FOLDER / "stopped.report.jsonl").as_uri()},
    "midnight": WAITS,
    "orphaned": WAITS,
    "kept": {"durable": True},  # these two for tests/e2e/cost.py
    "unkept": {"durable": False},
}

for name, arguments in BATCHES.items():
    with DAG(name, schedule=None):
        UpdateMessageStatusOperator(
            task_id="mark",
            messages_file=(FOLDER / f"{name}.jsonl").as_uri(),
            status="READ",
            hubchan_conn_id=name,
            concurrency=int(os.environ["HUBCHAN_E2E_CONCURRENCY"]),
            **arguments,
        )
