"""The traffic of the last minute, from the newest entries of the ledger: requests, 429s, and how full the window was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from airflow_provider_hubchan.emulator.request_log.entry import Entry
from airflow_provider_hubchan.emulator.request_log.ledger import Ledger

#: Seconds that are shown, and seconds of one bucket.
SHOWN, BUCKET = 60.0, 0.5
#: Seconds that the rate is computed over.
RATE_OVER = 2.0
#: Entries that are read at a time; more that came meanwhile are left out.
MAX_ENTRIES = 20_000
TOO_MANY_REQUESTS = 429


@dataclass
class Bucket:
    """Half a second of the emulator's time.

    :param calls: requests that came in it, those for a token included.
    :param refused: how many of them were answered with 429.
    :param used: the highest number of requests that counted in the window.
    """

    calls: int = 0
    refused: int = 0
    used: int = 0


class LedgerTail:
    """Follows the newest entries of a ledger, which may drop its oldest ones meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._last: Entry | None = None

    def new(self) -> list[Entry]:
        """The entries that came since the last call, the oldest first."""
        entries = []
        for entry in islice(self._ledger.newest(), MAX_ENTRIES):
            if entry is self._last:
                break
            entries.append(entry)
        if entries:
            self._last = entries[0]
        return entries[::-1]


class Traffic:
    """The buckets of the last minute, by their number: how many buckets have passed since the epoch."""

    def __init__(self) -> None:
        self.buckets: dict[int, Bucket] = {}
        self._unanswered: list[Entry] = []
        self._has_begun = False

    def add(self, entries: list[Entry], now: float, used: int, window: float) -> list[Entry]:
        """Add new entries, and how full the window is.

        :param now: seconds since the epoch by the emulator's clock.
        :param used: requests that count in the window at *now*.
        :param window: seconds of the window: how full it was before the first call is computed from the entries.
        :return: the entries that have been answered since the last call.
        """
        oldest = now - SHOWN
        for entry in entries:
            if entry.at >= oldest:
                self._bucket(entry.at).calls += 1
        pending = [entry for entry in (*self._unanswered, *entries) if entry.at >= oldest]
        answered = [entry for entry in pending if entry.status is not None]
        self._unanswered = [entry for entry in pending if entry.status is None]
        for entry in answered:
            self._bucket(entry.at).refused += entry.status == TOO_MANY_REQUESTS
        if not self._has_begun:
            self._has_begun = True
            self._fill_window(answered, now, window)
        if used:
            latest = self._bucket(now)
            latest.used = max(latest.used, used)
        for number in [number for number in self.buckets if number < oldest // BUCKET]:
            del self.buckets[number]
        return answered

    def rate(self, now: float) -> float:
        """Requests per second in the last `RATE_OVER` seconds; *now* is seconds since the epoch."""
        latest = int(now // BUCKET)
        buckets = (self.buckets.get(number) for number in range(latest - round(RATE_OVER / BUCKET), latest))
        return sum(bucket.calls for bucket in buckets if bucket) / RATE_OVER

    @property
    def refused(self) -> int:
        """Requests of the last minute that were answered with 429."""
        return sum(bucket.refused for bucket in self.buckets.values())

    def _bucket(self, at: float) -> Bucket:
        return self.buckets.setdefault(int(at // BUCKET), Bucket())

    def _fill_window(self, answered: list[Entry], now: float, window: float) -> None:
        """How full the window was before the first call, as far as the entries tell."""
        change = Counter[int]()
        for entry in answered:
            if entry.status != TOO_MANY_REQUESTS and not entry.path.startswith("/oauth"):
                change[int(entry.at // BUCKET)] += 1
                change[int((entry.at + window) // BUCKET)] -= 1
        used = 0
        for number in range(min(change, default=0), int(now // BUCKET) + 1 if change else 0):
            used += change[number]
            if used:
                self.buckets.setdefault(number, Bucket()).used = used
