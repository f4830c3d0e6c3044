"""The driver that performs stories with ``aiohttp`` and asyncio: single calls, and reading many messages.

It decides nothing: every rule is in the stories. Batches of updates belong to the worker (see blocking.py): a triggerer
that is restarted would send them twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.batch.report import Counts
from airflow_provider_hubchan.client import replies, responses
from airflow_provider_hubchan.client.actions import Halt, Lost, NeedToken, Reply, Request, Step, Stopped, Story, Wait
from airflow_provider_hubchan.client.errors import BAD_TLS, CUT_OFF, NO_CONNECTION, NO_REPLY
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.ratelimit.fair_share import Quota
from airflow_provider_hubchan.client.ratelimit.lanes import Ticket
from airflow_provider_hubchan.client.ratelimit.limiter import Pace

T = TypeVar("T")

#: Seconds until to look again whether somebody else has fetched the token.
LOCKED = 0.02


class Driver:
    """Performs stories on one event loop. Use it as an asynchronous context manager.

    :param pace: the account's, shared with every other driver of the process.
    :param share: part of the pace that this driver may use, in (0, 1].
    :param bearer: the account's, shared likewise.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        account: Account,
        pace: Pace,
        bearer: Bearer,
        patience: Patience,
        *,
        share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account, self._pace, self._bearer, self._patience, self._clock = account, pace, bearer, patience, clock
        self._lane = pace.lane(share, account.requests_per_10s)
        self.halt: Halt | None = None
        self.counts = Counts()
        self._workers = 0

    async def __aenter__(self) -> Driver:
        seconds = self.account.timeout
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds),
            headers={"User-Agent": USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),  # calls must not depend on each other
            trust_env=False,  # it would look into .netrc, and send another password in the place of the token
        )
        self._proxy = _proxy(self.account.base_url)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @property
    def quota(self) -> Quota:
        """How many requests this driver may send, as far as is known."""
        return Quota(self._lane.bound(self._pace.limit, self._pace.window), self._pace.window)

    @property
    def waited(self) -> float:
        """Seconds that a worker of `run_all` waited, on average."""
        return self.counts.waited / max(1, self._workers)

    async def run(self, story: Story[T]) -> T:
        """Perform a story's steps until it returns."""
        try:
            step = next(story)
            while True:
                try:
                    answer = await self._perform(step)
                except Stopped as stopped:
                    step = story.throw(stopped)
                else:
                    step = story.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def run_all(self, stories: Iterable[Story[T]], workers: int) -> list[T]:
        """Perform many stories in *workers* tasks, which pull them one by one; results in the order they came."""
        source, results = iter(stories), list[T]()

        async def work() -> None:
            for story in source:
                results.append(await self.run(story))

        self._workers = max(self._workers, workers)
        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return results

    async def _perform(self, step: Step) -> Any:
        if isinstance(step, Halt):
            self.halt = self.halt or step
            return None
        if self.halt:
            raise Stopped(self.halt)
        match step:
            case Request():
                return await self._send(step, await self._ticket() if step.paced else None)
            case Wait(seconds, everyone=True):
                self._pace.hold(self._clock(), seconds)
            case Wait(seconds):
                await self._sleep(seconds or 0.0)
            case NeedToken():
                return await self._token(step)

    async def _ticket(self) -> Ticket:
        while isinstance(ticket := self._pace.ask(self._clock(), self._lane), float):
            await self._sleep(ticket)
        return ticket

    async def _sleep(self, seconds: float) -> None:
        begin = self._clock()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.counts.add(waited=self._clock() - begin)
        if self.halt:
            raise Stopped(self.halt)

    async def _token(self, need: NeedToken) -> str:
        token = self._bearer.value(self._clock(), need.refused)
        if token is None:
            while not self._bearer.lock.acquire(blocking=False):  # held by any thread, task or loop of the process
                await self._sleep(LOCKED)
            try:  # whoever waited here finds the token that the first one fetched
                token = self._bearer.value(self._clock(), need.refused)
                if token is None:
                    token = await self.run(self._bearer.fetch(self._patience, need.because))
            finally:
                self._bearer.lock.release()
        return token

    async def _send(self, request: Request, ticket: Ticket | None) -> Reply | Lost:
        sent = self._clock()
        reply: Reply | Lost = Lost(NO_REPLY)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body or None,
                headers=request.headers(),
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                reply = Reply(response.status, response.headers, await response.read(), sent)
        except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, UnicodeError) as error:
            reply = Lost(_why(error))
        finally:
            if ticket:
                self._pace.answered(self._clock(), ticket, responses.quota(reply) if isinstance(reply, Reply) else None)
                self.counts.add(requests=1, rate_limited=int(isinstance(reply, Reply) and reply.status == 429))
        return reply


def _proxy(url: str) -> str | None:
    """The environment's proxy for *url*; one without a scheme is spoken to in plain HTTP, as the blocking driver does."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _why(error: Exception) -> str:
    """Name what went wrong in the words that both drivers share."""
    if isinstance(error, aiohttp.ClientSSLError):
        return BAD_TLS if replies.untrusted(error) else CUT_OFF
    unreachable = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError, UnicodeError)
    if isinstance(error, unreachable):
        return NO_CONNECTION
    return NO_REPLY if isinstance(error, TimeoutError | asyncio.TimeoutError) else CUT_OFF
