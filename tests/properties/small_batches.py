"""Small batches in a row: processes that come, send a few rows and end, beside one that knows HubSpot's window exactly."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from tests.properties.simulation import WINDOW, Case, Rolling, World, ours

Make = Callable[[World, int, list[int]], Callable[[], Coroutine[Any, Any, None]]]


@dataclass(frozen=True)
class Batches:
    """Processes that each send one batch.

    :param limit: requests per 10 seconds.
    :param load: rows of all batches as a part of the quota.
    :param sizes: rows of a batch, from and to; all numbers in between are equally likely.
    :param count: how many batches.
    :param in_flight: requests of one process at a time.
    """

    limit: int = 110
    load: float = 0.5
    sizes: tuple[int, int] = (20, 200)
    count: int = 100
    in_flight: int = 16
    latency: float = 0.15


@dataclass(frozen=True)
class Played:
    """What came of a run.

    :param seconds: how long each batch took, in the order of their starts.
    :param rate_limited: 429s as a part of all requests.
    """

    seconds: list[float]
    rate_limited: float

    @property
    def p95(self) -> float:
        """Seconds within which 95 of 100 batches were done."""
        return sorted(self.seconds)[int(0.95 * len(self.seconds))]


def play(starts: Sequence[tuple[float, int]], make: Make, seed: int = 0, batches: Batches = Batches()) -> Played:
    """Let batches start at given seconds, with so many rows each."""
    case = Case(clients=len(starts), limit=batches.limit, in_flight=batches.in_flight, latency=batches.latency)
    world, left, seconds = World(case, seed), [rows for _, rows in starts], [0.0] * len(starts)

    async def batch(client: int, after: float) -> None:
        await asyncio.sleep(after)
        work = make(world, client, left)
        await asyncio.gather(*[work() for _ in range(min(case.in_flight, left[client]))])
        seconds[client] = world.loop.time() - after

    async def all_batches() -> None:
        await asyncio.gather(*[batch(client, after) for client, (after, _) in enumerate(starts)])

    world.loop.run_until_complete(all_batches())
    world.loop.close()
    return Played(seconds, world.refused / (world.refused + sum(map(len, world.accepted))))


def poisson(batches: Batches, seed: int) -> list[tuple[float, int]]:
    """Starts at random times, and rows."""
    chance = random.Random(seed)
    apart = sum(batches.sizes) / 2 / (batches.load * batches.limit / WINDOW)
    starts, now = [], 0.0
    for _ in range(batches.count):
        starts.append((now, chance.randint(*batches.sizes)))
        now += chance.expovariate(1 / apart)
    return starts


class ExactWindow:
    """One limiter for all batches, which knows what the server has counted and what is on its way there."""

    def __init__(self, world: World) -> None:
        assert isinstance(world.server, Rolling)
        self._server, self._world, self._on_the_way = world.server, world, 0
        self._queue = deque[asyncio.Future[None]]()

    async def request(self, client: int) -> None:
        """Wait for a place in the window, in the order of asking, and send."""
        times, limit, loop = self._server.times, self._world.case.limit, self._world.loop
        turn = loop.create_future()
        self._queue.append(turn)
        if self._queue[0] is not turn:
            await turn
        while True:
            while times and times[0] <= loop.time() - WINDOW:
                times.popleft()
            if len(times) + self._on_the_way < limit:
                break
            await asyncio.sleep(max(1e-3, times[0] + WINDOW - loop.time()) if times else 0.01)
        self._queue.popleft()
        if self._queue:
            self._queue[0].set_result(None)
        self._on_the_way += 1
        accepted, _ = await self._world.request(client, self._arrived)
        assert accepted, "the window was not known exactly"

    def _arrived(self) -> None:
        self._on_the_way -= 1


def exact() -> Make:
    """A process that shares one exact window with all others of the run."""
    windows = dict[int, ExactWindow]()

    def make(world: World, client: int, left: list[int]) -> Callable[[], Coroutine[Any, Any, None]]:
        window = windows.setdefault(id(world), ExactWindow(world))

        async def work() -> None:
            while left[client] > 0:
                left[client] -= 1
                await window.request(client)

        return work

    return make


def compare(batches: Batches, seed: int) -> tuple[Played, Played]:
    """The same batches with our limiter in each, and with one exact window."""
    starts = poisson(batches, seed)
    return play(starts, ours, seed, batches), play(starts, exact(), seed, batches)
