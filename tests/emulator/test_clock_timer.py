"""Waiting for times of the emulator's clock, with a clock that is a number."""

from __future__ import annotations

import asyncio

from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.model.clock_timer import ClockTimer


class CountedClock(Clock):
    """Stands at 100 until it is moved, and counts how often somebody looks at it."""

    def __init__(self) -> None:
        self.looks = 0
        super().__init__(lambda: 0.0, at=100.0)

    def now(self) -> float:
        self.looks += 1
        return super().now()

    async def looked_at(self, times: int) -> None:
        """Wait until somebody has looked so often."""
        wanted = self.looks + times
        while self.looks < wanted:
            await asyncio.sleep(0)


async def _awake(clock: CountedClock, dues: list[float], moves: list[float]) -> list[list[float]]:
    """Which of those that wait are awake after each move of the clock, in the order in which they woke."""
    timer, awake, seen = ClockTimer(clock), list[float](), []

    async def wait(due_at: float) -> None:
        await timer.sleep_until(due_at)
        awake.append(due_at)

    tasks = [asyncio.ensure_future(wait(due_at)) for due_at in dues]
    for seconds in moves:
        clock.advance(seconds)
        await clock.looked_at(3)
        seen.append(list(awake))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


def test_each_wakes_when_its_time_has_come() -> None:
    """Not before, and in the order of the times, whatever order they came in."""
    seen = asyncio.run(_awake(CountedClock(), [300.0, 200.0, 99.0, 250.0], [0.0, 99.0, 2.0, 60.0]))
    assert seen == [[99.0], [99.0], [99.0, 200.0], [99.0, 200.0, 250.0]]


def test_one_look_at_the_clock_serves_all() -> None:
    """Else ten thousand webhooks that wait for their next try would keep a core busy."""
    clock = CountedClock()
    assert asyncio.run(_awake(clock, [200.0] * 5000, [0.0, 0.0])) == [[], []]
    assert clock.looks < 50


async def _after_what_was_broken_off() -> bool:
    clock = CountedClock()
    timer = ClockTimer(clock)
    task = asyncio.ensure_future(timer.sleep_until(200.0))
    await clock.looked_at(1)
    task.cancel()
    await clock.looked_at(1)
    again = asyncio.ensure_future(timer.sleep_until(150.0))
    clock.advance(50)
    await asyncio.wait_for(again, 30)
    return task.cancelled()


def test_what_was_broken_off_holds_up_nothing() -> None:
    """Those that come after it wake all the same."""
    assert asyncio.run(_after_what_was_broken_off())
