"""Progress in Airflow's store: what survives a retry, and what a clear must not."""

from __future__ import annotations

import logging
import math
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hubchan.task_state import CHECKPOINT_KEY, TaskCheckpointStore
from tests.airflow.failing import ERRORS
from tests.airflow.stores import Store, deep

LOG: Any = logging.getLogger("tests.task_state")
BATCH = {"version": 2, "outcomes": "…"}


def checkpoint_store(
    store: Store | None, try_number: int = 1, max_tries: int = 2, *, durable: bool = True, is_resumed: bool = True
) -> TaskCheckpointStore:
    """The checkpoint store of a try, by default one that was deferred."""
    instance = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    context = {"ti": instance} | ({"task_state_store": store} if store is not None else {})
    return TaskCheckpointStore(context, LOG, durable=durable, is_resumed=is_resumed)


def test_a_retry_finds_what_the_last_try_kept() -> None:
    """The number of the try is Airflow's; ``max_tries`` stays what it was."""
    store = Store()
    checkpoint_store(store).save(BATCH)
    again = checkpoint_store(store, try_number=2)
    assert (again.load(), again.try_number) == (BATCH, 2)


def test_a_cleared_task_starts_over(caplog: pytest.LogCaptureFixture) -> None:
    """A clear raises ``max_tries``; the state survives it."""
    store = Store()
    checkpoint_store(store).save(BATCH)
    with caplog.at_level("INFO"):
        assert checkpoint_store(store, try_number=2, max_tries=4).load() is None
    assert "The task was cleared: starting over." in caplog.text


def test_what_is_finished_is_forgotten() -> None:
    """Nothing is left in the store."""
    store = Store()
    kept = checkpoint_store(store)
    kept.save(BATCH)
    kept.clear()
    assert store == {}


@pytest.mark.parametrize(
    ("try_number", "is_resumed", "kept", "saves", "calls"),
    [
        pytest.param(1, False, None, 0, [], id="a small batch in a first try"),
        pytest.param(1, False, None, 2, ["set", "set", "delete"], id="a larger one"),
        pytest.param(1, True, BATCH, 0, ["get", "delete"], id="a deferred one"),
        pytest.param(1, True, None, 0, ["get"], id="a deferred one that could keep nothing"),
        pytest.param(2, False, None, 0, ["get"], id="a retry without progress"),
        pytest.param(2, False, BATCH, 0, ["get", "delete"], id="a retry"),
    ],
)
def test_what_is_not_there_is_neither_read_nor_deleted(
    try_number: int, is_resumed: bool, kept: dict[str, Any] | None, saves: int, calls: list[str]
) -> None:
    """Each call is a request to Airflow's API server."""
    store = Store({CHECKPOINT_KEY: {"max_tries": 2, "batch": kept}} if kept else {})
    checkpoints = checkpoint_store(store, try_number, is_resumed=is_resumed)
    assert checkpoints.load() == kept
    for _ in range(saves):
        checkpoints.save(BATCH)
    checkpoints.clear()
    assert (store.calls, dict(store)) == (calls, {})


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_what_could_not_be_read_is_deleted(error: Exception) -> None:
    """Something may be there."""
    store = Store({CHECKPOINT_KEY: {"max_tries": 2, "batch": BATCH}})
    checkpoints = checkpoint_store(store, 2)
    store.error = error
    checkpoints.load()
    store.error = None
    checkpoints.clear()
    assert dict(store) == {}


def test_durable_false_keeps_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is read or written, and nothing logged."""
    store = Store({CHECKPOINT_KEY: {"max_tries": 2, "batch": BATCH}})
    with caplog.at_level("INFO"):
        kept = checkpoint_store(store, durable=False)
        assert kept.load() is None
        kept.save({"version": 3})
    assert (store[CHECKPOINT_KEY]["batch"], caplog.text) == (BATCH, "")


@pytest.mark.parametrize(
    ("store", "try_number", "says"),
    [
        (Store(), 2, "A retry goes on with the rows that are left."),
        (None, 2, "A retry sends the batch again."),
        (Store(), 3, "No retry is left: clear the task"),
    ],
)
def test_an_error_says_what_becomes_of_the_rest(store: Store | None, try_number: int, says: str) -> None:
    """Whether there is another try, and what it does."""
    assert checkpoint_store(store, try_number).what_next.startswith(says)


def test_an_airflow_without_a_store_says_what_that_means(caplog: pytest.LogCaptureFixture) -> None:
    """Once, and only to tasks that have retries."""
    with caplog.at_level("INFO"):
        kept = checkpoint_store(None)
        kept.save(BATCH)
        assert kept.load() is None
        checkpoint_store(None, max_tries=0)
    assert caplog.text.count("a retry will send the whole batch again") == 1


def test_a_wait_says_until_when_and_why() -> None:
    """For people: it is not read back, and gone with the next progress."""
    store = Store()
    kept = checkpoint_store(store)
    kept.save(BATCH)
    since = kept.waiting_since(10, 3600.0, "HubSpot answered 429:\nno more today.")
    wait = store[CHECKPOINT_KEY]["wait"]
    assert wait == {"since": since, "done": 10, "until": since + 3600.0, "reason": "HubSpot answered 429: no more today."}
    again = checkpoint_store(store)
    assert again.load() == BATCH
    again.save(BATCH)
    assert store[CHECKPOINT_KEY]["wait"] == {"since": since, "done": 10}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_store_that_is_away_costs_no_batch(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    """What cannot be read starts over, what cannot be kept may be repeated; both are logged."""
    store = Store()
    store.error = error
    kept = checkpoint_store(store)
    assert kept.load() is None
    kept.save(BATCH)
    kept.waiting_since(10)
    kept.clear()
    assert caplog.text.count("The progress of an earlier try could not be read; starting over") == 1
    assert caplog.text.count("Progress could not be kept; a retry may repeat what this try has done") == 2
    assert caplog.text.count("The progress of the finished batch could not be deleted; a clear starts over") == 1


def test_a_try_that_could_not_be_kept_does_not_count_on_it() -> None:
    """Deferred, it would begin anew after each wait, and never end; what is kept later counts again."""
    store = Store()
    kept = checkpoint_store(store)
    store.error = ConnectionError("the API server is away")
    kept.save(BATCH)
    assert (kept.is_durable, kept.what_next) == (False, "A retry sends the batch again.")
    store.error = None
    kept.save(BATCH)
    assert (kept.is_durable, kept.what_next) == (True, "A retry goes on with the rows that are left.")


GOOD = {"max_tries": 2, "batch": BATCH, "wait": {"since": 1_800_000_000.0, "done": 10}}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("text", id="a text"),
        pytest.param(7, id="a number"),
        pytest.param([BATCH], id="a list"),
        pytest.param(deep(), id="deep"),
        pytest.param({}, id="nothing in it"),
        pytest.param({"max_tries": 2}, id="no batch"),
        pytest.param({**GOOD, "batch": None}, id="batch is null"),
        pytest.param({**GOOD, "batch": [BATCH]}, id="batch is a list"),
        pytest.param({"batch": BATCH}, id="no max_tries"),
        pytest.param({**GOOD, "max_tries": "2"}, id="max_tries is a text"),
        pytest.param({**GOOD, "max_tries": math.nan}, id="max_tries is NaN"),
        pytest.param({**GOOD, "wait": 7}, id="wait is a number"),
        pytest.param({**GOOD, "wait": []}, id="wait is a list"),
        pytest.param({**GOOD, "wait": {}}, id="wait is empty"),
        pytest.param({**GOOD, "wait": {"done": 10}}, id="since is missing"),
        pytest.param({**GOOD, "wait": {"since": 1.0}}, id="done is missing"),
        pytest.param({**GOOD, "wait": {"since": "1", "done": 10}}, id="since is a text"),
        pytest.param({**GOOD, "wait": {"since": math.nan, "done": 10}}, id="since is NaN"),
        pytest.param({**GOOD, "wait": {"since": math.inf, "done": 10}}, id="since is infinite"),
        pytest.param({**GOOD, "wait": {"since": -1, "done": 10}}, id="since is negative"),
        pytest.param({**GOOD, "wait": {"since": 10**400, "done": 10}}, id="since is huge"),
        pytest.param({**GOOD, "wait": {"since": True, "done": 10}}, id="since is a truth value"),
        pytest.param({**GOOD, "wait": {"since": 1.0, "done": None}}, id="done is null"),
    ],
)
def test_damaged_progress_starts_over(caplog: pytest.LogCaptureFixture, value: Any) -> None:
    """With one line of the log; nothing of it is used, and the try keeps its own."""
    store = Store({CHECKPOINT_KEY: value})
    kept = checkpoint_store(store)
    with caplog.at_level("INFO"):
        assert kept.load() is None
    assert (len(caplog.records), caplog.text.count("could not be read; starting over (ValueError: ")) == (1, 1)
    before = time.time()
    assert before <= kept.waiting_since(10) <= time.time()
    kept.save(BATCH)
    assert checkpoint_store(store, try_number=2).load() == BATCH


def test_a_wait_that_began_in_the_future_begins_now() -> None:
    """The clock of the worker before may be ahead: a task that waits for a negative time would wait too long."""
    store = Store({CHECKPOINT_KEY: {**GOOD, "wait": {"since": time.time() + 3600, "done": 10}}})
    kept = checkpoint_store(store)
    assert kept.load() == BATCH
    assert kept.waiting_since(10) <= time.time()


def test_waits_are_counted_together_until_a_row_gets_on() -> None:
    """Three waits without a row between them began with the first; one row more, and it begins anew."""
    store = Store()
    first = checkpoint_store(store)
    first.save(BATCH)
    began = first.waiting_since(10)
    again = checkpoint_store(store)
    again.load()
    assert again.waiting_since(10) == began
    later = checkpoint_store(store)
    later.load()
    later.save({**BATCH, "outcomes": "more"})
    assert later.waiting_since(11) > began
    assert store[CHECKPOINT_KEY]["batch"]["outcomes"] == "more"
