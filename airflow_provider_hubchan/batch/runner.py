"""The walk of one batch: read all rows, choose what counts, drive the stories, account for every row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_hubchan.batch.checkpoint import Checkpoint, Keeper
from airflow_provider_hubchan.batch.dead_letters import Letters
from airflow_provider_hubchan.batch.progress_log import Journal
from airflow_provider_hubchan.batch.recall import recall
from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.batch.rows import Outcome, Update, numbered, read
from airflow_provider_hubchan.batch.store import Sheet
from airflow_provider_hubchan.client.actions import STOPPED, Story
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import deliver, given_up, pause

if TYPE_CHECKING:
    from airflow_provider_hubchan.client.sync_driver import Driver

T = TypeVar("T")

#: Seconds between two questions for messages that HubSpot does not know yet: at first, and at most.
YOUNG, LONGEST = 2.0, 30.0


@dataclass(frozen=True)
class Manner:
    """How a batch is sent. The fields are arguments of `HubchanHook.update_message_statuses`."""

    concurrency: int = 16
    dry_run: bool = False
    not_found_grace: float = 0.0
    compare_before_write: bool = False


def mark(
    driver: Driver,
    channel_id: str,
    rows: object,
    *,
    status: str | None,
    error_message: str | None,
    manner: Manner,
    letters: Letters,
    keeper: Keeper,
    report: Report,
    say: Callable[[str], None],
) -> None:
    """Set the statuses of a batch. Arguments as in `HubchanHook.update_message_statuses`.

    :param report: takes every outcome; it is whole also if a signal or a timeout breaks this off.
    :param say: takes a line for the log.
    :raises BadRows: naming every bad row; nothing was sent.
    """
    entries = read(numbered(rows), status=status, error_message=error_message, channel_id=channel_id)
    with Sheet(_unless_stopped(entries, driver, report)) as sheet:
        fingerprint = f"{driver.account.base_url} {channel_id} {sheet.fingerprint}"
        checkpoint = Checkpoint(keeper, fingerprint, sheet.size, report, say)
        with letters:  # opened now: every row is known to be good, and nothing has been sent
            batch = _Batch(driver, channel_id, manner, sheet, checkpoint, letters, report, Journal(say, sheet.rows))
            try:
                recall(sheet, checkpoint, letters, report)
                batch.walk()
                batch.account_for_the_rest()
            except BaseException:  # a signal or Airflow's timeout, wherever it finds us
                driver.end(STOPPED)
                batch.account_for_the_rest()
                raise
        if letters.fault:
            checkpoint.save()
        elif not manner.dry_run:
            checkpoint.end()


@dataclass
class _Batch:
    driver: Driver
    channel_id: str
    manner: Manner
    sheet: Sheet
    checkpoint: Checkpoint
    letters: Letters
    report: Report
    journal: Journal

    def __post_init__(self) -> None:
        self.marks, self.attempt, self.before = self.checkpoint.marks, self.checkpoint.attempt, self.report.spent()
        self.began = time.monotonic()
        self.grace_ends = self.began + self.manner.not_found_grace
        self.skipped = self.sheet.skipped()

    def walk(self) -> None:
        """Settle every row, but for those that are left when the batch ends early."""
        for outcome in self.skipped:
            self._settle(outcome)
        self.report.streak = 0  # rows that came as unresolved were not sent: they say nothing of HubSpot
        self.journal.plan(self.report, self.driver.quota, self.driver.pace.learned, self.manner.compare_before_write)
        if self.manner.dry_run:
            for place, update in self._where(self.marks.is_open):
                self._settle(Outcome(update, "skipped", Problem("dry run, nothing was sent", "dry run")), place)
        if self.report.rows < self.sheet.rows:
            self._send()

    def _send(self) -> None:
        wanted, next_pause = self.marks.is_open, YOUNG
        while True:
            to_send = takewhile(lambda _: self.driver.halt is None, self._where(wanted))
            self._run_all(self._story(place, update) for place, update in to_send)
            left = self.grace_ends - time.monotonic()
            if self.driver.halt or not (young := self.marks.young):
                return
            wanted, seconds = self.marks.is_young, max(0.0, min(next_pause, left))
            self.journal.young(young, seconds, left)
            self._run_all([pause(seconds)])
            next_pause = min(2 * next_pause, LONGEST)

    def _run_all(self, stories: Iterable[Story[tuple[int, Outcome] | None]]) -> None:
        with closing(self.driver.run_all(stories, self.manner.concurrency)) as done:
            for each in done:
                if each is not None:
                    self._take(*each)
                if self.driver.halt is None and 0 < self.driver.patience.streak <= self.report.streak:
                    self.driver.end(self.report.nobody_there())
                self.journal.progress(self.report)
                if self.checkpoint.due():
                    self._save()

    def _take(self, place: int, outcome: Outcome) -> None:
        """An outcome, or a message that HubSpot may yet come to know."""
        unknown = outcome.problem is not None and outcome.result == "rejected" and outcome.problem.status == 404
        if unknown and time.monotonic() < self.grace_ends:
            self.marks.postpone(place)
            return
        if unknown and self.marks.is_young(place) and outcome.problem:
            waited = f"{outcome.problem.reason} It was so for {self.manner.not_found_grace:g} s (not_found_grace)."
            outcome = replace(outcome, problem=replace(outcome.problem, reason=waited))
        self._settle(outcome, place)

    def account_for_the_rest(self) -> None:
        """Settle what is left, and keep it all."""
        report, driver = self.report, self.driver
        for each in driver.left_over():
            if each is not None:
                self._take(*each)
        report.halt = driver.halt
        self._save()  # at once: whoever wants the task to end may not wait for what follows
        if driver.halt:
            for outcome in self.skipped:
                self._settle(outcome)
            problem = given_up(driver.halt)
            for place, update in self._where(lambda place: self.marks.is_open(place) or self.marks.is_young(place)):
                if report.rows == self.sheet.rows:
                    break
                self._settle(Outcome(update, "unresolved", problem), place)
            report.close(self.sheet.rows)
            self._save()
        if not report.unresolved:
            self.letters.done()
        self.journal.end(report)

    def _settle(self, outcome: Outcome, place: int | None = None) -> None:
        if place is not None:
            self.marks.set(place, outcome.result, self.attempt)
        self.report.add(outcome)
        self.letters.write(outcome, self.attempt)

    def _save(self) -> None:
        """First the dead letters: progress may not say of a row that it is rejected when its letter is not there."""
        counts, report = self.driver.counts, self.report
        report.requests = int(self.before["requests"]) + counts.requests
        report.rate_limited = int(self.before["rate_limited"]) + counts.rate_limited
        report.waited_seconds = self.before["waited_seconds"] + self.driver.waited
        report.elapsed_seconds = self.before["elapsed_seconds"] + time.monotonic() - self.began
        self.letters.flush()
        if not self.manner.dry_run:
            self.checkpoint.save()

    def _where(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, Update]]:
        return ((place, update) for place, update in enumerate(self.sheet.updates()) if wanted(place))

    def _story(self, place: int, update: Update) -> Story[tuple[int, Outcome]]:
        driver, compare = self.driver, self.manner.compare_before_write
        return place, (yield from deliver(driver.account, self.channel_id, update, driver.patience, compare))


def _unless_stopped(entries: Iterable[T], driver: Driver, report: Report) -> Iterator[T]:
    """A long file is not read to its end for nothing."""
    for number, entry in enumerate(entries, 1):
        if number % 1000 == 0 and driver.halt:
            raise BatchIncomplete(f"Stopped while the rows were read, at row {number:,}; nothing was sent.", report)
        yield entry
