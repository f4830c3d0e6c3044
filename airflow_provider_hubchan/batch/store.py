"""The rows of one batch, all of them known to be good, on disk: memory hardly grows with the batch.

Every row is read before the first request is sent: a bad one is named while nothing is half done, and of several updates for
one message only the one that counts is sent. A database that belongs to the process and vanishes with it keeps them until
they are sent; SQLite writes it to a temporary file only when it outgrows two megabytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from types import TracebackType

from airflow_provider_hubchan.batch.rows import Outcome, Update
from airflow_provider_hubchan.client.errors import BadRow, BadRows, Problem

#: ``settled``: what it came as, if not as an update; why, and in short. ``winner``: the row that counts for its message.
_TABLES = """
CREATE TABLE entry (
    row INTEGER PRIMARY KEY, message_id TEXT, status TEXT, error_message TEXT, rest TEXT, settled TEXT, why TEXT, label TEXT
);
CREATE TABLE verdict (row INTEGER PRIMARY KEY, winner INTEGER);
"""
#: A message that was read was delivered, whatever a late event says; between SENT and FAILED the later row knows more.
_JUDGE = """
INSERT INTO verdict SELECT row, first_value(row) OVER (PARTITION BY message_id ORDER BY status = 'READ' DESC, row DESC)
FROM entry WHERE settled IS NULL
"""
_SIZE = "SELECT count(*) FROM verdict WHERE winner = row"
_FIELDS = "SELECT row, message_id, status, error_message, rest"
_UPDATES = f"{_FIELDS} FROM entry JOIN verdict USING (row) WHERE winner = row ORDER BY row"
_SKIPPED = """
SELECT entry.row, entry.message_id, entry.status, entry.error_message, entry.rest,
       entry.settled, entry.why, entry.label, best.row, best.status
FROM entry LEFT JOIN verdict USING (row) LEFT JOIN entry AS best ON best.row = winner
WHERE entry.settled IS NOT NULL OR winner <> entry.row ORDER BY entry.row
"""


class Sheet:
    """A context manager; the rows are gone when it is left.

    :param rows: how many there are.
    :param size: how many updates are to be sent.
    """

    def __init__(self, entries: Iterable[Update | Outcome | BadRow]) -> None:
        """Read all entries.

        :raises BadRows: naming every bad row.
        :raises OSError: if the temporary directory is full or cannot be written.
        """
        self.rows = 0
        self._print = blake2b(digest_size=16)
        self._bad: list[BadRow] = []
        self._base = sqlite3.connect("", check_same_thread=False)  # threads pull updates one at a time
        self._base.execute("PRAGMA journal_mode = OFF")  # there is nothing to go back to
        try:
            self._base.executescript(_TABLES)
            self._base.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._good(entries))
            if self._bad:
                raise BadRows(self._bad, self.rows)
            self._base.execute(_JUDGE)
            (self.size,) = self._base.execute(_SIZE).fetchone()
        except sqlite3.OperationalError as fault:
            self._base.close()
            raise OSError(
                f"The rows do not fit into the temporary directory ({fault}). Make room, or set SQLITE_TMPDIR."
            ) from fault
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> Sheet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._base.close()

    @property
    def fingerprint(self) -> str:
        """Equal for equal rows only."""
        return self._print.hexdigest()

    def updates(self) -> Iterator[Update]:
        """The updates that count, in row order."""
        return (Update(*row) for row in self._base.execute(_UPDATES))

    def update(self, row: int) -> Update:
        """One of them, by its row."""
        return Update(*self._base.execute(f"{_FIELDS} FROM entry WHERE row = ?", (row,)).fetchone())

    def skipped(self) -> Iterator[Outcome]:
        """What becomes of the others, in row order."""
        for *fields, settled, why, label, best, its_status in self._base.execute(_SKIPPED):
            if settled is None:
                why, label = f"superseded by row {best}, which says {its_status}", "superseded"
            yield Outcome(Update(*fields), settled or "skipped", Problem(why, label))

    def _good(self, entries: Iterable[Update | Outcome | BadRow]) -> Iterator[tuple[int | str | None, ...]]:
        for entry in entries:
            self.rows += 1
            if isinstance(entry, BadRow):
                self._bad.append(entry)
                continue
            settled: tuple[str | None, ...] = (None, None, None)
            update = entry if isinstance(entry, Update) else entry.update
            if isinstance(entry, Outcome) and entry.problem:
                settled = (entry.result, entry.problem.reason, entry.problem.label)
            if not self._bad:
                line = (update.row, update.message_id, update.status, update.error_message, update.rest, *settled)
                self._print.update(repr(line).encode(errors="surrogatepass"))
                yield line
