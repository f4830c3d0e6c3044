"""What a checkpoint holds: a byte for each update, packed for the store; which batch it is of; and when it is saved."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_provider_hubchan.batch.marks import TRIES, Marks
from airflow_provider_hubchan.batch.rows import Result
from airflow_provider_hubchan.emulator import Emulator
from tests.batch.tries import IDS, break_off, empty_store, mark


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


@pytest.mark.parametrize("result", ["updated", "rejected", "skipped"])
@pytest.mark.parametrize("attempt", [1, 2, TRIES])
def test_a_mark_says_what_and_in_which_try(result: Result, attempt: int) -> None:
    """Through the store and back."""
    marks = Marks(3)
    marks.set(1, result, attempt)
    again = Marks(3)
    again.unpack(marks.pack(1000))
    assert [again.get(place) for place in range(3)] == [None, (result, attempt), None]
    assert [again.is_open(place) for place in range(3)] == [True, False, True]


def test_tries_beyond_what_is_told_apart_are_the_last() -> None:
    """Nobody retries a hundred times, and nothing may break if somebody does."""
    marks = Marks(1)
    marks.set(0, "updated", 1000)
    assert marks.get(0) == ("updated", TRIES)


def test_what_is_unresolved_or_young_is_sent_again() -> None:
    """They have a mark for this try, so that the rest is known, and none for the next."""
    marks = Marks(3)
    marks.set(0, "unresolved", 1)
    marks.postpone(1)
    assert [marks.is_open(place) for place in range(3)] == [False, False, True]
    assert (marks.is_young(1), marks.young, marks.get(0), marks.get(1)) == (True, 1, None, None)
    again = Marks(3)
    again.unpack(marks.pack(1000))
    assert [again.is_open(place) for place in range(3)] == [True, True, True]


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
    chance, marks = random.Random(7), Marks(size)
    for place in range(size):
        marks.set(place, "rejected" if chance.random() < rejected else "updated", 1)
    text = marks.pack(48_000)
    assert len(text) <= 48_000
    again = Marks(size)
    again.unpack(text)
    known = next((place for place in range(size) if again.is_open(place)), size)
    assert all(again.get(place) == marks.get(place) for place in range(known))
    assert all(again.is_open(place) for place in range(known, size))
    assert known == size or size > 200_000


@pytest.mark.parametrize("text", ["no base64!", "AAAA", Marks(9).pack(100)[:-2]])
def test_what_is_no_mark_is_not_read(text: str) -> None:
    """A ValueError, whatever is wrong."""
    with pytest.raises(ValueError, match=r"\w"):
        Marks(3).unpack(text)


def test_marks_of_a_longer_batch_are_not_read() -> None:
    """They would be another batch's."""
    marks = Marks(9)
    marks.set(8, "updated", 1)
    with pytest.raises(ValueError, match="9 marks for 3 updates"):
        Marks(3).unpack(marks.pack(100))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rows": [*IDS, "one more"]}, id="a row more"),
        pytest.param({"rows": list(reversed(IDS))}, id="another order"),
        pytest.param({"status": "SENT"}, id="another status"),
        pytest.param({"channel_id": "7"}, id="another channel"),
    ],
)
def test_a_batch_that_is_another_one_starts_over(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    """Its rows were never sent; the log says why."""
    hubspot.world.add_channel("7")
    progress = empty_store()
    break_off(hubspot, progress, 120)
    report = mark(progress, **change)
    assert report.skipped == 0
    assert "Rows or arguments are not those of the last try: starting over." in capsys.readouterr().out


@pytest.mark.parametrize("text", ['{"version": 9}', '{"version": 1, "fingerprint": "x"}', '{"marks": 7}'])
def test_progress_of_another_version_starts_over(hubspot: Emulator, text: str) -> None:
    """What cannot be understood is not believed."""
    progress = empty_store()
    progress.text = text
    assert mark(progress).updated == 200


def test_progress_is_kept_every_two_seconds_and_at_the_end(hubspot: Emulator) -> None:
    """Not for every row: the store takes some hundredths of a second for each call."""
    progress = empty_store()
    break_off(hubspot, progress, 199)
    assert 1 <= progress.saved <= 4


@pytest.mark.slow
def test_what_is_kept_stays_small_whatever_the_batch(hubspot: Emulator) -> None:
    """Airflow warns about more than 64 KB; here half of the rows are rejected, for long reasons."""
    hubspot.world.seed(f"n-{number}" for number in range(0, 3000, 2))
    body = {"message": "no " * 1000, "category": "VALIDATION_ERROR", "correlationId": "c" * 36}
    for number in range(1, 3000, 2):
        hubspot.fault(message_id=f"n-{number}", status=400, body=body)
    hubspot.fault(message_id="n-2998", status=477, headers={"Retry-After": "3600"})
    progress = empty_store()
    mark(progress, rows=[f"n-{number}" for number in range(3000)])
    assert 0 < len(progress.text or "") < 65_535


def test_a_dry_run_keeps_nothing(hubspot: Emulator) -> None:
    """And a later try takes nothing for done."""
    progress = empty_store()
    assert mark(progress, dry_run=True).skipped == 200
    assert progress.saved == 0
