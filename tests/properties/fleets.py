"""Batches whose workers come and go, in virtual time: what the rest of the fleet makes of the quota."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.properties.simulation import WINDOW, Case, World, ours


def ending_half(clients: int, seed: int, *, limit: int = 190, cut: float = 150.0, after: float = 30.0) -> float:
    """Half of the processes end at once: the part of the quota that the others use in the *after* seconds that follow."""

    def some(world: World, client: int) -> Callable[[], Coroutine[Any, Any, None]]:
        work = ours(world, client)

        async def until_the_cut() -> None:
            ending = asyncio.create_task(work())
            await asyncio.sleep(cut - world.loop.time())
            ending.cancel()

        return until_the_cut if client < clients // 2 else work

    world = World(Case(clients=clients, limit=limit, seconds=cut + after), seed)
    world.run(some)
    return sum(at >= cut for times in world.accepted for at in times) / (world.case.limit * after / WINDOW)


def losing_a_worker(seed: int, apart: tuple[float, float]) -> tuple[float, float]:
    """Eight batches of 500 rows; after 1000 rows half of them are killed, and come back half a minute later.

    :param apart: seconds between two starts, from and to.
    :return: the part of the quota used from the first window to the last row, 429s as a part of all requests.
    """
    batches, rows, early = 8, 500, 1000
    world = World(Case(clients=batches, latency=0.02), seed)
    left = [rows] * batches

    async def batch(client: int, after: float) -> None:
        await asyncio.sleep(after)
        work = ours(world, client, left)
        await asyncio.gather(*[work() for _ in range(world.case.in_flight)])

    async def lose_a_worker() -> None:
        starts = [world.chance.uniform(*apart) * client for client in range(batches)]
        running = [asyncio.create_task(batch(client, after)) for client, after in enumerate(starts)]
        while sum(left) > batches * rows - early:
            await asyncio.sleep(0.5)
        for client in world.chance.sample(range(batches), batches // 2):
            running[client].cancel()
            running[client] = asyncio.create_task(batch(client, world.chance.uniform(33.0, 45.0)))
        await asyncio.gather(*running)

    world.loop.run_until_complete(lose_a_worker())
    world.loop.close()
    times = sorted(at for each in world.accepted for at in each)
    begin = times[0] + WINDOW
    used = sum(at >= begin for at in times) / (world.case.limit * (times[-1] - begin) / WINDOW)
    return used, world.refused / (world.refused + len(times))
