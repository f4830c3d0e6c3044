"""Every minute, or on a signal: hand the agents' replies to the gateway, and mark at once what it refuses, with its reason.

The receiver (``hubspot_bridge/receiver.py``) has stored them in the outbox. Settings are environment variables, see
``hubspot_bridge/settings.py``. How the rest ends the gateway says later: ``mark_receipts.py``.
"""

from __future__ import annotations

import time
from datetime import timedelta

from airflow.sdk import dag, task
from hubspot_bridge.delivery import deliver_pending
from hubspot_bridge.marking import note_marked
from hubspot_bridge.schedules import every_minute_or_on
from hubspot_bridge.settings import open_gateway, open_outbox
from hubspot_bridge.signals import REPLIES

from airflow_provider_hubchan.gateways import TWILIO
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


@dag(schedule=every_minute_or_on(REPLIES), catchup=False, max_active_runs=1, params={"folder": "/tmp"}, tags=["hubspot"])
def deliver_outbox() -> None:
    @task.short_circuit(retries=3, retry_delay=timedelta(seconds=10))  # nothing refused: the rest is skipped
    def deliver() -> list[dict[str, str]]:
        """Give the gateway what is pending. While the gateway is away, it stays pending, for the retry and for the next run."""
        with open_outbox() as outbox, open_gateway() as gateway:
            return deliver_pending(outbox, gateway.send, time.time)

    refused = deliver()
    marked = UpdateMessageStatusOperator(
        task_id="mark",
        messages=refused,
        statuses=TWILIO,
        not_found_grace=10,  # the webhook may be faster than HubSpot's own database
        max_rejected=1.0,  # what HubSpot does not know even then is not lost: mark_receipts tries it for longer
        # The next replies wait for the end of this run, so it does not wait for HubSpot: what is left, mark_receipts marks.
        max_runtime=40,
        deferrable=False,
        retries=0,
        report_file="{{ params.folder }}/refused-{{ run_id }}.jsonl",
    )
    note_marked(refused, marked.output, keep_rejected=True).as_teardown()


deliver_outbox()
