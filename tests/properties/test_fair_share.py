"""How much of a quota the limiter uses, alone and among others, against servers that count in six ways, in simulated runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.properties.simulation import Buckets, Case, Rolling, TokenBucket, TwoWindows, World, fixed, median, ours, stricter

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("case", "used", "rate_limited"),
    [
        pytest.param(Case(), 0.98, 0.0, id="one process"),
        pytest.param(Case(limit=110), 0.98, 0.0, id="one process, 110"),
        pytest.param(Case(latency=0.5, in_flight=16), 0.92, 0.0, id="one process, half a second away"),
        pytest.param(Case(clients=4), 0.96, 0.002, id="four processes"),
        pytest.param(Case(clients=4, limit=110), 0.96, 0.002, id="four processes, 110"),
        pytest.param(Case(foreign=0.3), 0.95, 0.004, id="one process, a foreign program"),
        pytest.param(Case(clients=4, foreign=0.3), 0.95, 0.004, id="four processes, a foreign program"),
        pytest.param(Case(clients=16, limit=110), 0.90, 0.01, id="sixteen processes, 110"),
        pytest.param(Case(server=fixed), 0.88, 0.013, id="fixed windows, one"),
        pytest.param(Case(clients=4, server=fixed), 0.88, 0.013, id="fixed windows, four"),
        pytest.param(Case(server=Buckets), 0.88, 0.013, id="buckets of a second, one"),
        pytest.param(Case(clients=4, server=Buckets), 0.88, 0.013, id="buckets of a second, four"),
        pytest.param(Case(server=TwoWindows), 0.86, 0.013, id="two windows, one"),
        pytest.param(Case(clients=4, server=TwoWindows), 0.88, 0.013, id="two windows, four"),
        pytest.param(Case(server=TokenBucket), 0.88, 0.013, id="a token bucket, one"),
        pytest.param(Case(clients=4, server=TokenBucket), 0.88, 0.013, id="a token bucket, four"),
        pytest.param(Case(server=stricter), 0.80, 0.01, id="stricter than documented, one"),
        pytest.param(Case(clients=4, server=stricter), 0.80, 0.012, id="stricter than documented, four"),
        pytest.param(
            Case(clients=4, server=lambda limit: Rolling(limit, refused_count=True)), 0.96, 0.002, id="refused ones count"
        ),
        pytest.param(Case(headers=False, limit=100), 0.98, 0.0, id="no headers, one"),
        pytest.param(Case(clients=4, headers=False), 0.90, 0.04, id="no headers, four"),
    ],
)
def test_the_quota_is_used_and_not_passed(case: Case, used: float, rate_limited: float) -> None:
    """Accepted requests as a part of what others leave, after the first window; 429s as a part of all requests."""
    result = median(case)
    assert result.used >= used
    assert result.rate_limited <= rate_limited


@pytest.mark.parametrize(("apart", "fairness"), [(0.0, 0.98), (20.0, 0.9)])
def test_workers_become_equal(apart: float, fairness: float) -> None:
    """Four processes that know nothing of each other get as much each, those that came late within a minute."""
    assert median(Case(clients=4, apart=apart, seconds=360.0)).fairness >= fairness


@pytest.mark.parametrize(
    ("clients", "used"),
    [
        pytest.param(4, 0.85, id="two of four"),
        pytest.param(8, 0.88, id="four of eight"),
        pytest.param(16, 0.90, id="eight of 16"),
    ],
)
def test_what_others_leave_is_taken_over(clients: int, used: float) -> None:
    """When half of the processes end at once, the others use nearly all of the quota in the half minute that follows."""
    cut, after = 150.0, 30.0

    def some(world: World, client: int) -> Callable[[], Coroutine[Any, Any, None]]:
        work = ours(world, client)

        async def until_the_cut() -> None:
            ending = asyncio.create_task(work())
            await asyncio.sleep(cut - world.loop.time())
            ending.cancel()

        return until_the_cut if client < clients // 2 else work

    def taken(seed: int) -> float:
        world = World(Case(clients=clients, seconds=cut + after), seed)
        world.run(some)
        return sum(at >= cut for times in world.accepted for at in times) / (world.case.limit * after / 10.0)

    assert sorted(map(taken, range(5)))[2] >= used


def test_a_lost_worker_costs_less_than_a_tenth_of_the_quota() -> None:
    """Eight batches that began one after the other; half of them are killed, and come back half a minute later."""
    batches, rows, early = 8, 500, 1000

    def used(seed: int) -> float:
        world = World(Case(clients=batches, latency=0.02), seed)
        left = [rows] * batches

        async def batch(client: int, after: float) -> None:
            await asyncio.sleep(after)
            work = ours(world, client, left)
            await asyncio.gather(*[work() for _ in range(world.case.in_flight)])

        async def lose_a_worker() -> None:
            starts = [world.chance.uniform(0.5, 4.0) * client for client in range(batches)]
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
        assert world.refused <= 0.01 * len(times)
        begin = times[0] + 10.0
        return sum(at >= begin for at in times) / (world.case.limit * (times[-1] - begin) / 10.0)

    assert sorted(map(used, range(9)))[4] >= 0.9
