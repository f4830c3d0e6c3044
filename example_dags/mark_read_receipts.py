"""Every time a file of WhatsApp's events has landed: who has read, told once for each message, and never taken back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, dag, task

from airflow_provider_hubchan.gateways import WHATSAPP

EVENTS = Asset("whatsapp_events")


@dag(
    schedule=[EVENTS],
    max_active_runs=1,
    params={"events": str(Path(__file__).parent / "data" / "whatsapp_events.csv")},
    tags=["hubspot"],
)
def mark_read_receipts() -> None:
    # An event that is late may come in a later file than what it is late for: so look before each update.
    @task.hubchan_status(
        columns={"message_id": "id", "status": "event"},
        statuses=WHATSAPP,
        compare_before_write=True,
        max_rejected=0.01,
        retries=2,
    )
    def mark(params: Any = None, triggering_asset_events: Any = None) -> list[dict[str, str]]:
        """All events of the files that have landed since the last run; of that in the params if run by hand.

        Which file it is, the collector has said: ``yield Metadata(EVENTS, {"path": path})``.
        """
        landed = [event.extra["path"] for event in triggering_asset_events[EVENTS]] or [params["events"]]
        events: list[dict[str, str]] = []
        for path in landed:
            with open(path, encoding="utf-8", newline="") as file:
                events += csv.DictReader(file)
        return events

    mark()


mark_read_receipts()
