"""Where each update of a batch stands, and what of it is kept: which are done, and how many in which way."""

from __future__ import annotations

import base64
import random
import tracemalloc
import zlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hubchan.batch.progress import MAX_BITS_LENGTH
from airflow_provider_hubchan.batch.report import OTHER_REASONS
from airflow_provider_hubchan.batch.update_states import MAX_KINDS, MAX_TRIES, DoneUpdates, Kind, UpdateStates
from airflow_provider_hubchan.client.compressed_text import compress
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Result, Update

UPDATE = Update(1, "m", MessageStatus.READ)
UPDATED = Outcome(UPDATE, "updated")
REJECTED = Outcome(UPDATE, "rejected", Problem("no such message", "404"))
SKIPPED = Outcome(UPDATE, "skipped", Problem("it was READ", "already so"))
UNRESOLVED = Outcome(UPDATE, "unresolved", Problem("no answer", "timeout"))
OUTCOMES = (UPDATED, REJECTED, SKIPPED, UNRESOLVED)


def states(*outcomes: Outcome | None, try_number: int = 1) -> UpdateStates:
    """The updates of a batch with these outcomes, whose dead letters are durable."""
    made = UpdateStates(len(outcomes))
    for position, outcome in enumerate(outcomes):
        if outcome:
            made.record(position, outcome, try_number)
    made.not_durable.clear()
    return made


def kept(made: UpdateStates, size: int, max_length: int = 1000) -> DoneUpdates:
    """What is kept of all updates; nothing is left out."""
    done, left_out = made.done(size, max_length)
    assert left_out == 0
    return done


def open_after(done: DoneUpdates, size: int) -> list[int]:
    """Positions that a retry sends."""
    again = UpdateStates(size)
    again.take_over(done)
    return [position for position in range(size) if again.is_open(position)]


def test_what_is_done_and_how_many_in_which_way() -> None:
    """An update with an outcome is done; one that is unresolved, or has none, is sent again."""
    done = kept(states(UPDATED, REJECTED, None, SKIPPED, UNRESOLVED, REJECTED), 6)
    expected = {("updated", "1"): 1, ("rejected", "404"): 2, ("skipped", "already so"): 1}
    assert (done.counts, done.total, done.digits()) == (expected, 4, b"110101")
    assert done.results() == {"updated": 1, "skipped": 1, "rejected": 2}
    assert open_after(done, 6) == [2, 4]
    assert open_after(done, 8) == [2, 4, 6, 7]


def test_an_update_whose_dead_letter_could_be_lost_is_left_out() -> None:
    """It is open in the next try, and counted nowhere; in this one it is not open."""
    made = UpdateStates(3)
    for position, outcome in enumerate((UPDATED, REJECTED, SKIPPED)):
        made.record(position, outcome, 1)
    assert made.not_durable == [1, 2]
    done = kept(made, 3)
    assert (done.counts, open_after(done, 3)) == ({("updated", "1"): 1}, [1, 2])
    assert not made.is_open(1)


def test_what_is_held_or_tried_later_is_sent_again() -> None:
    """They are not open in this try, so that the rest is kept, and they are in the next."""
    made = states(UPDATED, None, None, None)
    made.retry_later(1)
    made.hold(2)
    assert [made.is_open(position) for position in range(4)] == [False, False, False, True]
    assert (made.is_retried_later(1), made.is_retried_later(2), made.retry_later_count) == (True, False, 1)
    assert made.without_outcome() == b"\0\1\1\1"
    assert open_after(kept(made, 4), 4) == [1, 2, 3]


def test_a_later_try_keeps_what_the_earlier_ones_have_done() -> None:
    """The counts add up; in which way an update of an earlier try is done need not be known."""
    second = UpdateStates(5)
    second.take_over(kept(states(UPDATED, REJECTED, None), 3))
    second.record(2, UPDATED, 2)
    second.record(3, REJECTED, 2)
    second.not_durable.clear()
    done = kept(second, 5)
    assert done.counts == {("updated", "1"): 1, ("updated", "2"): 1, ("rejected", "404"): 2}
    assert open_after(done, 5) == [4]


@pytest.mark.parametrize(("outcomes", "has_updated"), [((REJECTED, SKIPPED), False), ((REJECTED, UPDATED), True)])
def test_an_accepted_update_proves_the_address_in_later_tries_too(outcomes: tuple[Outcome, ...], has_updated: bool) -> None:
    """Whichever try had it accepted."""
    first, second = states(*outcomes), UpdateStates(2)
    second.take_over(kept(first, 2))
    assert (first.has_updated, second.has_updated) == (has_updated, has_updated)


def test_tries_and_reasons_beyond_the_most_are_counted_together() -> None:
    """Nobody retries a thousand times, and nothing may break if somebody does."""
    made = UpdateStates(MAX_KINDS + 60)
    for position in range(MAX_KINDS + 50):
        made.record(position, Outcome(UPDATE, "rejected", Problem("no", f"reason {position}")), 1)
    for position in range(MAX_KINDS + 50, MAX_KINDS + 60):
        made.record(position, UPDATED, 10 * MAX_TRIES)
    made.not_durable.clear()
    counts = kept(made, MAX_KINDS + 60, 10_000).counts
    assert (counts["updated", str(MAX_TRIES)], counts["rejected", OTHER_REASONS], counts.total()) == (10, 50, MAX_KINDS + 60)


RESULTS = st.lists(st.sampled_from(OUTCOMES) | st.none(), max_size=300)


@given(tries=st.lists(RESULTS, min_size=1, max_size=4), max_length=st.integers(0, 80), lost=st.sets(st.integers(0, 300)))
def test_what_is_kept_is_true_however_little_fits(tries: list[list[Outcome | None]], max_length: int, lost: set[int]) -> None:
    """In each try: nothing counts as done that is not, the counts are those of what is done, what earlier tries have done
    stays, and what is left out is said.
    """
    size = max(map(len, tries))
    done, truth = DoneUpdates(0, compress(b""), Counter()), dict[int, Kind]()
    for number, outcomes in enumerate(tries, 1):
        now = UpdateStates(size)
        now.take_over(done)
        for position, outcome in enumerate(outcomes):
            if outcome and now.is_open(position):
                now.record(position, outcome, number)
                if outcome.result != "unresolved":
                    label = str(number) if outcome.problem is None else outcome.problem.label
                    truth[position] = (outcome.result, label)
        not_durable = {position for position in now.not_durable if position in lost}
        now.not_durable[:] = not_durable
        before, (done, left_out) = done, now.done(size, max_length)
        positions = [position for position, digit in enumerate(done.digits()) if digit == ord("1")]
        assert done.counts == Counter(truth[position] for position in positions)
        earlier = {position for position, digit in enumerate(before.digits()) if digit == ord("1")}
        assert earlier <= set(positions) <= set(truth) - not_durable
        assert left_out == len(set(truth) - not_durable - set(positions))
        truth = {position: truth[position] for position in positions}
        assert open_after(done, size) == [position for position in range(size) if position not in truth]


@pytest.mark.parametrize("size", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_random_outcomes_of_any_batch_are_kept_exactly(size: int) -> None:
    """A third each are updated, rejected and skipped, at random; sixteen are in flight, one in ten thousand is unresolved."""
    rng, made, expected = random.Random(7), UpdateStates(size), Counter[Result]()
    unresolved = set(rng.sample(range(size), size // 10_000)) | set(rng.sample(range(size - 40, size), 16))
    for position in range(size):
        if position not in unresolved:
            outcome = OUTCOMES[int(3 * rng.random())]
            made.record(position, outcome, 1)
            expected[outcome.result] += 1
    made.not_durable.clear()
    done = kept(made, size, MAX_BITS_LENGTH)
    assert done.results() == expected
    assert open_after(done, size) == sorted(unresolved)


def test_what_does_not_fit_is_the_end_and_is_said() -> None:
    """Half of the updates are to be tried again, at random: the first of the others are kept, and how many are not is said."""
    size, rng = 400_000, random.Random(7)
    made = UpdateStates(size)
    for position in range(size):
        made.record(position, UPDATED if rng.random() < 0.5 else UNRESOLVED, 1)
    done, left_out = made.done(size, MAX_BITS_LENGTH)
    assert len(done.bits) <= MAX_BITS_LENGTH
    assert left_out > 0
    assert done.counts == {("updated", "1"): done.total}
    last = done.digits().rindex(b"1")
    assert done.digits()[:last] == made.done(size, 10**6)[0].digits()[:last]
    assert left_out + done.total == made.done(size, 10**6)[0].total


GOOD = kept(states(UPDATED, REJECTED, None, UPDATED), 4)


@pytest.mark.parametrize(
    ("bits", "taken", "says"),
    [
        pytest.param("no base64!", 4, r"\w", id="no base64"),
        pytest.param("é", 4, r"\w", id="not ASCII"),
        pytest.param("AAAA", 4, r"\w", id="no zlib"),
        pytest.param(GOOD.bits[:-4], 4, r"\w", id="cut"),
        pytest.param(base64.b64encode(zlib.compress(b"\x0d") * 2).decode(), 4, "another length", id="two"),
        pytest.param(compress(b""), 4, "bits that are not those of 4 updates", id="shorter"),
        pytest.param(compress(b"\0\x0d"), 4, "more than", id="longer"),
        pytest.param(compress(b"\x1d"), 4, "bits that are not", id="a bit beyond the last update"),
        pytest.param(compress(b"\x0f"), 4, "4 updates done, and 3 counted", id="one done more"),
        pytest.param(GOOD.bits, 9, "9 updates taken, of 4", id="more updates than bits"),
        pytest.param(GOOD.bits, 10**9, "1,000,000,000 updates taken, of 4", id="a longer batch"),
    ],
)
def test_damaged_bits_are_a_value_error(bits: str, taken: int, says: str) -> None:
    """And nothing is taken over."""
    again = UpdateStates(4)
    with pytest.raises(ValueError, match=says):
        again.take_over(DoneUpdates(taken, bits, GOOD.counts))
    assert all(map(again.is_open, range(4)))


def test_a_bomb_is_not_unpacked() -> None:
    """Only as much is unpacked as the batch has updates."""
    bomb = compress(bytes(10_000_000))
    assert len(bomb) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than"):
            UpdateStates(4).take_over(DoneUpdates(4, bomb, Counter()))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
