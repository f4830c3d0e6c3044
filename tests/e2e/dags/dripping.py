"""What is bounded in time, against a server that never ends an answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

from airflow.sdk import DAG, task

from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor

FOLDER = Path(os.environ["HUBCHAN_E2E_FOLDER"])
#: Seconds for each of the three.
BOUND = 5.0

with DAG("dripping", schedule=None):
    UpdateMessageStatusOperator(
        task_id="mark",
        messages_file=(FOLDER / "dripping.jsonl").as_uri(),
        status="READ",
        hubchan_conn_id="dripping",
        max_runtime=BOUND,
    )
    MessageStatusSensor(
        task_id="wait",
        message_ids=["m-1"],
        hubchan_conn_id="dripping",
        deferrable=True,
        poke_interval=1.0,
        timeout=BOUND,
    )

    @task(
        on_failure_callback=MessageStatusNotifier(
            messages=["m-1", "m-2"], status="FAILED", hubchan_conn_id="dripping", deadline=BOUND
        )
    )
    def deliver() -> NoReturn:
        raise RuntimeError("the gateway is down")

    deliver()
