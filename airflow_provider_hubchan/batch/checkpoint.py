"""Keeping the progress of a batch between the tries of a task: a retry goes on where the last try ended.

What is kept is bound to the updates that it speaks of, by a digest over their rows, messages, statuses and error messages, from
the first to the last one that was taken for sending. If these are others now, the batch starts over and the log says so. Rows
after them may change: a file that has grown at its end goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import blake2b
from itertools import chain
from typing import Any, Protocol

from airflow_provider_hubchan.batch.dead_letters import DeadLetterSink
from airflow_provider_hubchan.batch.progress import MAX_BITS_LENGTH, Progress
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.rows import REPORT_KEYS
from airflow_provider_hubchan.batch.snapshot import Snapshots
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.batch.update_states import UpdateStates, updated_in
from airflow_provider_hubchan.client.error_texts import count_of, format_error, readable
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Outcome, Update

#: Seconds between two checkpoints: what a killed worker may cost in repeats.
INTERVAL = 2.0
#: After a checkpoint there is none for so many times as long as it took: a slow store costs a twentieth of the time.
PAUSE = 19.0


class CheckpointStore(Protocol):
    """Keeps one JSON object between the tries of a task.

    :ivar try_number: number of this try, from 1.
    """

    try_number: int

    def load(self) -> dict[str, Any] | None:
        """What an earlier try saved, damaged or not; None if there is nothing to go on with."""

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Keep it. Must not raise: a batch does not end because its progress cannot be kept."""

    def clear(self) -> None:
        """Forget it: the batch is finished. Must not raise."""


class NullStore:
    """Keeps no checkpoint."""

    try_number = 1

    def load(self) -> dict[str, Any] | None:
        """There is nothing to go on with."""
        return None

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Ignore the checkpoint."""

    def clear(self) -> None:
        """Do nothing: nothing is stored."""


class Checkpoint:
    """The progress of one batch.

    :param address: where the updates are sent.
    :param updates: of the batch.
    :param report: this try's; it takes over the requests and times of earlier tries.
    :param log: takes a line for the log.
    :param clock: a monotonic clock, in seconds.
    :param snapshots: say how the batch stands, for people; None to keep nothing of that.
    """

    def __init__(
        self,
        store: CheckpointStore,
        address: str,
        updates: UpdateStore,
        report: Report,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._store, self._updates, self._report, self._log, self._clock = store, updates, report, log, clock
        self._snapshots = snapshots
        self.try_number = store.try_number
        self.states = UpdateStates(updates.size)
        #: How many updates were taken, and their digest: one value, for it is read in another thread than it is made in.
        self._taken = (0, _digest(address))
        self._done_rows = bytearray()  # 1 for each row that an earlier try has done, by the row's number
        self._earlier: Progress | None = None
        self._due_at = clock() + INTERVAL
        self._has_said_what_is_left_out = False
        self._load()

    def is_due(self) -> bool:
        """True if it is time to save."""
        return self._clock() >= self._due_at

    def take(self, position: int, update: Update) -> None:
        """Note that an update is taken for sending, in the order of their positions; one that was taken before is ignored."""
        taken, digest = self._taken
        if position == taken:
            self._taken = taken + 1, _next_digest(digest, update)

    def confirm_dead_letters(self) -> None:
        """Note that the dead letters of all outcomes so far outlive this process: only such outcomes are kept."""
        self.states.not_durable.clear()

    def begin_sending(self) -> None:
        """Note that the first update is sent now."""
        if self._snapshots:
            self._snapshots.begin()

    def save(self) -> None:
        """Keep what has been done so far."""
        started = self._clock()
        taken, digest = self._taken
        done, left_out = self.states.done(taken, MAX_BITS_LENGTH)
        snapshot = self._snapshots.take(self.try_number) if self._snapshots else {}
        progress = Progress(digest.hex(), done, self._report.cumulative(), self._report.problems, snapshot)
        self._store.save(progress.as_json())
        if left_out and not self._has_said_what_is_left_out:
            self._has_said_what_is_left_out = True
            text = (
                f"Not all progress fits into Airflow's store: a retry sends {count_of(left_out, 'update')} again that are done."
            )
            self._log(text)
        ended = self._clock()
        self._due_at = ended + max(INTERVAL, PAUSE * (ended - started))

    def end(self) -> None:
        """The batch has ended: forget it if nothing is left to do, else keep it for a retry."""
        if self._report.unresolved:
            self.save()
        else:
            self._store.clear()

    def restore(self, dead_letters: DeadLetterSink, warn: Callable[[str], None]) -> None:
        """Report what earlier tries have done.

        Updated ones are *skipped* now, but for those of this same try: it only waited for HubSpot in between. Rejected and
        skipped ones stay what they are. Which ones they are is in the dead letters that the earlier try wrote; without a file
        of these, the first twenty rejected ones are in the checkpoint.

        :param warn: takes a line for the log that a person should look at.
        """
        if self._earlier is not None:
            for (result, label), count in self._earlier.done.counts.items():
                if (result, label) == updated_in(self.try_number):
                    self._report.count_earlier("updated", "", count)
                elif result == "updated":
                    reason = f"done in try {label}"
                    self._report.count_earlier("skipped", reason, count)
                else:
                    self._report.count_earlier(result, label, count)
            self._restore_dead_letters(self._earlier, dead_letters, warn)
        dead_letters.begin()

    def _restore_dead_letters(self, progress: Progress, dead_letters: DeadLetterSink, warn: Callable[[str], None]) -> None:
        """Take over the lines of the earlier try's file, as far as they are about rows that it has done."""
        missing = progress.done.results()
        del missing["updated"]
        for line in chain(dead_letters.earlier(), progress.problems) if any(missing.values()) else ():
            outcome = self._earlier_outcome(line)
            if outcome is None or not missing.get(outcome.result):
                continue
            self._done_rows[outcome.update.row] = 0
            missing[outcome.result] -= 1
            self._report.name(outcome)
            if REPORT_KEYS.issubset(line):
                dead_letters.keep(line)
            else:  # kept in the checkpoint: a problem without the rest of its row
                dead_letters.write(outcome, self.try_number)
        if dead_letters.uri and any(missing.values()):
            text = (
                f"{dead_letters.uri} lacks {count_of(sum(missing.values()), 'line')} that an earlier try has written. The rows "
                "are counted, and not sent again. Clear the task to send the whole batch and have the lines again."
            )
            warn(text)

    def _earlier_outcome(self, line: dict[str, Any]) -> Outcome | None:
        """What a dead letter says of a row that an earlier try has done; None if it is not about such a row.

        :param line: of a file that anybody may have edited: its values may be anything.
        """
        row, result = line.get("row"), line.get("outcome")
        if not isinstance(row, int) or not 0 < row < len(self._done_rows) or not self._done_rows[row]:
            return None
        update = self._updates.update(row)
        if result not in ("rejected", "skipped") or line.get("message_id") != update.message_id:
            return None
        return Outcome(update, result, _earlier_problem(line))

    def _load(self) -> None:
        """Take over what an earlier try kept of these updates; else the batch starts over, for which the log has the reason."""
        try:
            kept = self._store.load()
            if kept is None:
                return
            progress = Progress.parse(kept)
            if not self._take_earlier(progress):
                self._log("Rows or arguments are not those of the last try: starting over.")
                return
            self.states.take_over(progress.done)
        except Exception as error:  # a store gives back anything; a repeat does less harm than a batch that cannot begin
            text = f"The progress that was kept cannot be read ({format_error(error)}): starting over."
            self._log(text)
            return
        self._earlier = progress
        self._report.add_cumulative(progress.cumulative)
        counts = ", ".join(f"{count:,} {result}" for result, count in progress.done.results().items())
        self._log(f"Going on where an earlier try ended ({count_of(progress.done.total, 'update')} done: {counts}).")

    def _take_earlier(self, progress: Progress) -> bool:
        """Take the updates that an earlier try had taken, if they are the same; nothing if they are not.

        :raises ValueError: what was kept is damaged.
        """
        taken, done_rows = self._taken, bytearray()
        digits = progress.done.digits() if progress.done.taken <= self._updates.size else b""
        for update, digit in zip(self._updates.updates(), digits, strict=False):
            taken = taken[0] + 1, _next_digest(taken[1], update)
            done_rows.extend(bytes(update.row + 1 - len(done_rows)))
            done_rows[update.row] = digit == ord("1")
        if taken != (progress.done.taken, bytes.fromhex(progress.digest)):
            return False
        self._taken, self._done_rows = taken, done_rows
        return True


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _next_digest(digest: bytes, update: Update) -> bytes:
    fields = (update.row, update.message_id, update.status and update.status.value, update.error_message)
    return _digest(f"{digest.hex()} {fields!r}")


def _earlier_problem(line: dict[str, Any]) -> Problem:
    """Why a row was not updated, from its dead letter: a line of a file that anybody may have edited."""
    reason, category, correlation_id = (
        readable(value) if isinstance(value := line.get(key), str) else None for key in ("reason", "category", "correlation_id")
    )
    reason = reason or "decided in an earlier try; the reason was not kept"
    return Problem(reason, "decided earlier", None, category, correlation_id)
