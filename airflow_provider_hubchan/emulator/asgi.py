"""The server on top of uvicorn: requests and responses in ASGI, and connections that can be dropped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from email.utils import formatdate
from typing import Any

import uvicorn

from airflow_provider_hubchan.emulator.api.http import Response

#: In how many pieces a slow body is sent.
PIECES = 10
#: Seconds that answers have for their end once nobody listens to them.
GRACE = 0.5
#: Most bytes of a body that are read for HubSpot's API: the ledger keeps them.
MAX_BODY = 10_000_000


class BodyTooLarge(Exception):
    """The body of a request has more than `MAX_BODY` bytes."""


def with_date(send: Any, now: Callable[[], float]) -> Any:
    """Give every response a ``Date`` header, unless it has one of its own, which a fault may give it.

    :param now: gives the time, seconds since the epoch.
    """

    async def send_with_date(message: Any) -> None:
        if message["type"] == "http.response.start" and b"date" not in dict(message["headers"]):
            date = formatdate(now(), usegmt=True)
            message["headers"] = [*message["headers"], (b"date", date.encode("ascii"))]
        await send(message)

    return send_with_date


async def disconnected_within(receive: Any, seconds: float) -> bool:
    """Wait *seconds*, or until the caller closes the connection: True if it did."""
    try:
        while (await asyncio.wait_for(receive(), seconds))["type"] != "http.disconnect":
            pass
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True


async def read_body(receive: Any) -> bytes:
    """The whole body of a request.

    :raises BodyTooLarge: it has more than `MAX_BODY` bytes.
    """
    parts, more, size = [], True, 0
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise BodyTooLarge
        more = message.get("more_body", False)
    return b"".join(parts)


async def send_response(
    send: Any, response: Response, half: bool = False, *, receive: Any = None, seconds: float = 0.0
) -> None:
    """Send a response.

    :param half: announce the whole body, send half of it, and leave the rest out.
    :param receive: of ASGI, to see that the caller is gone; needed with *seconds* only.
    :param seconds: time that the body takes, in pieces; 0 to send it at once.
    """
    content_type = "text/html" if isinstance(response.body, str) else "application/json;charset=utf-8"
    body = response.content()
    headers = {name.lower(): value for name, value in response.headers.items()}  # a fault may write them in any case
    if response.status != 204:  # an empty response has neither type nor length
        length = max(len(body), 2) if half else len(body)
        headers = {"content-type": content_type, **headers, "content-length": str(length)}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    rest = body[: len(body) // 2] if half else body
    if seconds:
        size = len(rest) // PIECES + 1
        for start in range(0, len(rest), size):
            if await disconnected_within(receive, seconds * size / len(rest)):
                return
            await send({"type": "http.response.body", "body": rest[start : start + size], "more_body": True})
        rest = b""
    await send({"type": "http.response.body", "body": rest, "more_body": half})


def with_transport(protocol: type[Any], open_transports: set[Any]) -> type[Any]:
    """A protocol of uvicorn that puts more into the scope.

    *transport*, because ASGI cannot drop a connection; *target*, the URL as it stood on the wire: ASGI has only its path.

    :param open_transports: where all connections that are open are kept.
    """

    class WithTransport(protocol):  # type: ignore[misc]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            open_transports.add(transport)
            app: Any = self.app

            async def app_with_transport(scope: Any, receive: Any, send: Any) -> None:
                scope["transport"] = transport
                await app(scope, receive, send)

            self.app: Any = app_with_transport

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            self.scope["target"] = self.url

        def connection_lost(self, exc: Exception | None) -> None:
            open_transports.discard(self.transport)
            super().connection_lost(exc)

    return WithTransport


class Server(uvicorn.Server):
    """A server that stops at once: uvicorn looks every tenth of a second whether it should, and waits another tenth for
    connections; over TLS each of them would wait for the other end to say goodbye.

    :ivar transports: connections that are open.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.transports: set[Any] = set()
        self._stopped = Future[None]()
        config.http_protocol_class = with_transport(config.http_protocol_class, self.transports)

    def stop(self) -> None:
        """Close every connection, and end; from any thread, any number of times. A delayed response is not waited for."""
        with suppress(InvalidStateError):  # it was stopped before
            self._stopped.set_result(None)

    async def main_loop(self) -> None:
        await self.on_tick(0)  # sets the headers that every response has
        await asyncio.wrap_future(self._stopped)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for transport in list(self.transports):
            transport.abort()
        await asyncio.sleep(0)  # that is when they close
        if self.server_state.tasks:  # who answers learns that nobody listens any more, and closes the file that was being sent
            await asyncio.wait(self.server_state.tasks, timeout=GRACE)
        for listener in sockets or []:
            listener.close()
