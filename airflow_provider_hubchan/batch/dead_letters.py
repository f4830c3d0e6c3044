"""Dead letters: what is written down of the rows that were not updated, so that they can be fed back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Protocol

from airflow_provider_hubchan.batch.rows import LINE_KEYS, ORIGINAL_KEY, ROW_KEYS, SENDABLE_KEY, TASK_KEY
from airflow_provider_hubchan.client.errors import BadRow, Problem
from airflow_provider_hubchan.client.models import Outcome, Update

#: The keys that a line needs for itself if its row can be sent. One that cannot be sent keeps its own names.
_LINE_KEYS_OF_UPDATE = LINE_KEYS | ROW_KEYS
_QUOTE = json.encoder.encode_basestring_ascii
_QUOTED_KEYS = tuple(f'"{key}"' for key in _LINE_KEYS_OF_UPDATE)


def format_dead_letter(outcome: Outcome, try_number: int, time: str, task: str = "") -> str:
    """One line of a report file: the row, ready to be fed back, and what became of it, as a JSON object.

    :param try_number: number of the task's try, from 1.
    :param time: ISO 8601, UTC.
    :param task: the task instance that writes it, as JSON; empty outside a task.
    """
    result = _format_outcome(outcome.result, outcome.problem, try_number, time, task)
    update = outcome.update
    if isinstance(update, BadRow):
        row = f'"row": {update.row}, "{SENDABLE_KEY}": false'
        return f"{{{_format_rest(update.original, LINE_KEYS)}{row}, {result}}}"
    return _format_update(update, result)


def format_unresolved(updates: Iterable[Update], problem: Problem, try_number: int, time: str, task: str = "") -> Iterator[str]:
    """The lines of many updates that were left for one reason. Quickly: a task that is to end may have a million to write.
    Arguments as of `format_dead_letter`.
    """
    result = _format_outcome("unresolved", problem, try_number, time, task)
    return (_format_update(update, result) for update in updates)


def _format_update(update: Update, result: str) -> str:
    status = f', "status": "{update.status}"' if update.status else ""
    reason = f', "error_message": {_QUOTE(update.error_message)}' if update.error_message else ""
    rest = _format_rest(update.rest, _LINE_KEYS_OF_UPDATE) if update.rest else ""
    row = f'"message_id": {_QUOTE(update.message_id)}{status}{reason}, "row": {update.row}'
    return f"{{{rest}{row}, {result}}}"


@lru_cache(maxsize=8)
def _format_outcome(result: str, problem: Problem | None, try_number: int, time: str, task: str) -> str:
    """What became of a row; for many rows at a time it is the same."""
    fields: dict[str, Any] = {"outcome": result}
    if problem:
        fields |= {"reason": problem.reason, "category": problem.category, "correlation_id": problem.correlation_id}
    text = json.dumps(fields | {"try": try_number, "time": time})[1:-1]
    return f'{text}, "{TASK_KEY}": {task}' if task else text


def _format_rest(rest: str | None, own_keys: frozenset[str]) -> str:
    """What else the row held. Keys of its own that the line needs are moved under `ORIGINAL_KEY`."""
    if not rest or rest == "{}":
        return ""
    if any(key in rest for key in _QUOTED_KEYS):
        fields = json.loads(rest)
        moved = {key: value for key, value in fields.items() if key in own_keys}
        kept = {key: value for key, value in fields.items() if key not in moved}
        rest = json.dumps(kept | ({ORIGINAL_KEY: moved} if moved else {}))
    return f"{rest[1:-1]}, "


class DeadLetterSink(Protocol):
    """Takes every row that was not updated. A context manager: entered when all rows are known to be good and before anything
    is sent; left when the report is complete.
    """

    @property
    def uri(self) -> str:
        """Where the lines are, empty for nowhere."""

    @property
    def error(self) -> Exception | None:
        """Why the dead letters are not complete, None if they are."""

    @property
    def written(self) -> int:
        """How many lines were taken. It rises in the one step that takes a line: after an exception it tells what is left to
        write.
        """

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: object) -> None: ...

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The lines that an earlier try wrote, to be called before anything is written."""

    def keep(self, line: dict[str, Any]) -> None:
        """Write a line of an earlier try once more."""

    def begin(self) -> None:
        """All lines of earlier tries are written: what they left may be replaced."""

    def write(self, outcome: Outcome, try_number: int) -> None:
        """Write an outcome down, if it is not *updated*."""

    def write_unresolved(self, updates: Iterable[Update], problem: Problem, try_number: int) -> None:
        """Write down many updates that were left for one reason."""

    def flush(self) -> bool:
        """Make what was written durable, as far as it can be and is due.

        :return: True if all of it is: it outlives this process.
        """

    def complete(self) -> None:
        """No row is unresolved: nobody will want the rows again."""


class NullSink:
    """Takes dead letters and keeps none."""

    uri = ""
    error: Exception | None = None

    @property
    def written(self) -> int:
        """Always 0: no line is kept."""
        return 0

    def __enter__(self) -> NullSink:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def earlier(self) -> Iterator[dict[str, Any]]:
        """An empty iterator: nothing was written."""
        return iter(())

    def keep(self, line: dict[str, Any]) -> None:
        """Ignore the line."""

    def begin(self) -> None:
        """Do nothing: there is no file."""

    def write(self, outcome: Outcome, try_number: int) -> None:
        """Ignore the outcome."""

    def write_unresolved(self, updates: Iterable[Update], problem: Problem, try_number: int) -> None:
        """Ignore the updates: nobody has to look at them."""

    def flush(self) -> bool:
        """Nothing was written, so nothing can be lost: True."""
        return True

    def complete(self) -> None:
        """Do nothing: there is no file."""
