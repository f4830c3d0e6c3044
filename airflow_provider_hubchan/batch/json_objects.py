"""JSON objects with a key twice: Python keeps the last value, and which one was meant is not known."""

from __future__ import annotations

from collections import Counter
from typing import Any

from airflow_provider_hubchan.client.error_texts import shorten_all
from airflow_provider_hubchan.client.picklable_error import PicklableError


class DuplicateKeyError(PicklableError, ValueError):
    """An object has several values under one key.

    :param keys: the quoted keys, as a text.
    """

    def __init__(self, keys: str) -> None:
        super().__init__(f"{keys} is there twice")
        self.keys = keys


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A hook for ``object_pairs_hook`` of `json`: the object as a dict.

    :param pairs: keys and values, in the order of the text.
    :raises DuplicateKeyError: naming the keys that are there more than once.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise DuplicateKeyError(shorten_all((key for key, count in counts.items() if count > 1), 5))
    return fields
