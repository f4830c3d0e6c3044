"""Time that only goes forward, whatever the clock does."""

from __future__ import annotations

#: Seconds by which a clock may seem to go back because threads read it in one order and speak in another.
DISORDER = 1.0


class Steady:
    """The seconds since the first reading. A clock that is set back stops this time for a moment, no more."""

    def __init__(self) -> None:
        self._clock: float | None = None
        self._time = 0.0

    def at(self, clock: float) -> float:
        """The time at a reading of the clock, in seconds; never less than at the reading before."""
        passed = 0.0 if self._clock is None else clock - self._clock
        if self._clock is None or passed > 0.0 or passed < -DISORDER:
            self._clock = clock
        self._time += max(0.0, passed)
        return self._time
