"""What is kept between tries: which batch it is of, what damaged progress does, when it is saved, what is restored."""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_hubchan.batch.checkpoint import Checkpoint, NullStore
from airflow_provider_hubchan.batch.dead_letters import NullSink
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.compressed_text import compress
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from airflow_provider_hubchan.emulator import Emulator
from tests.batch.in_memory import RecordingSink
from tests.batch.played import Clock
from tests.batch.tries import IDS, empty_store, run_interrupted_try, run_try


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rows": ["one more", *IDS]}, id="a row more at the beginning"),
        pytest.param({"rows": [None, *IDS], "max_rejected": 1}, id="a row that cannot be sent more"),
        pytest.param({"rows": [*IDS, {"message_id": IDS[0], "status": "READ"}]}, id="an update that supersedes another one"),
        pytest.param({"rows": IDS[1:]}, id="a row less"),
        pytest.param({"rows": IDS[:100]}, id="half of the rows"),
        pytest.param({"rows": list(reversed(IDS))}, id="another order"),
        pytest.param({"status": "SENT"}, id="another status"),
        pytest.param({"channel_id": "7"}, id="another channel"),
    ],
)
def test_another_batch_starts_over(hubspot: Emulator, capsys: pytest.CaptureFixture[str], change: dict[str, Any]) -> None:
    """Its rows were never sent; the log says why."""
    hubspot.world.add_channel("7")
    store = empty_store()
    run_interrupted_try(hubspot, store, 120)
    report = run_try(store, **change)
    assert not [label for result, label in report.reasons if "done" in label]
    assert "Rows or arguments are not those of the last try: starting over." in capsys.readouterr().out


class Kept(NullStore):
    """A store that gives back one thing, whatever it is."""

    try_number = 2

    def __init__(self, kept: Any) -> None:
        self.kept = kept

    def load(self) -> Any:
        if isinstance(self.kept, Exception):
            raise self.kept
        return self.kept

    def save(self, checkpoint: dict[str, Any]) -> None:
        self.kept = checkpoint


def store_of(count: int) -> UpdateStore:
    """A batch of so many updates."""
    return UpdateStore(Update(row, f"m-{row}", MessageStatus.READ) for row in range(1, count + 1))


def run_some(kept: Kept, *outcomes: Outcome | None, clock: Callable[[], float] = time.monotonic) -> Checkpoint:
    """A try of a batch of four updates that ends after these outcomes, and is kept."""
    report = Report(requests=3, rate_limited=1, waited_seconds=2.5, elapsed_seconds=7.0)
    updates = store_of(4)
    checkpoint = Checkpoint(kept, "address", updates, report, print, clock)
    for position, (update, outcome) in enumerate(zip(updates.updates(), outcomes, strict=False)):
        checkpoint.take(position, update)
        if outcome:
            report.add(replace(outcome, update=update))
            checkpoint.states.record(position, outcome, 1)
    checkpoint.confirm_dead_letters()
    checkpoint.save()
    return checkpoint


ANY = Update(1, "m-1", MessageStatus.READ)
UPDATED, REJECTED = Outcome(ANY, "updated"), Outcome(ANY, "rejected", Problem("no such message", "404"))


def good() -> dict[str, Any]:
    """What a try keeps that has updated one row of four, and had one rejected; a third is in flight."""
    store = Kept(None)
    run_some(store, UPDATED, REJECTED, None)
    kept: dict[str, Any] = json.loads(json.dumps(store.kept))
    return kept


def loaded(kept: Any) -> tuple[Checkpoint, Report, list[str]]:
    """The checkpoint of a try that finds this, its report, and what the log says."""
    report, lines = Report(), list[str]()
    return Checkpoint(Kept(kept), "address", store_of(4), report, lines.append), report, lines


def test_undamaged_progress_is_taken_over() -> None:
    """Outcomes, counters, named problems; the log says how much is done."""
    checkpoint, report, lines = loaded(good())
    assert [checkpoint.states.is_open(position) for position in range(4)] == [False, False, True, True]
    assert lines == ["Going on where an earlier try ended (2 updates done: 1 updated, 0 skipped, 1 rejected)."]
    checkpoint.restore(NullSink(), lines.append)
    assert (report.requests, report.rate_limited, report.waited_seconds, report.elapsed_seconds) == (3, 1, 2.5, 7.0)
    assert (report.skipped, report.rejected, report.earlier) == (1, 1, {"skipped": 1, "rejected": 1})
    assert report.reasons == {("skipped", "done in try 1"): 1, ("rejected", "404"): 1}
    assert [(problem["row"], problem["reason"]) for problem in report.problems] == [(2, "no such message")]
    assert len(lines) == 1


def test_a_batch_that_has_grown_at_its_end_goes_on() -> None:
    """What was taken of it is the same; rows after that may be others."""
    report, lines = Report(), list[str]()
    updates = UpdateStore(
        [*store_of(3).updates(), Update(4, "other", MessageStatus.SENT), Update(9, "m-9", MessageStatus.READ)]
    )
    checkpoint = Checkpoint(Kept(good()), "address", updates, report, lines.append)
    assert [checkpoint.states.is_open(position) for position in range(5)] == [False, False, True, True, True]
    assert "Going on" in lines[0]


@pytest.mark.parametrize(
    "change",
    [
        {"row": 5},
        {"message_id": "m-33"},
        {"status": MessageStatus.SENT},
        {"status": MessageStatus.FAILED, "error_message": "gone"},
    ],
    ids=["row", "message", "status", "error message"],
)
def test_a_batch_whose_taken_updates_are_others_starts_over(change: dict[str, Any]) -> None:
    """Also if it is one that has no outcome yet: the positions of the others could be others, too."""
    lines = list[str]()
    first, second, third, _ = store_of(4).updates()
    updates = UpdateStore([first, second, replace(third, **change)])
    checkpoint = Checkpoint(Kept(good()), "address", updates, Report(), lines.append)
    assert all(map(checkpoint.states.is_open, range(3)))
    assert lines == ["Rows or arguments are not those of the last try: starting over."]


def test_another_address_starts_over() -> None:
    """Another channel, another HubSpot."""
    lines = list[str]()
    Checkpoint(Kept(good()), "another address", store_of(4), Report(), lines.append)
    assert lines == ["Rows or arguments are not those of the last try: starting over."]


def test_lines_that_the_earlier_file_lacks_are_counted_and_said() -> None:
    """Somebody has removed it: which rows were rejected nobody knows any more, how many is known."""

    class Emptied(RecordingSink):
        uri = "left.jsonl"

    store = Kept(None)
    run_some(store, REJECTED, REJECTED, UPDATED)
    checkpoint, report, lines = loaded({**store.kept, "problems": []})
    checkpoint.restore(Emptied(), lines.append)
    assert (report.rejected, report.skipped, report.problems) == (2, 1, [])
    assert lines[1].startswith("left.jsonl lacks 2 lines that an earlier try has written.")


def test_a_line_is_believed_once_and_only_about_a_row_that_is_done() -> None:
    """Anybody may have edited the file; the counts are those of the checkpoint."""
    line = {"message_id": "m-2", "outcome": "rejected", "reason": "no", "row": 2}

    class Edited(RecordingSink):
        uri = "left.jsonl"

        def earlier(self) -> Any:
            return iter(
                [{**line, "row": row, "message_id": f"m-{row}"} for row in (3, 1, 2, 2, 0, -1, 99)] + [{**line, "row": [2]}]
            )

    checkpoint, report, lines = loaded(good())
    sink = Edited()
    checkpoint.restore(sink, lines.append)
    assert (report.rejected, [outcome.update.row for outcome in sink.outcomes], len(lines)) == (1, [1], 1)
    assert report.reasons["rejected", "404"] == 1


@pytest.mark.parametrize(("seconds", "pause"), [(0.0, 2.0), (0.01, 2.0), (2.1, 39.9), (60.0, 1140.0)])
def test_saving_takes_a_twentieth_of_the_time_at_most(seconds: float, pause: float) -> None:
    """The pause counts from the end of a save, however long the store took for it."""
    clock = Clock()

    class Slow(Kept):
        def save(self, checkpoint: dict[str, Any]) -> None:
            clock.now += seconds

    checkpoint = run_some(Slow(None), UPDATED, clock=clock)
    saved_at = clock.now
    clock.now = saved_at + 0.999 * pause
    assert not checkpoint.is_due()
    clock.now = saved_at + 1.001 * pause
    assert checkpoint.is_due()


def test_what_cannot_be_kept_is_said_once() -> None:
    """Half of the updates are to be tried again, at random: which ones does not fit into the store."""
    rng, lines, size = random.Random(7), list[str](), 250_000
    updates = store_of(size)
    checkpoint = Checkpoint(Kept(None), "address", updates, Report(), lines.append)
    for position, update in enumerate(updates.updates()):
        checkpoint.take(position, update)
        if rng.random() < 0.5:
            checkpoint.states.record(position, UPDATED, 1)
    checkpoint.save()
    checkpoint.save()
    (line,) = lines
    assert re.fullmatch(r"Not all progress fits into Airflow's store: a retry sends [\d,]+ updates again that are done\.", line)


def deep() -> list[Any]:
    """A list in a list, and so on: no recursive function gets to its end."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


#: 10 KB that stand for 10 MB.
BOMB = compress(bytes(10_000_000))
NO_COUNTS = {"negative": -1, "text": "1", "list": [1], "null": None, "truth value": True, "part": 0.5, "huge": 10**400}
#: What may stand in place of the value of a key.
DAMAGED: dict[str, dict[str, Any]] = {
    "version": {"null": None, "next": 4, "text": "3", "list": [3], "NaN": math.nan},
    "digest": {"null": None, "number": 7, "no hexadecimal number": "xyz", "list": ["00"], "deep": deep()},
    "taken": NO_COUNTS,
    "done": {
        "null": None,
        "number": 7,
        "list": [1, 1],
        "empty": "",
        "no base64": "no base64!",
        "half a character": "\ud83d",
        "no zlib": "AAAA",
        "one done more": compress(b"\7"),
        "longer": compress(b"\0\6"),
        "bomb": BOMB,
        "deep": deep(),
    },
    "updated": {
        "null": None,
        "list": [["1", 1]],
        "more": {"1": 2},
        "no try": {"": 1},
        "negative try": {"-1": 1},
        "deep": deep(),
    }
    | {name: {"1": count} for name, count in NO_COUNTS.items()},
    "not_updated": {
        "null": None,
        "mapping": {"404": 1},
        "numbers": [7],
        "less": [],
        "unresolved": [["unresolved", "404", 1]],
        "a list as result": [[["rejected"], "404", 1]],
        "a number as reason": [["rejected", 404, 1]],
        "too short": [["rejected", 1]],
        "deep": deep(),
    }
    | {name: [["rejected", "404", count]] for name, count in NO_COUNTS.items()},
    "cumulative": {"null": None, "number": 7, "list": [["requests", 3]], "empty": {}, "deep": deep()},
    "problems": {
        "null": None,
        "number": 7,
        "mapping": {"row": 2},
        "numbers": [7],
        "no keys": [{}],
        "row is a text": [{"row": "2", "message_id": "m-2", "outcome": "rejected", "reason": "no"}],
        "row is a list": [{"row": [2], "message_id": "m-2", "outcome": "rejected", "reason": "no"}],
        "reason is a number": [{"row": 2, "message_id": "m-2", "outcome": "rejected", "reason": 7}],
        "no reason": [{"row": 2, "message_id": "m-2", "outcome": "rejected"}],
        "id is null": [{"row": 2, "message_id": None, "outcome": "rejected", "reason": "no"}],
        "deep": [{"row": 2, "message_id": "m-2", "outcome": "rejected", "reason": "no", "more": deep()}],
    },
}
COUNTERS = ("requests", "rate_limited", "waited_seconds", "elapsed_seconds")
NO_COUNTERS = {
    "null": None,
    "text": "3",
    "negative": -1,
    "infinite": math.inf,
    "NaN": math.nan,
    "huge": 10**400,
    "truth value": True,
    "list": [3],
}
DAMAGES = [
    *(pytest.param({key: value}, id=f"{key} {name}") for key, values in DAMAGED.items() for name, value in values.items()),
    *(
        pytest.param({"cumulative": {**dict.fromkeys(COUNTERS, 1), counter: value}}, id=f"{counter} {name}")
        for counter in COUNTERS
        for name, value in NO_COUNTERS.items()
    ),
]


def check_starts_over(kept: Any) -> None:
    """A try that finds this has no outcomes and no counters, says so in one line, and can keep its own."""
    checkpoint, report, lines = loaded(kept)
    (line,) = lines
    assert line.startswith("The progress that was kept cannot be read (")
    assert line.endswith("): starting over.")
    assert line.isprintable()
    assert len(line) <= 500
    assert all(map(checkpoint.states.is_open, range(4)))
    checkpoint.restore(NullSink(), lines.append)
    assert report == Report()
    checkpoint.save()
    checkpoint.end()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_starts_over(damage: dict[str, Any]) -> None:
    """All of it: half of what was kept may be the wrong half."""
    check_starts_over({**good(), **damage})


@pytest.mark.parametrize("key", ["version", "digest", "taken", "done", "updated", "not_updated", "cumulative", "problems"])
def test_a_checkpoint_without_a_key_starts_over(key: str) -> None:
    """Something else has written it."""
    kept = good()
    del kept[key]
    check_starts_over(kept)


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_checkpoint_without_a_counter_starts_over(counter: str) -> None:
    """The sums would be wrong."""
    kept = good()
    del kept["cumulative"][counter]
    check_starts_over(kept)


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param([], id="list"),
        pytest.param([good()], id="in a list"),
        pytest.param("text", id="text"),
        pytest.param(0, id="zero"),
        pytest.param(math.nan, id="NaN"),
        pytest.param({}, id="empty"),
        pytest.param(deep(), id="deep"),
        pytest.param(RecursionError("maximum recursion depth exceeded"), id="a store that raises"),
    ],
)
def test_what_is_no_checkpoint_starts_over(kept: Any) -> None:
    """Whatever the store gives back."""
    check_starts_over(kept)


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 9}',
        '{"version": 2, "fingerprint": "x", "outcomes": "x"}',
        '{"version": 3, "digest": "x"}',
        '{"done": 7}',
        "[]",
    ],
)
def test_a_checkpoint_of_another_version_starts_over(hubspot: Emulator, text: str) -> None:
    """What cannot be understood is not used."""
    store = empty_store()
    store.text = text
    assert run_try(store).updated == 200


@pytest.mark.parametrize(
    "damage",
    [{"done": None}, {"cumulative": None}, {"problems": None}, {"updated": None}, {"problems": [{"row": [1]}]}],
    ids=["updates", "counters", "problems", "counts", "row"],
)
def test_a_batch_whose_progress_is_damaged_is_sent_again(hubspot: Emulator, damage: dict[str, Any]) -> None:
    """Every row is accounted for; the next try finds whole progress again."""
    store = empty_store()
    run_interrupted_try(hubspot, store, 120)
    store.text = json.dumps({**json.loads(store.text or ""), **damage})
    report = run_try(store)
    assert (report.rows, report.updated, report.skipped) == (200, 200, 0)


@pytest.mark.parametrize(
    "change",
    [{"row": [1]}, {"row": None}, {"row": {}}, {"reason": ["no"]}, {"reason": None}, {"category": 7}, {"correlation_id": []}],
    ids=["row list", "row null", "row mapping", "reason list", "reason null", "category", "correlation id"],
)
def test_a_line_of_the_report_file_that_was_edited_costs_its_reason_only(hubspot: Emulator, change: dict[str, Any]) -> None:
    """The row stays rejected: its outcome is in the checkpoint."""

    class Edited(RecordingSink):
        def earlier(self) -> Any:
            yield {"row": 1, "message_id": IDS[0], "outcome": "rejected", "reason": "no such message", **change}

    store = empty_store()
    hubspot.fault(message_id=IDS[0], status=404, body={"message": "No such message.", "category": "OBJECT_NOT_FOUND"})
    run_interrupted_try(hubspot, store, 120)
    report = run_try(store, dead_letters=Edited())
    assert (report.rows, report.rejected, report.unresolved) == (200, 1, 0)
    (problem,) = report.problems
    assert isinstance(problem["reason"], str)


def test_a_checkpoint_is_saved_every_two_seconds_and_at_the_end(hubspot: Emulator) -> None:
    """Not for every row: the store takes some hundredths of a second for each call."""
    store = empty_store()
    run_interrupted_try(hubspot, store, 199)
    assert 1 <= store.saved <= 4


def test_a_batch_that_ends_before_the_first_interval_saves_nothing(hubspot: Emulator) -> None:
    """And there is nothing to delete: a small batch costs Airflow's store no call."""
    store = empty_store()
    assert run_try(store).updated == 200
    assert (store.saved, store.text) == (0, None)


@pytest.mark.slow
def test_a_checkpoint_stays_small_whatever_the_batch(hubspot: Emulator) -> None:
    """Airflow warns about more than 64 KB; here half of the rows are rejected, for long reasons."""
    hubspot.world.seed(f"n-{number}" for number in range(0, 1000, 2))
    body = {"message": "no " * 1000, "category": "VALIDATION_ERROR", "correlationId": "c" * 36}
    for number in range(1, 1000, 2):
        hubspot.fault(message_id=f"n-{number}", status=400, body=body)
    hubspot.fault(message_id="n-998", status=477, headers={"Retry-After": "3600"})
    store = empty_store()
    run_try(store, rows=[f"n-{number}" for number in range(1000)])
    assert 0 < len(store.text or "") < 65_535


def test_a_dry_run_saves_no_checkpoint(hubspot: Emulator) -> None:
    """A later try must not take its rows for done."""
    store = empty_store()
    assert run_try(store, dry_run=True).skipped == 200
    assert store.saved == 0
