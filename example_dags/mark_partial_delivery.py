"""The gateway goes away half way through a batch: mark SENT what it took, and FAILED what it did not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


def notes(params: Any, run_id: str) -> Path:
    """Where the sender notes what the gateway took. It outlives the sender, however that ends."""
    return Path(params["folder"], f"taken-{run_id}.txt")


def taken(file: Path) -> set[str]:
    return set(file.read_text(encoding="utf-8").split()) if file.exists() else set()


@dag(schedule=None, catchup=False, params={"folder": "/tmp", "gateway_takes": 1000}, tags=["hubspot"])
def mark_partial_delivery() -> None:
    @task
    def list_outbox() -> list[str]:
        """Take the ids of the messages to deliver, as the webhook receiver stored them."""
        return ["message-1", "message-2", "message-3", "message-4", "message-5"]

    @task(retries=1, retry_delay=timedelta(minutes=5))
    def send_whatsapp(message_ids: Any, params: Any = None, run_id: Any = None) -> None:
        """Hand over one message after the other, and note each at once: a retry goes on after the last note."""
        file = notes(params, run_id)
        before = taken(file)
        left = [message_id for message_id in message_ids if message_id not in before]
        with file.open("a", encoding="utf-8") as noted:
            for number, message_id in enumerate(left):
                if number == params["gateway_takes"]:  # in each try
                    raise RuntimeError(f"gateway unavailable, {len(left) - number} of {len(message_ids)} messages left")
                print(message_id, file=noted, flush=True)

    @task(trigger_rule="all_done")  # after the last try; not a callback: the scheduler starts it, also if the sender was killed
    def look_up(message_ids: Any, params: Any = None, run_id: Any = None) -> list[dict[str, str]]:
        """What the gateway took is SENT, the rest is FAILED."""
        sent = taken(notes(params, run_id))
        return [{"message_id": each, "status": "SENT" if each in sent else "FAILED"} for each in message_ids]

    @task
    def close_campaign() -> None:
        """What comes after a whole delivery. Being last and not run, it also turns the run of half a delivery red."""

    message_ids = list_outbox()
    sent, statuses = send_whatsapp(message_ids), look_up(message_ids)
    marked = UpdateMessageStatusOperator(
        task_id="mark", messages=statuses, error_message="gateway unavailable, run {{ run_id }}", retries=2
    )
    sent >> statuses
    [sent, marked] >> close_campaign()


mark_partial_delivery()
