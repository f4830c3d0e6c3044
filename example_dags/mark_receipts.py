"""Every minute, or on a signal: mark what the gateway has said since, FAILED with its reason or READ; and ask it where
callbacks are missing.

The receiver (``hubspot_bridge/receiver.py``) has noted the gateway's words in the outbox. A reply is SENT in HubSpot from the
start: "delivered" is sent only to correct a FAILED.
"""

from __future__ import annotations

import time

from airflow.sdk import dag, task
from hubspot_bridge.delivery import ask_gateway
from hubspot_bridge.marking import note_marked
from hubspot_bridge.schedules import every_minute_or_on
from hubspot_bridge.settings import open_gateway, open_outbox
from hubspot_bridge.signals import RECEIPTS

from airflow_provider_hubchan.gateways import TWILIO
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


@dag(schedule=every_minute_or_on(RECEIPTS), catchup=False, max_active_runs=1, params={"folder": "/tmp"}, tags=["hubspot"])
def mark_receipts() -> None:
    @task
    def look_up() -> int:
        """Callbacks that nobody received: how many messages the gateway was asked for."""
        with open_outbox() as outbox, open_gateway() as gateway:
            return ask_gateway(outbox, gateway.look_up, time.time)

    @task.short_circuit
    def list_unmarked() -> list[dict[str, str]]:
        """Where HubSpot shows something else than the gateway says; if there is nothing, the rest is skipped."""
        with open_outbox() as outbox:
            return outbox.unmarked(limit=1000)  # about what HubSpot takes in a minute; the next run has the rest

    rows = list_unmarked()
    marked = UpdateMessageStatusOperator(
        task_id="mark",
        messages=rows,
        statuses=TWILIO,
        not_found_grace=120,
        report_file="{{ params.folder }}/unmarked-{{ run_id }}.jsonl",
        retries=2,
    )
    note_marked(rows, marked.output).as_teardown()
    look_up()  # beside the others: what it finds, the next run marks


mark_receipts()
