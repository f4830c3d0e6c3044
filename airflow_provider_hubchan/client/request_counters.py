"""What a driver has sent, what came of it, and how long it only waited."""

from __future__ import annotations

from threading import Lock


class RequestCounters:
    """Counts the requests of one driver. Threads may share it. Times are seconds of the driver's monotonic clock.

    *Waited* is the time in which no request was under way because all who had something to send were waiting: for the quota,
    for a pause that HubSpot asked for, or before another attempt. So it is never more than the time that has passed, however
    many workers there are, and it is right at any moment.

    :ivar requests: requests sent, repeats included, token requests left out.
    :ivar rate_limited: how many of them were answered with 429.
    :ivar failed: how many requests got no response, or one of a server that failed (5xx), token requests included.
    :ivar last_failure: the last of these in a few words.
    """

    def __init__(self) -> None:
        self.requests = self.rate_limited = self.failed = 0
        self.last_failure = ""
        self._in_flight = self._waiting = 0
        self._waited, self._since = 0.0, 0.0
        self._lock = Lock()

    def request_began(self, now: float) -> None:
        """A request is under way."""
        with self._lock:
            self._advance(now)
            self._in_flight += 1

    def request_ended(self, now: float, *, counts: bool, status: int | None, failure: str = "") -> None:
        """A request has ended.

        :param counts: True if HubSpot counts it against the quota.
        :param status: of the response, None if none came.
        :param failure: why none came.
        """
        with self._lock:
            self._advance(now)
            self._in_flight -= 1
            self.requests += counts
            self.rate_limited += counts and status == 429
            if status is None or status >= 500:
                self.failed += 1
                self.last_failure = failure if status is None else f"status {status}"

    def wait_began(self, now: float) -> None:
        """A worker waits."""
        with self._lock:
            self._advance(now)
            self._waiting += 1

    def wait_ended(self, now: float) -> None:
        """A worker does not wait any more."""
        with self._lock:
            self._advance(now)
            self._waiting -= 1

    def waited(self, now: float) -> float:
        """Seconds waited until now."""
        with self._lock:
            self._advance(now)
            return self._waited

    def _advance(self, now: float) -> None:
        if self._waiting and not self._in_flight:
            self._waited += max(0.0, now - self._since)
        self._since = max(self._since, now)  # threads read the clock in one order and get the lock in another
