"""Run one batch: read all rows, restore what earlier tries have done, send the rest, report every row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import compress, islice, takewhile
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_hubchan.batch.checkpoint import Checkpoint, CheckpointStore
from airflow_provider_hubchan.batch.circuit_breaker import AddressCheck, CircuitBreaker
from airflow_provider_hubchan.batch.dead_letters import DeadLetterSink
from airflow_provider_hubchan.batch.progress_log import ProgressLog
from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.batch.row_reader import RowReader
from airflow_provider_hubchan.batch.rows import Columns, Statuses, numbered
from airflow_provider_hubchan.batch.snapshot import Snapshots
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.actions import STOPPED, Abort, Flow
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import deliver, given_up, pause
from airflow_provider_hubchan.client.models import Outcome, Update

if TYPE_CHECKING:
    from airflow_provider_hubchan.client.sync_driver import SyncDriver

T = TypeVar("T")

#: Seconds between two attempts for messages that HubSpot does not know yet: at first, and at most.
NOT_FOUND_DELAY, MAX_NOT_FOUND_DELAY = 2.0, 30.0


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is sent. The fields are arguments of `HubchanHook.update_message_statuses`."""

    status: str | None = None
    error_message: str | None = None
    columns: Columns | None = None
    statuses: Statuses | None = None
    max_rejected: int | float = 0
    concurrency: int = 16
    dry_run: bool = False
    not_found_grace: float = 0.0
    compare_before_write: bool = False


def run_batch(
    driver: SyncDriver,
    channel_id: str,
    rows: object,
    options: BatchOptions,
    *,
    dead_letters: DeadLetterSink,
    checkpoints: CheckpointStore,
    report: Report,
    log: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Set the statuses of a batch.

    :param rows: as of `HubchanHook.update_message_statuses`.
    :param dead_letters: takes every row that was not updated, those that cannot be sent among them.
    :param checkpoints: keeps progress for a later call with the same rows and options.
    :param report: takes every outcome; it is complete also if a signal or a timeout ends this.
    :param log: takes a line for the log.
    :param warn: takes a line for the log that a person should look at.
    :param clock: a monotonic clock, in seconds.
    :raises BadInput: if *rows* are not rows at all; nothing was sent.
    :raises BadRows: if more rows cannot be sent than *max_rejected* allows; nothing was sent, and all rows are in *report*.
    :raises BatchIncomplete: if it was stopped while the rows were read; nothing was sent.
    """
    reader = RowReader(
        status=options.status,
        error_message=options.error_message,
        channel_id=channel_id,
        columns=options.columns,
        statuses=options.statuses,
    )
    entries = reader.read(numbered(rows, options.columns))
    with UpdateStore(_unless_aborted(entries, driver, report)) as updates:
        address = f"{driver.account.base_url} {channel_id}"
        snapshots = Snapshots(driver, updates.rows, report, clock)
        checkpoint = Checkpoint(checkpoints, address, updates, report, log, clock, snapshots)
        if bad_rows := updates.too_many_bad_rows(options.max_rejected):
            driver.abort(Abort(Problem(str(bad_rows), "other rows cannot be sent"), permanent=True))
        with dead_letters:  # opened now: every row has been read, and nothing has been sent
            progress_log = ProgressLog(log, updates.rows, reader.reasons_left_out, clock)
            run = _BatchRun(driver, channel_id, options, updates, checkpoint, dead_letters, report, progress_log, warn, clock)
            try:
                checkpoint.restore(dead_letters, warn)
                run.send()
                run.finish()
            except BaseException:  # a signal or Airflow's timeout, wherever it comes
                driver.abort(STOPPED)
                run.finish()
                raise
        if bad_rows:
            raise bad_rows
        if dead_letters.flush():
            checkpoint.confirm_dead_letters()
        if dead_letters.error:
            checkpoint.save()
        elif not options.dry_run:
            checkpoint.end()


class _BatchRun:
    """One try of a batch whose rows have all been read."""

    def __init__(
        self,
        driver: SyncDriver,
        channel_id: str,
        options: BatchOptions,
        updates: UpdateStore,
        checkpoint: Checkpoint,
        dead_letters: DeadLetterSink,
        report: Report,
        progress_log: ProgressLog,
        warn: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._driver, self._channel_id, self._options, self._updates = driver, channel_id, options, updates
        self._checkpoint, self._dead_letters, self._report, self._log = checkpoint, dead_letters, report, progress_log
        self._warn, self._has_warned, self._clock = warn, False, clock
        self._states, self._try_number = checkpoint.states, checkpoint.try_number
        self._before = report.cumulative()
        self._started = clock()
        self._grace_ends = self._started + options.not_found_grace
        self._breaker, self._address = (
            CircuitBreaker(driver.retry.break_after),
            AddressCheck(is_proved=checkpoint.states.has_updated),
        )
        #: The outcome that is being recorded and its position; the rows and dead letters that there were before it.
        self._pending: tuple[Outcome, int | None, int, int] | None = None
        #: The last row that was recorded of those that are not sent.
        self._last_not_sent = 0
        #: How many dead letters there were before those of the rows that are left; None as long as none is given up.
        self._given_up_after: int | None = None

    def send(self) -> None:
        """Send every update that has no outcome yet; those that are left when the batch ends early stay without one."""
        self._record_not_sent()
        driver = self._driver
        if driver.aborted:
            return
        self._checkpoint.begin_sending()
        self._log.plan(self._report, driver.quota, driver.limiter.limit_is_known, self._options.compare_before_write)
        if self._options.dry_run:
            for position, update in self._updates_where(self._states.is_open):
                self._record(Outcome(update, "skipped", Problem("dry run, nothing was sent", "dry run")), position)
        if self._report.rows < self._updates.rows:
            self._send_and_retry_not_found()

    def finish(self) -> None:
        """Take the results that are left, give every row without an outcome one, and store it all.

        It may be called again after an exception, whatever had been done by then.
        """
        report, driver = self._report, self._driver
        self._complete_pending()
        for result in driver.drain() if self._given_up_after is None else ():
            if result is not None:
                self._handle_result(*result)
        if driver.aborted is None:
            self._record_held(is_final=True)
        report.aborted = driver.aborted
        self._count_requests()
        if driver.aborted:
            self._save()  # at once: whoever wants the task to end may not wait for what follows
            self._record_not_sent()
            self._give_up_the_rest(given_up(driver.aborted))
            self._save()
        if not report.unresolved:
            self._dead_letters.complete()
        self._log.end(report)

    def _record_not_sent(self) -> None:
        for outcome in self._updates.not_sent():
            if outcome.update.row > self._last_not_sent:
                self._record(outcome)

    def _give_up_the_rest(self, problem: Problem) -> None:
        """Count all updates without an outcome as *unresolved* at once, then write them down: there may be a million."""
        left = self._states.without_outcome()
        if self._given_up_after is None:
            self._given_up_after = self._dead_letters.written
        self._report.close(self._updates.rows, compress(self._updates.updates(), left), problem)
        written = self._dead_letters.written - self._given_up_after  # before an exception
        updates = islice(compress(self._updates.updates(), left), written, None)
        self._dead_letters.write_unresolved(updates, problem, self._try_number)

    def _send_and_retry_not_found(self) -> None:
        """Send all, then again and again those that HubSpot does not know yet, until the grace for them is over."""
        wanted, next_pause = self._states.is_open, NOT_FOUND_DELAY
        while True:
            to_send = takewhile(lambda _: self._driver.aborted is None, self._updates_where(wanted))
            self._run_all(self._deliver(position, update) for position, update in to_send)
            grace_left = self._grace_ends - self._clock()
            if self._driver.aborted or not (not_found := self._states.retry_later_count):
                return
            wanted, seconds = self._states.is_retried_later, max(0.0, min(next_pause, grace_left))
            self._log.not_found(not_found, seconds, grace_left)
            self._run_all([pause(seconds)])
            next_pause = min(2 * next_pause, MAX_NOT_FOUND_DELAY)

    def _run_all(self, flows: Iterable[Flow[tuple[int, Outcome] | None]]) -> None:
        with closing(self._driver.run_all(flows, self._options.concurrency)) as results:
            for result in results:
                if result is not None:
                    self._handle_result(*result)
                if self._driver.aborted is None and (abort := self._breaker.abort_reason or self._address.abort_reason):
                    self._driver.abort(abort)
                self._log.progress(self._report, self._driver)
                if self._checkpoint.is_due():
                    self._save()

    def _deliver(self, position: int, update: Update) -> Flow[tuple[int, Outcome]]:
        driver, compare_before_write = self._driver, self._options.compare_before_write
        flow = deliver(driver.account, self._channel_id, update, driver.retry, compare_before_write)
        return position, (yield from flow)

    def _handle_result(self, position: int, outcome: Outcome) -> None:
        """Record an outcome, or leave a message that HubSpot does not know for later."""
        not_found = outcome.problem is not None and outcome.result == "rejected" and outcome.problem.status == 404
        if not_found and self._clock() < self._grace_ends:
            self._states.retry_later(position)
            return
        if not_found and self._states.is_retried_later(position) and outcome.problem:
            reason = f"{outcome.problem.reason} It was so for {self._options.not_found_grace:g} s (not_found_grace)."
            outcome = replace(outcome, problem=replace(outcome.problem, reason=reason))
        self._breaker.record(outcome)
        if self._address.holds(position, outcome):
            self._states.hold(position)
            return
        self._record(outcome, position)
        self._address.record(outcome)
        if self._driver.aborted is None:  # else they are as unresolved as the rest
            self._record_held()
        if outcome.warning and not self._has_warned:
            self._has_warned = True
            self._warn(outcome.warning)

    def _record_held(self, *, is_final: bool = False) -> None:
        for position, outcome in self._address.take_held(is_final=is_final):
            self._record(outcome, position)

    def _record(self, outcome: Outcome, position: int | None = None) -> None:
        """Account for one row.

        :param position: of its update, None for a row that is not sent.
        """
        self._pending = (outcome, position, self._report.rows, self._dead_letters.written)
        self._complete_pending()

    def _complete_pending(self) -> None:
        """Do all of `_record`, or what is left of it after an exception."""
        if self._pending is None:
            return
        outcome, position, rows_before, written_before = self._pending
        if position is None:
            self._last_not_sent = outcome.update.row
        else:
            self._states.record(position, outcome, self._try_number)
        if self._dead_letters.written == written_before:
            self._dead_letters.write(outcome, self._try_number)
        if self._report.rows == rows_before:
            self._report.add(outcome)
        self._pending = None

    def _count_requests(self) -> None:
        counters, report = self._driver.counters, self._report
        report.requests = int(self._before["requests"]) + counters.requests
        report.rate_limited = int(self._before["rate_limited"]) + counters.rate_limited
        report.waited_seconds = self._before["waited_seconds"] + self._driver.waited
        report.elapsed_seconds = self._before["elapsed_seconds"] + self._clock() - self._started

    def _save(self) -> None:
        """First the dead letters: a checkpoint does not have the rows whose dead letters could still be lost."""
        self._count_requests()
        if self._dead_letters.flush():
            self._checkpoint.confirm_dead_letters()
        if not self._options.dry_run:
            self._checkpoint.save()

    def _updates_where(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, Update]]:
        for position, update in enumerate(self._updates.updates()):
            self._checkpoint.take(position, update)
            if wanted(position):
                yield position, update


def _unless_aborted(entries: Iterable[T], driver: SyncDriver, report: Report) -> Iterator[T]:
    """What gives the rows may be slow, or have no end: it is not read to its end after a stop, or after the batch's time."""
    for number, entry in enumerate(entries, 1):
        if driver.is_overdue or (driver.aborted and number % 1000 == 0):
            why = "Stopped" if driver.aborted is STOPPED else "The time was over"
            raise BatchIncomplete(f"{why} while the rows were read, at row {number:,}; nothing was sent.", report)
        yield entry
