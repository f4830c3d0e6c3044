from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.client.errors import BadInput


class Frame:
    """What pandas' DataFrame has, of which iteration gives the names of its columns."""

    columns = ("message_id", "status")

    def to_dict(self) -> None: ...

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class PolarsFrame(Frame):
    def to_dicts(self) -> None: ...


class Series:
    def to_dict(self) -> None: ...


async def deliver_later() -> list[str]:
    return ["m"]


async def yield_later() -> AsyncIterator[str]:
    yield "m"


@pytest.mark.parametrize("rows", ["['m-1']", b"m", 5, None])
def test_messages_of_another_kind_say_what_to_pass(rows: object) -> None:
    """Text (a template without native rendering) and scalars are refused with the way out."""
    with pytest.raises(BadInput, match="render_template_as_native_obj=True"):
        numbered(rows)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        pytest.param({"message_id": "m", "status": "SENT"}, "one dict with the keys of a row", id="one dict"),
        pytest.param({"messageId": "m", "statusType": "SENT"}, "one dict with the keys of a row", id="one dict of HubSpot's"),
        pytest.param(Frame(), 'df.to_dict("records")', id="pandas"),
        pytest.param(PolarsFrame(), "df.to_dicts()", id="polars"),
        pytest.param(Series(), "df.tolist()", id="a series"),
        pytest.param(yield_later(), "[row async for row in rows]", id="an asynchronous generator"),
        pytest.param("s3://mailroom/rows.csv", "The place of a file is messages_file", id="a URI"),
        pytest.param(Path("rows.csv"), "The place of a file is messages_file", id="a path"),
    ],
)
def test_what_is_no_list_of_rows_says_the_way_out(rows: object, text: str) -> None:
    """Before anything is sent."""
    with pytest.raises(BadInput) as caught:
        list(numbered(rows))
    assert text in str(caught.value)


def test_a_coroutine_says_to_run_it() -> None:
    """It is closed: Python does not warn that nobody has awaited it."""
    with pytest.raises(BadInput, match=r"messages is a coroutine, not a list of rows: .* asyncio.run\(...\)"):
        numbered(deliver_later())


def test_one_dict_with_columns_of_its_own_is_one_row() -> None:
    """With columns there is no mapping of id to status."""
    with pytest.raises(BadInput, match="one dict with the keys of a row"):
        numbered({"client_ref": "m"}, columns={"message_id": "client_ref"})


def test_a_set_has_an_order() -> None:
    """The same in every process, so that a retry goes on."""
    assert list(numbered({"b", "a", 3})) == [(1, 3), (2, "a"), (3, "b")]
