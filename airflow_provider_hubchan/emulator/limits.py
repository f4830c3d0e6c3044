"""How many calls are let through: in the last ten seconds, and on one day. No clock here: time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date


@dataclass
class RollingWindow:
    """Calls of one app and account in the last ``seconds`` (documented: rolling, 10 seconds).

    :param limit: how many are let through.
    """

    limit: int
    seconds: float
    times: deque[float] = field(default_factory=deque)

    def has_room(self, now: float) -> bool:
        """True if a call would be let through."""
        while self.times and self.times[0] <= now - self.seconds:
            self.times.popleft()
        return len(self.times) < self.limit

    def count(self, now: float) -> None:
        """Count a call."""
        self.times.append(now)

    @property
    def remaining(self) -> int:
        return self.limit - len(self.times)


@dataclass
class DailyQuota:
    """Calls of one account on one of its days (documented: its apps share them, and they begin anew at its midnight).

    :param limit: how many are let through, 0 for any number.
    """

    limit: int
    day: date | None = None
    used: int = 0

    def has_room(self, today: date) -> bool:
        """True if a call would be let through."""
        if today != self.day:
            self.day, self.used = today, 0
        return not self.limit or self.used < self.limit

    def count(self) -> None:
        """Count a call of the day that was asked for last."""
        self.used += 1
