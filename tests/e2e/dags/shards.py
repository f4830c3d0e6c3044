"""One batch in shards, a mapped task instance for each, over the workers of a cluster; for ``make e2e-celery``."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

FOLDER = Path(os.environ["HUBCHAN_E2E_FOLDER"])
SIZE = int(os.environ.get("HUBCHAN_E2E_SHARD", "1"))

with DAG("shards", schedule=None):

    @task
    def list_shards() -> list[list[str]]:
        """Take the ids of the messages, so many for each shard, in the order of the rows."""
        lines = (FOLDER / "shards.jsonl").read_text(encoding="utf-8").splitlines()
        ids = [json.loads(line)["message_id"] for line in lines]
        return [ids[first : first + SIZE] for first in range(0, len(ids), SIZE)]

    UpdateMessageStatusOperator.partial(
        task_id="mark",
        status="READ",
        hubchan_conn_id="shards",
        report_file=f"{FOLDER.as_uri()}/shards.{{{{ ti.map_index }}}}.report.jsonl",
        retries=2,
        retry_delay=timedelta(seconds=1),
    ).expand(messages=list_shards())
