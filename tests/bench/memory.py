"""(c) Peak memory and (e) time per update, as the batch grows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.common import echo, environment, measured, middle, peak, say, table

#: Updates of each run. Large batches take minutes and run once; the small ones are spread among them, so that what else the
#: machine does concerns all alike.
ORDER = (1000, 20_000, 1000, 50_000, 1000, 200_000, 1000, 1000)


def batch(file: str, updates: int) -> dict[str, float]:
    """Mark what a JSON Lines file says, after one update; the figures of the file alone."""
    from airflow_provider_hubchan.hooks import HubchanHook
    from airflow_provider_hubchan.row_files import read_file

    def send() -> None:
        report = HubchanHook().update_message_statuses(read_file(file), status="READ")
        assert report.updated == updates, report

    HubchanHook().update_message_statuses(["message-0"], status="READ")
    before = peak()
    return measured(send, updates) | {"megabytes": peak() - before}


def run() -> dict[int, list[dict[str, float]]]:
    """The figures of every size, each batch in a fresh process."""
    ran: dict[int, list[dict[str, float]]] = {updates: [] for updates in sorted(set(ORDER))}
    with tempfile.TemporaryDirectory() as folder, echo() as url:
        for updates in ORDER:
            say(f"(c) memory, {updates:,} updates")
            file = Path(folder, f"{updates}.jsonl")
            file.write_text("".join(f'{{"message_id": "message-{number}"}}\n' for number in range(1, updates + 1)))
            command = [sys.executable, "-m", "tests.bench.memory", str(file), str(updates)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment(url))
            ran[updates].append(json.loads(done.stdout.splitlines()[-1]))
    return ran


def medians(ran: dict[int, list[dict[str, float]]], what: str) -> dict[int, float]:
    """The median of one figure for every size."""
    return {updates: middle(run[what] for run in runs) for updates, runs in ran.items()}


def tables(ran: dict[int, list[dict[str, float]]]) -> list[str]:
    """(c) and (e)."""
    least = min(ran)
    grown, seconds, cpu = (medians(ran, what) for what in ("megabytes", "seconds", "cpu"))
    memory = [
        [f"{updates:,}", str(len(runs)), f"{grown[updates]:.1f}", f"{(grown[updates] - grown[least]) / updates * 1e6:,.0f}"]
        for updates, runs in ran.items()
    ]
    time = [
        [
            f"{updates:,}",
            str(len(runs)),
            *(f"{seconds[updates] * 1e6:,.0f}", f"{seconds[updates] / seconds[least]:.2f}"),
            *(f"{cpu[updates] * 1e6:,.0f}", f"{cpu[updates] / cpu[least]:.2f}"),
        ]
        for updates, runs in ran.items()
    ]
    first = f"x {least:,}"
    costs = [run["cpu"] * 1e6 for run in ran[least]]
    notes = (
        f"CPU us/update of the runs of {least:,}: {min(costs):,.0f} to {max(costs):,.0f}. A ratio within that range is noise."
    )
    return [
        table(
            "(c) Peak memory over that of a process that sent one update, from a JSON Lines file",
            ["updates", "runs", "MB", f"bytes per update beyond {least:,}"],
            memory,
        ),
        table(
            "(e) Growth: the same runs",
            ["updates", "runs", "us/update", first, "CPU us/update", first],
            time,
            notes,
        ),
    ]


if __name__ == "__main__":
    print(json.dumps(batch(sys.argv[1], int(sys.argv[2]))))
