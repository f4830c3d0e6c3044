"""Wakes what waits for a time of the emulator's clock, which may be stopped, sped up, and moved meanwhile."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from airflow_provider_hubchan.emulator.model.clock import Clock

#: Seconds between two looks at the clock.
TICK = 0.02


class ClockTimer:
    """One look at the clock serves all that wait: ten thousand webhooks may wait for their next try. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()  # futures have no order
        self._is_ticking = False

    async def sleep_until(self, due_at: float) -> None:
        """Wait for a time of the clock.

        :param due_at: seconds since the epoch.
        """
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (due_at, next(self._numbers), woken))
        if not self._is_ticking:
            self._tick()
        await woken

    def _tick(self) -> None:
        now = self._clock.now()
        while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][2].done()):
            _, _, woken = heapq.heappop(self._waiting)
            if not woken.done():  # as it is if its task was cancelled
                woken.set_result(None)
        self._is_ticking = bool(self._waiting)
        if self._is_ticking:
            asyncio.get_running_loop().call_later(TICK, self._tick)
