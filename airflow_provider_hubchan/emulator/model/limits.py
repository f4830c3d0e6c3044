"""How many calls are let through: in the last ten seconds, and on one day. Time is always an argument here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date


@dataclass
class RollingWindow:
    """Calls of one app in one account in the last *seconds*, to the millisecond (documented: rolling, 10 seconds).

    A call at millisecond *t* counts until ``t + seconds``, exclusive. Calls of a foreign program can be added: they are spread
    evenly over the window, and are let through or refused like any other.

    :param times: milliseconds since the epoch of the calls that count.
    """

    times: deque[int] = field(default_factory=deque)
    _next_foreign: float = 0.0

    def has_room(self, now: float, limit: int, seconds: float, foreign: float = 0.0) -> bool:
        """True if a call would be let through.

        :param now: seconds since the epoch, never less than in an earlier call.
        :param limit: how many calls are let through in a window.
        :param seconds: length of the window.
        :param foreign: calls of a foreign program in one window.
        """
        now_ms, length_ms = round(now * 1000), round(seconds * 1000)
        if foreign > 0:
            interval = length_ms / foreign
            self._next_foreign = max(self._next_foreign, now_ms - 2 * length_ms)  # older calls do not count any more
            while self._next_foreign <= now_ms:
                self._expire(round(self._next_foreign) - length_ms)
                if len(self.times) < limit:
                    self.times.append(round(self._next_foreign))
                self._next_foreign += interval
        self._expire(now_ms - length_ms)
        return len(self.times) < limit

    def count(self, now: float) -> None:
        """Count a call at *now*, seconds since the epoch."""
        self.times.append(round(now * 1000))

    def _expire(self, until_ms: int) -> None:
        while self.times and self.times[0] <= until_ms:
            self.times.popleft()


@dataclass
class DailyQuota:
    """Calls of one account on one of its days (documented: its apps share them, and counting restarts at its midnight).

    :param day: the day that is counted, None before the first call.
    :param used: calls of that day.
    :param of_private_apps: calls of that day that came from private apps.
    """

    day: date | None = None
    used: int = 0
    of_private_apps: int = 0

    def used_on(self, today: date) -> int:
        """Calls of *today*; on a new day counting restarts."""
        if today != self.day:
            self.day, self.used, self.of_private_apps = today, 0, 0
        return self.used

    def count(self, private: bool = False) -> None:
        """Count a call of the day last given to `used_on`; *private*: it came from a private app."""
        self.used += 1
        self.of_private_apps += private
