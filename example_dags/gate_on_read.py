"""Read receipts as a gate: go on when nine of ten messages have been read, and give up after a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.sensors import MessageStatusSensor


@dag(schedule=None, catchup=False, tags=["hubspot"])
def gate_on_read() -> None:
    @task
    def list_outbox() -> list[str]:
        """Take the ids of the messages that were delivered."""
        return ["message-1", "message-2", "message-3"]

    read = MessageStatusSensor(
        task_id="wait_until_read",
        message_ids=list_outbox(),
        statuses=("READ",),
        min_share=0.9,
        poke_interval=60,
        timeout=timedelta(days=1),
        mode="reschedule",
    )

    @task
    def follow_up(statuses: Any) -> int:
        """Go on with those who have read."""
        return list(statuses.values()).count("READ")

    follow_up(read.output)


gate_on_read()
