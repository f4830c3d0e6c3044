"""The updates of one batch, on disk: memory hardly grows with the batch.

Every row is read before the first request is sent: a bad one is named while nothing is half done, and of several updates for
one message only the one that counts is sent. A database that belongs to the process and vanishes with it keeps them until
they are sent; SQLite writes it to a temporary file only when it outgrows two megabytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType

from airflow_provider_hubchan.batch.report import format_max_rejected, is_within
from airflow_provider_hubchan.client.errors import BadRow, BadRows, Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update

#: ``rank``: of the status. ``result``, ``reason``, ``label``: the outcome of a row that is not to be sent, else NULL; only rows
#: that cannot be sent are *rejected* here, and ``rest`` has all of such a row. ``winner``: the row that counts for the message.
_TABLES = """
CREATE TABLE entry (
    row INTEGER PRIMARY KEY, message_id TEXT, status TEXT, error_message TEXT, rest TEXT, rank INTEGER,
    result TEXT, reason TEXT, label TEXT
);
CREATE TABLE winners (row INTEGER PRIMARY KEY, winner INTEGER);
"""
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
#: The highest rank counts (see `MessageStatus`); among equals the later row knows more.
_DEDUPLICATE = """
INSERT INTO winners SELECT row, first_value(row) OVER (PARTITION BY message_id ORDER BY rank DESC, row DESC)
FROM entry WHERE result IS NULL
"""
_BAD = "SELECT row, reason, label, message_id FROM entry WHERE result = 'rejected' ORDER BY row"
_SIZE = "SELECT count(*) FROM winners WHERE winner = row"
_FIELDS = "SELECT row, message_id, status, error_message, rest"
_UPDATES = f"{_FIELDS} FROM entry JOIN winners USING (row) WHERE winner = row ORDER BY row"
_NOT_SENT = """
SELECT entry.row, entry.message_id, entry.status, entry.error_message, entry.rest,
       entry.result, entry.reason, entry.label, best.row, best.status
FROM entry LEFT JOIN winners USING (row) LEFT JOIN entry AS best ON best.row = winner
WHERE entry.result IS NOT NULL OR winner <> entry.row ORDER BY entry.row
"""
#: By name, with None for a row without one.
_STATUSES: dict[str | None, MessageStatus] = {status.value: status for status in MessageStatus}


class UpdateStore:
    """A context manager; the rows are gone when it is left.

    :ivar rows: how many rows there are.
    :ivar bad: how many of them cannot be sent.
    :ivar size: how many updates are to be sent.
    """

    def __init__(self, entries: Iterable[Update | Outcome | BadRow]) -> None:
        """Read all entries.

        :raises OSError: if the temporary directory is full or cannot be written.
        """
        self.rows = self.bad = 0
        self._database = sqlite3.connect("", check_same_thread=False)  # threads take updates one at a time
        self._database.execute("PRAGMA journal_mode = OFF")  # there is nothing to go back to
        try:
            self._database.executescript(_TABLES)
            self._database.executemany(_INSERT, self._records(entries))
            self._database.execute(_DEDUPLICATE)
            (self.size,) = self._database.execute(_SIZE).fetchone()
        except sqlite3.OperationalError as error:
            self._database.close()
            raise OSError(
                f"The rows do not fit into the temporary directory ({error}). Make room, or set SQLITE_TMPDIR."
            ) from error
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> UpdateStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def updates(self) -> Iterator[Update]:
        """The updates to send, in the order of their rows."""
        for row, message_id, status, error_message, rest in self._database.execute(
            _UPDATES
        ):  # many, and a task may have to end
            yield Update(row, message_id, _STATUSES.get(status), error_message, rest)

    def update(self, row: int) -> Update:
        """The update of one row."""
        return _update(self._database.execute(f"{_FIELDS} FROM entry WHERE row = ?", (row,)).fetchone())

    def too_many_bad_rows(self, max_rejected: int | float) -> BadRows | None:
        """The error if more rows cannot be sent than may be rejected, None if the batch may begin.

        :param max_rejected: a count (int), or a share of all rows (float from 0 to 1).
        """
        if is_within(self.bad, self.rows, max_rejected):
            return None
        bad_rows = (BadRow(*fields) for fields in self._database.execute(_BAD))
        return BadRows(bad_rows, self.rows, format_max_rejected(max_rejected))

    def not_sent(self) -> Iterator[Outcome]:
        """The outcomes of the other rows, in their order: those that cannot be sent, those that another row supersedes, and
        those that came with one.
        """
        for *fields, result, reason, label, winner, winner_status in self._database.execute(_NOT_SENT):
            if result is None:
                reason, label = f"superseded by row {winner}, which says {winner_status}", "superseded"
            row, message_id, *_, rest = fields
            update = BadRow(row, reason, label, message_id, rest) if result == "rejected" else _update(fields)
            yield Outcome(update, result or "skipped", Problem(reason, label))

    def _records(self, entries: Iterable[Update | Outcome | BadRow]) -> Iterator[tuple[int | str | None, ...]]:
        for entry in entries:
            self.rows += 1
            self.bad += isinstance(entry, BadRow)
            yield _record(entry)


def _record(entry: Update | Outcome | BadRow) -> tuple[int | str | None, ...]:
    outcome: tuple[str | None, ...] = (None, None, None)
    if isinstance(entry, Outcome):
        outcome = (entry.result, entry.problem.reason, entry.problem.label) if entry.problem else outcome
        entry = entry.update
    if isinstance(entry, BadRow):
        reason, message_id = (text.encode(errors="replace").decode() for text in (entry.reason, entry.message_id))
        return (entry.row, message_id, None, None, entry.original, None, "rejected", reason, entry.label or reason)
    status, rank = (entry.status.value, entry.status.rank) if entry.status else (None, None)
    return (entry.row, entry.message_id, status, entry.error_message, entry.rest, rank, *outcome)


def _update(fields: Iterable[object]) -> Update:
    row, message_id, status, error_message, rest = fields
    return Update(row, message_id, MessageStatus.parse(status), error_message, rest)  # type: ignore[arg-type]
