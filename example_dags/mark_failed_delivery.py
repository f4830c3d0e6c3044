"""Mark a batch FAILED when its delivery task fails: at once by a callback, and for certain by a task after it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


@dag(schedule=None, catchup=False, params={"fail": False}, tags=["hubspot"])
def mark_failed_delivery() -> None:
    @task
    def list_outbox() -> list[str]:
        """Take the ids of the messages to deliver, as the webhook receiver stored them."""
        return ["message-1", "message-2", "message-3"]

    # FAILED, with the exception as the reason, before anything else happens. Not called if the worker is killed.
    @task(on_failure_callback=MessageStatusNotifier(messages_task_id="list_outbox"))
    def deliver(message_ids: Any, params: dict[str, bool] | None = None) -> None:
        """Hand the messages to the gateway."""
        if params and params["fail"]:
            raise RuntimeError(f"gateway unavailable, {len(message_ids)} messages not delivered")

    message_ids = list_outbox()
    # The same by the scheduler, however the task came to fail. Messages that are FAILED already are left alone.
    failed = UpdateMessageStatusOperator(
        task_id="mark_failed",
        messages=message_ids,
        status="FAILED",
        compare_before_write=True,
        trigger_rule="one_failed",
    )
    deliver(message_ids) >> failed


mark_failed_delivery()
