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
        events = [json.loads(line) for line in lines(HERE / "data" / "delivery_report.jsonl")]
        statuses, report = run_dag(json.dumps(hubspot.connection()))
        return compare(events, statuses, report, hubspot)


def run_dag(connection: str) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Run the DAG in this process; give its mapping of the gateway's codes, and the operator's report."""
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
    from mark_delivery_report import STATUSES, mark_delivery_report

    run = mark_delivery_report().test(run_conf={"folder": str(HOME)})
    return STATUSES, run.get_task_instance("mark_statuses").xcom_pull(task_ids="mark_statuses")


def compare(events: list[dict[str, Any]], statuses: dict[str, str | None], report: dict[str, Any], hubspot: Emulator) -> int:
    """Print the report, and what the gateway's events make expect beside what HubSpot holds."""
    say("\nThe report (XCom of the task mark_statuses):")
    say(json.dumps({**report, "problems": [*report["problems"][:1], "..."]}, indent=2))
    not_updated = [json.loads(line) for line in lines(Path(report["report_file"]))]
    rejected = [row for row in not_updated if row["outcome"] == "rejected"]
    unsendable = {row["row"] for row in rejected if row.get("sendable") is False}
    refused = {row["message_id"] for row in rejected if row["row"] not in unsendable}
    say(f"\nThat report file has {len(not_updated):,} lines, {len(rejected)} of them rejected:")
    say(f"{len(unsendable)} that could not be sent, and {len(refused)} that HubSpot refused.")

    expected: dict[str, str] = {message_id: "SENT" for _, message_id in hubspot.world.messages}  # from the start
    for number, event in enumerate(events, 1):
        message_id, status = event["message_id"], statuses.get(event["state"], "not translated")
        if status and number not in unsendable and message_id not in refused and expected.get(message_id) != "READ":
            expected[message_id] = status
    ours, theirs = Counter(expected.values()), Counter(hubspot.world.counts())
    sides = {
        **{f"messages {status}": (ours[status], theirs[status]) for status in ("SENT", "READ", "FAILED")},
        "updates accepted": (report["updated"], len(hubspot.ledger.patches(status=200))),
        "updates refused": (report["rejected"] - len(unsendable), len(hubspot.ledger.patches(status=404))),
        "requests": (report["requests"], len(hubspot.ledger.patches())),
        "answered with 429": (report["rate_limited"], len(hubspot.ledger.patches(status=429))),
    }
    say(f"\n{'':20}{'our report':>12}{'HubSpot':>12}")
    for name, (left, right) in sides.items():
        say(f"{name:20}{left:12,}{right:12,}")
    agree = all(left == right for left, right in sides.values())
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
