"""A dead letter: what is written down of a row that was not updated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

from airflow_provider_hubchan.batch.rows import ITS_OWN, REPORT_KEYS, Outcome
from airflow_provider_hubchan.client.errors import Problem

_QUOTED = tuple(f'"{key}"' for key in REPORT_KEYS)


def letter(outcome: Outcome, attempt: int, time: str) -> str:
    """One line of a report file: the row as it came, ready to be fed back, and what became of it. As JSON, and quickly: a task
    that is to end may have two hundred thousand to write.

    :param attempt: number of the try, from 1.
    :param time: ISO 8601, UTC.
    """
    update = outcome.update
    why = f', "error_message": {json.dumps(update.error_message)}' if update.error_message else ""
    its = f'"message_id": {json.dumps(update.message_id)}, "status": "{update.status}"{why}, "row": {update.row}'
    return f"{{{_rest(update.rest)}{its}, {_fate(outcome.result, outcome.problem, attempt, time)}}}"


@lru_cache(maxsize=8)
def _fate(result: str, problem: Problem | None, attempt: int, time: str) -> str:
    """What became of a row; of many rows at a time it is the same."""
    fate: dict[str, Any] = {"outcome": result}
    if problem:
        fate |= {"reason": problem.reason, "category": problem.category, "correlation_id": problem.correlation_id}
    return json.dumps(fate | {"try": attempt, "time": time})[1:-1]


def _rest(rest: str | None) -> str:
    """What else the row held. Keys of its own that a letter needs go into a place of their own."""
    if not rest:
        return ""
    if any(name in rest for name in _QUOTED):
        held = json.loads(rest)
        own = {key: value for key, value in held.items() if key in REPORT_KEYS}
        rest = json.dumps({key: value for key, value in held.items() if key not in own} | ({ITS_OWN: own} if own else {}))
    return f"{rest[1:-1]}, "


class Letters(Protocol):
    """Takes every row that was not updated. A context manager: entered when all rows are known to be good and before anything
    is sent; left when the report is whole.

    :param fault: why it is not, None if it is.
    """

    fault: Exception | None

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: object) -> None: ...

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The lines that an earlier try wrote, to be called before anything is written."""

    def keep(self, line: dict[str, Any]) -> None:
        """Write such a line once more."""

    def begin(self) -> None:
        """All such lines are written."""

    def write(self, outcome: Outcome, attempt: int) -> None:
        """Write an outcome down, if it is not *updated*."""

    def flush(self) -> None:
        """Have all that was written stay, whatever happens next."""

    def done(self) -> None:
        """No row is unresolved."""


class NoFile:
    """No report file."""

    fault: Exception | None = None

    def __enter__(self) -> NoFile:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def earlier(self) -> Iterator[dict[str, Any]]:
        """Nothing."""
        return iter(())

    def keep(self, line: dict[str, Any]) -> None:
        """No."""

    def begin(self) -> None:
        """No."""

    def write(self, outcome: Outcome, attempt: int) -> None:
        """No."""

    def flush(self) -> None:
        """No."""

    def done(self) -> None:
        """No."""
