"""A dead letter: what is written down of a row that was not updated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from airflow_provider_hubchan.client.status import Outcome


def letter(outcome: Outcome, attempt: int, time: str) -> dict[str, Any]:
    """One line of a report file: the row as it came, ready to be fed back, and what became of it.

    :param attempt: number of the try, from 1.
    :param time: ISO 8601, UTC.
    """
    update, problem = outcome.update, outcome.problem
    row: dict[str, Any] = json.loads(update.rest) if update.rest else {}
    row |= {"message_id": update.message_id, "status": update.status}
    if update.error_message:
        row["error_message"] = update.error_message
    row |= {"row": update.row, "outcome": outcome.result}
    if problem:
        row |= {"reason": problem.reason, "category": problem.category, "correlation_id": problem.correlation_id}
    return row | {"try": attempt, "time": time}


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

    def write(self, outcome: Outcome, attempt: int) -> None:
        """Write an outcome down, if it is not *updated*."""

    def flush(self) -> None:
        """Have all that was written stay, whatever happens next."""


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

    def write(self, outcome: Outcome, attempt: int) -> None:
        """No."""

    def flush(self) -> None:
        """No."""
