"""Checks of what users give, shared by connection, hook, operator, sensor and notifier."""

from __future__ import annotations

import math
import re
from reprlib import repr as shorten
from typing import Any

#: HubSpot's channels have 32-bit integers for ids (its OpenAPI files, the path of every call).
MAX_CHANNEL_ID = 2**31 - 1


def is_number(value: object) -> bool:
    """True for an int or a float, not for a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object, least: int) -> bool:
    """True for an int of at least *least*, not for a bool."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_share(value: object) -> bool:
    """True for a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def seconds_faults(**arguments: Any) -> list[str]:
    """What is wrong with arguments that are durations, each with what to give instead.

    :param arguments: their values, by their names.
    """
    return [
        f"{name} is {value!r}: give a number of seconds, not negative"
        for name, value in arguments.items()
        if not is_number(value) or not 0 <= value < math.inf
    ]


def concurrency_faults(concurrency: object) -> list[str]:
    """What is wrong with the argument *concurrency*."""
    if is_count(concurrency, least=1):
        return []
    return [f"concurrency is {concurrency!r}: give the number of requests in flight at most, from 1"]


def channel_id_faults(channel_id: object, name: str) -> list[str]:
    """What is wrong with a channel ID, if there is one; with such an ID HubSpot would refuse every row.

    :param name: how its user calls it.
    """
    text = "" if channel_id is None else str(channel_id).strip()
    if not text or (re.fullmatch("[0-9]{1,10}", text) and 0 < int(text) <= MAX_CHANNEL_ID):
        return []
    return [f"{name} is {shorten(text)}, not the number of a channel, like 100200"]
