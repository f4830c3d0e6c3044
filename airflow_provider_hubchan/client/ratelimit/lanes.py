"""Who uses an account's pace: those who may use all of it, and those who are bounded, as a sensor beside an operator is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: How much faster requests may go than tickets come back.
SPREAD = 1.1


class Lane:
    """All of one process who use an account's tickets in the same way.

    :param share: part of the tickets that may be used, in (0, 1].
    :param ceiling: requests per 10 seconds that may be used, None for no such bound.
    """

    def __init__(self, share: float, ceiling: float | None) -> None:
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share is {share!r}: give a part of the account's quota, above 0 and at most 1")
        self.share, self.ceiling = share, ceiling
        self.busy = 0  # tickets in flight or cooling
        self.next = -math.inf  # when it may send again, if it has a ticket
        self.wants_until = -math.inf  # somebody was told that there is no ticket, and will have asked again by then

    def bound(self, tickets: int, window: float) -> int:
        """How many of *tickets* this lane may keep busy, at least 1."""
        ceiling = math.inf if self.ceiling is None else self.ceiling * window / 10.0
        return max(1, int(min(tickets * self.share, ceiling)))

    def spread(self, now: float, tickets: float, window: float) -> None:
        """Note a send: the next comes a tenth sooner than an even spread would have it, after a pause even sooner."""
        part = min(tickets, float(self.bound(int(tickets), window)))
        self.next = max(self.next, now - window / 10) + window / (SPREAD * part)

    def must_yield(self, others: Iterable[Lane], now: float, unused: int, tickets: int, window: float) -> bool:
        """True if the tickets that are left are somebody else's.

        Lanes with a share come first, until they have it: so nobody can starve them, and they can starve nobody.
        """
        waiting = (lane.share < 1.0 and now < lane.wants_until and lane.busy < lane.bound(tickets, window) for lane in others)
        return self.share == 1.0 and unused <= sum(waiting)


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """The right to send one request now.

    :param sent: now, in seconds of the pace's own time.
    :param number: how many were taken until then.
    """

    lane: Lane
    sent: float
    number: int
