"""Time as the local HubSpot has it: a clock that can be moved, stopped and sped up, and the days of an account."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = 86_400
CENTURY = 36_525 * DAY
FASTEST = 10_000
#: The last second that can be written down.
LAST = 253_402_300_799
#: How far the clock can be moved: what is reckoned from there can be written down, too.
FURTHEST = LAST - 2 * CENTURY


class Course(NamedTuple):
    """How a clock goes. It is replaced as a whole: a request in between must not see half a change.

    :param shown: seconds since the epoch that it showed at *began*.
    :param began: seconds of its source.
    :param speed: how many of its seconds pass in one.
    """

    shown: float
    began: float
    speed: float

    def at(self, moment: float) -> float:
        """What the clock shows when its source shows *moment*."""
        return self.shown + (moment - self.began) * self.speed


class Clock:
    """Seconds since the epoch. It never goes back.

    :param source: seconds that it goes by; the machine's time of day may be set back.
    :param at: what it shows at first, None for the present.
    :param speed: see `run`.
    """

    def __init__(self, source: Callable[[], float] = time.monotonic, at: float | None = None, speed: float = 1.0) -> None:
        self._source = source
        self._course = Course(time.time() if at is None else at, source(), _speed(speed))

    @property
    def speed(self) -> float:
        """How many of its seconds pass in one; 0 while it stands still."""
        return self._course.speed

    def now(self) -> float:
        """Seconds since the epoch."""
        course = self._course  # before the source: a course must not be asked for a moment before it began
        return course.at(self._source())

    def advance(self, seconds: float) -> None:
        """Move forward.

        :param seconds: from 0 to a century's, to `FURTHEST` at most.
        """
        if not 0 <= seconds <= CENTURY:
            raise ValueError(f"advance must be a number of seconds from 0 to {CENTURY}, a century; it is {seconds}")
        course = self._course
        if course.at(self._source()) + seconds > FURTHEST:
            raise ValueError(f"advance must not lead beyond {iso(FURTHEST)}; it is {seconds}")
        self._course = course._replace(shown=course.shown + seconds)

    def run(self, speed: float) -> None:
        """Go on at another speed.

        :param speed: 1 for the speed of its source, 0 to stand still, at most 10,000.
        """
        checked, moment = _speed(speed), self._source()
        self._course = Course(self._course.at(moment), moment, checked)


def _speed(speed: float) -> float:
    if not 0 <= speed <= FASTEST:
        raise ValueError(f"speed must be a number from 0, which stops the clock, to {FASTEST:,}; it is {speed}")
    return float(speed)


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
