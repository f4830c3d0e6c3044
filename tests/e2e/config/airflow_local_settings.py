"""A cluster policy: the bridge's DAGs stay as they are in example_dags, and have a HubSpot of their own."""

from __future__ import annotations

from typing import Any

#: Both use hubchan_default, which is the connection that another scenario makes in Airflow's form.
BRIDGE = ("deliver_outbox", "mark_receipts")


def task_policy(task: Any) -> None:
    """Airflow calls this for each task of each DAG that it reads."""
    if task.dag_id in BRIDGE and hasattr(task, "hubchan_conn_id"):
        task.hubchan_conn_id = "deliver_outbox"
