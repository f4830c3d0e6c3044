"""The connections of one account on one event loop: shared by all drivers, few, and gone with the last of these."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby
from threading import Thread
from typing import Any

import pytest

from airflow_provider_hubchan.client.actions import NeedToken
from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.async_transport import MAX_CONNECTIONS, shared_pool
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Outcome, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, QuotaShare, RateLimiter
from airflow_provider_hubchan.emulator import Emulator
from tests.local_hubspot import account_of, sockets_to

#: Drivers, and requests of each that may be under way at a time.
DRIVERS, WORKERS = 40, 4


class CountingLimiter(RateLimiter):
    """A rate limiter without a limit, after so many refusals.

    :param refusals: how often everybody has to wait.
    :ivar tasks: who has asked, in order.
    """

    def __init__(self, refusals: int = 0) -> None:
        super().__init__(assumed_limit=1_000_000)
        self.refusals, self.tasks = refusals, list[Any]()

    def acquire(self, now: float, share: QuotaShare) -> Permit | float:
        self.tasks.append(asyncio.current_task())
        if self.refusals:
            self.refusals -= 1
            return 0.001
        return super().acquire(now, share)


def flows(account: Account, driver: int, rows: int) -> list[Any]:
    updates = [Update(row, f"m-{driver}-{row}", MessageStatus.READ) for row in range(1, rows + 1)]
    return [deliver(account, "100200", update, RetryConfig()) for update in updates]


def together(
    account: Account,
    limiter: RateLimiter,
    watch: Callable[[], None] = lambda: None,
    use: Callable[[AsyncDriver, int], Awaitable[Any]] | None = None,
) -> list[Any]:
    """What comes of many drivers on one loop, and *watch* now and then."""
    tokens = TokenProvider(account)

    async def drive(number: int) -> Any:
        async with AsyncDriver(account, limiter, tokens, RetryConfig()) as driver:
            return await (use(driver, number) if use else driver.run_all(flows(account, number, WORKERS), WORKERS))

    async def watch_on() -> None:
        while True:
            watch()
            await asyncio.sleep(0.005)

    async def run() -> list[Any]:
        watching = asyncio.create_task(watch_on())
        try:
            return await asyncio.gather(*map(drive, range(DRIVERS)))
        finally:
            watching.cancel()

    return asyncio.run(run())


@pytest.fixture
def hubspot() -> Iterator[Emulator]:
    with Emulator(limit=0) as emulator:
        emulator.world.seed(f"m-{driver}-{row}" for driver in range(DRIVERS) for row in range(1, WORKERS + 1))
        yield emulator


def test_many_drivers_have_few_connections(hubspot: Emulator) -> None:
    """240 updates of 60 drivers, which would all be under way at once: each is done, and no socket is left."""
    hubspot.fault(delay=0.05, times=10_000)
    seen = [0]
    outcomes: list[list[Outcome]] = together(
        account_of(hubspot), CountingLimiter(), lambda: seen.append(len(sockets_to(hubspot)))
    )
    assert {outcome.result for each in outcomes for outcome in each} == {"updated"}
    assert sum(map(len, outcomes)) == DRIVERS * WORKERS
    assert WORKERS < max(seen) <= MAX_CONNECTIONS + 1
    assert len(hubspot.ledger.chosen(method="POST")) == 1, "one token for all"
    assert sockets_to(hubspot) == []


def test_one_asks_for_the_quota_for_all_who_wait(hubspot: Emulator) -> None:
    """A thousand who ask every 50 ms would keep the loop busy with nothing else."""
    limiter = CountingLimiter(refusals=20)
    together(account_of(hubspot), limiter)
    turns = [task for task, _ in groupby(limiter.tasks)]
    assert len(turns) == len(set(turns)) == DRIVERS * WORKERS
    assert len(limiter.tasks) >= 20 + DRIVERS * WORKERS


def test_a_driver_that_leaves_takes_no_connection_of_the_others(hubspot: Emulator) -> None:
    """Not even in the middle of a request; with the last one the pool is gone, and the next driver gets another."""
    account, pools = account_of(hubspot), list[Any]()

    async def use(driver: AsyncDriver, number: int) -> Any:
        async with shared_pool(account) as pool:
            pools.append(pool)
        if number % 2:
            running = asyncio.create_task(driver.run_all(flows(account, number, WORKERS), WORKERS))
            await asyncio.sleep(0.02)
            return running.cancel()
        return await driver.run_all(flows(account, number, WORKERS), WORKERS)

    outcomes = together(account, CountingLimiter(), use=use)
    assert {outcome.result for each in outcomes[::2] for outcome in each} == {"updated"}
    together(account, CountingLimiter(), use=use)
    assert len(set(map(id, pools[:DRIVERS]))) == 1
    assert pools[0] is not pools[-1]
    assert sockets_to(hubspot) == []


def test_each_loop_has_connections_of_its_own(hubspot: Emulator) -> None:
    """Those of one thread's loop are of no use on another's."""
    ended = list[list[Any]]()
    threads = [Thread(target=lambda: ended.append(together(account_of(hubspot), CountingLimiter()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(map(len, outcomes)) for outcomes in ended] == [DRIVERS * WORKERS] * 3
    assert sockets_to(hubspot) == []


def test_a_pool_that_cannot_be_made_leaves_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would close it: the garbage collector warns of it, in the middle of whatever runs then."""

    class Unreadable(dict[str, str]):
        def items(self) -> Any:
            raise MemoryError

    async def enter() -> None:
        async with shared_pool(Account(base_url="http://127.0.0.1:1", access_token="t")):
            raise AssertionError("it could be made")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", Unreadable())
            with pytest.raises(MemoryError):
                asyncio.run(enter())
        gc.collect()
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []


def test_a_driver_has_the_timeout_of_its_own_connection(hubspot: Emulator) -> None:
    """Connections of one account may differ in that; what is shared has none."""
    hubspot.fault(message_id="m-0-1", delay=30.0)
    patient, hasty = account_of(hubspot, timeout=60.0), account_of(hubspot, timeout=0.2)

    async def run() -> list[Outcome]:
        limiter, tokens, once = CountingLimiter(), TokenProvider(patient), RetryConfig(max_attempts=1)
        async with AsyncDriver(patient, limiter, tokens, once), AsyncDriver(hasty, limiter, tokens, once) as driver:
            update = Update(1, "m-0-1", MessageStatus.READ)
            return await driver.run_all([deliver(hasty, "100200", update, once)], 1)

    (outcome,) = asyncio.run(asyncio.wait_for(run(), 20.0))
    assert (outcome.result, outcome.problem and outcome.problem.label) == ("unresolved", "no reply in time")


def test_who_waits_for_a_token_holds_no_connection(hubspot: Emulator) -> None:
    """However many wait, the token itself can be fetched."""
    account = account_of(hubspot)

    def needing() -> Any:
        return (yield NeedToken())

    async def use(driver: AsyncDriver, number: int) -> Any:
        return await driver.run_all([needing() for _ in range(WORKERS)], WORKERS)

    tokens = together(account, CountingLimiter(), use=use)
    assert len({token.value for each in tokens for token in each}) == 1
    assert len(hubspot.ledger.entries) == 1
