"""Ends that nobody planned: a kill, a timeout, a deadline. Every row is accounted for, and no thread stays behind."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.rows import Outcome
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.report_file import ReportFile
from tests.batch.in_memory import MemoryStore
from tests.local_hubspot import sockets_to
from tests.waiting import wait_until

IDS = [f"m-{number}" for number in range(300)]


class TaskTimeout(BaseException):
    """As Airflow's: raised in the main thread, wherever it is."""


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hubchan-")]


def whole(report: Report) -> bool:
    return report.rows == len(IDS) == report.updated + report.skipped + report.rejected + report.unresolved


@pytest.mark.slow
def test_a_timeout_in_the_main_thread_leaves_a_whole_account(hubspot: Emulator, tmp_path: Path) -> None:
    """Report, file and progress agree with HubSpot, threads and sockets are gone, and the timeout goes on its way."""
    kept, report, path = MemoryStore(), Report(), tmp_path / "left.jsonl"

    class File(ReportFile):
        def write(self, outcome: Outcome, attempt: int) -> None:
            super().write(outcome, attempt)
            if outcome.result == "rejected":
                raise TaskTimeout

    hubspot.fault(message_id="m-100", status=400)
    file = File(str(path))
    with pytest.raises(TaskTimeout):
        HubchanHook().update_message_statuses(IDS, status="READ", letters=file, keeper=kept, report=report)
    assert whole(report)
    assert report.updated == len(hubspot.ledger.patches(status=200))
    assert len(path.read_text().splitlines()) == report.rejected + report.unresolved
    assert (threads(), sockets_to(hubspot)) == ([], [])
    kept.attempt = 2
    again = HubchanHook().update_message_statuses(IDS, status="READ", keeper=kept)
    assert (again.skipped, again.updated, again.rejected) == (report.updated, report.unresolved, 1)


@pytest.mark.slow
def test_a_stop_cuts_off_who_waits_for_an_answer(hubspot: Emulator) -> None:
    """HubSpot holds every answer back for half a minute; the batch ends while it still does."""
    for name in IDS:
        hubspot.fault(message_id=name, delay=30.0)
    hook, report = HubchanHook(), Report()
    hubspot.world.issue()

    def stop_once_it_runs() -> None:
        wait_until(lambda: len(hubspot.ledger.patches()) > 0)
        hook.stop()

    stopper = threading.Thread(target=stop_once_it_runs)
    stopper.start()
    hook.update_message_statuses(IDS, status="READ", report=report)
    stopper.join()
    assert whole(report)
    assert report.unresolved == len(IDS)
    assert {entry.status for entry in hubspot.ledger.patches()} == {None}
    assert threads() == []


@contextmanager
def a_byte_at_a_time() -> Iterator[tuple[str, list[int]]]:
    """A server that never ends its answer and never pauses long enough for a timeout."""
    sent = [0]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(line,), daemon=True).start()

        def drip(line: socket.socket) -> None:
            line.recv(1000)
            try:
                line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while True:
                    line.sendall(b".")
                    sent[0] += 1
                    threading.Event().wait(0.02)
            except OSError:
                sent.append(-1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", sent


@pytest.mark.slow
def test_a_server_that_answers_a_byte_at_a_time_does_not_hold_a_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timeout of a socket ends this; the connection is cut, and its thread is gone."""
    with a_byte_at_a_time() as (url, sent):
        connection = {"conn_type": "hubchan", "host": url, "extra": {"access_token": "t", "channel_id": "7"}}
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))
        hook, report = HubchanHook(), Report()

        def stop_once_it_drips() -> None:
            wait_until(lambda: sent[0] > 3)
            hook.stop()

        threading.Thread(target=stop_once_it_drips).start()
        hook.update_message_statuses(IDS, status="READ", report=report)
        assert whole(report)
        assert threads() == []
        wait_until(lambda: sent[-1] == -1)


@pytest.mark.slow
def test_max_runtime_ends_a_batch_in_order(hubspot: Emulator) -> None:
    """What is done is done, the rest is unresolved and goes on in a retry; requests under way are cut at the deadline."""
    for name in IDS[20:]:
        hubspot.fault(message_id=name, delay=20.0)
    kept = MemoryStore()
    report = HubchanHook().update_message_statuses(IDS, status="READ", max_runtime=1.5, keeper=kept, concurrency=4)
    assert whole(report)
    assert report.updated == 20
    assert "given up: out of time" in {label for _, label in report.reasons}
    hubspot.schedule.clear()
    kept.attempt = 2
    again = HubchanHook().update_message_statuses(IDS, status="READ", keeper=kept)
    assert (again.skipped, again.updated) == (20, 280)


def test_a_large_batch_that_is_stopped_is_accounted_for_without_asking_anybody(hubspot: Emulator, tmp_path: Path) -> None:
    """The rows that were not begun need no thread: each is a line of the file, and progress was kept before that."""
    order: list[str] = []

    class File(ReportFile):
        def write(self, outcome: Outcome, attempt: int) -> None:
            super().write(outcome, attempt)
            order.append(outcome.result)

    class Keeper(MemoryStore):
        def save(self, progress: dict[str, Any]) -> None:
            super().save(progress)
            order.append("kept")

    rows, path, report = [*IDS, *(f"n-{number}" for number in range(20_000))], tmp_path / "left.jsonl", Report()
    hubspot.fault(message_id="m-50", status=403)
    HubchanHook().update_message_statuses(
        rows, status="READ", letters=File(str(path)), keeper=Keeper(), report=report, concurrency=1
    )
    assert (report.rows, report.updated) == (20_300, 50)
    assert len(hubspot.ledger.patches()) == 51
    assert len(path.read_text().splitlines()) == 20_250
    first_of_the_rest = len(order) - 1 - order[::-1].index("updated")
    assert order[first_of_the_rest + 1 : first_of_the_rest + 3] == ["unresolved", "kept"]
    assert os.path.exists(path)
