"""What all benchmarks share: servers in processes of their own, figures, tables."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

RUNS = 5
BEGAN = time.monotonic()


def say(text: str) -> None:
    """Log on stderr how far it is."""
    print(f"[{time.monotonic() - BEGAN:4.0f} s] {text}", file=sys.stderr, flush=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], notes: str = "") -> str:
    """A title, a table of Markdown with the first column left-aligned and the others right-aligned, and notes."""
    cells = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(pairs)) + " |"
        for pairs in (list(zip(row, widths, strict=True)) for row in cells)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2 - bool(at)) + (":" if at else "") for at, width in enumerate(widths)) + "|")
    return "\n".join([title, "", *lines, *(["", notes] if notes else []), ""])


def percent(part: float) -> str:
    """A part of one as per cent: two digits more for the small ones, where they matter."""
    return f"{part:.2%}" if 0 < part < 0.01 else f"{part:.1%}"


def middle(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def peak() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def serving(module: str, *options: str, lines: int = 1) -> Iterator[list[str]]:
    """A module that serves, in a process of its own; gives the first *lines* it printed."""
    with subprocess.Popen([sys.executable, "-m", module, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline() for _ in range(lines)]
        finally:
            process.terminate()


@contextmanager
def emulator(messages: int, limit: int = 0) -> Iterator[dict[str, Any]]:
    """A local HubSpot; gives the connection to it.

    :param limit: requests per 10 seconds, 0 for none.
    """
    options = ("--port", "0", "--limit", str(limit), "--messages", str(messages))
    with serving("airflow_provider_hubchan.emulator", *options, lines=3) as printed:
        yield json.loads(printed[2].split("=", 1)[1].strip().strip("'"))


@contextmanager
def echo(delay: float = 0.0) -> Iterator[str]:
    """A server that does nothing but answer each request with HubSpot's answer; gives its URL.

    :param delay: seconds before each answer.
    """
    with serving("tests.bench.echo", str(delay)) as printed:
        yield printed[0].strip()


def environment(url: str) -> dict[str, str]:
    """The environment of a process whose connections lead to *url*, with a ready token."""
    ours = {"conn_type": "hubchan", "host": url, "extra": {"access_token": "t", "channel_id": "100200"}}
    return os.environ | {
        "AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps(ours),
        "AIRFLOW_CONN_HTTP_DEFAULT": json.dumps({"conn_type": "http", "host": url}),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONWARNINGS": "ignore",
    }


def measured(do: Callable[[], object], updates: int) -> dict[str, float]:
    """Seconds and CPU seconds of this process for each of *updates*."""
    cpu, began = time.process_time(), time.perf_counter()
    do()
    return {"seconds": (time.perf_counter() - began) / updates, "cpu": (time.process_time() - cpu) / updates}
