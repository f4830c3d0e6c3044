"""When the next request may go.

HubSpot counts requests per app and account over a rolling window (10 seconds) and refuses those above the limit. It counts
a request some time between its send and its reply. So a *ticket* is busy from the send until one window after the reply:

    With K tickets, suppose K + 1 requests were counted within one window. Two of them, i before j, used the same ticket,
    so j was sent a window or more after i's reply. But i was counted no later than its reply and j no earlier than its
    send: they are a window apart. Contradiction.

Hence never more than K requests in any window, rolling or fixed, whatever the latency and its jitter. A request whose reply
was lost keeps its ticket for a window from the moment it was given up: it was counted no later than that, or not at all.

K is HubSpot's limit; how many of these tickets are ours is another matter (claim.py): alone all of them, else a fair part.

Requests are spread: after the first window they go a tenth faster than tickets come back. So a burst does not come back as a
burst a window later, and all who share the account can see how much is free.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from threading import Lock

from airflow_provider_hubchan.client.ratelimit.clock import Steady
from airflow_provider_hubchan.client.ratelimit.fair_share import Claim, Quota
from airflow_provider_hubchan.client.ratelimit.lanes import Lane, Ticket

#: Requests per window while HubSpot has said nothing: the smallest limit it documents (private apps, Free and Starter).
ASSUMED_LIMIT = 100
#: Seconds of HubSpot's window, by the name of its policy, TEN_SECONDLY_ROLLING.
ASSUMED_WINDOW = 10.0
#: Seconds added to the window: the server's clock and ours do not tick alike.
GUARD = 0.02
#: Seconds until to ask again when only a reply can free a ticket, or somebody else is to have the next.
SOON = 0.05
#: Seconds of the shortest wait: a sum of times may round to nothing, and who waits for nothing asks for ever.
BLINK = 0.001
#: Seconds that the account is held after a 429 that names no time, doubled for each further one, up to a window.
HOLD = 0.3
#: A 429 within so many seconds after a hold shows that it was too short.
AGAIN = 1.0


class Pace:
    """One account's pace, shared by all threads and tasks of the process.

    Ask, wait what it says, ask again: nothing is booked ahead, so a hold that begins while somebody waits holds them too.
    Time is an argument: seconds of any monotonic clock, always the same one. Nothing here sleeps, and the lock is held for
    microseconds.

    :param assumed: requests per 10 seconds if HubSpot sends no headers.
    :param spread: gives random numbers in [0, 1): those who share an account must not come back in step.
    """

    def __init__(self, assumed: float | None = None, spread: Callable[[], float] = random.random) -> None:
        self._assumed, self._spread = assumed or ASSUMED_LIMIT, spread
        self._quota: Quota | None = None
        self._claim = Claim()
        self._lanes: dict[tuple[float, float | None], Lane] = {}
        self._in_flight = self._taken = 0
        self._cooling: deque[tuple[float, Lane]] = deque()  # when the reply of each ticket came, oldest first
        self._counted: deque[float] = deque()  # the same, with the tickets that were given up: HubSpot counts them still
        self._burst_until: float | None = None  # a window after the first send
        self._told = self._held_until = -math.inf
        self._refusals = 0
        self._clock, self._lock = Steady(), Lock()

    def lane(self, share: float = 1.0, ceiling: float | None = None) -> Lane:
        """The lane of all who use the account in this way; arguments as of `Lane`."""
        with self._lock:
            return self._lanes.setdefault((share, ceiling), Lane(share, ceiling))

    @property
    def window(self) -> float:
        """Seconds of the window."""
        return self._quota.window if self._quota else ASSUMED_WINDOW

    @property
    def limit(self) -> int:
        """Requests per window of the whole account, at least 1: what HubSpot said, else assumed."""
        return max(1, int(self._quota.limit if self._quota else self._assumed))

    @property
    def learned(self) -> bool:
        """True once HubSpot's headers have told the limit."""
        return self._quota is not None

    @property
    def tickets(self) -> int:
        """How many requests may be counted within a window, at least 1."""
        return max(1, int(self._claim.tickets))

    def ask(self, clock: float, lane: Lane) -> Ticket | float:
        """Take a ticket: send now. Or get the seconds to wait before asking again.

        :param lane: one of this pace's.
        """
        with self._lock:
            now = self._clock.at(clock)
            self._thaw(now)
            if (wait := self._wait(now, lane)) is not None:
                return max(wait, BLINK)
            if self._burst_until is None:
                self._burst_until = now + self.window
            if self._spread_out(now):
                lane.spread(now, self._claim.tickets * self._claim.haste, self.window)
            self._in_flight += 1
            self._taken += 1
            lane.busy += 1
            lane.wants_until = -math.inf
            return Ticket(lane, now, self._taken)

    def answered(self, clock: float, ticket: Ticket, quota: Quota | None) -> None:
        """The request of *ticket* has ended, with a reply or without; *quota* is what the reply's headers said, if they did."""
        with self._lock:
            now = self._clock.at(clock)
            self._in_flight -= 1
            self._cooling.append((now, ticket.lane))
            self._counted.append(now)
            self._quota = quota or self._quota
            if quota is not None and quota.remaining is not None:
                self._told = now
                self._claim.told(
                    now,
                    quota,
                    middle=(ticket.sent + now) / 2,
                    later=self._taken - ticket.number,
                    in_flight=self._in_flight,
                    unused=self._unused(),
                )
            elif quota is self._quota or now - self._told > self.window:  # it never tells, or has ceased to
                self._claim.untold(now, self.limit)
            self._give_up()

    def hold(self, clock: float, seconds: float | None) -> None:
        """HubSpot answered 429: let nobody send for so many *seconds* from now, None if it named no time."""
        with self._lock:
            now = self._clock.at(clock)
            self._claim.refused(now, self._unused())
            self._give_up()
            if seconds is None:
                if now >= self._held_until:  # one burst brings many 429s, and counts as one
                    self._refusals = self._refusals + 1 if now < self._held_until + AGAIN else 0
                seconds = min(self.window, HOLD * 2.0 ** min(self._refusals, 9)) * (0.5 + self._spread())
            self._held_until = max(self._held_until, now + seconds)

    def _thaw(self, now: float) -> None:
        before = now - self.window - GUARD
        while self._cooling and self._cooling[0][0] <= before:
            self._cooling.popleft()[1].busy -= 1
        while self._counted and self._counted[0] <= before:
            self._counted.popleft()

    def _wait(self, now: float, lane: Lane) -> float | None:
        if now < self._held_until:
            return self._held_until - now
        if self._taken and not self._in_flight and not self._counted:
            self._claim.begin()
            self._burst_until = None
        if self._unused() < 1 or self._in_flight + len(self._counted) >= self.limit:
            wait = self._counted[0] + self.window + GUARD - now if self._counted else SOON
            if self._in_flight and not self._spread_out(now):  # we have just begun: each reply may bring another ticket
                wait = min(wait, SOON)
            lane.wants_until = now + wait + SOON
            return wait
        whole = self.limit if self._claim.hurried else self.tickets  # while there is plenty, a part of all there is
        if lane.busy >= lane.bound(whole, self.window):
            oldest = next((replied for replied, owner in self._cooling if owner is lane), None)
            return SOON if oldest is None else oldest + self.window + GUARD - now
        if lane.must_yield(self._lanes.values(), now, self._unused(), self.tickets, self.window):
            return SOON
        return lane.next - now if self._spread_out(now) and now < lane.next else None

    def _spread_out(self, now: float) -> bool:
        return not self._claim.hurried or (self._burst_until is not None and now > self._burst_until)

    def _unused(self) -> int:
        return self.tickets - self._in_flight - len(self._cooling)

    def _give_up(self) -> None:
        while self._cooling and self._unused() < 0:
            self._cooling.popleft()[1].busy -= 1
