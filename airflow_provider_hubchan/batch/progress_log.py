"""What the log says of a batch: a plan at the start, a line now and then, the account at the end."""

from __future__ import annotations

import time
from collections.abc import Callable

import pendulum

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.ratelimit.fair_share import Quota

#: Seconds between two lines of progress.
EVERY = 10.0


class Journal:
    """Tells one batch.

    :param say: takes one line.
    :param rows: how many rows there are.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(self, say: Callable[[str], None], rows: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._rows, self._clock = say, rows, clock
        self._began = self._told = clock()
        self._done_before = 0

    def plan(self, report: Report, quota: Quota, learned: bool, compare: bool) -> None:
        """Say what is going to happen.

        :param report: what needs no request.
        :param quota: how many requests may be sent, as far as is known.
        :param learned: True if HubSpot has said so.
        :param compare: True if each update takes two requests.
        """
        self._done_before = report.rows
        to_send = self._rows - report.rows
        requests = to_send * (2 if compare else 1)
        twice = f" with {requests:,} requests, a GET before each PATCH" if compare else ""
        rejected = f", {report.rejected:,} rejected earlier" if report.rejected else ""
        known = "" if learned else " (until HubSpot's first reply tells the account's own)"
        self._say(
            f"{self._rows:,} rows: {to_send:,} to send{twice}, {report.skipped:,} skipped{rejected}. "
            f"Quota {quota.limit:,} requests per {quota.window:g} s{known}: {about(requests * quota.window / quota.limit)}."
        )

    def young(self, count: int, pause: float, left: float) -> None:
        """Say that messages are not known yet."""
        self._say(
            f"HubSpot does not know {count:,} of the messages yet (404); asking again in {words(pause)}, "
            f"not_found_grace lasts for {words(left)} more."
        )

    def progress(self, report: Report) -> None:
        """Say how far it is, if it is time to."""
        now = self._clock()
        if now - self._told < EVERY:
            return
        self._told = now
        per_second = (report.rows - self._done_before) / (now - self._began)
        left = f"{about((self._rows - report.rows) / per_second)} left" if per_second else "no answer yet"
        self._say(
            f"{report.rows:,} of {self._rows:,} rows done ({report.rows / self._rows:.0%}), {per_second:,.1f} per second, "
            f"{report.rejected:,} rejected, {report.unresolved:,} unresolved, {left}."
        )

    def end(self, report: Report) -> None:
        """Say what became of the batch, and the most frequent reasons."""
        self._say(
            f"{report.counts()}; {report.requests:,} requests, {report.rate_limited:,} answered with 429, "
            f"in {words(report.elapsed_seconds)}, of which {words(report.waited_seconds)} waiting."
        )
        if reasons := report.top_reasons():
            self._say(f"Not updated: {reasons}.")


def about(seconds: float) -> str:
    """An estimated duration."""
    return words(seconds) if seconds < 1.0 else f"about {words(seconds)}"


def words(seconds: float) -> str:
    """A duration as people say it: ``5 minutes 52 seconds``."""
    if seconds < 1.0:
        return "less than a second"
    return pendulum.duration(seconds=round(seconds)).in_words(locale="en")
