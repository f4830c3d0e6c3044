"""How many of an account's tickets are ours, when other processes and programs use the same account and say nothing to us.

A `Pace` with K tickets never has more than K requests in a window (see pace.py). So if the tickets of all who share an account
sum to its limit, nobody gets a 429; what follows only moves tickets between them, and is free to be wrong for a while. All
there is to go by are HubSpot's words on each reply, so many requests *remain* of the *limit*, and our own log:

    used    limit - remaining: what HubSpot has counted in the window, from everybody
    ours    how many of our own requests it had counted by then: those whose middle, half way between send and reply, lies in
            the window before this one's middle
    others  used - ours, smoothed: at least one of them means that we are not alone (believed for two windows)
    fleet   used / ours: how many there were if all were like us
    free    remaining, less what we have yet to send: unused tickets, and requests HubSpot counted after this one
    low     the lowest *free* lately, as if all that we gave up or took since had been so all along. Lately is an eighth
            of the window and at least our last seven replies; the whole window if *remaining* leaps, as it does when HubSpot
            frees many requests at once (a server that counts in fixed windows or buckets, a burst growing old)

Alone, we grow to the limit. Sharing, everybody wants to see a few requests free, the more the more tickets they have, and for
a while after a 429 some more:

    wanted  = 1 + tickets * MODESTY + care
    tickets changes by (low - wanted) * STEP / limit for each reply, a little faster for those who have very few

All see the same *low*. Who has many finds it too small and gives, who has few finds it large enough and takes, until all have
as many: that is what makes late starters equal. And since each reply moves a little, what all move together does not depend
on how many they are, so a fleet does not sway. The numbers below were found by simulation, against servers that count in six
ways: tests/properties/test_fair_share.py.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

#: Tickets before the first reply has told the limit: sixteen processes that start together must not pass it.
FIRST = 2
#: Free requests that we want to see for each ticket of ours, beside the one that everybody leaves; and the part of the limit
#: above which more tickets make us no more modest.
MODESTY, HALF = 0.05, 0.6
#: How much of a lack or surplus all replies of one window make up for, in windows: more sways, less is slow.
STEP = 12.0
#: Below so many tickets, changes are larger: who asks rarely hears rarely.
FEW = 6.0
#: Tickets taken for one reply at most: those who see the same surplus must not all take the whole. A part of the limit that is
#: BIG is taken by whole tickets.
BITE, BIG = 0.6, 0.125
#: Free requests below which tickets are given up faster, and how many for each reply and each one that is lacking.
EDGE, PULL = 3.0, 0.1
#: A larger fleet than we believe in: so small a part of the traffic is ours because we have only begun.
CROWD = 20.0
#: Requests that others must have made before we believe in them, on an average of so many seconds.
COMPANY, AVERAGED = 1.2, 2.0
#: Part of the limit by which *remaining* rises from one reply to the next when HubSpot does not free one by one; and what it
#: may rise besides in each window that has passed, for the requests of others who have ended grow old one by one.
LEAP, ENDED = 0.08, 0.7
#: What counts as lately, in windows, if *remaining* does not leap; and in replies.
LATELY, REPLIES = 0.12, 7
#: Part of our tickets that a 429 costs, at most once in a second; and the care it brings, which fades over so many windows.
FINE, CARE, HEALED = 0.03, 3.0, 4.0
#: Part of the limit that is plenty when it is free: others have ended. It is for those with less than so much of an equal part.
PLENTY, POOR = 1 / 6, 0.87
#: How much faster those send who have few tickets, then: a ticket that waits for its turn brings no reply, and no further one.
HASTE = 4.0
#: Seconds in which a ticket comes back where HubSpot tells no limit, and only a 429 says that there are too many.
BLIND = 2.0


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


class Claim:
    """The tickets that one process holds of one account. Not safe for threads: `Pace` has the lock.

    :param tickets: how many, a fraction included; at least 1, so that nobody starves.
    :param hurried: True while there is so much room that requests need not be spread over the window.
    :param haste: how much faster requests that are spread may go, 1 as a rule.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin anew: what was known is older than a window."""
        self.tickets = float(FIRST)
        self.hurried = True
        self.haste = 1.0
        self._first: float | None = None  # when the first reply came
        self._ours: deque[float] = deque()  # middles
        self._others = self._free = 0.0
        self._seen_others = self._leapt = self._refused = self._fined = self._grew = self._last = -math.inf
        self._moved = 0.0  # all tickets taken less all given up
        self._remaining: int | None = None
        self._lows: deque[tuple[float, float]] = deque()  # (when, free + moved), rising: the lowest since each time

    def told(self, now: float, quota: Quota, *, middle: float, later: int, in_flight: int, unused: int) -> None:
        """Learn from a reply with headers.

        :param middle: half way between the send of the request and *now*, in seconds like *now*.
        :param later: how many requests we sent after it.
        :param in_flight: requests of ours that have no reply yet.
        :param unused: tickets that could send at once.
        """
        self.tickets = min(self.tickets, float(quota.limit))
        self._first = now if self._first is None else self._first
        passed, self._last = now - self._last, now
        remaining = quota.remaining or 0
        if self._remaining is not None and remaining - self._remaining >= (LEAP + ENDED * passed / quota.window) * quota.limit:
            self._leapt = now
        self._remaining = remaining

        self._ours.append(middle)
        while self._ours[0] <= middle - quota.window:
            self._ours.popleft()
        used = quota.limit - remaining
        self._look_for_others(now, passed, used - len(self._ours), in_flight, quota.window)

        free = remaining - unused - min(in_flight, later)
        self._free += (free - self._free) * (1.0 - math.exp(-2.0 * passed)) if passed < 1.0 else free - self._free
        if now - self._seen_others < 2.0 * quota.window:
            self._share(now, quota, free, in_flight, unused, fleet=max(1.0, used / len(self._ours)))
        elif (low := self._low(now, free, quota.window, quota.window)) >= 1.0 or now - self._first > quota.window:
            self._move(min(2.0 if low > quota.limit / 2 else 1.0, quota.limit - self.tickets))

    def untold(self, now: float, limit: int) -> None:
        """Learn from a reply without headers, or from its loss: no 429, so there may be room."""
        if self._first is None:
            self._first = self._grew = now
            self.tickets = float(limit)
        elif now - self._grew >= BLIND and self.tickets < limit:
            self._grew = now
            self._move(1.0)

    def refused(self, now: float, unused: int) -> None:
        """Learn from a 429: somebody else is there. Its ticket is gone, and so are those nobody used."""
        self._seen_others = self._refused = now
        fine = FINE * self.tickets if now - self._fined >= 1.0 else 0.0
        self._fined = now if fine else self._fined
        self._move(-1.0 - max(0, unused - 1) - fine)

    def _look_for_others(self, now: float, passed: float, others: float, in_flight: int, window: float) -> None:
        assert self._first is not None
        if now - self._first < window:  # only what is beyond doubt: many requests are in flight, and counted or not
            self._others = others - in_flight
            enough = 1.0
        else:
            self._others += (others - self._others) * (1.0 - math.exp(-min(1.0, passed) / AVERAGED))
            enough = COMPANY
        if self._others >= enough:
            self._seen_others = now

    def _share(self, now: float, quota: Quota, free: float, in_flight: int, unused: int, *, fleet: float) -> None:
        newcomer = fleet > CROWD
        fleet = 2.0 if newcomer else fleet
        care = CARE * max(0.0, 1.0 - (now - self._refused) / (HEALED * quota.window))
        wanted = 1.0 + MODESTY * min(self.tickets, HALF * quota.limit) + care
        leaping = now - self._leapt < 2.0 * quota.window
        span = quota.window if leaping else quota.window * max(LATELY, REPLIES / self.tickets)
        low = self._low(now, free, quota.window, span)
        seen = low if leaping else min(self._free, self._low(now, free, quota.window, LATELY * quota.window))
        plenty = wanted + max(PLENTY * quota.limit, min(0.8 * quota.limit, 2 * fleet * in_flight))
        settled = not leaping and self._first is not None and now - self._first > 2.0 * quota.window
        if seen - (fleet - 1.0) * max(0, unused - 1) > plenty and self.tickets < POOR * quota.limit / fleet:
            self.hurried, self.haste = True, HASTE if settled else 1.0
            return self._move(min(1.0, quota.limit - self.tickets))
        self.hurried = False
        self.haste = HASTE if settled and low - wanted > BIG * quota.limit and self.tickets < quota.limit / 2 else 1.0
        surplus = min(low, self._free) - wanted
        change = surplus * STEP / quota.limit * (1.0 + FEW / self.tickets)
        change = change if newcomer else min(change, BITE * abs(surplus) / fleet)
        if unused > 0:
            change = min(change, 0.0)  # who does not use what they have needs no more
        if free < EDGE:
            change -= (EDGE - free) * PULL
        bite = 1.0 if surplus > BIG * quota.limit else BITE
        self._move(max(-1.0, min(change, bite, quota.limit - self.tickets)))

    def _low(self, now: float, free: float, window: float, span: float) -> float:
        value = free + self._moved
        while self._lows and self._lows[-1][1] >= value:
            self._lows.pop()
        self._lows.append((now, value))
        while self._lows[0][0] < now - window:
            self._lows.popleft()
        return next(low for when, low in self._lows if when >= now - span) - self._moved

    def _move(self, change: float) -> None:
        change = max(change, 1.0 - self.tickets)
        self.tickets += change
        self._moved += change
