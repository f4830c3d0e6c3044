"""How many requests a connection may make, whatever HubSpot's limit and its window are."""

from __future__ import annotations

import math
from collections import deque

#: Seconds in which ``requests_per_10s`` counts.
WINDOW = 10.0
#: Seconds added to a window: the server's clock and ours do not run alike.
CLOCK_MARGIN = 0.02


class RequestBound:
    """At most so many requests in any ten seconds. Not safe for threads: `RateLimiter` has the lock.

    A request counts from its send until ten seconds after its end, so the proof of limiter.py holds with K = ``most``, also for
    requests whose permits were given up after a 429.

    :param max_per_10s: requests per 10 seconds, None for no bound. A fraction allows no further request; less than 1 is 1.
    :ivar most: the same as a whole number, infinite for no bound.
    """

    def __init__(self, max_per_10s: float | None) -> None:
        self.most = math.inf if max_per_10s is None else float(max(1, int(max_per_10s)))
        self._in_flight = 0
        self._ended: deque[float] = deque()  # when each of the others ended, oldest first

    def within(self, window: float) -> float:
        """How many requests of ours a window of so many seconds may have, on average."""
        return self.most * window / WINDOW

    def wait(self, now: float) -> float:
        """Seconds until there may be another request, infinite if one in flight has to end first."""
        while self._ended and self._ended[0] + WINDOW + CLOCK_MARGIN <= now:
            self._ended.popleft()
        if self._in_flight + len(self._ended) < self.most:
            return 0.0
        return self._ended[0] + WINDOW + CLOCK_MARGIN - now if self._ended else math.inf

    def on_send(self) -> None:
        """A request begins."""
        self._in_flight += 1

    def on_end(self, now: float) -> None:
        """A request has ended, with a response or without."""
        self._in_flight -= 1
        if math.isfinite(self.most):
            self._ended.append(now)
