"""An SMS gateway's delivery report becomes message statuses in HubSpot."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

log = logging.getLogger(__name__)

REPORT = Path(__file__).parent / "data" / "delivery_report.jsonl"
NOT_UPDATED = os.environ.get("HUBCHAN_DEMO_NOT_UPDATED", "/tmp/not_updated.jsonl")

# What the gateway says, and what HubSpot calls it.
STATUSES = {"DELIVRD": "SENT", "READ": "READ", "UNDELIV": "FAILED", "EXPIRED": "FAILED", "REJECTD": "FAILED"}


@dag(schedule=None, catchup=False, tags=["hubspot"])
def mark_delivery_report() -> None:
    @task(show_return_value_in_logs=False)
    def map_codes() -> list[dict[str, str]]:
        """One row for each event whose code is known, in the order of the report."""
        rows, unknown = [], Counter[str]()
        for line in REPORT.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            status = STATUSES.get(event["state"])
            if status is None:
                unknown[f"{event['state']} {event['code']}: {event['text']}"] += 1
                continue
            row = {"message_id": event["message_id"], "status": status}
            if status == "FAILED":
                row["error_message"] = f"{event['code']}: {event['text']}"
            rows.append(row)
        for code, times in unknown.items():
            log.warning("Nobody knows the gateway's code %r: %d events are left out.", code, times)
        return rows

    UpdateMessageStatusOperator(
        task_id="mark_statuses",
        messages=map_codes(),
        max_rejected=0.01,  # a few ids are always too old
        report_file=NOT_UPDATED,
    )


mark_delivery_report()
