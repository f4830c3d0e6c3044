"""What goes on around deliveries: statuses from mapped tasks, a sensor, a callback. The ids come from the files of rows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor

FOLDER = Path(os.environ["HUBCHAN_E2E_FOLDER"])


class GatewayDown(Exception):
    """What the gateway's client raises."""


@task
def list_outbox(dag: Any = None) -> list[str]:
    """Take the ids of this DAG's messages."""
    lines = (FOLDER / f"{dag.dag_id}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["message_id"] for line in lines]


with DAG("mapped", schedule=None):

    @task(priority_weight=-1000)  # a task of any other DAG gets the next slot, before the many of this one
    def deliver(message_id: str, ti: Any = None) -> None:
        """Every third is refused."""
        if int(message_id.rpartition("-")[2]) % 3 == 0:
            ti.xcom_push(key="error_message", value=f"30003: Unreachable destination handset of {message_id}")
            raise GatewayDown(message_id)

    mapped_ids = list_outbox()
    deliver.expand(message_id=mapped_ids) >> UpdateMessageStatusOperator(
        task_id="mark",
        messages=mapped_ids,
        delivery_task_id="deliver",
        hubchan_conn_id="mapped",
        trigger_rule="all_done",
    )

with DAG("waiting", schedule=None):
    MessageStatusSensor(
        task_id="wait",
        message_ids=list_outbox(),
        statuses=("READ",),
        hubchan_conn_id="waiting",
        poke_interval=2.0,  # seconds
        timeout=300.0,
        deferrable=True,
    )

with DAG("notified", schedule=None):

    @task(on_failure_callback=MessageStatusNotifier(messages_task_id="list_outbox", hubchan_conn_id="notified"))
    def deliver_all(message_ids: Any) -> None:
        """Fail, and say more than anybody should read: nobody has told Airflow's masker of these two yet."""
        connection = json.loads(os.environ["AIRFLOW_CONN_NOTIFIED"])
        secrets = f"{connection['password']} and {connection['extra']['refresh_token']}"
        raise GatewayDown(f"{len(message_ids)} messages refused with {secrets}\nand a second line")

    deliver_all(list_outbox())
