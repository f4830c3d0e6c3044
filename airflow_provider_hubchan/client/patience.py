"""How often and how long to try again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounded on every side: by tries, by the length of one pause, and by what the server may ask for.

    :param tries: requests for one row that may end in a fault (5xx, 423, timeout, reset) before it is *unresolved*.
    :param throttles: burst 429s for one row before it is *unresolved*. Many, because each is waited out by the whole account.
    :param first: seconds before the second try; doubled for each further one.
    :param longest: seconds of the longest pause a worker sits out. HubSpot asking for more ends the batch with its time.
    :param streak: rows in a row that may end *unresolved* after faults before the batch ends: a server that is down
        is not asked ten thousand times.
    """

    tries: int = 5
    throttles: int = 30
    first: float = 1.0
    longest: float = 60.0
    streak: int = 20

    def pause(self, attempt: int, asked: float | None, spread: float) -> float:
        """Seconds to wait after a fault.

        :param attempt: 1 after the first try.
        :param asked: seconds from ``Retry-After`` or from HubSpot's rule for the status, None if there is neither.
        :param spread: a random number in [0, 1): retries of many rows must not come back in step.
        :return: between half and all of ``first * 2 ** (attempt - 1)``, at most *longest*; and never less than *asked*.
        """
        own = min(self.longest, self.first * 2.0 ** (attempt - 1)) * (0.5 + spread / 2)
        return own if asked is None else max(own, asked + self.first * spread / 2)
