"""The marks: a byte for each update, packed for the store."""

from __future__ import annotations

import random

import pytest

from airflow_provider_hubchan.client.marks import TRIES, Marks
from airflow_provider_hubchan.client.status import Result


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
    ("size", "rejected"), [(200_000, 0.0), (200_000, 0.05), (200_000, 0.5), (2_000_000, 0.0), (2_000_000, 0.05)]
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
