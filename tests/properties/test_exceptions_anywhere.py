"""An exception between any two lines of a batch's own thread: Airflow's timeout, Ctrl-C, no memory. Every row is accounted for
once, and nothing is left behind.
"""

from __future__ import annotations

import ast
import json
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import airflow_provider_hubchan
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.shared_state import reset, shared_state
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.report_file import ReportFile
from tests.batch.in_memory import MemoryStore, RecordingSink
from tests.local_hubspot import REFUSAL, sockets_to

PACKAGE = str(Path(airflow_provider_hubchan.__file__).parent)
#: What runs in the batch's own thread: the emulator is another program.
PARTS = tuple(f"{PACKAGE}/{part}" for part in ("batch", "client", "hooks.py", "metrics.py", "report_file.py", "line_file.py"))
#: Where sockets are closed: after an exception right there, they are left to the garbage collector.
CLOSERS = ("/client/sync_driver.py", "/client/transport.py")
#: How many of the lines are tried, spread evenly: all of them take minutes.
LINES = 100
#: Updated, rejected, superseded, not known, and one that cannot be sent.
ROWS: list[Any] = [
    *({"message_id": f"m-{number}", "status": "READ"} for number in range(6)),
    {"message_id": "m-0", "status": "SENT"},
    {"message_id": "bad", "status": "READ"},
    {"message_id": "busy", "status": "READ"},
    {"message_id": "nobody", "status": "READ"},
    {"message_id": "nowhere", "status": "READ"},
    {"message_id": "m-1", "status": "GONE"},
]


@cache
def heads_of_with(path: str) -> set[int]:
    """The lines on which contexts are entered and left. Python looks for signals at calls and jumps, not between the end of a
    block and the call that leaves it; a trace function is called there, and would keep a lock locked.
    """
    heads = set[int]()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.With):
            heads |= {line for item in node.items for line in (node.lineno, item.context_expr.lineno)}
    return heads


class Interrupted(BaseException):
    """What Airflow raises in a task that takes too long is no `Exception`, either."""


class Interruption:
    """Raises at one line that the main thread runs in the package.

    :param at: number of the line, counted from 0 as they are run; None to count them.
    """

    def __init__(self, at: int | None) -> None:
        self.at, self.lines, self.place = at, 0, ""

    def __enter__(self) -> Interruption:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(PARTS):
            return None
        if event == "line" and frame.f_lineno not in heads_of_with(frame.f_code.co_filename):
            self.lines += 1
            if self.lines - 1 == self.at:
                self.place = f"{frame.f_code.co_filename.removeprefix(PACKAGE)}:{frame.f_lineno}"
                raise Interrupted
        return self._trace


@pytest.fixture
def hubspot() -> Iterator[Emulator]:
    with Emulator(limit=0) as emulator, emulator.as_connection():
        yield emulator


def run(emulator: Emulator, at: int | None, file: Path | None = None) -> tuple[Interruption, Report, list[int]]:
    """Run the batch.

    :param file: takes the dead letters; without it they are kept in memory.
    :return: with the rows of the dead letters.
    """
    emulator.reset()
    emulator.world.seed([*(f"m-{number}" for number in range(6)), "bad", "busy", "nowhere"])
    emulator.fault(message_id="bad", status=400, body=REFUSAL)
    emulator.fault(message_id="busy", status=503)
    emulator.fault(message_id="nowhere", status=404, body={"message": "No."})
    reset()
    report, memory, interruption = Report(), RecordingSink(), Interruption(at)
    sink = ReportFile(str(file)) if file else memory
    hook = HubchanHook(retry=RetryConfig(base_delay=0.001))
    options = BatchOptions(max_rejected=5, concurrency=3)
    try:
        with interruption:
            hook.run_batch(ROWS, options, dead_letters=sink, checkpoints=MemoryStore(), report=report)
    except Interrupted:
        assert interruption.place
    assert shared_state(hook.account).limiter.in_flight == 0
    if file:
        rows = [json.loads(line)["row"] for line in file.read_text().splitlines()] if file.exists() else []
    else:
        rows = [outcome.update.row for outcome in memory.outcomes if outcome.result != "updated"]
    return interruption, report, rows


@pytest.mark.slow
def test_an_exception_at_any_line_loses_no_row(hubspot: Emulator, tmp_path: Path) -> None:
    """Nothing was begun, or the report has every row once and the dead letters each row that was not updated."""
    counted, report, _ = run(hubspot, None)
    assert (report.rows, report.updated, report.skipped, report.rejected) == (len(ROWS), 7, 1, 4)
    begun, sockets = 0, set[Any]()
    for number in range(LINES):
        at = number * counted.lines // LINES
        folder = tmp_path / str(at)  # of its own: an exception where the lock of a folder is given up leaves it locked
        folder.mkdir()
        interruption, report, rows = run(hubspot, at, folder / "left.jsonl" if number % 2 else None)
        where = f"at line {at}, {interruption.place}"
        assert len(rows) == len(set(rows)), where
        if report.rows:
            begun += 1
            assert report.rows == report.updated + report.skipped + report.rejected + report.unresolved == len(ROWS), where
            # before anything is sent an older report file stays: what earlier tries have done is known only in part
            assert len(rows) == len(ROWS) - report.updated or not (rows or report.requests), where
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == [], where
        sockets, before = {socket.laddr for socket in sockets_to(hubspot)}, sockets
        assert interruption.place.startswith(CLOSERS) or sockets <= before, where
    assert begun > LINES / 3
