"""The driver for asyncio: it performs the actions of flows with ``aiohttp``, for single calls and for polling messages.

It has no rules; these are in the flows. Batches of updates belong to the worker (see sync_driver.py): a triggerer that is
restarted would send them twice.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from requests.utils import get_environ_proxies, select_proxy
from yarl import URL

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.client import headers
from airflow_provider_hubchan.client.actions import (
    BAD_PROXY,
    INCOMPLETE,
    NO_CONNECTION,
    NO_PROXY_CONNECTION,
    NO_SOCKS,
    OUT_OF_RUNTIME,
    PROXY_LOGIN,
    PROXY_REFUSAL,
    READ_TIMEOUT,
    TOO_LARGE,
    UNKNOWN_HOST,
    UNREADABLE,
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
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, Quota, Token
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.reply_bounds import ACCEPT_ENCODING, MAX_REPLY, ReplyTooLarge, decompress
from airflow_provider_hubchan.client.request_counters import RequestCounters
from airflow_provider_hubchan.client.time_limit import TimeIsOver, run_in_time

T = TypeVar("T")

#: Seconds between two attempts to get the token's lock while somebody else fetches the token.
LOCK_POLL = 0.02
#: Connections that are tried for one request: those that were idle may all have to be closed.
MAX_CONNECTIONS = 20


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

    async def __aenter__(self) -> AsyncDriver:
        seconds = self.account.timeout
        self._session = aiohttp.ClientSession(
            connector=SilentConnector(),
            response_class=FinalResponse,
            timeout=aiohttp.ClientTimeout(total=self.account.total_timeout, sock_connect=seconds, sock_read=seconds),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING},
            auto_decompress=False,  # it would have no bound
            cookie_jar=aiohttp.DummyCookieJar(),  # calls must not depend on each other
            trust_env=False,  # it would look into .netrc, and send another password in the place of the token
        )
        self._proxy = _proxy_for(self.account.base_url)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

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
            case Request():
                return await self._send(action, await self._acquire() if action.uses_quota else None)
            case Wait(seconds, whole_account=True):
                self._limiter.block(self._clock(), seconds)
            case Wait(seconds):
                await self._sleep(seconds or 0.0)
            case NeedToken():
                return await self._token(action)

    async def _acquire(self) -> Permit:
        while isinstance(permit := self._limiter.acquire(self._clock(), self._share), float):
            await self._sleep(permit)
        return permit

    async def _sleep(self, seconds: float) -> None:
        self.counters.wait_began(self._clock())
        try:
            await asyncio.sleep(seconds)
        finally:
            self.counters.wait_ended(self._clock())
        if self.aborted:
            raise Aborted(self.aborted)

    async def _token(self, need: NeedToken) -> Token:
        token = self._tokens.current(self._clock(), need.refused)
        if token is None:
            while not self._tokens.lock.acquire(blocking=False):  # held by any thread, task or loop of the process
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
            response = await self._exchange(request, sent_at)
        finally:
            now = self._clock()
            if permit:
                self._limiter.release(now, permit, headers.quota(response.headers))
            self.counters.request_ended(now, counts=permit is not None, status=response.status, failure=response.reason)
        return response

    async def _exchange(self, request: Request, sent_at: float) -> Response | NoResponse:
        if isinstance(self._proxy, NoResponse):
            return self._proxy
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body or None,
                headers=request.headers(),
                allow_redirects=False,
                proxy=self._proxy,
            ) as reply:
                body = decompress(await _read_body(reply), reply.headers.get("Content-Encoding"))
                return Response(reply.status, reply.headers, body, sent_at)
        except aiohttp.ClientSSLError as error:
            return NoResponse.of_tls_error(error)
        except Exception as error:  # whatever a stranger's bytes lead to
            return NoResponse(_reason(error))


class SilentConnector(aiohttp.TCPConnector):
    """Hands out connections on which nothing has come while nobody had asked: it would be taken for the next answer."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """Get a connection; one that has to be closed is closed.

        :raises aiohttp.ClientConnectionError: if each new one speaks first, which no web server does.
        """
        for _ in range(MAX_CONNECTIONS):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("the other side speaks before it is asked")


class FinalResponse(aiohttp.ClientResponse):
    """A response after which its connection is closed if it is 101: what comes then is not HTTP, and nobody's answer."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Read up to the headers; the connection of a response without a body is given back then."""
        protocol = connection.protocol
        await super().start(connection)
        if self.status == 101 and protocol is not None:
            protocol.close()
        return self


async def _read_body(reply: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    if reply.status == 101:
        raise ValueError("101 Switching Protocols was not asked for")
    async for part in reply.content.iter_any():
        body += part
        if len(body) > MAX_REPLY:
            reply.close()  # what is left of the reply must not be taken for the next one
            raise ReplyTooLarge
    return bytes(body)


def _proxy_for(url: str) -> str | NoResponse | None:
    """The environment's proxy for *url*, found as ``requests`` does; one without a scheme is spoken to in plain HTTP."""
    proxy: str | None = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        scheme, port = urlsplit(proxy).scheme, urlsplit(proxy).port
    except ValueError:
        return NoResponse(BAD_PROXY)
    if scheme.startswith("socks"):
        return NoResponse(NO_SOCKS)
    return proxy if scheme in ("http", "https") and urlsplit(proxy).hostname and port != 0 else NoResponse(BAD_PROXY)


def _reason(error: Exception) -> str:
    if isinstance(error, ReplyTooLarge):
        return TOO_LARGE
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return PROXY_LOGIN if error.status == 407 else PROXY_REFUSAL
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return NO_PROXY_CONNECTION
    if isinstance(error, aiohttp.InvalidURL | OverflowError):  # HubSpot's own address was checked
        return BAD_PROXY
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        return UNKNOWN_HOST
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NO_CONNECTION
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return READ_TIMEOUT
    return INCOMPLETE if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientOSError | OSError) else _unreadable(error)


def _unreadable(error: Exception) -> str:
    return INCOMPLETE if isinstance(error, aiohttp.ServerDisconnectedError) else UNREADABLE
