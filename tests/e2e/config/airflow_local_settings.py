"""Cluster policies: what is different here from what users have, while the files of the examples stay as they are."""

from __future__ import annotations

from typing import Any

from airflow.sdk.definitions.timetables.simple import NullTimetable

DEMO, BRIDGE = "mark_delivery_report", ("deliver_outbox", "mark_receipts")


def dag_policy(dag: Any) -> None:
    """Airflow calls this for each DAG that it reads: the bridge's run when its scenario begins, the demo's when triggered."""
    if dag.dag_id in BRIDGE:
        dag.is_paused_upon_creation = True
    if dag.dag_id == DEMO:
        dag.timetable = NullTimetable()


def task_policy(task: Any) -> None:
    """... and this for each task: the demo's hubchan_default is made in Airflow's form, the bridge has a HubSpot of its own."""
    if task.dag_id in BRIDGE and hasattr(task, "hubchan_conn_id"):
        task.hubchan_conn_id = "deliver_outbox"
