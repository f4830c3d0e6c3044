"""Every error that the client and the batch raise, and `Problem`, which says what went wrong.

HubchanError              catch this to catch everything below
├── BadInput              the input: not a list of rows, or not a channel ID                        pass something else
├── BadRows               the input: some rows cannot be sent, so nothing was sent                  fix the rows upstream
├── BadConnection         the connection: fields missing, malformed or contradictory                fix the connection
├── CallFailed            a single call got no usable answer; tells whether a retry can help        read `problem`
├── StatusPollFailed      messages will not get the statuses that are waited for                    read its text
└── BatchIncomplete       a batch ended with rows rejected or unresolved (batch/report.py)          read `report`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something did not work, in words for people and in fields for programs.

    :param reason: what happened and what to do next; one line, no secrets.
    :param label: the same in two or three words, equal for equal causes: problems are counted by it.
    :param status: HTTP status, None if there was no reply.
    :param category: HubSpot's ``category`` or, on rate limits, its ``policyName``.
    :param correlation_id: HubSpot's ``correlationId``; its support asks for it.
    """

    reason: str
    label: str
    status: int | None = None
    category: str | None = None
    correlation_id: str | None = None

    def __str__(self) -> str:
        notes = [
            f"{name} {value}" for name, value in (("category", self.category), ("correlationId", self.correlation_id)) if value
        ]
        return f"{self.reason} ({', '.join(notes)})" if notes else self.reason


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be sent.

    :param row: its number, counted from 1; in a file the number of its line.
    :param reason: what is wrong with it.
    :param label: the same in two or three words, equal for equal causes: rows are counted by it. Empty for *reason* itself.
    :param message_id: the id that it names, empty if none could be read.
    :param original: the row as it came, as the text of a JSON object; None if it is not kept. It goes into the report file.
    """

    row: int
    reason: str
    label: str = ""
    message_id: str = ""
    original: str | None = None


class HubchanError(Exception):
    """The base of all errors of this provider."""


class BadInput(HubchanError, TypeError):
    """What was given as rows is not a list of rows, or what was given as a channel is not a channel ID; the text says what to
    pass.
    """


class BadRows(HubchanError, ValueError):
    """Some rows cannot be sent, so nothing was sent.

    :param bad: every bad row, in order.
    :param rows: how many rows there were.
    """

    #: How many reasons the text names, and how many runs of row numbers for each; ``bad`` has all rows.
    MAX_REASONS, MAX_RUNS = 20, 50

    def __init__(self, bad: Sequence[BadRow], rows: int) -> None:
        self.bad, self.rows = tuple(bad), rows
        by_reason: dict[str, list[int]] = {}
        for bad_row in self.bad:
            by_reason.setdefault(bad_row.reason, []).append(bad_row.row)
        named = []
        for reason, numbers in list(by_reason.items())[: self.MAX_REASONS]:
            named.append(f"{'row' if len(numbers) == 1 else 'rows'} {_format_runs(numbers, self.MAX_RUNS)}: {reason}")
        if left := sum(map(len, list(by_reason.values())[self.MAX_REASONS :])):
            named.append(f"and {left:,} more")
        super().__init__(
            f"{len(self.bad):,} of {rows:,} rows cannot be sent ({'; '.join(named)}). Fix them upstream; nothing was sent."
        )


class BadConnection(HubchanError, ValueError):
    """The connection cannot be used as it is.

    :param conn_id: the connection's id.
    :param faults: every fault, each naming the field and how to fix it.
    """

    def __init__(self, conn_id: str, faults: Sequence[str]) -> None:
        self.conn_id, self.faults = conn_id, tuple(faults)
        super().__init__(
            f"Connection {conn_id!r} cannot be used: {'; '.join(faults)}. Edit it under Admin > Connections, "
            f"or where AIRFLOW_CONN_{conn_id.upper()} or your secrets backend defines it."
        )


class CallFailed(HubchanError):
    """A single call did not get a usable answer.

    :param problem: what HubSpot answered, or why there was no response.
    :param permanent: True if trying again cannot help until a person changes something.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    """

    def __init__(self, problem: Problem, *, permanent: bool, retry_after: float | None = None) -> None:
        self.problem, self.permanent, self.retry_after = problem, permanent, retry_after
        super().__init__(str(problem))


class StatusPollFailed(HubchanError):
    """Waiting is of no use any more; the text names the messages, what HubSpot says of them, and what to do."""


def _format_runs(numbers: Sequence[int], max_runs: int) -> str:
    """Ascending numbers as ``3, 17-21``, with *max_runs* runs at most."""
    named, left = list[str](), len(numbers)
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        if len(named) == max_runs:
            return f"{', '.join(named)} and {left:,} more"
        first, *rest = (number for _, number in run)
        named.append(f"{first}-{rest[-1]}" if rest else str(first))
        left -= 1 + len(rest)
    return ", ".join(named)
