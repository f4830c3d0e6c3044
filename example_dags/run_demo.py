"""The demo: a local HubSpot, a throw-away Airflow, and the DAG of mark_delivery_report.py. Run it with ``make demo``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator import Emulator

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".demo"
LIMIT = 190  # requests per 10 seconds: a privately distributed app in a Professional account


def main() -> int:
    """Run the DAG, print both sides; 0 if they agree."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    with Emulator(limit=LIMIT) as hubspot:
        outbox = [json.loads(line)["message_id"] for line in lines(HERE / "data" / "outbox.jsonl")]
        hubspot.world.seed(outbox)
        say(f"A local HubSpot at {hubspot.url} holds {len(outbox):,} outbound messages and allows {LIMIT} requests per 10 s.")
        say(f"Open {hubspot.url} in a browser to see their statuses change meanwhile.")
        say("Setting up a throw-away Airflow, then running the DAG mark_delivery_report. About a minute ...")
        rows, report = run_dag(json.dumps(hubspot.connection()))
        return compare(rows, report, hubspot)


def run_dag(connection: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the DAG in this process; give the rows that were mapped, and the operator's report."""
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.task=INFO py.warnings=ERROR",  # not Airflow of itself
        "AIRFLOW_CONN_HUBCHAN_DEFAULT": connection,
    }
    from airflow.utils.db import initdb

    initdb()
    sys.path.insert(0, str(HERE))
    from mark_delivery_report import mark_delivery_report

    run = mark_delivery_report().test(run_conf={"folder": str(HOME)})
    results = {task: run.get_task_instance(task).xcom_pull(task_ids=task) for task in ("map_codes", "mark_statuses")}
    return [json.loads(line) for line in lines(Path(results["map_codes"]))], results["mark_statuses"]


def compare(rows: list[dict[str, Any]], report: dict[str, Any], hubspot: Emulator) -> int:
    """Print the report, and what the report makes expect beside what HubSpot holds."""
    say("\nThe report (XCom of the task mark_statuses):")
    say(json.dumps({**report, "problems": [*report["problems"][:1], "..."]}, indent=2))
    not_updated = [json.loads(line) for line in lines(Path(report["report_file"]))]
    rejected = [row["message_id"] for row in not_updated if row["outcome"] == "rejected"]
    say(f"\nThat report file has {len(not_updated):,} lines, among them {len(rejected)} rejected ids.")

    wanted = {message_id: "SENT" for _, message_id in hubspot.world.messages}  # an agent's message is SENT from the start
    for row in rows:
        if row["message_id"] not in rejected and wanted.get(row["message_id"]) != "READ":
            wanted[row["message_id"]] = row["status"]
    ours, theirs = Counter(wanted.values()), Counter(hubspot.world.counts())
    sides = {
        **{f"messages {status}": (ours[status], theirs[status]) for status in ("SENT", "READ", "FAILED")},
        "updates accepted": (report["updated"], len(hubspot.ledger.patches(status=200))),
        "updates refused": (report["rejected"], len(hubspot.ledger.patches(status=404))),
        "requests": (report["requests"], len(hubspot.ledger.patches())),
        "answered with 429": (report["rate_limited"], len(hubspot.ledger.patches(status=429))),
    }
    say(f"\n{'':20}{'our report':>12}{'HubSpot':>12}")
    for name, (expected, seen) in sides.items():
        say(f"{name:20}{expected:12,}{seen:12,}")
    agree = all(expected == seen for expected, seen in sides.values())
    say("\nBoth sides agree." if agree else "\nTHE TWO SIDES DO NOT AGREE.")
    return 0 if agree else 1


def lines(path: Path) -> list[str]:
    """The lines of a file."""
    return path.read_text(encoding="utf-8").splitlines()


def say(text: str) -> None:
    """Print at once, even into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
