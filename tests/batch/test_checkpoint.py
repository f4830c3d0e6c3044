"""What a checkpoint holds: a byte for each update, packed for the store; which batch it is of; when it is saved."""

from __future__ import annotations

import base64
import json
import math
import random
import tracemalloc
import zlib
from typing import Any

import pytest

from airflow_provider_hubchan.batch.checkpoint import _TRIES, Checkpoint, NullStore, OutcomeMap
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.compressed_text import compress
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Result, Update
from airflow_provider_hubchan.emulator import Emulator
from tests.batch.in_memory import RecordingSink
from tests.batch.tries import IDS, empty_store, run_interrupted_try, run_try


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


@pytest.mark.parametrize("result", ["updated", "rejected", "skipped"])
@pytest.mark.parametrize("try_number", [1, 2, _TRIES])
def test_an_outcome_keeps_its_result_and_try(result: Result, try_number: int) -> None:
    """They are the same after packing and unpacking."""
    outcomes = OutcomeMap(3)
    outcomes.set(1, result, try_number)
    again = OutcomeMap(3)
    again.unpack(outcomes.pack(1000))
    assert [again.get(position) for position in range(3)] == [None, (result, try_number), None]
    assert [again.is_open(position) for position in range(3)] == [True, False, True]


def test_an_update_whose_dead_letter_could_be_lost_is_left_out() -> None:
    """It is open in the next try; in this one it is not."""
    outcomes = OutcomeMap(3)
    for position, result in enumerate(("updated", "rejected", "skipped")):
        outcomes.set(position, result, 1)  # type: ignore[arg-type]
    assert outcomes.not_durable == [1, 2]
    again = OutcomeMap(3)
    again.unpack(outcomes.pack(1000, [1]))
    assert [again.is_open(position) for position in range(3)] == [False, True, False]
    assert not outcomes.is_open(1)


def test_tries_beyond_the_last_that_is_told_apart_count_as_that_one() -> None:
    """Nobody retries a hundred times, and nothing may break if somebody does."""
    outcomes = OutcomeMap(1)
    outcomes.set(0, "updated", 1000)
    assert outcomes.get(0) == ("updated", _TRIES)


def test_updates_that_are_unresolved_or_retried_later_are_sent_again() -> None:
    """They are not open in this try, so that the rest is kept, and they are in the next."""
    outcomes = OutcomeMap(3)
    outcomes.set(0, "unresolved", 1)
    outcomes.retry_later(1)
    assert [outcomes.is_open(position) for position in range(3)] == [False, False, True]
    assert (outcomes.is_retried_later(1), outcomes.retry_later_count, outcomes.get(0), outcomes.get(1)) == (True, 1, None, None)
    again = OutcomeMap(3)
    again.unpack(outcomes.pack(1000))
    assert [again.is_open(position) for position in range(3)] == [True, True, True]


@pytest.mark.parametrize(
    ("size", "rejected"),
    [
        (200_000, 0.0),
        (200_000, 0.05),
        (200_000, 0.5),
        pytest.param(2_000_000, 0.0, marks=pytest.mark.slow),
        pytest.param(2_000_000, 0.05, marks=pytest.mark.slow),
    ],
)
def test_any_batch_fits_into_the_store(size: int, rejected: float) -> None:
    """At most so many characters; what is forgotten is the end, and nothing that was not done is taken for done."""
    rng, outcomes = random.Random(7), OutcomeMap(size)
    for position in range(size):
        outcomes.set(position, "rejected" if rng.random() < rejected else "updated", 1)
    text = outcomes.pack(48_000)
    assert len(text) <= 48_000
    again = OutcomeMap(size)
    again.unpack(text)
    kept = next((position for position in range(size) if again.is_open(position)), size)
    assert all(again.get(position) == outcomes.get(position) for position in range(kept))
    assert all(again.is_open(position) for position in range(kept, size))
    assert kept == size or size > 200_000


@pytest.mark.parametrize("text", ["no base64!", "AAAA", OutcomeMap(9).pack(100)[:-2]])
def test_a_text_that_was_not_packed_is_a_value_error(text: str) -> None:
    """Whatever is wrong with it, no other error is raised."""
    with pytest.raises(ValueError, match=r"\w"):
        OutcomeMap(3).unpack(text)


def test_outcomes_of_a_longer_batch_are_a_value_error() -> None:
    """They would be those of another batch."""
    outcomes = OutcomeMap(9)
    outcomes.set(8, "updated", 1)
    with pytest.raises(ValueError, match="9 outcomes for 3 updates"):
        OutcomeMap(3).unpack(outcomes.pack(100))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rows": [*IDS, "one more"]}, id="a row more"),
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
    assert report.skipped == 0
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


def good() -> dict[str, Any]:
    """What a try keeps that has updated one row of four, and had one rejected."""
    store, report = Kept(None), Report(requests=3, rate_limited=1, waited_seconds=2.5, elapsed_seconds=7.0)
    checkpoint = Checkpoint(store, "rows", 4, report, print)
    for position, (result, problem) in enumerate((("updated", None), ("rejected", Problem("no such message", "404")))):
        outcome: Any = Outcome(Update(position + 1, f"m-{position + 1}", MessageStatus.READ), result, problem)  # type: ignore[arg-type]
        report.add(outcome)
        checkpoint.outcomes.set(position, outcome.result, 1)
    checkpoint.confirm_dead_letters()
    checkpoint.save()
    kept: dict[str, Any] = json.loads(json.dumps(store.kept))
    return kept


def loaded(kept: Any) -> tuple[Checkpoint, Report, list[str]]:
    """The checkpoint of a try that finds this, its report, and what the log says."""
    report, lines = Report(), list[str]()
    return Checkpoint(Kept(kept), "rows", 4, report, lines.append), report, lines


def test_an_undamaged_checkpoint_is_taken_over() -> None:
    """Outcomes and counters; the log says with how many."""
    checkpoint, report, lines = loaded(good())
    assert [checkpoint.outcomes.get(position) for position in range(4)] == [("updated", 1), ("rejected", 1), None, None]
    assert (report.requests, report.rate_limited, report.waited_seconds, report.elapsed_seconds) == (3, 1, 2.5, 7.0)
    assert lines == ["Going on where an earlier try ended (2 rows: 1 updated, 0 skipped, 1 rejected, 0 unresolved)."]


def deep() -> list[Any]:
    """A list in a list, and so on: no recursive function gets to its end."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


def packed(*codes: int) -> str:
    return compress(bytes(codes))


#: 10 KB that stand for 10 MB.
BOMB = compress(bytes(10_000_000))
#: What may stand in place of the value of a key.
DAMAGED: dict[str, dict[str, Any]] = {
    "version": {"null": None, "next": 3, "text": "2", "list": [2], "NaN": math.nan},
    "counts": {"null": None, "number": 7, "list": ["2 rows"], "deep": deep()},
    "outcomes": {
        "null": None,
        "number": 7,
        "list": [1, 1],
        "empty": "",
        "no base64": "no base64!",
        "not ASCII": "é",
        "half a character": "\ud83d",
        "no zlib": "AAAA",
        "cut": packed(1, 81)[:-4],
        "two": base64.b64encode(zlib.compress(b"\1") * 2).decode(),
        "longer": packed(1, 81, 1, 1, 1),
        "much longer": packed(*[1] * 5000),
        "bomb": BOMB,
        "a code that is none": packed(1, 250),
        "a code that is not kept": packed(1, 255),
        "deep": deep(),
    },
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
    assert all(checkpoint.outcomes.is_open(position) for position in range(4))
    assert report == Report()
    checkpoint.save()
    checkpoint.end()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_starts_over(damage: dict[str, Any]) -> None:
    """All of it: half of what was kept may be the wrong half."""
    check_starts_over({**good(), **damage})


@pytest.mark.parametrize("key", ["version", "counts", "outcomes", "cumulative", "problems"])
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


def test_a_bomb_is_not_unpacked() -> None:
    """Only as much is unpacked as the batch has updates, and a little more."""
    assert len(BOMB) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than"):
            OutcomeMap(4).unpack(BOMB)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    ['{"version": 9}', '{"version": 1, "fingerprint": "x"}', '{"version": 2, "fingerprint": "x"}', '{"outcomes": 7}', "[]"],
)
def test_a_checkpoint_of_another_version_starts_over(hubspot: Emulator, text: str) -> None:
    """What cannot be understood is not used."""
    store = empty_store()
    store.text = text
    assert run_try(store).updated == 200


@pytest.mark.parametrize(
    "damage",
    [{"outcomes": None}, {"cumulative": None}, {"problems": None}, {"counts": None}, {"problems": [{"row": [1]}]}],
    ids=["outcomes", "counters", "problems", "counts", "row"],
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


@pytest.mark.slow
def test_a_checkpoint_stays_small_whatever_the_batch(hubspot: Emulator) -> None:
    """Airflow warns about more than 64 KB; here half of the rows are rejected, for long reasons."""
    hubspot.world.seed(f"n-{number}" for number in range(0, 3000, 2))
    body = {"message": "no " * 1000, "category": "VALIDATION_ERROR", "correlationId": "c" * 36}
    for number in range(1, 3000, 2):
        hubspot.fault(message_id=f"n-{number}", status=400, body=body)
    hubspot.fault(message_id="n-2998", status=477, headers={"Retry-After": "3600"})
    store = empty_store()
    run_try(store, rows=[f"n-{number}" for number in range(3000)])
    assert 0 < len(store.text or "") < 65_535


def test_a_dry_run_saves_no_checkpoint(hubspot: Emulator) -> None:
    """A later try must not take its rows for done."""
    store = empty_store()
    assert run_try(store, dry_run=True).skipped == 200
    assert store.saved == 0
