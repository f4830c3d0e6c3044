"""Every error that the client and the batch raise, and `Problem`, which says what went wrong.

HubchanError              catch this to catch everything below
├── BadInput              the input: not a list of rows, no file of rows, or not a channel ID       pass something else
├── BadRows               the input: too many rows cannot be sent, so nothing was sent              fix the rows upstream
├── BadConnection         the connection: fields missing, malformed or contradictory                fix the connection
│   └── UnknownConnection the connection: nothing defines one of this id                            define it
├── CallFailed            a single call got no usable answer; tells whether a retry can help        read `problem`
├── StatusPollFailed      messages will not get the statuses that are waited for                    read its text
└── BatchIncomplete       a batch ended with rows rejected or unresolved (batch/report.py)          read `report`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_hubchan.client.error_texts import count_of, readable
from airflow_provider_hubchan.client.picklable_error import PicklableError


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


class HubchanError(PicklableError):
    """The base of all errors of this provider.

    :param text: what happened and what to do next; it is made `readable`.
    """

    def __init__(self, text: str) -> None:
        super().__init__(readable(text))


class BadInput(HubchanError, TypeError):
    """What was given as rows is not a list of rows, a file is not one of rows, or what was given as a channel is not a channel
    ID.

    :param text: what is wrong with it and what to pass.
    """


class BadRows(HubchanError, ValueError):
    """More rows cannot be sent than *max_rejected* allows, so nothing was sent.

    :param bad: every bad row, in order.
    :param rows: how many rows there were.
    :param allowed: how many of them may be rejected, as a text.
    :ivar bad: the first thousand bad rows.
    :ivar count: how many bad rows there are.
    """

    #: How many reasons the text names, how many runs of row numbers for each, and characters of all that.
    MAX_REASONS, MAX_RUNS, MAX_NAMED = 20, 50, 1100
    #: How many bad rows are kept: they are not more than the text needs, however long the batch is.
    MAX_KEPT = 1000

    def __init__(self, bad: Iterable[BadRow], rows: int, allowed: str = "0") -> None:
        kept: list[BadRow] = []
        by_reason: dict[str, _Runs] = {}
        self.rows, self.count = rows, 0
        for bad_row in bad:
            self.count += 1
            if len(kept) < self.MAX_KEPT:
                kept.append(bad_row)
            if bad_row.reason in by_reason or len(by_reason) < self.MAX_REASONS:
                by_reason.setdefault(bad_row.reason, _Runs(self.MAX_RUNS)).add(bad_row.row)
        self.bad = tuple(kept)
        named, length, left = list[str](), 0, self.count
        for reason, runs in by_reason.items():
            text = f"{'row' if runs.count == 1 else 'rows'} {runs}: {readable(reason, 300)}"
            if named and length + len(text) > self.MAX_NAMED:
                break
            named.append(text)
            length, left = length + len(text), left - runs.count
        if left:
            named.append(f"and {left:,} more")
        limit = "" if allowed == "0" else f" max_rejected allows {allowed}."
        super().__init__(
            f"{self.count:,} of {count_of(rows, 'row')} cannot be sent ({'; '.join(named)}).{limit} Fix them upstream; nothing "
            "was sent."
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


class UnknownConnection(BadConnection):
    """Nothing defines a connection of this id.

    :param conn_id: the id.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id, self.faults = conn_id, ("it is not defined",)
        HubchanError.__init__(
            self,
            f"Connection {conn_id!r} is not defined: define it under Admin > Connections, as AIRFLOW_CONN_{conn_id.upper()} or "
            "in your secrets backend, or give the id of another one as hubchan_conn_id.",
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
    """Waiting is of no use any more.

    :param text: the messages, what HubSpot says of them, and what to do.
    """


class _Runs:
    """Ascending numbers as ``3, 17-21``.

    :param max_runs: how many runs are named.
    """

    def __init__(self, max_runs: int) -> None:
        self.count = self._named = 0
        self._max_runs = max_runs
        self._runs: list[list[int]] = []

    def add(self, number: int) -> None:
        self.count += 1
        if self._runs and self._runs[-1][-1] == number - 1 and self.count == self._named + 1:
            self._runs[-1][-1] = number
        elif len(self._runs) < self._max_runs:
            self._runs.append([number, number])
        else:
            return
        self._named += 1

    def __str__(self) -> str:
        text = ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in self._runs)
        left = self.count - self._named
        return f"{text} and {left:,} more" if left else text
