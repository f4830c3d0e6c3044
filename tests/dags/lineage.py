"""Batches for OpenLineage: one of a task with a hook, a green one, a red one. A program: its listener has to come first."""

from __future__ import annotations

from airflow.sdk import DAG, task
from airflow.utils.db import initdb

from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

with DAG("lineage_hook", schedule=None) as by_hook:

    @task
    def tell() -> None:
        """A task of one's own that calls the hook."""
        HubchanHook().update_message_statuses(["m-1", "m-2"], status="READ")

    tell()

DAGS = [by_hook]  # first: all hooks of a process tell the same collector
for dag_id, message_ids in (("lineage_green", ["m-1", "m-2"]), ("lineage_red", ["m-1", "nobody"])):
    with DAG(dag_id, schedule=None) as each:
        UpdateMessageStatusOperator(task_id="mark", messages=message_ids, status="READ")
    DAGS.append(each)

if __name__ == "__main__":
    initdb()
    for each in DAGS:
        each.test()
