"""Large batches over days, played in virtual time: progress holds them, and a slow store does not hold them up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.batch.days import SECONDS, Account, is_refused, play
from tests.batch.in_memory import MemoryStore
from tests.batch.played import Clock


@pytest.mark.slow
@pytest.mark.parametrize("rejected", [0.05, 0.5])
def test_a_batch_of_four_days_sends_no_row_twice(rejected: float) -> None:
    """A quarter of the rows is allowed a day. On the first day the task is deferred, on the second retried; on the third the
    worker is killed: what it did in the last two seconds is sent again. Each row is counted, whatever its outcome.
    """
    rows = [f"m-{number}" for number in range(12_000)]
    store, clock, lines = MemoryStore(), Clock(), list[str]()
    account = Account(len(rows) // 4, rejected, store)
    refused = sum(is_refused(message_id, rejected) for message_id in rows)
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
    assert not [line for line in lines if "starting over" in line or "Not all progress fits" in line]


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
