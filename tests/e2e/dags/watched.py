"""A batch that waits in the worker for a dozen seconds at most, and one in three shards after it."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

FOLDER = Path(os.environ["HUBCHAN_E2E_FOLDER"])

with DAG("watched", schedule=None):
    mark = UpdateMessageStatusOperator(
        task_id="mark",
        messages_file=(FOLDER / "watched.jsonl").as_uri(),
        status="READ",
        hubchan_conn_id="watched",
        concurrency=2,
        deferrable=True,
        defer_after=15.0,
        report_file=(FOLDER / "watched.report.jsonl").as_uri(),
    )
    mark >> UpdateMessageStatusOperator.partial(
        task_id="shards", status="READ", hubchan_conn_id="watched", trigger_rule="all_done"
    ).expand(messages=[[f"watched-{number}" for number in (shard, shard + 10)] for shard in (1, 2, 3)])
