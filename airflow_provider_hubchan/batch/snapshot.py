"""How a batch stands at a moment, as JSON for people and their tools: the page in Airflow's UI, docs/report.md.

It is kept with the progress of the batch, in the same call, and nothing of it is ever read back: what a retry goes on with is
in `batch.progress`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_hubchan.batch.report import Report

if TYPE_CHECKING:
    from airflow_provider_hubchan.client.sync_driver import SyncDriver

#: Of the JSON. A key may be added without another number; none changes its meaning.
VERSION = 1
#: Characters of the reasons at most: with all else it stays below 4,000, whatever the batch is like.
MAX_REASONS_LENGTH = 2_200
#: Pairs of time and rows, from which the rate at any time follows, at most.
MAX_SAMPLES = 60
#: Seconds between two samples at least, as long as there are not too many.
FIRST_GAP = 2.0


class Snapshots:
    """Takes snapshots of one try of a batch, and keeps how many rows were done when.

    :param rows: how many rows the batch has.
    :param report: this try's.
    :param clock: a monotonic clock, in seconds.
    :param wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        driver: SyncDriver,
        rows: int,
        report: Report,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._driver, self._rows, self._report, self._clock, self._wall_clock = driver, rows, report, clock, wall_clock
        self._began, self._began_at = clock(), wall_clock()
        self._samples, self._gap = [(0.0, 0)], FIRST_GAP

    def begin(self) -> None:
        """The first row is sent now. What has its outcome already took no time of this try, so it counts for no rate."""
        self._began, self._began_at = self._clock(), self._wall_clock()
        self._samples, self._gap = [(0.0, self._done)], FIRST_GAP

    def take(self, try_number: int) -> dict[str, Any]:
        """How the batch stands now.

        :param try_number: number of the task's try, from 1.
        """
        report, quota, seconds = self._report, self._driver.quota, self._clock() - self._began
        now, blocked = self._began_at + seconds, self._driver.blocked_for
        self._sample(seconds)
        return {
            "version": VERSION,
            "try": try_number,
            "started": round(self._began_at, 3),
            "at": round(now, 3),
            "rows": self._rows,
            **report.outcomes(),
            **report.rounded_cumulative(),
            "reasons": fitting(report.reason_counts(), MAX_REASONS_LENGTH),
            "quota": {"limit": quota.limit, "window": quota.window, "known": self._driver.limiter.limit_is_known},
            "waiting_until": round(now + blocked, 3) if blocked > 0.0 else None,
            "samples": [[round(at, 1), done] for at, done in self._samples],
        }

    def _sample(self, seconds: float) -> None:
        """Note how many rows are done. The last sample is always of now; the others reach back to the start, evenly: of too
        many of them every second one goes, and from then on they are twice as far apart.
        """
        samples = self._samples
        if len(samples) > 1 and samples[-1][0] - samples[-2][0] < self._gap:
            samples.pop()
        samples.append((seconds, self._done))
        if len(samples) > MAX_SAMPLES:
            self._samples = [*samples[:-1:2], samples[-1]]
            self._gap *= 2.0

    @property
    def _done(self) -> int:
        return self._report.rows - self._report.unresolved


def fitting(lines: list[Any], max_length: int) -> list[Any]:
    """The first of *lines*, as many as are *max_length* characters of JSON at most."""
    while len(json.dumps(lines)) > max_length:
        lines = lines[:-1]
    return lines
