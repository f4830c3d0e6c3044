"""How a batch stands, as it is kept for people: what it says, that it is bounded, and that nothing depends on it."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_hubchan.batch.checkpoint import Checkpoint
from airflow_provider_hubchan.batch.progress import MAX_BITS_LENGTH, Progress
from airflow_provider_hubchan.batch.report import MAX_PROBLEMS, Report
from airflow_provider_hubchan.batch.snapshot import MAX_SAMPLES, Snapshots
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.batch.update_states import DoneUpdates
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from airflow_provider_hubchan.emulator import Emulator
from tests.batch.in_memory import MemoryStore
from tests.batch.played import Clock, PlayedDriver
from tests.batch.tries import IDS, empty_store, run_interrupted_try

#: When the batch begins, in seconds since the epoch.
BEGAN = 1_795_183_330.0
UPDATE = Update(1, "m-1", MessageStatus.READ)
REFUSED = Problem("HubSpot answered 404: no.", "404 OBJECT_NOT_FOUND", 404, "OBJECT_NOT_FOUND", "c-1")


def played(clock: Clock) -> Any:
    """A driver of which a snapshot reads what it knows of the quota."""
    return PlayedDriver(clock, lambda request: None, 0.1, random.Random(1))  # type: ignore[arg-type,return-value]


def snapshots(clock: Clock, report: Report, rows: int = 100, driver: Any = None) -> Snapshots:
    taken = Snapshots(driver or played(clock), rows, report, clock, lambda: BEGAN + clock.now)
    taken.begin()
    return taken


def test_a_snapshot_says_how_the_batch_stands() -> None:
    """Counts by outcome and by reason, the quota, the times, and how many rows were done when."""
    clock, report = Clock(), Report(requests=9, rate_limited=2, waited_seconds=1.23456, elapsed_seconds=4.0)
    report.add(Outcome(UPDATE, "skipped", Problem("superseded by row 2", "superseded")))
    clock.now = 5.0
    taken = snapshots(clock, report)
    for outcome in (Outcome(UPDATE, "updated"), Outcome(UPDATE, "rejected", REFUSED), Outcome(UPDATE, "rejected", REFUSED)):
        report.add(outcome)
    clock.now = 7.0
    assert taken.take(try_number=2) == {
        "version": 1,
        "try": 2,
        "started": BEGAN + 5,
        "at": BEGAN + 7,
        "rows": 100,
        "updated": 1,
        "skipped": 1,
        "rejected": 2,
        "unresolved": 0,
        "requests": 9,
        "rate_limited": 2,
        "waited_seconds": 1.235,
        "elapsed_seconds": 4.0,
        "reasons": [
            {"outcome": "rejected", "reason": "404 OBJECT_NOT_FOUND", "count": 2},
            {"outcome": "skipped", "reason": "superseded", "count": 1},
        ],
        "quota": {"limit": 100, "window": 10.0, "known": False},
        "waiting_until": None,
        "samples": [[0.0, 1], [2.0, 4]],
    }


def test_a_batch_that_runs_keeps_its_snapshot(hubspot_emulator: Emulator) -> None:
    """With its progress: of a try that is broken off, what it has done, and of the next one what it found."""
    hubspot_emulator.world.seed(IDS)
    store = empty_store()
    run_interrupted_try(hubspot_emulator, store, 120)
    first = json.loads(store.text or "")["snapshot"]
    assert (first["try"], first["rows"], first["quota"]["known"]) == (1, len(IDS), True)
    assert (first["updated"], first["unresolved"]) == (120, 80)
    assert first["requests"] >= 120
    assert [done for _, done in first["samples"]] == [0, 120]
    run_interrupted_try(hubspot_emulator, store, 20)
    second = json.loads(store.text or "")["snapshot"]
    assert (second["try"], second["skipped"], second["samples"][0]) == (2, 120, [0.0, 120])


def test_a_pause_has_its_end() -> None:
    """As long as HubSpot takes no request of the account."""
    clock = Clock()
    driver = played(clock)
    driver.blocked_for = 12.5
    assert snapshots(clock, Report(), driver=driver).take(1)["waiting_until"] == BEGAN + 12.5


def test_the_samples_of_a_long_batch_reach_back_to_its_start() -> None:
    """There are as many as before, and they are evenly far apart."""
    clock, report = Clock(), Report()
    taken = snapshots(clock, report)
    samples: list[list[float]] = []
    for _ in range(3000):
        clock.now += 2.0
        report.updated += 38
        samples = taken.take(1)["samples"]
        assert len(samples) <= MAX_SAMPLES
    assert (samples[0], samples[-1]) == ([0.0, 0], [6000.0, 114_000])
    gaps = {round(after[0] - before[0]) for before, after in pairwise(samples[:-1])}
    assert gaps == {128}
    assert {(done - before) / (at - since) for (since, before), (at, done) in pairwise(samples)} == {19.0}


def test_what_is_stored_stays_below_what_airflow_warns_about() -> None:
    """With the longest reasons, ids and numbers there can be: 65,535 characters."""
    clock, report = Clock(), Report(requests=10**9, elapsed_seconds=10**8 / 7, waited_seconds=10**7 / 7)
    clock.now = 1.0
    for number in range(1200):
        problem = Problem(f"{number} " + "é" * 2000, f"{number} " + "é" * 2000, correlation_id="c" * 300)
        report.add(Outcome(Update(number + 1, "ü" * 500, MessageStatus.READ), "rejected", problem))
    taken = snapshots(clock, report, rows=10**9)
    for _ in range(100):
        clock.now += 99_999.9
        report.updated += 99_999_999
        snapshot = taken.take(100)
    assert len(json.dumps(snapshot)) < 4_000
    done = DoneUpdates(0, "x" * MAX_BITS_LENGTH, report.reasons)
    progress = Progress("d" * 32, done, report.cumulative(), report.problems, snapshot).as_json()
    assert len(report.problems) == MAX_PROBLEMS
    assert len(json.dumps({"max_tries": 100, "batch": progress, "wait": {"since": BEGAN, "done": 10**9}})) < 65_535


@pytest.mark.parametrize("damage", [None, 7, "text", [], {"version": 99, "rows": "many"}])
def test_nothing_of_it_is_read_back(damage: Any) -> None:
    """Whatever has become of it, and of progress that was kept without it, a retry goes on."""
    clock, store, lines = Clock(), MemoryStore(), list[str]()
    updates = UpdateStore(Update(row, f"m-{row}", MessageStatus.READ) for row in range(1, 5))
    report = Report()
    checkpoint = Checkpoint(store, "address", updates, report, print, clock, snapshots(clock, report))
    checkpoint.take(0, UPDATE)
    report.add(Outcome(UPDATE, "updated"))
    checkpoint.states.record(0, Outcome(UPDATE, "updated"), 1)
    checkpoint.save()
    kept = json.loads(store.text or "")
    assert kept["snapshot"]["updated"] == 1
    store.text = json.dumps({**kept, "snapshot": damage})
    Checkpoint(store, "address", updates, Report(), lines.append)
    assert lines == ["Going on where an earlier try ended (1 update done: 1 updated, 0 skipped, 0 rejected)."]
