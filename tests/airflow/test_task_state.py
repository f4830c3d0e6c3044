"""Progress in Airflow's store: what survives a retry, and what a clear must not."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hubchan.task_state import CHECKPOINT_KEY, TaskCheckpointStore

LOG: Any = logging.getLogger("tests.task_state")
BATCH = {"version": 2, "outcomes": "…"}


class Store(dict[str, Any]):
    """Airflow's task state store; with an *error* it is away."""

    error: Exception | None = None

    def get(self, key: str, default: Any = None) -> Any:
        if self.error:
            raise self.error
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        if self.error:
            raise self.error
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def checkpoint_store(
    store: Store | None, try_number: int = 1, max_tries: int = 2, *, durable: bool = True
) -> TaskCheckpointStore:
    instance = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    context = {"ti": instance} | ({"task_state_store": store} if store is not None else {})
    return TaskCheckpointStore(context, LOG, durable=durable)


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


def test_a_store_that_is_away_costs_no_batch(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read starts over, what cannot be kept may be repeated; both are logged."""
    store = Store()
    store.error = ConnectionError("the API server is away")
    kept = checkpoint_store(store)
    assert kept.load() is None
    kept.save(BATCH)
    kept.clear()
    assert "starting over" in caplog.text
    assert "a retry may repeat what this try has done" in caplog.text


@pytest.mark.parametrize("value", ["text", {"max_tries": 2}, 7])
def test_what_others_keep_under_the_key_is_not_read(value: Any) -> None:
    """It is no checkpoint of ours."""
    assert checkpoint_store(Store({CHECKPOINT_KEY: value})).load() is None


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
