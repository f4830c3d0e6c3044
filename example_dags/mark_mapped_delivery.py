"""Deliver every message in a task instance of its own; how that ends is what HubSpot is told."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


@dag(schedule=None, catchup=False, params={"unreachable": []}, tags=["hubspot"])
def mark_mapped_delivery() -> None:
    @task
    def list_outbox() -> list[str]:
        """Take the ids of the messages to deliver, as the webhook receiver stored them."""
        return ["message-1", "message-2", "message-3"]

    @task
    def deliver(message_id: str, params: Any = None, ti: Any = None) -> None:
        """Hand one message to the gateway; if it refuses, leave why."""
        if message_id in params["unreachable"]:
            ti.xcom_push(key="error_message", value="30003: Unreachable destination handset")
            raise RuntimeError(f"the gateway refused {message_id}")

    message_ids = list_outbox()
    delivered = deliver.expand(message_id=message_ids)
    delivered >> UpdateMessageStatusOperator(
        task_id="mark",
        messages=message_ids,
        delivery_task_id="deliver",
        error_message="not delivered: task {task_id}, map index {map_index}, run {{ run_id }}",
        trigger_rule="all_done",
    )


mark_mapped_delivery()
