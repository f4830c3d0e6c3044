"""(f) What it costs to read a million rows: in our names, and in a gateway's names and words with `columns` and `statuses`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.common import measured, middle, peak, say, table

ROWS, RUNS = 1_000_000, 3
COLUMNS = {"message_id": "client_ref", "status": "MessageStatus", "error_message": "ErrorCode"}
STATUSES = {"delivered": "SENT", "read": "READ", "undelivered": "FAILED"}
#: By name: the file's suffix, and what it is read with. A pair of lines each: a format in our names and in a gateway's.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "CSV": ("csv", {}),
    "CSV, columns and statuses": ("csv", {"columns": COLUMNS, "statuses": STATUSES}),
    "JSON Lines": ("jsonl", {}),
    "JSON Lines, columns and statuses": ("jsonl", {"columns": COLUMNS, "statuses": STATUSES}),
}


def contents(translated: bool) -> Iterator[dict[str, str]]:
    """The rows of a day: one message in fifty failed, one in five was read; beside our three columns stands one of theirs.

    :param translated: True for a gateway's names and words.
    """
    words = {status: word for word, status in STATUSES.items()}
    names = [COLUMNS[name] if translated else name for name in ("message_id", "status", "error_message")]
    for number in range(1, ROWS + 1):
        status = "FAILED" if number % 50 == 0 else "READ" if number % 5 == 0 else "SENT"
        cells = (f"message-{number}", words[status] if translated else status, "30003" if status == "FAILED" else "")
        yield {**dict(zip(names, cells, strict=True)), "batch": f"2026-11-{number % 30 + 1:02}"}


def write(path: Path, rows: Iterator[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        if path.suffix == ".csv":
            first = next(rows)
            writer = csv.DictWriter(file, list(first), lineterminator="\n")
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(rows)
        else:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)


def read(file: str, arguments: dict[str, Any]) -> dict[str, float]:
    """Read a file as far as a batch does before it begins to send; CPU seconds, and MB beyond those of the first row."""
    from airflow_provider_hubchan.batch.row_reader import RowReader
    from airflow_provider_hubchan.batch.store import UpdateStore
    from airflow_provider_hubchan.row_files import read_file

    def read_all() -> None:
        rows = RowReader(**arguments).read(read_file(file, arguments.get("columns")).pairs)
        with UpdateStore(rows) as store:
            assert (store.rows, store.size, store.bad) == (ROWS, ROWS, 0), (store.rows, store.size, store.bad)

    next(iter(read_file(file, arguments.get("columns")).pairs))  # imports
    before = peak()
    return measured(read_all, 1) | {"megabytes": peak() - before}


def run() -> str:
    """The table; each run in a fresh process, the kinds one after the other."""
    ran: dict[str, list[dict[str, float]]] = {name: [] for name in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "jsonl"):
            write(Path(folder, f"ours.{suffix}"), contents(translated=False))
            write(Path(folder, f"theirs.{suffix}"), contents(translated=True))
        for turn in range(RUNS):
            for name, (suffix, arguments) in KINDS.items():
                say(f"(f) reading {ROWS:,} rows, run {turn + 1} of {RUNS}: {name}")
                file = Path(folder, f"{'theirs' if arguments else 'ours'}.{suffix}")
                command = [sys.executable, "-m", "tests.bench.reading", str(file), json.dumps(arguments)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                ran[name].append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for name, runs in ran.items():
        ours = ran[name.partition(",")[0]]
        cells = [
            cell
            for what, digits in (("cpu", 1), ("megabytes", 1))
            for cell in (
                f"{middle(run[what] for run in runs):.{digits}f}",
                f"{middle(one[what] / other[what] for one, other in zip(runs, ours, strict=True)):.2f}",
            )
        ]
        rows.append([name, *cells])
    title = f"(f) Reading {ROWS:,} rows, all checked and none sent, medians of {RUNS} interleaved runs"
    notes = (
        "Ratios are medians of the runs' ratios to the same format in our names. MB: peak memory beyond that of the first row."
    )
    return table(title, ["file", "CPU s", "x our names", "MB", "x our names"], rows, notes)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(read(sys.argv[1], json.loads(sys.argv[2]))))
    else:
        print(run())
