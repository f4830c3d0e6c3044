"""When the next request may be sent.

HubSpot counts requests per app and account over a rolling window (10 seconds) and refuses those above the limit. It counts
a request some time between its send and its response. So a *permit* is taken from the send until one window after the
response:

    With K permits, suppose K + 1 requests were counted within one window. Two of them, i before j, used the same permit,
    so j was sent a window or more after i's response. But i was counted no later than its response and j no earlier than
    its send: they are a window apart. Contradiction.

Hence never more than K requests in any window, rolling or fixed, whatever the latency and its jitter. A request whose response
was lost keeps its permit for a window from the moment it was given up: it was counted no later than that, or not at all.

K is HubSpot's limit; how many of these permits are ours is another matter (fair_share.py): alone all of them, else a fair part.

Requests are spread after one and a half windows, or as soon as others are seen: they go a tenth faster than permits come back.
So a burst does not come back as a burst a window later, and all who share the account can see how much is free.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.ratelimit.fair_share import FairShare
from airflow_provider_hubchan.client.ratelimit.request_bound import CLOCK_MARGIN, RequestBound

#: Requests per window while HubSpot has said nothing: the smallest limit it documents (private apps, Free and Starter).
ASSUMED_LIMIT = 100
#: Seconds of HubSpot's window, by the name of its policy, TEN_SECONDLY_ROLLING.
ASSUMED_WINDOW = 10.0
#: Seconds before asking again when only a response can free a permit, or another share comes first.
POLL_INTERVAL = 0.05
#: Seconds of the shortest wait: a sum of times may round to nothing, and a wait of 0 would be a busy loop.
MIN_WAIT = 0.001
#: Seconds that the account is blocked after a 429 that names no time, doubled for each further one, up to a window.
BASE_BLOCK = 0.3
#: A 429 within so many seconds after a block shows that it was too short.
TOO_SHORT = 1.0


class QuotaShare:
    """All in this process who use an account's permits in the same way.

    :param share: part of the permits that may be used, in (0, 1].
    :param bound: of the connection; other shares may have the same one.
    """

    def __init__(self, share: float, bound: RequestBound) -> None:
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share is {share!r}: give a part of the account's quota, above 0 and at most 1")
        self.share = share
        self.bound = bound
        self.taken = 0  # permits of requests in flight, or of responses less than a window ago
        self.next_send = -math.inf  # when the next request may be sent, if there is a permit
        self.wants_until = -math.inf  # somebody was told that there is no permit, and will have asked again by then

    def max_permits(self, permits: int, window: float) -> int:
        """How many of *permits* may be taken, at least 1."""
        return max(1, int(min(permits * self.share, self.bound.within(window))))

    def spread(self, now: float, permits: float, window: float, speed_up: float) -> None:
        """Note a send: the next comes *speed_up* times sooner than an even spread would have it, after a pause even sooner."""
        part = min(permits, float(self.max_permits(int(permits), window)))
        self.next_send = max(self.next_send, now - window / 10) + window / (speed_up * part)

    def must_yield(self, others: Iterable[QuotaShare], now: float, unused: int, permits: int, window: float) -> bool:
        """True if the permits that are left belong to somebody else.

        Those with a part of the quota come first, until they have it: so nobody can starve them, and they can starve nobody.
        """
        waiting = (
            other.share < 1.0 and now < other.wants_until and other.taken < other.max_permits(permits, window)
            for other in others
        )
        return self.share == 1.0 and unused <= sum(waiting)


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """The right to send one request now.

    :param sent_at: now, in seconds of the limiter's time.
    :param number: how many were given until then.
    """

    owner: QuotaShare
    sent_at: float
    number: int


class RateLimiter:
    """The rate limit of one account, shared by all threads and tasks of the process.

    Ask for a permit, wait as long as it says, ask again: nothing is reserved ahead, so a block that begins while somebody waits
    holds for them, too. Time is an argument: seconds of any monotonic clock, always the same one. Nothing here sleeps, and the
    lock is held for microseconds.

    :param assumed_limit: requests per 10 seconds if HubSpot sends no headers.
    :param jitter: gives random numbers in [0, 1): those who share an account must not come back at the same time.
    """

    def __init__(self, assumed_limit: float | None = None, jitter: Callable[[], float] = random.random) -> None:
        self._assumed_limit, self._jitter = assumed_limit or ASSUMED_LIMIT, jitter
        self._quota: Quota | None = None
        self._fair_share = FairShare()
        self._shares: dict[tuple[float, float | None], QuotaShare] = {}
        self._bounds: dict[float | None, RequestBound] = {}
        self._in_flight = self._given = 0
        self._cooling: deque[tuple[float, QuotaShare]] = deque()  # when the response of each permit came, oldest first
        self._counted: deque[float] = deque()  # the same, with permits that were given up
        self._blocked_until = self._now = -math.inf
        self._blocks_in_a_row = 0
        self._is_invited = False  # HubSpot has named the end of the block, and nobody has sent anything since
        self._lock = Lock()

    def share(self, share: float = 1.0, max_per_10s: float | None = None) -> QuotaShare:
        """The share of all who use the account in this way.

        :param share: part of the permits that may be used, in (0, 1].
        :param max_per_10s: requests per 10 seconds that all shares with the same number may use, None for no such bound.
        """
        with self._lock:
            bound = self._bounds.setdefault(max_per_10s, RequestBound(max_per_10s))
            return self._shares.setdefault((share, max_per_10s), QuotaShare(share, bound))

    @property
    def window(self) -> float:
        """Seconds of the window."""
        return self._quota.window if self._quota else ASSUMED_WINDOW

    @property
    def limit(self) -> int:
        """Requests per window of the whole account, at least 1: what HubSpot said, else assumed."""
        return max(1, int(self._quota.limit if self._quota else self._assumed_limit))

    @property
    def limit_is_known(self) -> bool:
        """True once HubSpot's headers have told the limit."""
        return self._quota is not None

    @property
    def remaining(self) -> int | None:
        """How many requests of the whole account HubSpot said would be taken at once, at last; None if it has not said so."""
        return self._quota.remaining if self._quota else None

    @property
    def in_flight(self) -> int:
        """How many permits belong to requests that have not ended."""
        return self._in_flight

    @property
    def given(self) -> int:
        """How many permits were given so far."""
        return self._given

    @property
    def permits(self) -> int:
        """How many requests of ours may be counted within a window, at least 1."""
        return max(1, int(self._fair_share.permits))

    def blocked_for(self, now: float) -> float:
        """Seconds until requests may be sent again after a 429; 0 if they may."""
        return max(0.0, self._blocked_until - now)

    def acquire(self, now: float, share: QuotaShare) -> Permit | float:
        """Get a permit: send now. Or get the seconds to wait before asking again.

        :param share: one of this limiter's.
        """
        with self._lock:
            now = self._advance(now)
            self._free_expired(now)
            if (wait := self._wait(now, share)) is not None:
                return max(wait, MIN_WAIT)
            if self._is_spread:
                share.spread(now, self._fair_share.permits, self.window, self._fair_share.speed_up)
            self._in_flight += 1
            self._given += 1
            share.taken += 1
            share.bound.on_send()
            self._is_invited = False
            share.wants_until = -math.inf
            return Permit(share, now, self._given)

    def release(self, now: float, permit: Permit, quota: Quota | None) -> None:
        """The request of *permit* has ended, with a response or without.

        :param quota: what the response's headers said, None if they said nothing.
        """
        with self._lock:
            now = self._advance(now)
            self._in_flight -= 1
            self._cooling.append((now, permit.owner))
            self._counted.append(now)
            permit.owner.bound.on_end(now)
            self._quota = quota or self._quota
            if quota is not None and quota.remaining is not None:
                self._fair_share.on_response(
                    now,
                    quota,
                    middle=(permit.sent_at + now) / 2,
                    later=self._given - permit.number,
                    in_flight=self._in_flight,
                    unused=self._unused(),
                )
            else:
                self._fair_share.on_unlabelled(now, self.limit, self.window)
            self._give_up_excess()

    def block(self, now: float, seconds: float | None) -> None:
        """HubSpot answered 429: let nobody send for so many *seconds*, None if HubSpot named no time."""
        with self._lock:
            now = self._advance(now)
            self._fair_share.on_throttled(now, self._unused())
            self._give_up_excess()
            is_named = seconds is not None
            if seconds is None:
                if now >= self._blocked_until:  # one burst brings many 429s, and counts as one
                    too_short = now < self._blocked_until + TOO_SHORT
                    self._blocks_in_a_row = self._blocks_in_a_row + 1 if too_short else 0
                seconds = min(self.window, BASE_BLOCK * 2.0 ** min(self._blocks_in_a_row, 9)) * (0.5 + self._jitter())
            if now + seconds > self._blocked_until:
                self._blocked_until, self._is_invited = now + seconds, is_named

    def _advance(self, now: float) -> float:
        """The time now, never before the last one: threads read the clock in one order and get the lock in another."""
        self._now = max(self._now, now)
        return self._now

    def _free_expired(self, now: float) -> None:
        expired = now - self.window - CLOCK_MARGIN
        while self._cooling and self._cooling[0][0] <= expired:
            self._cooling.popleft()[1].taken -= 1
        while self._counted and self._counted[0] <= expired:
            self._counted.popleft()

    def _wait(self, now: float, share: QuotaShare) -> float | None:
        """Seconds to wait, None for a permit."""
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._given and not self._in_flight and not self._counted:
            self._fair_share.reset()
        if (bound_for := share.bound.wait(now)) > 0.0:
            return min(bound_for, self.window) if math.isfinite(bound_for) else POLL_INTERVAL
        is_used_up = self._in_flight + len(self._counted) >= self.limit
        if self._is_invited and not self._in_flight and not is_used_up:
            return None  # a permit would come back a window after the response, however soon HubSpot wants the next request
        if self._unused() < 1 and not self._in_flight and not is_used_up:
            probe_in = self._fair_share.probe(now, self.limit, self.window)
        else:
            probe_in = math.inf
        if self._unused() < 1 or is_used_up:
            wait = self._counted[0] + self.window + CLOCK_MARGIN - now if self._counted else POLL_INTERVAL
            if self._in_flight and not self._is_spread:  # at the beginning each response may bring another permit
                wait = min(wait, POLL_INTERVAL)
            wait = min(wait, probe_in)
            share.wants_until = now + wait + POLL_INTERVAL
            return wait
        whole = self.permits if self._is_spread else self.limit  # while there is plenty, a part of all there is
        if share.taken >= share.max_permits(whole, self.window):
            oldest = next((at for at, owner in self._cooling if owner is share), None)
            return POLL_INTERVAL if oldest is None else oldest + self.window + CLOCK_MARGIN - now
        if share.must_yield(self._shares.values(), now, self._unused(), self.permits, self.window):
            return POLL_INTERVAL
        return share.next_send - now if self._is_spread and now < share.next_send else None

    @property
    def _is_spread(self) -> bool:
        return math.isfinite(self._fair_share.speed_up)

    def _unused(self) -> int:
        return self.permits - self._in_flight - len(self._cooling)

    def _give_up_excess(self) -> None:
        while self._cooling and self._unused() < 0:
            self._cooling.popleft()[1].taken -= 1
