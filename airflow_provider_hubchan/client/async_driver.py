"""The driver for asyncio: it performs the actions of flows with ``aiohttp``, for single calls and for polling messages.

It has no rules; these are in the flows. Batches of updates belong to the worker (see sync_driver.py): a triggerer that is
restarted would send them twice.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from airflow_provider_hubchan.client import headers
from airflow_provider_hubchan.client.actions import (
    OUT_OF_RUNTIME,
    READ_TIMEOUT,
    Abort,
    Aborted,
    Action,
    Flow,
    NeedToken,
    NoResponse,
    Request,
    Response,
    Wait,
)
from airflow_provider_hubchan.client.async_transport import AsyncConnectionPool, shared_pool
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, Quota, Token
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.request_counters import RequestCounters
from airflow_provider_hubchan.client.time_limit import TimeIsOver, run_in_time

T = TypeVar("T")

#: Seconds between two attempts to get the token's lock while somebody else fetches the token.
LOCK_POLL = 0.02


class AsyncDriver:
    """Performs flows on one event loop. Use it as an asynchronous context manager.

    :param limiter: the account's, shared with every other driver of the process.
    :param tokens: the account's, shared likewise.
    :param share: part of the account's quota that this driver may use, in (0, 1].
    :param deadline: seconds of *clock* at which everything ends: what is under way is broken off.
    :param out_of_time: why, for what has no answer then.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        account: Account,
        limiter: RateLimiter,
        tokens: TokenProvider,
        retry: RetryConfig,
        *,
        share: float = 1.0,
        deadline: float = math.inf,
        out_of_time: Abort = OUT_OF_RUNTIME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account, self._limiter, self._tokens, self._retry, self._clock = account, limiter, tokens, retry, clock
        self._deadline, self._out_of_time = deadline, out_of_time
        self._share = limiter.share(share, account.requests_per_10s)
        self.aborted: Abort | None = None
        self.counters = RequestCounters()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> AsyncDriver:
        self._pool: AsyncConnectionPool = await self._stack.enter_async_context(shared_pool(self.account))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def quota(self) -> Quota:
        """How many requests this driver may send, as far as is known."""
        return Quota(self._share.max_permits(self._limiter.limit, self._limiter.window), self._limiter.window)

    @property
    def waited(self) -> float:
        """Seconds so far in which nothing was sent because everybody waited; see `RequestCounters`."""
        return self.counters.waited(self._clock())

    async def run(self, flow: Flow[T]) -> T:
        """Perform a flow's actions until it returns."""
        try:
            action = next(flow)
            while True:
                try:
                    result = await self._perform_in_time(action)
                except Aborted as aborted:
                    action = flow.throw(aborted)
                else:
                    action = flow.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def run_all(self, flows: Iterable[Flow[T]], workers: int) -> list[T]:
        """Perform many flows in *workers* tasks, which take them one by one.

        :return: the results in the order they came.
        """
        source, results = iter(flows), list[T]()

        async def work() -> None:
            for flow in source:
                results.append(await self.run(flow))

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return results

    async def _perform_in_time(self, action: Action) -> Any:
        """Perform *action*, and break it off at the deadline: no server, however slow, can hold it longer."""
        if isinstance(action, Abort):
            self.aborted = self.aborted or action
            return None
        if self._clock() >= self._deadline:
            self.aborted = self.aborted or self._out_of_time
        if self.aborted:
            raise Aborted(self.aborted)
        if self._deadline == math.inf:
            return await self._perform(action)
        try:
            return await run_in_time(self._perform(action), self._deadline - self._clock())
        except TimeIsOver:
            self.aborted = self.aborted or self._out_of_time
            raise Aborted(self.aborted) from None

    async def _perform(self, action: Request | Wait | NeedToken) -> Any:
        match action:
            case Request(uses_quota=True):
                return await self._send_in_turn(action)
            case Request():
                return await self._send(action, None)
            case Wait(seconds, whole_account=True):
                self._limiter.block(self._clock(), seconds)
            case Wait(seconds):
                await self._sleep(seconds or 0.0)
            case NeedToken():
                return await self._token(action)

    async def _send_in_turn(self, request: Request) -> Response | NoResponse:
        """Send when there is a connection and a permit for it. Who gets a permit sends at once."""
        async with AsyncExitStack() as stack:
            self.counters.wait_began(self._clock())
            try:
                async with self._pool.turn(self._share):
                    await stack.enter_async_context(self._pool.connection())
                    permit = await self._acquire()
            finally:
                self.counters.wait_ended(self._clock())
            return await self._send(request, permit)

    async def _acquire(self) -> Permit:
        self._check()
        while isinstance(permit := self._limiter.acquire(self._clock(), self._share), float):
            await asyncio.sleep(permit)
            self._check()
        return permit

    async def _sleep(self, seconds: float) -> None:
        self.counters.wait_began(self._clock())
        try:
            await asyncio.sleep(seconds)
        finally:
            self.counters.wait_ended(self._clock())
        self._check()

    def _check(self) -> None:
        if self.aborted:
            raise Aborted(self.aborted)

    async def _token(self, need: NeedToken) -> Token:
        token = self._tokens.current(self._clock(), need.refused)
        if token is None:
            async with self._pool.turn(self._tokens):
                while not self._tokens.lock.acquire(blocking=False):  # held by any thread or another loop of the process
                    await self._sleep(LOCK_POLL)
                try:
                    token = self._tokens.current(self._clock(), need.refused)  # somebody else may have fetched it meanwhile
                    if token is None:
                        token = await self.run(self._tokens.refresh_flow(self._retry, need, self._clock))
                finally:
                    self._tokens.lock.release()
        return token

    async def _send(self, request: Request, permit: Permit | None) -> Response | NoResponse:
        sent_at = self._clock()
        response: Response | NoResponse = NoResponse(READ_TIMEOUT)
        self.counters.request_began(sent_at)
        try:
            response = await self._pool.send(request, sent_at, self.account.timeout, self.account.total_timeout)
        finally:
            now = self._clock()
            if permit:
                self._limiter.release(now, permit, headers.quota(response.headers))
            self.counters.request_ended(now, counts=permit is not None, status=response.status, failure=response.reason)
        return response
