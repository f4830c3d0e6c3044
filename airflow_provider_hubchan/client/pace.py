"""When the next request may go.

HubSpot counts requests per app and account over a rolling window (10 seconds) and refuses those above the limit. It counts
a request some time between its send and its reply. So a *ticket* is busy from the send until one window after the reply:

    With K tickets, suppose K + 1 requests were counted within one window. Two of them, i before j, used the same ticket,
    so j was sent a window or more after i's reply. But i was counted no later than its reply and j no earlier than its
    send: they are a window apart. Contradiction.

Hence never more than K requests in any window, whatever the latency and its jitter. A request whose reply was lost keeps
its ticket for a window from the moment it was given up: it was counted no later than that, or not at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

#: Requests per window while HubSpot has said nothing: the smallest limit it documents (private apps, Free and Starter).
ASSUMED_LIMIT = 100
#: Seconds of HubSpot's window, by the name of its policy, TEN_SECONDLY_ROLLING.
ASSUMED_WINDOW = 10.0
#: Tickets before the first reply has told the limit.
CAUTIOUS = 8
#: Seconds added to the window: the server's clock and ours do not tick alike.
GUARD = 0.02
#: Seconds until to ask again when every ticket is in flight and only a reply can free one.
IN_FLIGHT = 0.05


@dataclass(frozen=True, slots=True)
class Quota:
    """What HubSpot's rate headers say.

    :param limit: requests allowed in the window.
    :param window: its length in seconds.
    :param remaining: requests left in it, None if not said.
    """

    limit: int
    window: float
    remaining: int | None = None


class Pace:
    """One account's pace, shared by all threads and tasks of the process.

    Ask, wait what it says, ask again: nothing is booked ahead, so a hold that begins while somebody waits holds them too.
    Time is an argument (seconds of any monotonic clock); nothing here sleeps, and the lock is held for microseconds.

    :param ceiling: requests per 10 seconds never to exceed, whatever HubSpot allows; None for no such bound.
    """

    def __init__(self, ceiling: float | None = None) -> None:
        self._ceiling = ceiling
        self._quota: Quota | None = None
        self._in_flight = 0
        self._cooling: deque[float] = deque()  # when the reply of each ticket came, oldest first
        self._held_until = float("-inf")
        self._lock = Lock()

    @property
    def window(self) -> float:
        """Seconds of the window."""
        return self._quota.window if self._quota else ASSUMED_WINDOW

    @property
    def limit(self) -> int:
        """Requests per window that may be used, at least 1: what HubSpot said, else what the connection says, else assumed."""
        ceiling = None if self._ceiling is None else self._ceiling * self.window / 10.0
        told = self._quota.limit if self._quota else ceiling or ASSUMED_LIMIT
        return max(1, int(told if ceiling is None else min(told, ceiling)))

    @property
    def learned(self) -> bool:
        """True once HubSpot's headers have told the limit."""
        return self._quota is not None

    def ask(self, now: float) -> float:
        """Take a ticket and return 0.0: send now. Or return the seconds to wait before asking again."""
        with self._lock:
            if now < self._held_until:
                return self._held_until - now
            busy = self.window + GUARD
            while self._cooling and self._cooling[0] + busy <= now:
                self._cooling.popleft()
            tickets = self.limit if self._quota or self._cooling else min(CAUTIOUS, self.limit)
            if self._in_flight + len(self._cooling) < tickets:
                self._in_flight += 1
                return 0.0
            return self._cooling[0] + busy - now if self._cooling else IN_FLIGHT

    def answered(self, now: float, quota: Quota | None) -> None:
        """A request of ours has ended at *now*, with a reply or without; *quota* is what the reply said, if it did."""
        with self._lock:
            self._in_flight -= 1
            self._cooling.append(now)
            if quota is not None:
                self._quota = quota

    def hold(self, now: float, seconds: float | None) -> None:
        """Let nobody send for *seconds* from *now*, None for one window; a longer hold that is already in force stays."""
        with self._lock:
            self._held_until = max(self._held_until, now + (self.window if seconds is None else seconds))
