"""How many of an account's permits are ours, when other processes and programs use the same account and cannot be asked.

A `RateLimiter` with K permits never has more than K requests in a window (see limiter.py). So if the permits of all who share
an account sum to its limit, nobody gets a 429; what follows only moves permits between them, and may be wrong for a while. All
there is to go by is what HubSpot says on each response, so many requests *remain* of the *limit*, and our own log:

    used    limit - remaining: what HubSpot has counted in the window, from everybody
    ours    how many of our own requests it had counted by then: those whose middle, half way between send and response, lies
            in the window before this one's middle
    others  used - ours, smoothed: at least one of them means that we are not alone (believed for two windows)
    fleet   used / ours: how many there were if all were like us
    free    remaining, less what we have yet to send: unused permits, and requests HubSpot counted after this one
    low     the lowest *free* lately, as if all that we gave up or took since had been so all along. Lately is an eighth
            of the window and at least our last seven responses; the whole window if *remaining* jumps, as it does when HubSpot
            frees many requests at once (a server that counts in fixed windows or buckets, a burst growing old)

Alone, we grow to the limit. Sharing, everybody wants to see a few requests free, the more the more permits they have, and for
a while after a 429 some more:

    wanted  = 1 + permits * FREE_PER_PERMIT + extra_free
    permits changes by (low - wanted) * STEP / limit for each response, a little faster for those who have very few

All see the same *low*. Who has many finds it too small and gives, who has few finds it large enough and takes, until all have
as many: that is what makes late starters equal. And since each response moves a little, what all move together does not depend
on how many they are, so a fleet does not oscillate. The numbers below were found by simulation, against servers that count in
six ways: tests/properties/test_fair_share.py.
"""

from __future__ import annotations

import math
from collections import deque

from airflow_provider_hubchan.client.models import Quota

#: Permits before the first response has told the limit: sixteen processes that start together must not pass it.
INITIAL_PERMITS = 2
#: Free requests that we want to see for each permit of ours, beside the one that everybody leaves; and the part of the limit
#: above which more permits add no more.
FREE_PER_PERMIT, MAX_FREE_SHARE = 0.05, 0.6
#: How much of a lack or surplus all responses of one window make up for, in windows: more oscillates, less is slow.
STEP = 12.0
#: Below so many permits, changes are larger: a process with few permits gets few responses.
FEW = 6.0
#: Permits taken for one response at most: those who see the same surplus must not all take the whole.
MAX_GAIN = 0.6
#: Free requests below which permits are given up faster, and how many for each response and each one that is lacking.
LOW_FREE, LOW_FREE_STEP = 3.0, 0.1
#: Requests that others must have made before we believe in them, on an average of so many seconds: which of ours are counted
#: already changes with each response.
MIN_OTHERS, OTHERS_SMOOTHING = 1.2, 2.0
#: Part of our permits that a 429 costs, at most once in a second; and the free requests that we want to see besides after it,
#: which fade over so many windows.
THROTTLE_COST, EXTRA_FREE, EXTRA_FREE_WINDOWS = 0.03, 4.0, 4.0
#: A larger fleet is not believed: so small a part of the traffic is ours because we have only begun.
MAX_FLEET = 20.0
#: Part of the limit by which *remaining* rises from one response to the next when HubSpot does not free one by one; and what it
#: may rise besides in each window that has passed, because the requests of others who have ended grow old one by one.
JUMP, AGING = 0.08, 0.7
#: What counts as lately, in windows, if *remaining* does not jump; and in responses.
RECENT, RECENT_RESPONSES = 0.12, 7
#: Part of the limit that is plenty when it is free: others have ended. It is for those with less than so much of an equal part.
LARGE_FREE, SMALL_PART = 1 / 6, 0.87
#: How much faster those send who have few permits, then: while a permit waits for its turn, no response brings a further one.
CATCH_UP = 4.0
#: Seconds in which a permit comes back where HubSpot tells no limit, and only a 429 says that there are too many.
BLIND_STEP = 2.0


class FairShare:
    """The permits that one process has of one account. Not safe for threads: `RateLimiter` has the lock.

    :ivar permits: how many, a fraction included; at least 1, so that nobody starves.
    :ivar plenty: True while there is so much room that requests need not be spread over the window.
    :ivar catch_up: how much faster requests that are spread may go, 1 as a rule.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: what was learned is older than a window."""
        self.permits = float(INITIAL_PERMITS)
        self.plenty = True
        self.catch_up = 1.0
        self._first: float | None = None  # when the first response came
        self._ours: deque[float] = deque()  # middles
        self._others = self._free = 0.0
        self._seen_others = self._jumped = self._throttled = self._cost_at = self._grew = self._last = -math.inf
        self._moved = 0.0  # all permits taken less all given up
        self._remaining: int | None = None
        self._lows: deque[tuple[float, float]] = deque()  # (when, free + moved), rising: the lowest since each time

    def on_response(self, now: float, quota: Quota, *, middle: float, later: int, in_flight: int, unused: int) -> None:
        """Learn from a response with rate headers.

        :param now: seconds of the limiter's clock.
        :param middle: half way between the send of the request and *now*, in seconds of the same clock.
        :param later: how many requests we sent after it.
        :param in_flight: requests of ours that have no response yet.
        :param unused: permits that could send at once.
        """
        self.permits = min(self.permits, float(quota.limit))
        self._first = now if self._first is None else self._first
        passed, self._last = now - self._last, now
        remaining = quota.remaining or 0
        one_by_one = (JUMP + AGING * passed / quota.window) * quota.limit
        if self._remaining is not None and remaining - self._remaining >= one_by_one:
            self._jumped = now
        self._remaining = remaining

        self._ours.append(middle)
        while self._ours[0] <= middle - quota.window:
            self._ours.popleft()
        used = quota.limit - remaining
        others = used - len(self._ours)
        if now - self._first < quota.window:  # of the requests in flight nobody knows which are counted already
            self._others, enough = float(others - in_flight), 1.0
        else:
            self._others += (others - self._others) * (1.0 - math.exp(-min(1.0, passed) / OTHERS_SMOOTHING))
            enough = MIN_OTHERS
        if self._others >= enough:
            self._seen_others = now

        free = remaining - unused - min(in_flight, later)
        self._free += (free - self._free) * (1.0 - math.exp(-2.0 * passed)) if passed < 1.0 else free - self._free
        if now - self._seen_others < 2.0 * quota.window:
            self._balance(now, quota, free, in_flight, unused, fleet=max(1.0, used / len(self._ours)))
        elif (low := self._low(now, free, quota.window, quota.window)) >= 1.0 or now - self._first > quota.window:
            self._move(min(2.0 if low > quota.limit / 2 else 1.0, quota.limit - self.permits))

    def on_unlabelled(self, now: float, limit: int) -> None:
        """Learn from a response without rate headers, or from its loss: it was no 429, so there may be room."""
        if self._first is None:
            self._first = self._grew = now
            self.permits = float(limit)
        elif now - self._grew >= BLIND_STEP and self.permits < limit:
            self._grew = now
            self._move(1.0)

    def on_throttled(self, now: float, unused: int) -> None:
        """Learn from a 429: somebody else is there. Its permit is gone, and so are those nobody used."""
        self._seen_others = self._throttled = now
        cost = THROTTLE_COST * self.permits if now - self._cost_at >= 1.0 else 0.0
        self._cost_at = now if cost else self._cost_at
        self._move(-1.0 - max(0, unused - 1) - cost)

    def _balance(self, now: float, quota: Quota, free: float, in_flight: int, unused: int, *, fleet: float) -> None:
        """Move towards an equal part for everybody."""
        is_newcomer = fleet > MAX_FLEET
        fleet = 2.0 if is_newcomer else fleet
        extra_free = EXTRA_FREE * max(0.0, 1.0 - (now - self._throttled) / (EXTRA_FREE_WINDOWS * quota.window))
        wanted = 1.0 + FREE_PER_PERMIT * min(self.permits, MAX_FREE_SHARE * quota.limit) + extra_free
        jumping = now - self._jumped < 2.0 * quota.window
        span = quota.window if jumping else quota.window * max(RECENT, RECENT_RESPONSES / self.permits)
        low = self._low(now, free, quota.window, span)
        seen = low if jumping else min(self._free, self._low(now, free, quota.window, RECENT * quota.window))
        plenty = wanted + max(LARGE_FREE * quota.limit, min(0.8 * quota.limit, 2 * fleet * in_flight))
        if seen - (fleet - 1.0) * max(0, unused - 1) > plenty and self.permits < SMALL_PART * quota.limit / fleet:
            settled = not jumping and self._first is not None and now - self._first > 2.0 * quota.window
            self.plenty, self.catch_up = True, CATCH_UP if settled else 1.0
            return self._move(min(1.0, quota.limit - self.permits))
        self.plenty, self.catch_up = False, 1.0
        surplus = min(low, self._free) - wanted
        change = surplus * STEP / quota.limit * (1.0 + FEW / self.permits)
        change = change if is_newcomer else min(change, MAX_GAIN * abs(surplus) / fleet)
        if unused > 0:
            change = min(change, 0.0)  # who does not use what they have needs no more
        if free < LOW_FREE:
            change -= (LOW_FREE - free) * LOW_FREE_STEP
        self._move(max(-1.0, min(change, MAX_GAIN, quota.limit - self.permits)))

    def _low(self, now: float, free: float, window: float, span: float) -> float:
        value = free + self._moved
        while self._lows and self._lows[-1][1] >= value:
            self._lows.pop()
        self._lows.append((now, value))
        while self._lows[0][0] < now - window:
            self._lows.popleft()
        return next(low for when, low in self._lows if when >= now - span) - self._moved

    def _move(self, change: float) -> None:
        change = max(change, 1.0 - self.permits)
        self.permits += change
        self._moved += change
