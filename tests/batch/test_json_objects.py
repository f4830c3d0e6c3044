"""JSON objects with a key twice, and JSON text that is given as messages."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from airflow_provider_hubchan.batch.json_objects import DuplicateKeyError, unique_keys
from airflow_provider_hubchan.batch.rows import parse_json_text
from airflow_provider_hubchan.client.errors import BadInput


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param('[{"message_id": "m-1", "status": "FAILED", "status": "SENT"}]', "'status'", id="a row"),
        pytest.param('{"m-1": "FAILED", "m-2": "SENT", "m-1": "SENT"}', "'m-1'", id="a mapping"),
        pytest.param(' [{"message_id": "m-1", "x": {"a": 1, "b": 1, "b": 1, "a": 1}}]', "'a', 'b'", id="an object in a row"),
        pytest.param('{"a\\u001b": 1, "a\\u001b": 2}', r"'a\x1b'", id="a control character"),
    ],
)
def test_json_text_with_a_key_twice_is_refused(text: str, keys: str) -> None:
    """Python would keep the last value in silence."""
    with pytest.raises(BadInput) as caught:
        parse_json_text(text)
    assert str(caught.value).startswith(f"messages is JSON text that has {keys} twice in one object: which value counts")
    assert str(caught.value).endswith("write each key once.")
    with pytest.raises(BadInput, match=r"^message_ids is JSON text"):
        parse_json_text(text, "message_ids")


@pytest.mark.parametrize(
    "text", ['["m-1", "m-1"]', '[{"m-1": "SENT"}, {"m-1": "READ"}]', '{"a": {"b": 1}, "b": 1}', "[]", "{}"]
)
def test_json_text_without_a_key_twice_is_what_it_stands_for(text: str) -> None:
    """One key in several objects is no key twice."""
    assert parse_json_text(text) == json.loads(text)


@pytest.mark.parametrize("value", ["{{ x }}", "[m-1]", "[" * 100_000, '"a"', "m-1", 7, None, ["m-1"]])
def test_what_is_no_json_text_of_rows_is_left_as_it_is(value: object) -> None:
    """The error about messages that are text says what to do."""
    assert parse_json_text(value) is value


class CountingKey(str):
    """A key that counts how often it is compared."""

    comparisons: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        CountingKey.comparisons += 1
        return str(self) == other

    __hash__ = str.__hash__


def test_a_key_twice_among_many_is_found_in_one_pass() -> None:
    """Each key is not compared with all others."""
    pairs: list[tuple[str, Any]] = [(CountingKey(f"key {number}"), number) for number in range(1000)]
    with pytest.raises(DuplicateKeyError, match=r"^'key 7' is there twice$"):
        unique_keys([*pairs, (CountingKey("key 7"), 0)])
    assert CountingKey.comparisons < 1000


def test_many_keys_twice_are_named_in_a_short_text() -> None:
    """The first of them, and how many more there are."""
    pairs = [(f"{'x' * 1000} {number}", number) for number in range(100)]
    with pytest.raises(DuplicateKeyError) as caught:
        unique_keys(pairs + pairs)
    assert str(caught.value).endswith(" and 95 more is there twice")
    assert len(str(caught.value)) < 500
