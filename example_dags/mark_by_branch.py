"""Mark a batch SENT when its delivery task succeeded and FAILED when it did not, by trigger rules."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


@dag(schedule=None, catchup=False, params={"fail": False}, tags=["hubspot"])
def mark_by_branch() -> None:
    @task
    def list_outbox() -> list[str]:
        """Take the ids of the messages to deliver, as the webhook receiver stored them."""
        return ["message-1", "message-2", "message-3"]

    @task
    def deliver(message_ids: Any, params: dict[str, bool] | None = None) -> None:
        """Hand the messages to the gateway."""
        if params and params["fail"]:
            raise RuntimeError(f"gateway unavailable, {len(message_ids)} messages not delivered")

    message_ids = list_outbox()
    delivered = deliver(message_ids)
    sent = UpdateMessageStatusOperator(task_id="mark_sent", messages=message_ids, status="SENT")
    failed = UpdateMessageStatusOperator(
        task_id="mark_failed",
        messages=message_ids,
        status="FAILED",
        error_message="gateway unavailable, run {{ run_id }}",
        trigger_rule="one_failed",
    )
    delivered >> [sent, failed]


mark_by_branch()
