"""Large batches over days, played in virtual time: progress holds them, and a slow store does not hold them up."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions, run_batch
from airflow_provider_hubchan.client.actions import Request, Response
from tests.batch.in_memory import MemoryStore, RecordingSink
from tests.batch.played import Clock, PlayedDriver
from tests.client.canned import refusal, reply

#: Seconds of a request: about nineteen in a second.
SECONDS = 1 / 19


class Killed(BaseException):
    """The process is gone."""


class Account:
    """HubSpot for one account: a daily quota, and messages that it refuses, at random.

    :param daily: requests a day.
    :param rejected: part of the messages that are refused.
    :param store: of the task, whose worker is killed after *kill_after* requests.
    """

    def __init__(self, daily: int, rejected: float, store: MemoryStore) -> None:
        self._daily, self._rejected, self._store = daily, rejected, store
        self.left, self.kill_after = daily, -1
        self.sent = Counter[str]()

    def answer(self, request: Request) -> Response:
        if not self.left:
            return reply(429, {"message": "You have reached your daily limit.", "policyName": "DAILY"})
        self.left -= 1
        self.kill_after -= 1
        message_id = request.url.rpartition("/")[2]
        self.sent[message_id] += 1
        if self.kill_after == 0:
            self._store.frozen = True
            raise Killed
        if random.Random(message_id).random() < self._rejected:
            return refusal(400)
        return reply(200, {"id": message_id, "status": {"statusType": "READ"}})

    def next_day(self) -> None:
        self.left = self._daily


def play(account: Account, store: MemoryStore, rows: list[str], clock: Clock, lines: list[str]) -> Report:
    """One try; its report is empty if the worker is killed."""
    report, driver = Report(), PlayedDriver(clock, account.answer, SECONDS, random.Random(7))
    store.frozen = False
    try:
        run_batch(
            driver,  # type: ignore[arg-type]
            "100200",
            rows,
            BatchOptions(status="READ", max_rejected=1.0),
            dead_letters=RecordingSink(),
            checkpoints=store,
            report=report,
            log=lines.append,
            warn=lines.append,
            clock=clock,
        )
    except Killed:
        return Report()
    return report


@pytest.mark.slow
@pytest.mark.parametrize("rejected", [0.05, 0.5])
def test_a_batch_of_four_days_sends_no_row_twice(rejected: float) -> None:
    """A quarter of the rows is allowed a day. On the first day the task is deferred, on the second retried; on the third the
    worker is killed: what it did in the last two seconds is sent again. Each row is counted, whatever its outcome.
    """
    rows = [f"m-{number}" for number in range(12_000)]
    store, clock, lines = MemoryStore(), Clock(), list[str]()
    account = Account(len(rows) // 4, rejected, store)
    refused = sum(random.Random(message_id).random() < rejected for message_id in rows)
    for day in range(1, 6):
        if day == 3:
            account.kill_after = account.left // 2
            assert play(account, store, rows, clock, lines).rows == 0
            store.try_number += 1
        report = play(account, store, rows, clock, lines)
        assert len(json.dumps(store.load() or {})) < 65_536
        assert report.rows == len(rows)
        if not report.unresolved:
            break
        store.try_number += day == 2
        account.next_day()
    repeated = sum(account.sent.values()) - len(rows)
    assert day == 5
    assert 0 < repeated <= 2.5 / SECONDS
    assert (report.rejected, report.updated + report.skipped) == (refused, len(rows) - refused)
    assert not [line for line in lines if "starting over" in line or "once more" in line]


@pytest.mark.parametrize("seconds", [0.0, 2.1, 30.0])
def test_a_slow_store_takes_a_twentieth_of_the_time(seconds: float) -> None:
    """Five minutes of updates with saves that take that long each; the first one is the price of finding out."""
    clock, account = Clock(), Account(0, 0.0, MemoryStore())
    account.left = 10**6

    class SlowStore(MemoryStore):
        def save(self, checkpoint: dict[str, Any]) -> None:
            super().save(checkpoint)
            clock.now += seconds

    store, rows = SlowStore(), [f"m-{number}" for number in range(6_000)]
    assert play(account, store, rows, clock, []).updated == len(rows)
    sending = len(rows) * SECONDS
    assert clock.now - sending <= sending / 19 + seconds
    assert store.saved >= 1
