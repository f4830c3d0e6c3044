"""The walk of one batch: read all rows, choose what counts, drive the stories, account for every row."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from airflow_provider_hubchan.client.blocking import Driver
from airflow_provider_hubchan.client.delivery import deliver
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.journal import Journal
from airflow_provider_hubchan.client.report import Report
from airflow_provider_hubchan.client.sheet import Sheet
from airflow_provider_hubchan.client.status import Outcome, numbered, read
from airflow_provider_hubchan.client.steps import Halt


def mark(
    driver: Driver,
    channel_id: str,
    rows: object,
    *,
    status: str | None,
    error_message: str | None,
    concurrency: int,
    dry_run: bool,
    record: AbstractContextManager[Callable[[Outcome], None]],
    say: Callable[[str], None],
) -> Report:
    """Set the statuses of a batch. Arguments as in `HubchanHook.update_message_statuses`.

    :param say: takes a line for the log.
    :raises BadRows: naming every bad row; nothing was sent.
    """
    report, entries = Report(), read(numbered(rows), status=status, error_message=error_message, channel_id=channel_id)
    with Sheet(entries) as sheet, record as write:  # opened now: every row is known to be good, and nothing has been sent
        journal = Journal(say, sheet.rows)

        def settle(outcome: Outcome) -> None:
            report.add(outcome)
            write(outcome)

        for outcome in sheet.skipped():
            settle(outcome)
        if dry_run:
            for update in sheet.updates():
                settle(Outcome(update, "skipped", Problem("dry run, nothing was sent", "dry run")))
        journal.plan(sheet.rows - report.skipped, report.skipped, driver.quota, driver.pace.learned)
        if report.skipped < sheet.rows:
            began = time.monotonic()
            stories = (deliver(driver.account, channel_id, update, driver.patience) for update in sheet.updates())
            for done in driver.run_all(stories, concurrency):
                if done is not None:
                    settle(done)
                if driver.halt is None and 0 < driver.patience.streak <= report.streak:
                    driver.end(_nobody_there(report))
                journal.progress(report)
            report.elapsed_seconds, report.waited_seconds = time.monotonic() - began, driver.waited
    report.halt, report.requests, report.rate_limited = driver.halt, driver.counts.requests, driver.counts.rate_limited
    journal.end(report)
    return report


def _nobody_there(report: Report) -> Halt:
    """A server that is down is not asked ten thousand times."""
    last = report.last_unresolved.reason if report.last_unresolved else ""
    text = f"{report.streak} rows in a row got no answer, so the others were not tried. {last}"
    return Halt(Problem(text, "HubSpot does not answer"), permanent=False)
