"""What the log says of a batch: a plan at the start, a line now and then, the outcomes at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.error_texts import are, count_of
from airflow_provider_hubchan.client.models import Quota

if TYPE_CHECKING:
    from airflow_provider_hubchan.client.sync_driver import SyncDriver

#: Seconds between two lines of progress.
INTERVAL = 10.0


class ProgressLog:
    """The log of one batch.

    :param log: takes one line.
    :param rows: how many rows there are.
    :param reasons_left_out: error messages that stood beside another status than FAILED.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        rows: int,
        reasons_left_out: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._rows, self._reasons_left_out, self._clock = log, rows, reasons_left_out, clock
        self._started = self._logged = clock()
        self._done_before = self._rate_limited = self._failed = 0
        self._requests_per_row = 1
        self._is_quota_said = False

    def plan(self, report: Report, quota: Quota, limit_is_known: bool, compare_before_write: bool) -> None:
        """Log what is going to happen.

        :param report: what needs no request.
        :param quota: how many requests may be sent, as far as is known.
        :param limit_is_known: True if HubSpot has told the limit.
        :param compare_before_write: True if each update takes two requests.
        """
        self._done_before = report.rows
        to_send = self._rows - report.rows
        self._requests_per_row = 2 if compare_before_write else 1
        requests = to_send * self._requests_per_row
        twice = f" with {count_of(requests, 'request')}, a GET before each PATCH" if compare_before_write else ""
        earlier = report.earlier["rejected"]
        rejected = f", {earlier:,} rejected earlier" if earlier else ""
        if bad := report.rejected - earlier:
            rejected += f", {bad:,} that cannot be sent"
        left_out = self._reasons_left_out
        reasons = f" {count_of(left_out, 'error message')} beside SENT or READ {are(left_out)} left out." if left_out else ""
        assumed = "" if limit_is_known else " (until HubSpot's first reply tells the account's own)"
        duration = format_estimate(requests * quota.window / quota.limit)
        self._log(
            f"{count_of(self._rows, 'row')}: {to_send:,} to send{twice}, {report.skipped:,} skipped{rejected}. "
            f"Quota {count_of(quota.limit, 'request')} per {quota.window:g} s{assumed}: {duration}.{reasons}"
        )

    def not_found(self, messages: int, pause: float, grace_left: float) -> None:
        """Log that HubSpot does not know some messages yet.

        :param pause: seconds until they are tried again.
        :param grace_left: seconds of ``not_found_grace`` that are left.
        """
        self._log(
            f"HubSpot does not know {count_of(messages, 'message')} yet (404); asking again in {format_duration(pause)}, "
            f"not_found_grace lasts for {format_duration(grace_left)} more."
        )

    def progress(self, report: Report, driver: SyncDriver) -> None:
        """Log how far the batch is and what holds it up, if it is time to."""
        self._first_reply(report, driver)
        now = self._clock()
        if now - self._logged < INTERVAL:
            return
        self._logged = now
        per_second = (report.rows - self._done_before) / (now - self._started)
        done = report.rows - report.unresolved
        self._log(
            f"{done:,} of {count_of(self._rows, 'row')} done ({done / self._rows:.0%}), {per_second:,.1f} per second, "
            f"{report.rejected:,} rejected, {report.unresolved:,} unresolved{self._hold_up(driver)}, "
            f"{self._time_left(report, per_second)}."
        )

    def _first_reply(self, report: Report, driver: SyncDriver) -> None:
        """Log what to expect, once, as soon as a reply has told how many requests HubSpot would take at once.

        What it has counted from others becomes free within a window. A batch that fits into what is free needs no such line.
        """
        remaining = driver.limiter.remaining
        if self._is_quota_said or remaining is None or report.rows == self._done_before:
            return
        self._is_quota_said = True
        quota, requests = driver.quota, (self._rows - report.rows) * self._requests_per_row
        free = min(remaining, quota.limit)
        if requests > free:
            seconds = quota.window * max(1.0, requests / quota.limit)  # what is sent at once comes back a window later
            self._log(
                f"{free:,} of the {count_of(requests, 'request')} that are left may be sent at once, and then "
                f"{quota.limit:,} per {quota.window:g} s: {format_estimate(seconds)}."
            )

    def _time_left(self, report: Report, per_second: float) -> str:
        return f"{format_estimate((self._rows - report.rows) / per_second)} left" if per_second else "no row has an answer yet"

    def _hold_up(self, driver: SyncDriver) -> str:
        """What came in the way since the last line, empty if nothing did."""
        counters, quota, texts = driver.counters, driver.quota, list[str]()
        if limited := counters.rate_limited - self._rate_limited:
            limit = f"{quota.limit:,} per {quota.window:g} s{'' if driver.limiter.limit_is_known else ', assumed'}"
            texts.append(f"; HubSpot answered {count_of(limited, 'request')} with 429 (limit {limit})")
        if (seconds := driver.blocked_for) >= 1.0:
            texts.append(f"; nothing is sent for {format_duration(seconds)}")
        if failed := counters.failed - self._failed:
            texts.append(f"; {count_of(failed, 'request')} failed, the last: {counters.last_failure}")
        self._rate_limited, self._failed = counters.rate_limited, counters.failed
        return "".join(texts)

    def end(self, report: Report) -> None:
        """Log what became of the batch, and the most frequent reasons why rows were not updated."""
        self._log(
            f"{report.counts()}; {count_of(report.requests, 'request')}, {report.rate_limited:,} answered with 429, "
            f"in {format_duration(report.elapsed_seconds)}, of which {format_duration(report.waited_seconds)} waiting."
        )
        if reasons := report.top_reasons():
            self._log(f"Not updated: {reasons}.")


def format_estimate(seconds: float) -> str:
    """An estimated duration."""
    return format_duration(seconds) if seconds < 1.0 else f"about {format_duration(seconds)}"


def format_duration(seconds: float) -> str:
    """A duration as people say it: ``5 minutes 52 seconds``."""
    if seconds < 1.0:
        return "less than a second"
    return pendulum.duration(seconds=round(seconds)).in_words(locale="en")
