"""(g) What it costs to account for a million rows when a batch ends early: Airflow gives a task that is to stop 5 seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.common import environment, measured, middle, say, table

ROWS, RUNS = 1_000_000, 3
#: Nobody listens there: the batch ends after a few rows, as it does for a stop, the end of max_runtime or a 403.
NOWHERE = "http://127.0.0.1:9"
#: By name: what the process is told.
KINDS = {
    "json.dumps and write, the same lines": "peer",
    "with a report file": "file",
    "without a report file": "none",
}


def write_lines(path: Path) -> None:
    """The peer: the lines of the report, in the shortest program."""
    with path.open("w") as file:
        for number in range(1, ROWS + 1):
            line = {"message_id": f"message-{number}", "status": "READ", "row": number, "outcome": "unresolved"}
            line |= {"reason": "Given up: stopped before there was an answer.", "category": None, "correlation_id": None}
            file.write(json.dumps(line | {"try": 1, "time": "2026-11-28T12:00:00+00:00"}) + "\n")


def end(path: Path | None) -> dict[str, float]:
    """Seconds and CPU seconds from the moment a batch ends early until all its rows are accounted for.

    :param path: of the report file, None for none.
    """
    from airflow_provider_hubchan.batch.dead_letters import NullSink
    from airflow_provider_hubchan.batch.report import Report
    from airflow_provider_hubchan.batch.runner import BatchOptions
    from airflow_provider_hubchan.client.flow import RetryConfig
    from airflow_provider_hubchan.hooks import HubchanHook
    from airflow_provider_hubchan.report_file import ReportFile

    hook, report, began = HubchanHook(retry=RetryConfig(base_delay=0.001)), Report(), list[tuple[float, float]]()
    sink = ReportFile(str(path)) if path else NullSink()
    rows = ({"message_id": f"message-{number}", "status": "READ"} for number in range(1, ROWS + 1))

    class Store:
        """Tells when the end begins: by the first checkpoint after it."""

        try_number = 1

        def load(self) -> None:
            return None

        def save(self, checkpoint: dict[str, object]) -> None:
            if report.aborted and not began:
                began.append((time.perf_counter(), time.process_time()))

        def clear(self) -> None:
            pass

    hook.run_batch(rows, BatchOptions(), dead_letters=sink, checkpoints=Store(), report=report)
    wall, cpu = began[0]
    figures = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert (report.rows, report.unresolved) == (ROWS, ROWS), report
    if path:
        with path.open() as file:
            assert sum(1 for _ in file) == ROWS
    return figures


def run() -> str:
    """The table; each run in a fresh process, the kinds one after the other."""
    ran: dict[str, list[dict[str, float]]] = {name: [] for name in KINDS}
    for turn in range(RUNS):
        for name, kind in KINDS.items():
            say(f"(g) a batch of {ROWS:,} rows that ends early, run {turn + 1} of {RUNS}: {name}")
            command = [sys.executable, "-m", "tests.bench.ending", kind]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment(NOWHERE))
            ran[name].append(json.loads(done.stdout.splitlines()[-1]))
    peers = ran[next(iter(KINDS))]
    rows = [
        [
            name,
            f"{middle(one['seconds'] for one in runs):.2f}",
            f"{middle(one['cpu'] for one in runs):.2f}",
            f"{middle(one['cpu'] / peer['cpu'] for one, peer in zip(runs, peers, strict=True)):.2f}",
        ]
        for name, runs in ran.items()
    ]
    title = f"(g) Accounting for {ROWS:,} rows after a batch has ended early, medians of {RUNS} interleaved runs"
    notes = (
        "From the first checkpoint after the end until everything is written. Airflow kills a task 5 s after it was to stop."
    )
    return table(title, ["", "s", "CPU s", "x json.dumps"], rows, notes)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "left.jsonl")
            if sys.argv[1] == "peer":
                print(json.dumps(measured(lambda: write_lines(place), 1)))
            else:
                print(json.dumps(end(place if sys.argv[1] == "file" else None)))
    else:
        print(run())
