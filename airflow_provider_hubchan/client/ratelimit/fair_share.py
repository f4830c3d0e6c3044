"""How many of an account's permits are ours, when other processes and programs use the same account and cannot be asked.

A `RateLimiter` with K permits never has more than K requests in a window (see limiter.py). So if the permits of all who share
an account sum to its limit, nobody gets a 429; what follows only moves permits between them, and may be wrong for a while. All
there is to go by is what HubSpot says on each response, so many requests *remain* of the *limit*, and our own log:

    others  limit - remaining - ours: what HubSpot has counted in the window and we did not send. Ours are those whose middle,
            half way between send and response, lies in the window before this one's middle
    fleet   1 + others / ours: how many we were if all were like us
    free    remaining, less what we have yet to send: unused permits, and requests that HubSpot counted after this one
    low     the lowest *free* lately, as if all that we gave up or took since had been so all along

A process is in one of three situations:

    new      In our first window, what others had sent before we came may be of processes that have ended. Only what they send
             from then on shows that they are there. Until it does we take what is free, a permit or two for each response,
             but leave a twentieth of the limit to those we do not know. When all our permits are used and all responses are
             here, nobody tells us what becomes free: so one request more may go after two seconds, twice as many after a
             failure (a probe).
    alone    HubSpot has counted nobody else. We grow to the limit.
    sharing  Others were seen less than one and a half windows ago, or there was a 429. Everybody wants to see a few requests
             free, the more the more permits they have, and for a while after a 429 some more:

                 wanted  = 1 + permits * FREE_PER_PERMIT + extra_free
                 permits changes by (low - wanted) * STEP / limit for each response

             All see the same *low*. Who has many permits finds it too small and gives, who has few finds it large enough and
             takes, until all have as many. And since each response moves a little, what all move together does not depend on
             how many they are, so a fleet does not oscillate. If much more is free than all can have in flight
             (CARE * fleet * in_flight), others have ended: then a permit is taken for each response, and sent soon.

Where HubSpot does not free one by one (fixed windows, buckets, a mean of two windows: *remaining* jumps, or HubSpot has counted
less than our own log), *low* is that of a whole window, and surplus is taken slowly: what we learn is a window old.

Compare botocore's `ClientRateLimiter`: there, too, each response moves a rate, but only a throttled one says that it was too
much. Here *remaining* says it before.
"""

from __future__ import annotations

import math
from collections import deque

from airflow_provider_hubchan.client.models import Quota

# What each number is for: quota used and 429s without it, 190 requests per 10 s (sixteen processes, small batches: 110).
# Small: 95th percentile of the seconds beside an exact window. Made by python -m tests.bench.ablation, three seeds.
#
#                                   four    sixteen    foreign      fixed  two wind.   stricter       lost      small
#   as it is                  0.97 0.07% 0.97 0.99% 0.95 0.31% 0.94 0.32% 0.88 0.50%  0.84 1.2% 0.92 0.92% 1.30 0.29%
#   INITIAL_PERMITS = 8        0.98 0.0%  0.96 4.0% 0.96 0.22% 0.95 0.24% 0.87 0.53%  0.84 1.2%  0.93 2.0%  1.36 1.2%
#   FREE_PER_PERMIT = 0       0.98 0.14%  0.96 1.9% 0.96 0.28% 0.93 0.74% 0.92 0.69%  0.83 1.6%  0.93 1.0% 1.38 0.52%
#   STEP = inf                 0.96 0.0% 0.95 0.72% 0.94 0.06%  0.85 1.2% 0.81 0.30% 0.81 0.88% 0.91 0.70% 1.29 0.20%
#   MAX_GAIN = inf            0.97 0.05%  0.94 4.2% 0.96 0.18% 0.95 0.26% 0.89 0.49%  0.85 1.3% 0.93 0.97% 1.31 0.31%
#   EXTRA_FREE = 0            0.98 0.14%  0.96 4.3% 0.97 0.69% 0.98 0.45%  0.93 1.0%  0.86 4.9%  0.92 1.1% 1.35 0.29%
#   EXTRA_FREE_WINDOWS = 1.5  0.97 0.02%  0.97 1.5% 0.96 0.26% 0.94 0.71% 0.86 0.62%  0.85 1.7% 0.92 0.97% 1.28 0.30%
#   MEMORY = 1                0.97 0.07%  0.97 1.1% 0.95 0.31%  0.94 1.0% 0.89 0.50%  0.84 1.2%  0.92 1.0% 1.31 0.27%
#   JUMP = inf                0.97 0.07%  0.97 1.1% 0.95 0.24%  1.00 5.9% 0.86 0.50%  0.85 1.6% 0.93 0.94% 1.32 0.26%
#   RECENT = 0.05             0.98 0.02%  0.96 1.7% 0.96 0.22% 0.97 0.02% 0.93 0.48%  0.85 1.2%  0.94 1.0% 1.47 0.37%
#   CARE = 0                  0.96 0.71% 0.94 11.6% 0.95 0.95% 0.92 0.64%  0.85 1.5%  0.82 2.4%  0.93 1.1% 1.42 0.42%
#   SPREAD = 100              0.98 0.69%  0.98 4.7% 0.98 0.68% 0.97 0.47%  0.74 3.1%  0.78 2.4% 0.96 0.57% 1.20 0.20%
#   CATCH_UP = 1.1             0.97 0.0%  0.96 1.1% 0.95 0.19% 0.92 0.50% 0.95 0.15% 0.85 0.62% 0.89 0.50% 1.87 0.23%
#
#: Permits before the first response has told the limit: sixteen processes that start together must not pass it.
INITIAL_PERMITS = 2
#: Free requests that a process wants to see for each permit that it has, and the part of the limit that a new one leaves to
#: others of whom it does not know whether they have ended.
FREE_PER_PERMIT = 0.05
#: How much of a lack or surplus all responses of one window make up for, in windows: more oscillates, less is slow.
STEP = 12.0
#: Part of a surplus or lack that all processes together make up for between two responses of one of them.
MAX_GAIN = 0.3
#: Free requests that are wanted besides after a 429, which fade over so many windows.
EXTRA_FREE, EXTRA_FREE_WINDOWS = 16.0, 4.0
#: Windows for which others and jumps are remembered: a little more than the one in which they show again if they are still
#: there. A process is young for as long: a batch that ends by then need not be spread.
MEMORY = 1.5
#: Part of the limit by which *remaining* rises at once, or HubSpot's count falls short of ours, if it does not free one by one.
JUMP = 0.05
#: What counts as lately, in windows; a process that has heard nothing for so long may send a probe.
RECENT = 0.2
#: How many times what all have in flight must be free before others are taken to have ended.
CARE = 3.0
#: How many times faster than permits come back requests may go: as a rule, and when others have ended.
SPREAD, CATCH_UP = 1.1, 10.0


class FairShare:
    """The permits that one process has of one account. Not safe for threads: `RateLimiter` has the lock.

    :ivar permits: how many, a fraction included; at least 1, so that nobody starves.
    :ivar speed_up: how many times faster than permits come back requests may go; infinite if they need not be spread.
    """

    def __init__(self) -> None:
        self._begin(INITIAL_PERMITS)

    def reset(self) -> None:
        """Begin anew: what was learned is older than a window. With one request if the last word was a 429."""
        was_throttled = self._throttled > -math.inf and self._throttled >= self._last
        self._begin(1 if was_throttled else INITIAL_PERMITS)

    def _begin(self, permits: int) -> None:
        self.permits = float(permits)
        self.speed_up = math.inf
        self._first: float | None = None  # when the first response came
        self._last = -math.inf  # when the last one with headers came
        self._ours: deque[float] = deque()  # middles
        self._before = math.inf  # the fewest requests of others that HubSpot had counted, in our first window
        self._others = 0.0  # smoothed
        self._free, self._remaining = 0.0, math.inf  # after the last response
        self._seen_others = self._throttled = self._jumped = self._probed = -math.inf  # when, at last
        self._failed_probes = 0  # in a row
        self._moved = 0.0  # all permits taken less all given up
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
        remaining = quota.remaining or 0
        self._free = remaining - unused - min(in_flight, later)
        self._failed_probes = 0 if self._free >= 1.0 else self._failed_probes
        self._note_low(now, quota.window)
        self._ours.append(middle)
        while self._ours[0] <= middle - quota.window:
            self._ours.popleft()
        others = quota.limit - remaining - len(self._ours)
        is_new = now - self._first < quota.window
        new_of_others = self._watch_new(others, in_flight) if is_new else self._watch(now, quota, others, in_flight)
        if self._others >= 1.0:
            self._seen_others = now
        self._last, self._remaining = now, remaining

        if not self._is_alone(now, quota.window):
            return self._share(now, quota, in_flight, unused, fleet=1.0 + max(0.0, new_of_others) / len(self._ours))
        self.speed_up = math.inf if self._is_young(now, quota.window) else SPREAD
        wanted = 1.0 + self._extra_free(now, quota.window)
        if is_new:
            wanted = 1.0 + in_flight + (FREE_PER_PERMIT * quota.limit if others >= 1 else 0.0)
        if self._free >= wanted:
            self._move(min(2.0 if self._free > quota.limit / 2 else 1.0, quota.limit - self.permits))

    def on_unlabelled(self, now: float, limit: int, window: float) -> None:
        """Learn from a response without rate headers, or from its loss: it was no 429, so there may be room.

        The first one allows all of the limit. Later ones bring a permit each while we are alone and the last headers have left
        room; and one in a while if there were no headers in this window.
        """
        if self._first is None:
            self._first = self._probed = now
            self.permits = float(limit)
        is_alone = self._is_alone(now, window)
        self.speed_up = math.inf if is_alone and self._is_young(now, window) else SPREAD
        is_due = now - self._last > window and now - self._probed >= 2.0 * RECENT * window
        if self.permits < limit and (is_due or (is_alone and self._free >= 1.0)):
            self._probed = now
            self._free -= 1.0
            self._move(1.0)

    def on_throttled(self, now: float, unused: int) -> None:
        """Learn from a 429: somebody else is there. Its permit is gone, and so are those nobody used."""
        self._seen_others = self._throttled = now
        self._move(-1.0 - max(0, unused - 1))

    def probe(self, now: float, limit: int, window: float) -> float:
        """All permits are used and no request is in flight: take one more permit if we have heard nothing for a while.

        Only while young: later a process has a permit coming back soon, and the probes of many would be 429s.

        :return: seconds until one may be taken, 0 if it was, infinite for never.
        """
        knows_of_none = self._free < 1.0 + FREE_PER_PERMIT * self.permits and not self._is_alone(now, window)
        if not self._is_young(now, window) or self.permits >= limit or knows_of_none:
            return math.inf
        due = max(self._last, self._probed) + RECENT * window * 2.0**self._failed_probes
        if now < due:
            return due - now
        self._probed = now
        self._failed_probes += self._free < 1.0
        self._free -= 1.0
        self._move(1.0)
        return 0.0

    def _is_young(self, now: float, window: float) -> bool:
        return self._first is not None and now - self._first < MEMORY * window

    def _is_alone(self, now: float, window: float) -> bool:
        return now - self._seen_others >= MEMORY * window

    def _watch_new(self, others: int, in_flight: int) -> float:
        """In our first window: how many requests others have made since we came, at least.

        Of our requests in flight nobody knows which are counted already.
        """
        self._before = max(0, min(self._before, others + in_flight))  # responses that come out of order look like fewer
        self._others = others - in_flight - self._before
        return self._others

    def _watch(self, now: float, quota: Quota, others: int, in_flight: int) -> float:
        """After our first window: how many requests others have made in this one; and how HubSpot counts."""
        passed = now - self._last
        self._others += (others - self._others) * (1.0 - math.exp(-passed / (RECENT * quota.window)))
        rise = (quota.remaining or 0) - self._remaining
        # A burst of as much as the limit in a second grows old as fast.
        if rise >= (JUMP + passed) * quota.limit or others < -JUMP * quota.limit - in_flight:
            self._jumped = now
        elif others <= 0 and not self._is_jumping(now, quota.window) and now - self._throttled > RECENT * quota.window:
            self._seen_others = -math.inf  # nobody else in a whole window
        return others

    def _is_jumping(self, now: float, window: float) -> bool:
        return now - self._jumped < MEMORY * window

    def _extra_free(self, now: float, window: float) -> float:
        return EXTRA_FREE * max(0.0, 1.0 - (now - self._throttled) / (EXTRA_FREE_WINDOWS * window))

    def _share(self, now: float, quota: Quota, in_flight: int, unused: int, *, fleet: float) -> None:
        """Move towards an equal part for everybody."""
        wanted = 1.0 + FREE_PER_PERMIT * self.permits + self._extra_free(now, quota.window)
        is_jumping = self._is_jumping(now, quota.window)
        surplus = self._low(now - quota.window * (1.0 if is_jumping else RECENT)) - wanted
        # Whoever is like us will send what they have not used yet, as we do.
        if not is_jumping and surplus >= CARE * fleet * (in_flight + 1) + (fleet - 1.0) * max(0, unused - 1):
            self.speed_up = CATCH_UP
            return self._move(min(1.0, quota.limit - self.permits))
        self.speed_up = SPREAD
        if surplus > 0.0:
            # What jumps tell is a window old; and who does not use what they have needs no more.
            surplus *= 0.0 if unused > 0 else RECENT if is_jumping else 1.0
        change = min(surplus * STEP / quota.limit, MAX_GAIN * abs(surplus) / (fleet * max(1, in_flight)))
        self._move(max(-1.0, min(change, quota.limit - self.permits)))

    def _note_low(self, now: float, window: float) -> None:
        value = self._free + self._moved
        while self._lows and self._lows[-1][1] >= value:
            self._lows.pop()
        self._lows.append((now, value))
        while self._lows[0][0] < now - window:
            self._lows.popleft()

    def _low(self, since: float) -> float:
        return next(low for when, low in self._lows if when >= since) - self._moved

    def _move(self, change: float) -> None:
        change = max(change, 1.0 - self.permits)
        self.permits += change
        self._moved += change
