"""How many calls are let through: in the last ten seconds, and on one day. No clock here: time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date


@dataclass
class RollingWindow:
    """Calls of one app and account in the last *seconds* (documented: rolling, 10 seconds), to the millisecond.

    A call at the millisecond *t* counts until ``t + seconds``, at which it no longer does. Another program can be had
    beside: its calls come evenly, and are let through or refused like any other.

    :param times: milliseconds of the calls that count.
    """

    times: deque[int] = field(default_factory=deque)
    _next_foreign: float = 0.0

    def has_room(self, now: float, limit: int, seconds: float, foreign: float = 0.0) -> bool:
        """True if a call would be let through.

        :param now: seconds, never less than before.
        :param limit: how many calls are let through.
        :param seconds: of the window.
        :param foreign: calls per *seconds* of another program.
        """
        moment, length = round(now * 1000), round(seconds * 1000)
        if foreign > 0:
            apart = length / foreign
            self._next_foreign = max(self._next_foreign, moment - 2 * length)  # what is older than that counts no more
            while self._next_foreign <= moment:
                self._forget(round(self._next_foreign) - length)
                if len(self.times) < limit:
                    self.times.append(round(self._next_foreign))
                self._next_foreign += apart
        self._forget(moment - length)
        return len(self.times) < limit

    def count(self, now: float) -> None:
        """Count a call."""
        self.times.append(round(now * 1000))

    def _forget(self, until: int) -> None:
        while self.times and self.times[0] <= until:
            self.times.popleft()


@dataclass
class DailyQuota:
    """Calls of one account on one of its days (documented: its apps share them, and they begin anew at its midnight).

    :param of_private_apps: how many of those that are used came from private apps.
    """

    day: date | None = None
    used: int = 0
    of_private_apps: int = 0

    def used_on(self, today: date) -> int:
        """How many calls the day has had."""
        if today != self.day:
            self.day, self.used, self.of_private_apps = today, 0, 0
        return self.used

    def count(self, private: bool = False) -> None:
        """Count a call of the day that was asked for last; *private*: it came from a private app."""
        self.used += 1
        self.of_private_apps += private
