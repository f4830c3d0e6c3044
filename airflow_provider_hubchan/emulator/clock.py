"""Time as the local HubSpot has it: a clock that can be moved, and the days of an account."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

DAY = 86_400
CENTURY = 36_525 * DAY


class Clock:
    """Seconds since the epoch, which can be moved forward.

    :param source: the time that it moves on from.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.offset = 0.0

    def now(self) -> float:
        return self._source() + self.offset

    def advance(self, seconds: float) -> None:
        """Move forward.

        :param seconds: from 0 to a century's, so that every time of the clock can be written down.
        """
        if not 0 <= seconds <= CENTURY:
            raise ValueError(f"advance must be a number of seconds from 0 to {CENTURY}, a century; it is {seconds}")
        self.offset += seconds


class Calendar:
    """The days of an account, which begin at midnight in its time zone.

    :param time_zone: a name of the IANA database.
    """

    def __init__(self, time_zone: str) -> None:
        try:
            self._zone = ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError) as fault:  # OSError: the name of a folder of the database
            raise ValueError(f"{time_zone!r} is no time zone of the IANA database") from fault
        self.time_zone = time_zone

    def local(self, now: float) -> datetime:
        """What the clocks of the account show, and how far they are from UTC."""
        return datetime.fromtimestamp(now, self._zone)

    def next_midnight(self, now: float) -> float:
        """When the next day begins. The days on which summer time begins and ends have 23 and 25 hours."""
        tomorrow = self.local(now).date() + timedelta(days=1)
        return datetime.combine(tomorrow, datetime.min.time(), self._zone).timestamp()

    def before_midnight(self, now: float, seconds: float) -> float:
        """The first time from now on that has its next midnight in *seconds*.

        :param seconds: more than 0, at most 86,400.
        """
        if not 0 < seconds <= DAY:
            raise ValueError(f"before_midnight must be more than 0 and at most {DAY} seconds; it is {seconds}")
        today, midnight = now, self.next_midnight(now)
        while midnight - seconds < today:
            today, midnight = midnight, self.next_midnight(midnight)
        return midnight - seconds


def iso(seconds: float) -> str:
    """A time as HubSpot writes it."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
