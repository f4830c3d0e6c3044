"""Many clients and a server that counts, in virtual time: five simulated minutes take a fraction of a second.

The clock belongs to an event loop that never sleeps: when nothing can happen before the next timer, it is that time at once.
So clients are written as coroutines, and libraries that sleep with asyncio can be among them.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter

WINDOW = 10.0


class Leap(selectors.SelectSelector):
    """Waits for nothing: time leaps to the next timer."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is left that could happen")
        self.now += max(0.0, timeout)
        return []


class VirtualTime(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leap = Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now


class Server(Protocol):
    """A way to count: takes the time, gives the requests that remain, or None for a 429."""

    limit: int

    def hit(self, now: float) -> int | None: ...


class Rolling:
    """As HubSpot says it counts: the last ten seconds, exactly."""

    def __init__(self, limit: int, *, refused_count: bool = False) -> None:
        self.limit, self._refused_count, self.times = limit, refused_count, deque[float]()

    def hit(self, now: float) -> int | None:
        while self.times and self.times[0] <= now - WINDOW:
            self.times.popleft()
        room = len(self.times) < self.limit
        if room or self._refused_count:
            self.times.append(now)
        return self.limit - len(self.times) if room else None


class Buckets:
    """Whole seconds, the last *seconds* of them; eleven are stricter than documented, one of ten seconds is a fixed window."""

    def __init__(self, limit: int, seconds: int = 10, length: float = 1.0) -> None:
        self.limit, self._seconds, self._length, self._counts = limit, seconds, length, dict[int, int]()

    def hit(self, now: float) -> int | None:
        bucket = int(now // self._length)
        self._counts = {each: count for each, count in self._counts.items() if each > bucket - self._seconds}
        used = sum(self._counts.values())
        if used >= self.limit:
            return None
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        return self.limit - used - 1


def fixed(limit: int) -> Server:
    return Buckets(limit, 1, WINDOW)


def stricter(limit: int) -> Server:
    return Buckets(limit, 11)


class TwoWindows:
    """The approximation of many gateways: this window's count, and a falling part of the one before."""

    def __init__(self, limit: int) -> None:
        self.limit, self._window, self._count, self._before = limit, 0, 0, 0

    def hit(self, now: float) -> int | None:
        window = int(now // WINDOW)
        if window != self._window:
            self._before = self._count if window == self._window + 1 else 0
            self._window, self._count = window, 0
        used = self._before * (1.0 - (now / WINDOW - window)) + self._count
        if used + 1 > self.limit:
            return None
        self._count += 1
        return int(self.limit - used - 1)


class TokenBucket:
    """Refilled all the time; a full one lets through twice the limit in the first window."""

    def __init__(self, limit: int) -> None:
        self.limit, self._tokens, self._at = limit, float(limit), 0.0

    def hit(self, now: float) -> int | None:
        self._tokens = min(float(self.limit), self._tokens + (now - self._at) * self.limit / WINDOW)
        self._at = now
        if self._tokens < 1.0:
            return None
        self._tokens -= 1.0
        return int(self._tokens)


@dataclass(frozen=True)
class Case:
    """What happens.

    :param clients: processes that send without pause and know nothing of each other.
    :param apart: seconds from one client's start to the next one's.
    :param foreign: part of the limit that another program takes from second 100 to second 200, at random times.
    :param headers: False for a server that does not say what remains.
    :param in_flight: requests of one client at a time.
    :param latency: seconds from send to response, in the middle of a log-normal distribution.
    :param seconds: simulated.
    """

    clients: int = 1
    limit: int = 190
    server: Callable[[int], Server] = Rolling
    apart: float = 0.0
    foreign: float = 0.0
    headers: bool = True
    in_flight: int = 8
    latency: float = 0.15
    seconds: float = 300.0


@dataclass
class World:
    """One run of a case: the server, and what it has seen."""

    case: Case
    seed: int
    loop: VirtualTime = field(default_factory=VirtualTime)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.server = self.case.server(self.case.limit)
        self.accepted: list[list[float]] = [[] for _ in range(self.case.clients)]
        self.foreign: list[float] = []
        self.refused = 0

    async def request(self, client: int, arrived: Callable[[], None] = lambda: None) -> tuple[bool, Quota | None]:
        """Send and wait for the response: whether it was accepted, and what the headers say.

        :param arrived: called when the server has counted it.
        """
        latency = self.case.latency * self.chance.lognormvariate(0.0, 0.4)
        there = latency * self.chance.uniform(0.3, 0.7)
        await asyncio.sleep(there)
        remaining = self.server.hit(self.loop.time())
        arrived()
        if remaining is None:
            self.refused += 1
        else:
            self.accepted[client].append(self.loop.time())
        await asyncio.sleep(latency - there)
        return remaining is not None, Quota(self.case.limit, WINDOW, remaining or 0) if self.case.headers else None

    async def take_foreign(self) -> None:
        await asyncio.sleep(100.0)
        while self.case.foreign and self.loop.time() < 200.0:
            if self.server.hit(self.loop.time()) is not None:
                self.foreign.append(self.loop.time())
            await asyncio.sleep(self.chance.expovariate(self.case.foreign * self.case.limit / WINDOW))

    def run(self, make: Callable[[World, int], Callable[[], Coroutine[Any, Any, None]]]) -> Result:
        """Let all clients send until the time is over.

        :param make: gives, for each client, what one of its workers does.
        """
        try:
            self.loop.run_until_complete(self._run(make))
        finally:
            self.loop.close()
        begin = WINDOW + self.case.apart * (self.case.clients - 1)
        counts = [sum(at >= begin for at in times) for times in self.accepted]
        quota = self.case.limit * (self.case.seconds - begin) / WINDOW - sum(at >= begin for at in self.foreign)
        late = [sum(at >= begin + 50.0 for at in times) for times in self.accepted]
        return Result(
            used=sum(counts) / quota,
            rate_limited=self.refused / (self.refused + sum(map(len, self.accepted))),
            fairness=sum(late) ** 2 / (len(late) * sum(count * count for count in late)) if any(late) else 0.0,
        )

    async def _run(self, make: Callable[[World, int], Callable[[], Coroutine[Any, Any, None]]]) -> None:
        async def begin(work: Callable[[], Coroutine[Any, Any, None]], after: float) -> None:
            await asyncio.sleep(after + self.chance.random() * 0.01)
            await work()

        workers = [
            asyncio.create_task(begin(work, client * self.case.apart))
            for client in range(self.case.clients)
            for work in [make(self, client)] * self.case.in_flight
        ]
        tasks = [*workers, asyncio.create_task(self.take_foreign())]
        await asyncio.sleep(self.case.seconds)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end


@dataclass(frozen=True)
class Result:
    """What came of a run.

    :param used: accepted requests as a part of the quota that the foreign program left, after the first window of the last
        client to start.
    :param rate_limited: 429s as a part of all requests.
    :param fairness: Jain's index of what each client got, from one minute after the start of the last one: 1 if all the same.
    """

    used: float
    rate_limited: float
    fairness: float


def ours(
    world: World, client: int, left: list[int] | None = None, part: float = 1.0
) -> Callable[[], Coroutine[Any, Any, None]]:
    """A process with our limiter.

    :param left: how many rows each client has yet to send, None if they never end.
    :param part: of its permits that it may use.
    """
    limiter = RateLimiter(jitter=world.chance.random)
    share = limiter.share(part)

    async def work() -> None:
        while left is None or left[client] > 0:
            permit = limiter.acquire(world.loop.time(), share)
            if isinstance(permit, float):
                await asyncio.sleep(permit)
                continue
            if left:
                left[client] -= 1
            accepted, quota = await world.request(client)
            limiter.release(world.loop.time(), permit, quota)
            if not accepted:
                limiter.block(world.loop.time(), None)
                if left:
                    left[client] += 1

    return work


def median(case: Case, make: Callable[[World, int], Callable[[], Coroutine[Any, Any, None]]] = ours, runs: int = 3) -> Result:
    """The medians of some runs with different chances."""
    results = [World(case, seed).run(make) for seed in range(runs)]
    middle = runs // 2
    return Result(
        *(sorted(getattr(result, name) for result in results)[middle] for name in ("used", "rate_limited", "fairness"))
    )
