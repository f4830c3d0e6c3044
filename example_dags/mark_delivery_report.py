"""An SMS gateway's delivery report becomes message statuses in HubSpot, every quarter of an hour."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

log = logging.getLogger(__name__)

REPORT = Path(__file__).parent / "data" / "delivery_report.jsonl"

# What the gateway says, and what HubSpot calls it.
STATUSES = {"DELIVRD": "SENT", "READ": "READ", "UNDELIV": "FAILED", "EXPIRED": "FAILED", "REJECTD": "FAILED"}


@dag(
    schedule="*/15 * * * *",
    catchup=False,
    max_active_runs=1,  # of two reports the later one has the last word
    params={"report": str(REPORT), "folder": "/tmp"},
    tags=["hubspot"],
)
def mark_delivery_report() -> None:
    @task
    def map_codes(params: Any = None, run_id: Any = None) -> str:
        """Write one row for each event whose code is known, in the order of the report; give the path."""
        rows, unknown = Path(params["folder"], f"rows-{run_id}.jsonl"), Counter[str]()
        with open(params["report"], encoding="utf-8") as events, rows.open("w", encoding="utf-8") as file:
            for event in map(json.loads, events):
                status = STATUSES.get(event["state"])
                if status is None:
                    unknown[f"{event['state']} {event['code']}: {event['text']}"] += 1
                    continue
                row = {"message_id": event["message_id"], "status": status}
                if status == "FAILED":
                    row["error_message"] = f"{event['code']}: {event['text']}"
                file.write(f"{json.dumps(row)}\n")
        for code, times in unknown.items():
            log.warning("Nobody knows the gateway's code %r: %d events are left out.", code, times)
        return str(rows)

    UpdateMessageStatusOperator(
        task_id="mark_statuses",
        messages_file=map_codes(),
        max_rejected=0.01,  # a few ids are always too old
        report_file="{{ params.folder }}/not_updated-{{ run_id }}.jsonl",
        retries=2,
    )


mark_delivery_report()
