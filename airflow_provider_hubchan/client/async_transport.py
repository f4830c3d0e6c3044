"""Sending a request on an event loop, and what came back. The twin of transport.py, with ``aiohttp``.

All drivers of an account on one event loop share one pool of connections: a triggerer may have a thousand deferred sensors on
its loop, and 1,024 files. They also take turns, so that of a thousand who wait for the quota one asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from requests.utils import get_environ_proxies, select_proxy
from yarl import URL

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.client.actions import (
    BAD_PROXY,
    INCOMPLETE,
    NO_CONNECTION,
    NO_PROXY_CONNECTION,
    NO_SOCKS,
    PROXY_LOGIN,
    PROXY_REFUSAL,
    READ_TIMEOUT,
    TOO_LARGE,
    UNKNOWN_HOST,
    UNREADABLE,
    NoResponse,
    Request,
    Response,
)
from airflow_provider_hubchan.client.environment import look_through
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.reply_bounds import ACCEPT_ENCODING, MAX_REPLY, ReplyTooLarge, decompress

#: Connections of one pool at most, and one more for a token. As many requests a window are a sensor's share of the quota.
MAX_CONNECTIONS = 32
#: Connections that are tried for one request: those that were idle may all have to be closed.
MAX_ATTEMPTS = 20


class AsyncConnectionPool:
    """The connections of one account on one event loop. Get it by `shared_pool`.

    :param base_url: the one host that is called; the proxy is looked up for it.
    """

    def __init__(self, base_url: str) -> None:
        self.users = 0
        self._proxy = _proxy_for(base_url)  # before there is a session: it would stay open if this failed
        self._session = aiohttp.ClientSession(
            connector=SilentConnector(limit=0),  # *_slots* is the limit
            response_class=FinalResponse,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING},
            auto_decompress=False,  # it would have no bound
            cookie_jar=aiohttp.DummyCookieJar(),  # calls must not depend on each other
            trust_env=False,  # it would look into .netrc, and send another password in the place of the token
        )
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._turns: dict[object, asyncio.Lock] = {}

    def turn(self, of: object) -> asyncio.Lock:
        """The turn of one of all who wait for the same thing: it asks for it again and again, and the others wait."""
        return self._turns.setdefault(of, asyncio.Lock())

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """The right to one of the connections."""
        async with self._slots:
            yield

    async def send(self, request: Request, sent_at: float, timeout: float, total: float) -> Response | NoResponse:
        """Send once; redirects are not followed.

        :param sent_at: when, in seconds of the driver's clock.
        :param timeout: seconds for connecting and for each read.
        :param total: seconds for the whole call.
        """
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
                timeout=aiohttp.ClientTimeout(total=total, sock_connect=timeout, sock_read=timeout),
            ) as reply:
                body = decompress(await _read_body(reply), reply.headers.get("Content-Encoding"))
                return Response(reply.status, reply.headers, body, sent_at)
        except aiohttp.ClientSSLError as error:
            return NoResponse.of_tls_error(error)
        except Exception as error:  # whatever a stranger's bytes lead to
            return NoResponse(_reason(error))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


_pools: dict[tuple[asyncio.AbstractEventLoop, Account], AsyncConnectionPool] = {}


@asynccontextmanager
async def shared_pool(account: Account) -> AsyncIterator[AsyncConnectionPool]:
    """The pool of all drivers of an account on the running event loop: made by the first, closed by the last to leave."""
    for closed in [each for each in list(_pools) if each[0].is_closed()]:
        _pools.pop(closed, None)  # nobody can leave it any more
    key = asyncio.get_running_loop(), account.login
    if key not in _pools:
        _pools[key] = AsyncConnectionPool(account.base_url)
    pool = _pools[key]
    pool.users += 1
    try:
        yield pool
    finally:
        pool.users -= 1
        if not pool.users:
            del _pools[key]  # first: who comes while it is closed needs another one
            await pool.close()


class SilentConnector(aiohttp.TCPConnector):
    """Hands out connections on which nothing has come while nobody had asked: it would be taken for the next answer."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """Get a connection; one that has to be closed is closed.

        :raises aiohttp.ClientConnectionError: if each new one speaks first, which no web server does.
        """
        for _ in range(MAX_ATTEMPTS):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("the other side speaks before it is asked")


class FinalResponse(aiohttp.ClientResponse):
    """A response after which its connection is closed: at once if it is 101, when it is read if HTTP has no such status. What
    comes then is nobody's answer.
    """

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Read up to the headers; the connection of a response without a body is given back then."""
        protocol = connection.protocol
        await super().start(connection)
        if protocol is not None and self.status == 101:
            protocol.close()
        elif protocol is not None and not 200 <= self.status < 600:
            protocol.force_close()
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
    proxy: str | None = select_proxy(url, look_through(lambda: get_environ_proxies(url)))
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
