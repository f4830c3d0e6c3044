"""The emulator's time: a clock that can be advanced, stopped and sped up, and the days of an account."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: Seconds of a day and of a century.
DAY = 86_400
CENTURY = 36_525 * DAY
#: The highest speed of a clock.
FASTEST = 10_000
#: The last second since the epoch that ``datetime`` can write down: the end of the year 9999.
LAST = 253_402_300_799
#: The latest time that a clock can be advanced to. What is computed from there, a century ahead, can be written down, too.
FURTHEST = LAST - 2 * CENTURY


class _Rate(NamedTuple):
    """How a clock runs. It is replaced as a whole, so that a request on another thread never sees half a change.

    :param shown: seconds since the epoch that the clock showed when its source showed *began*.
    :param began: seconds of the source.
    :param speed: seconds of the clock in one second of the source.
    """

    shown: float
    began: float
    speed: float

    def at(self, source: float) -> float:
        """Seconds since the epoch that the clock shows when its source shows *source*."""
        return self.shown + (source - self.began) * self.speed


class Clock:
    """Seconds since the epoch. It never goes back.

    :param source: gives seconds; monotonic by default, because the machine's time of day may be set back.
    :param at: seconds since the epoch to begin with, None for the present.
    :param speed: see `run`.
    """

    def __init__(self, source: Callable[[], float] = time.monotonic, at: float | None = None, speed: float = 1.0) -> None:
        self._source = source
        self._rate = _Rate(time.time() if at is None else at, source(), _checked_speed(speed))

    @property
    def speed(self) -> float:
        """Seconds of this clock in one second of its source; 0 while it is stopped."""
        return self._rate.speed

    def now(self) -> float:
        """Seconds since the epoch."""
        rate = self._rate  # before the source: a rate must not be asked for a moment before it began
        return rate.at(self._source())

    def advance(self, seconds: float) -> None:
        """Move forward.

        :param seconds: from 0 to `CENTURY`, to `FURTHEST` at most.
        :raises ValueError: *seconds* is outside that range.
        """
        if not 0 <= seconds <= CENTURY:
            raise ValueError(f"advance must be a number of seconds from 0 to {CENTURY}, a century; it is {seconds}")
        rate = self._rate
        if rate.at(self._source()) + seconds > FURTHEST:
            raise ValueError(f"advance must not lead beyond {iso(FURTHEST)}; it is {seconds}")
        self._rate = rate._replace(shown=rate.shown + seconds)

    def run(self, speed: float) -> None:
        """Continue at another speed.

        :param speed: 1 for the speed of its source, 0 to stop, at most 10,000.
        :raises ValueError: *speed* is outside that range.
        """
        checked, source = _checked_speed(speed), self._source()
        self._rate = _Rate(self._rate.at(source), source, checked)


def _checked_speed(speed: float) -> float:
    if not 0 <= speed <= FASTEST:
        raise ValueError(f"speed must be a number from 0, which stops the clock, to {FASTEST:,}; it is {speed}")
    return float(speed)


class Calendar:
    """The days of an account, which begin at midnight in its time zone (documented).

    :param time_zone: a name of the IANA database.
    :raises ValueError: there is no such time zone.
    """

    def __init__(self, time_zone: str) -> None:
        try:
            self._zone = ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError) as error:  # OSError: the name of a folder of the database
            raise ValueError(f"{time_zone!r} is no time zone of the IANA database") from error
        self.time_zone = time_zone

    def local(self, now: float) -> datetime:
        """*now*, seconds since the epoch, as a time of day in the account's time zone, with its UTC offset."""
        return datetime.fromtimestamp(now, self._zone)

    def next_midnight(self, now: float) -> float:
        """Seconds since the epoch at which the next day begins. Days when summer time begins or ends have 23 or 25 hours."""
        tomorrow = self.local(now).date() + timedelta(days=1)
        return datetime.combine(tomorrow, datetime.min.time(), self._zone).timestamp()

    def before_midnight(self, now: float, seconds: float) -> float:
        """The first time from *now* on, in seconds since the epoch, whose next midnight is *seconds* away.

        :param seconds: more than 0, at most 86,400.
        :raises ValueError: *seconds* is outside that range.
        """
        if not 0 < seconds <= DAY:
            raise ValueError(f"before_midnight must be more than 0 and at most {DAY} seconds; it is {seconds}")
        earliest, midnight = now, self.next_midnight(now)
        while midnight - seconds < earliest:
            earliest, midnight = midnight, self.next_midnight(midnight)
        return midnight - seconds


def iso(seconds: float) -> str:
    """A time, seconds since the epoch, as HubSpot writes it: ISO 8601 in UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
