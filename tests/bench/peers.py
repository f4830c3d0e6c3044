"""How others keep to a limit, in virtual time: each a strategy like `ours` in tests/properties/simulation.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiolimiter import AsyncLimiter
from pyrate_limiter import BucketFactory, Duration, InMemoryBucket, Limiter, Rate, RateItem
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential
from urllib3 import HTTPResponse
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from tests.properties.simulation import WINDOW, Leap, VirtualTime, World, ours

Work = Callable[[], Coroutine[Any, Any, None]]
Make = Callable[[World, int], Work]

#: Seconds that those with a limiter wait after a 429.
PAUSE = 1.0


class Tick(Leap):
    """Each turn of the loop takes a microsecond: a limiter that waits for a rounded nothing would wait for ever."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait for nothing."""
        return super().select(None if timeout is None else max(1e-6, timeout))


class TickingTime(VirtualTime):
    """Virtual time that always passes."""

    def __init__(self) -> None:
        self._leap = Tick()
        asyncio.SelectorEventLoop.__init__(self, self._leap)


@dataclass
class Tally:
    """What a strategy itself counts.

    :param lost: messages given up because the retries were used up.
    """

    lost: int = 0


class Refused(Exception):
    """The response was a 429."""


def with_aiolimiter(tally: Tally) -> Make:
    """aiolimiter, which is given the limit; a refused message waits a second and goes through the limiter again."""

    def make(world: World, client: int) -> Work:
        limiter = AsyncLimiter(world.case.limit, WINDOW)

        async def work() -> None:
            while True:
                async with limiter:
                    accepted, _ = await world.request(client)
                if not accepted:
                    await asyncio.sleep(PAUSE)

        return work

    return make


class LoopBuckets(BucketFactory):  # type: ignore[misc, unused-ignore]
    """A bucket of pyrate-limiter that lives in the loop's time."""

    def __init__(self, loop: VirtualTime, limit: int) -> None:
        self._loop, self._bucket = loop, InMemoryBucket([Rate(limit, Duration.SECOND * int(WINDOW))])

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        """An item that came now."""
        return RateItem(name, int(self._loop.time() * 1000), weight=weight)

    def get(self, item: RateItem) -> InMemoryBucket:
        """The only one."""
        return self._bucket


def with_pyrate_limiter(tally: Tally) -> Make:
    """pyrate-limiter, which is given the limit; a refused message waits a second and goes through the limiter again."""

    def make(world: World, client: int) -> Work:
        limiter = Limiter(LoopBuckets(world.loop, world.case.limit))

        async def work() -> None:
            while True:
                await limiter.try_acquire_async("hubspot")
                accepted, _ = await world.request(client)
                if not accepted:
                    await asyncio.sleep(PAUSE)

        return work

    return make


def with_tenacity(tally: Tally) -> Make:
    """tenacity, exponential waits of 1 to 60 s after a 429, for ever."""

    def make(world: World, client: int) -> Work:
        async def once() -> None:
            if not (await world.request(client))[0]:
                raise Refused

        async def work() -> None:
            while True:
                retrying = AsyncRetrying(wait=wait_exponential(min=1, max=60), retry=retry_if_exception_type(Refused))
                await retrying(once)

        return work

    return make


def with_urllib3(tally: Tally) -> Make:
    """urllib3's Retry with five retries and a backoff factor of 0.3, as HubSpot's own client recommends."""

    def make(world: World, client: int) -> Work:
        async def work() -> None:
            while True:
                retry = Retry(total=5, backoff_factor=0.3, status_forcelist=[429], allowed_methods=None)
                while not (await world.request(client))[0]:
                    try:
                        retry = retry.increment("PATCH", "/", response=HTTPResponse(status=429))
                    except MaxRetryError:
                        tally.lost += 1
                        break
                    await asyncio.sleep(retry.get_backoff_time())

        return work

    return make


STRATEGIES: dict[str, Callable[[Tally], Make]] = {
    "ours": lambda tally: ours,
    "aiolimiter": with_aiolimiter,
    "pyrate-limiter": with_pyrate_limiter,
    "tenacity": with_tenacity,
    "urllib3 Retry (HubSpot's client)": with_urllib3,
}
