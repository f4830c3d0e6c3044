"""Batches that end early: by a timeout, a stop, a deadline. Every row is accounted for, and no thread stays behind."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Outcome, Update
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.report_file import ReportFile
from tests.batch.in_memory import MemoryStore
from tests.local_hubspot import REFUSAL, sockets_to
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


def is_complete(report: Report) -> bool:
    return report.rows == len(IDS) == report.updated + report.skipped + report.rejected + report.unresolved


@pytest.mark.slow
def test_a_timeout_in_the_main_thread_leaves_a_complete_report(hubspot: Emulator, tmp_path: Path) -> None:
    """Report, file and checkpoint agree with HubSpot, threads and sockets are gone, and the timeout is raised."""
    store, report, path = MemoryStore(), Report(), tmp_path / "left.jsonl"

    class File(ReportFile):
        is_timed_out = False

        def write(self, outcome: Outcome, try_number: int) -> None:
            super().write(outcome, try_number)
            if outcome.result == "rejected" and not self.is_timed_out:
                self.is_timed_out = True
                raise TaskTimeout

    hubspot.fault(message_id="m-100", status=400, body=REFUSAL)
    file = File(str(path))
    with pytest.raises(TaskTimeout):
        HubchanHook().run_batch(IDS, BatchOptions(status="READ"), dead_letters=file, checkpoints=store, report=report)
    assert is_complete(report)
    assert report.updated == len(hubspot.ledger.patches(status=200))
    assert len(path.read_text().splitlines()) == report.rejected + report.unresolved
    assert (threads(), sockets_to(hubspot)) == ([], [])
    store.try_number = 2
    again = HubchanHook().run_batch(IDS, BatchOptions(status="READ"), checkpoints=store)
    assert (again.skipped, again.updated, again.rejected) == (report.updated, report.unresolved, 1)


@pytest.mark.slow
def test_a_stop_aborts_requests_in_flight(hubspot: Emulator) -> None:
    """HubSpot holds every response back for half a minute; the batch ends while it still does."""
    for name in IDS:
        hubspot.fault(message_id=name, delay=30.0)
    hook, report = HubchanHook(), Report()
    hubspot.world.issue()

    def stop_once_it_runs() -> None:
        wait_until(lambda: len(hubspot.ledger.patches()) > 0)
        hook.stop()

    stopper = threading.Thread(target=stop_once_it_runs)
    stopper.start()
    hook.run_batch(IDS, BatchOptions(status="READ"), report=report)
    stopper.join()
    assert is_complete(report)
    assert report.unresolved == len(IDS)
    assert {entry.status for entry in hubspot.ledger.patches()} == {None}
    assert threads() == []


@contextmanager
def a_byte_at_a_time() -> Iterator[tuple[str, list[int]]]:
    """A server that never ends its response and never pauses long enough for a timeout."""
    sent = [0]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

        def drip(connection: socket.socket) -> None:
            with connection:
                connection.recv(1000)
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while True:
                        connection.sendall(b".")
                        sent[0] += 1
                        threading.Event().wait(0.02)
                except OSError:
                    sent.append(-1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", sent


@pytest.mark.slow
def test_a_server_that_answers_a_byte_at_a_time_does_not_hold_a_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timeout of a socket ends this; the connection is aborted, and its thread is gone."""
    with a_byte_at_a_time() as (url, sent):
        connection = {"conn_type": "hubchan", "host": url, "extra": {"access_token": "t", "channel_id": "7"}}
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))
        hook, report = HubchanHook(), Report()

        def stop_once_it_drips() -> None:
            wait_until(lambda: sent[0] > 3)
            hook.stop()

        threading.Thread(target=stop_once_it_drips).start()
        hook.run_batch(IDS, BatchOptions(status="READ"), report=report)
        assert is_complete(report)
        assert threads() == []
        wait_until(lambda: sent[-1] == -1)


@pytest.mark.slow
def test_max_runtime_ends_a_batch_in_order(hubspot: Emulator) -> None:
    """What was sent is updated, the rest is unresolved and goes on in a retry; requests in flight end at the deadline."""
    for name in IDS[20:]:
        hubspot.fault(message_id=name, delay=20.0)
    store = MemoryStore()
    options = BatchOptions(status="READ", concurrency=4)
    report = HubchanHook().run_batch(IDS, options, max_runtime=1.5, checkpoints=store)
    assert is_complete(report)
    assert report.updated == 20
    assert "given up: out of time" in {label for _, label in report.reasons}
    assert report.aborted is not None
    assert "max_runtime was over" in report.aborted.problem.reason
    hubspot.schedule.clear()
    store.try_number = 2
    again = HubchanHook().run_batch(IDS, BatchOptions(status="READ"), checkpoints=store)
    assert (again.skipped, again.updated) == (20, 280)


def test_the_rows_of_a_stopped_batch_are_accounted_for_without_a_thread(hubspot: Emulator, tmp_path: Path) -> None:
    """Each row that was not begun is a line of the file, and a checkpoint was saved before that."""
    order: list[str] = []

    class File(ReportFile):
        def write(self, outcome: Outcome, try_number: int) -> None:
            super().write(outcome, try_number)
            order.append(outcome.result)

        def write_unresolved(self, updates: Iterable[Update], problem: Problem, try_number: int) -> None:
            order.append("the rest")
            super().write_unresolved(updates, problem, try_number)

    class Store(MemoryStore):
        def save(self, checkpoint: dict[str, Any]) -> None:
            super().save(checkpoint)
            order.append("saved")

    rows, path, report = [*IDS, *(f"n-{number}" for number in range(20_000))], tmp_path / "left.jsonl", Report()
    hubspot.fault(message_id="m-50", status=403, body=REFUSAL)
    options = BatchOptions(status="READ", concurrency=1)
    HubchanHook().run_batch(rows, options, dead_letters=File(str(path)), checkpoints=Store(), report=report)
    assert (report.rows, report.updated) == (20_300, 50)
    assert len(hubspot.ledger.patches()) == 51
    assert len(path.read_text().splitlines()) == 20_250
    first_of_the_rest = len(order) - 1 - order[::-1].index("updated")
    assert order[first_of_the_rest + 1 : first_of_the_rest + 4] == ["unresolved", "saved", "the rest"]
    assert os.path.exists(path)


@pytest.mark.parametrize(
    ("stops", "max_runtime", "text"), [(True, 60.0, "Stopped while"), (False, 0.05, "The time was over while")]
)
def test_rows_that_come_slowly_are_not_read_to_their_end(hubspot: Emulator, stops: bool, max_runtime: float, text: str) -> None:
    """What gives the rows may have no end: a stop and *max_runtime* end the reading, and nothing is sent."""
    hook = HubchanHook()

    def rows() -> Iterator[str]:
        for number in range(10_000):
            if stops and number == 10:
                hook.stop()
            threading.Event().wait(0.01)  # a source that is slow
            yield f"m-{number}"

    with pytest.raises(BatchIncomplete, match=text):
        hook.update_message_statuses(rows(), status="READ", max_runtime=max_runtime)
    assert hubspot.ledger.patches() == []
