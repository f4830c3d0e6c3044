"""Which of several updates for one message counts, and that a batch of any size fits."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_hubchan.batch.row_reader import read_rows
from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.errors import BadRow


def store_of(rows: object, **defaults: Any) -> UpdateStore:
    return UpdateStore(read_rows(numbered(rows), **defaults))


@pytest.mark.parametrize(
    ("events", "winner"),
    [
        pytest.param(["SENT", "READ"], 2, id="READ after SENT"),
        pytest.param(["READ", "SENT"], 1, id="a late SENT does not take READ back"),
        pytest.param(["READ", "FAILED"], 1, id="what was read was delivered"),
        pytest.param(["SENT", "FAILED"], 2, id="the last of SENT and FAILED"),
        pytest.param(["FAILED", "SENT"], 2, id="the last of FAILED and SENT"),
        pytest.param(["READ", "READ", "SENT", "READ"], 4, id="the last READ"),
    ],
)
def test_one_update_for_each_message_counts(events: list[str], winner: int) -> None:
    """READ comes before the others, else the last row wins; the others are skipped and say by which row."""
    with store_of([{"message_id": "m", "status": status} for status in events]) as store:
        chosen, skipped = list(store.updates()), list(store.not_sent())
    assert [update.row for update in chosen] == [winner]
    assert [outcome.update.row for outcome in skipped] == [row for row in range(1, len(events) + 1) if row != winner]
    for outcome in skipped:
        assert outcome.problem is not None
        assert f"superseded by row {winner}" in outcome.problem.reason


def test_updates_are_sent_in_row_order() -> None:
    """Choosing among updates leaves the order of the rows as it was."""
    with store_of(["a", "b", "c", "a"], status="SENT") as store:
        assert [update.message_id for update in store.updates()] == ["b", "c", "a"]


def test_text_comes_back_as_it_went_in() -> None:
    """An id or an error message may hold quotes, emoji, a zero byte, or differ by case alone."""
    ids = ["a'b", 'c"; DROP TABLE entry', "\u200d", "Ä😀", "ä😀", "m", "M", "1", "01", "1.0"]
    rows = [{"message_id": each, "status": "FAILED", "error_message": f"why\x00 {each}"} for each in ids]
    with store_of(rows) as store:
        assert [(update.message_id, update.error_message) for update in store.updates()] == [
            (each, f"why\x00 {each}") for each in ids
        ]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows() -> None:
    """Thirty thousand rows, every third of them superseded, are read, ranked and handed out in less than a megabyte."""

    def rows() -> Iterator[dict[str, str]]:
        return ({"message_id": f"message-{number % 20_000}", "status": "SENT"} for number in range(30_000))

    tracemalloc.start()
    with store_of(rows()) as store:
        sent, skipped = sum(1 for _ in store.updates()), sum(1 for _ in store.not_sent())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (sent, skipped) == (20_000, 10_000)
    assert peak < 1_000_000


def test_bad_rows_are_rejected_rows() -> None:
    """They are outcomes of the store, as they came, take no part in what supersedes what, and count against a limit."""
    rows = [*map(str, range(98)), None, {"message_id": "7", "status": "gone", "to": "+1"}]
    with store_of(rows, status="READ") as store:
        assert (store.rows, store.bad, store.size) == (100, 2, 98)
        assert [(outcome.result, outcome.update) for outcome in store.not_sent()] == [
            ("rejected", BadRow(99, "message_id is missing", "no message_id", "", '{"message_id": null}')),
            (
                "rejected",
                BadRow(
                    100,
                    "status is 'gone', not one of SENT, FAILED, READ",
                    "unknown status 'gone'",
                    "7",
                    '{"message_id": "7", "status": "gone", "to": "+1"}',
                ),
            ),
        ]
        assert [store.too_many_bad_rows(allowed) is None for allowed in (0, 1, 2, 0.0, 0.019, 0.02)] == [
            *(False, False, True, False, False, True)
        ]
        assert "max_rejected allows 1.90% of them." in str(store.too_many_bad_rows(0.019))
