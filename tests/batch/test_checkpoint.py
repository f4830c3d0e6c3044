"""What a checkpoint holds: a byte for each update, packed for the store; which batch it is of; when it is saved."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_provider_hubchan.batch.checkpoint import _TRIES, OutcomeMap
from airflow_provider_hubchan.client.models import Result
from airflow_provider_hubchan.emulator import Emulator
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


@pytest.mark.parametrize(
    "text",
    ['{"version": 9}', '{"version": 1, "fingerprint": "x"}', '{"version": 2, "fingerprint": "x"}', '{"outcomes": 7}'],
)
def test_a_checkpoint_of_another_version_starts_over(hubspot: Emulator, text: str) -> None:
    """What cannot be understood is not used."""
    store = empty_store()
    store.text = text
    assert run_try(store).updated == 200


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
