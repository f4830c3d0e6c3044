"""What a fault cannot say: values that are none, and keys that contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_hubchan.emulator.answers import ANSWERS
from airflow_provider_hubchan.emulator.delays import Duration
from airflow_provider_hubchan.emulator.world import REVOCABLE

if TYPE_CHECKING:
    from airflow_provider_hubchan.emulator.faults import Fault


def slips(fault: Fault) -> list[str]:
    """Everything that is wrong; contradictions only if every value is one."""
    return [*_values(fault), *_durations(fault)] or [*_contradictions(fault)]


def _values(fault: Any) -> Iterator[str]:
    for name in ("message_id", "method", "path", "answer"):
        if not isinstance(getattr(fault, name), str | None):
            yield f"{name} is {getattr(fault, name)!r}, not a text"
    for name in ("apply", "reset"):
        if not isinstance(getattr(fault, name), bool):
            yield f"{name} is {getattr(fault, name)!r}, not true or false"
    for name in ("since", "until", "younger", "lag"):
        if (value := getattr(fault, name)) is not None and not _is_number(value, 0):
            yield f"{name} is {value!r}, not a number of seconds"
    if not (fault.times is None or fault.times == "always" or _is_count(fault.times, 1)):
        yield f"times must be at least 1, or always; it is {fault.times!r}"
    if not _is_count(fault.after, 0):
        yield f"after is {fault.after!r}, not a number of calls"
    if fault.status is not None and not (_is_count(fault.status, 200) and fault.status < 600):
        yield f"status is {fault.status!r}, not a number from 200 to 599"
    if fault.portal is not None and not _is_count(fault.portal, 0):
        yield f"portal is {fault.portal!r}, not a number"
    if fault.rate is not None and not (_is_number(fault.rate, 0) and 0 < fault.rate <= 1):
        yield f"rate is {fault.rate!r}, not a share of more than 0 and at most 1"
    if not isinstance(fault.headers, dict):
        yield f"headers is {fault.headers!r}, not an object"
    if fault.drop not in (None, "before", "half"):
        yield f"drop is {fault.drop!r}, not 'before' or 'half'"
    if fault.revoke not in (None, *REVOCABLE):
        yield f"revoke is {fault.revoke!r}, not one of {', '.join(REVOCABLE)}"
    if isinstance(fault.answer, str) and fault.answer not in ANSWERS:
        yield f"there is no answer {fault.answer!r}; there are {', '.join(ANSWERS)}"


def _durations(fault: Fault) -> Iterator[str]:
    for name in ("delay", "trickle"):
        try:
            Duration.read(name, getattr(fault, name))
        except ValueError as error:
            yield str(error)


def _contradictions(fault: Fault) -> Iterator[str]:
    """What cannot be together."""
    own = [name for name in ("status", "body", "answer") if getattr(fault, name) is not None]
    if fault.answer is not None and len(own) > 1:
        yield f"answer {fault.answer!r} has its own {' and '.join(name for name in own if name != 'answer')}"
    if not fault.answers and (fault.body is not None or fault.headers):
        yield "body and headers need a status or an answer"
    if fault.drop == "before" and (fault.answers or fault.trickle):
        yield "drop 'before' sends nothing: no status, answer or trickle with it; apply does what the call asks"
    if fault.reset and fault.drop is None:
        yield "reset needs drop, which says when"
    if fault.lag and (not fault.applies or (fault.method or "PATCH").upper() != "PATCH"):
        yield "lag is of a PATCH that is accepted: method PATCH, and apply if the answer is another"
    if fault.until is not None and fault.until <= fault.since:
        yield f"until ({fault.until}) is not after since ({fault.since})"
    if not (fault.answers or fault.delay or fault.trickle or fault.drop or fault.lag or fault.revoke):
        yield "a fault must do something: status, answer, delay, trickle, drop, lag or revoke"


def _is_number(value: Any, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < math.inf


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
