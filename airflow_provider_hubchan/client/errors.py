"""Every error of the client, and what HubSpot's part in it was.

HubchanError                  catch this to catch everything below
├── BadInput                  the input: no list of rows at all, or no channel               pass another thing
├── BadRows                   the input: some rows cannot be sent, so nothing was sent       fix the rows upstream
├── BadConnection             the set-up: fields missing, malformed or contradictory         fix the connection
├── CallFailed                one call got no good answer; says whether a retry can help     read `problem`
├── WatchFailed               waiting for statuses is of no use any more (watch.py)          read its text
└── BatchIncomplete           a batch ended with rows rejected or unresolved (report.py)     read `report`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

#: Every way to get no reply, named alike by both drivers.
NO_CONNECTION = "no connection"
NO_REPLY = "no reply in time"
CUT_OFF = "the connection was closed before the reply was complete"
BAD_TLS = "no trustworthy TLS connection"


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
    """

    row: int
    reason: str


class HubchanError(Exception):
    """Anything that the client raises on purpose."""


class BadInput(HubchanError, TypeError):
    """What was given as rows, or as a channel, is of no kind that can be read; the text says what to pass."""


class BadRows(HubchanError, ValueError):
    """Some rows cannot be sent; none was.

    :param bad: every bad row, in order.
    :param rows: how many rows there were.
    """

    #: Reasons, and runs of row numbers for each, that the text names; the others it counts (``bad`` has them all).
    REASONS, RUNS = 20, 50

    def __init__(self, bad: Sequence[BadRow], rows: int) -> None:
        self.bad, self.rows = tuple(bad), rows
        by_reason: dict[str, list[int]] = {}
        for each in self.bad:
            by_reason.setdefault(each.reason, []).append(each.row)
        named = []
        for reason, numbers in list(by_reason.items())[: self.REASONS]:
            named.append(f"{'row' if len(numbers) == 1 else 'rows'} {_runs(numbers, self.RUNS)}: {reason}")
        if left := sum(map(len, list(by_reason.values())[self.REASONS :])):
            named.append(f"and {left:,} more")
        super().__init__(
            f"{len(self.bad):,} of {rows:,} rows cannot be sent ({'; '.join(named)}). Fix them upstream; nothing was sent."
        )


class BadConnection(HubchanError, ValueError):
    """The connection cannot be used as it is.

    :param conn_id: the connection's id.
    :param faults: every fault, each naming the field and the way to mend it.
    """

    def __init__(self, conn_id: str, faults: Sequence[str]) -> None:
        self.conn_id, self.faults = conn_id, tuple(faults)
        super().__init__(
            f"Connection {conn_id!r} cannot be used: {'; '.join(faults)}. Edit it under Admin > Connections, "
            f"or where AIRFLOW_CONN_{conn_id.upper()} or your secrets backend defines it."
        )


class CallFailed(HubchanError):
    """A single call did not get a good answer.

    :param problem: what HubSpot said, or why there is no reply.
    :param permanent: True if trying again cannot help until a person changes something.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    """

    def __init__(self, problem: Problem, *, permanent: bool, retry_after: float | None = None) -> None:
        self.problem, self.permanent, self.retry_after = problem, permanent, retry_after
        super().__init__(str(problem))


def _runs(numbers: Sequence[int], most: int) -> str:
    """Name *numbers* (ascending) in little room, at most so many runs of them: ``3, 17-21``."""
    named, left = list[str](), len(numbers)
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        if len(named) == most:
            return f"{', '.join(named)} and {left:,} more"
        first, *rest = (number for _, number in run)
        named.append(f"{first}-{rest[-1]}" if rest else str(first))
        left -= 1 + len(rest)
    return ", ".join(named)
