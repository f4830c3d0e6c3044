"""What the server says and hears in ASGI, the interface between it and uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import uvicorn

from airflow_provider_hubchan.emulator.shapes import Answer

#: In how many pieces a slow body is sent.
PIECES = 10


def dated(send: Any, now: Callable[[], float]) -> Any:
    """Have every answer say what time it is *now*, unless it has a ``Date`` of its own, which a fault may be given."""

    async def send_dated(message: Any) -> None:
        if message["type"] == "http.response.start" and b"date" not in dict(message["headers"]):
            date = formatdate(now(), usegmt=True)
            message["headers"] = [*message["headers"], (b"date", date.encode("ascii"))]
        await send(message)

    return send_dated


async def gone_within(receive: Any, seconds: float) -> bool:
    """Wait *seconds*, or until the caller closes the connection."""
    try:
        while (await asyncio.wait_for(receive(), seconds))["type"] != "http.disconnect":
            pass
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True


async def body_of(receive: Any) -> bytes:
    """Read a request to its end."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def send_answer(send: Any, answer: Answer, half: bool = False, *, receive: Any = None, seconds: float = 0.0) -> None:
    """Send an answer in one go.

    :param half: say how long it is, send the first half, and leave.
    :param receive: tells that the caller is gone; needed with *seconds* only.
    :param seconds: time that the body takes, in pieces.
    """
    kind = "text/html" if isinstance(answer.body, str) else "application/json;charset=utf-8"
    body = answer.content()
    headers = {name.lower(): value for name, value in answer.headers.items()}  # however a fault writes them
    if answer.status != 204:  # of nothing there is neither kind nor length
        length = max(len(body), 2) if half else len(body)
        headers = {"content-type": kind, **headers, "content-length": str(length)}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    rest = body[: len(body) // 2] if half else body
    if seconds:
        size = len(rest) // PIECES + 1
        for start in range(0, len(rest), size):
            if await gone_within(receive, seconds * size / len(rest)):
                return
            await send({"type": "http.response.body", "body": rest[start : start + size], "more_body": True})
        rest = b""
    await send({"type": "http.response.body", "body": rest, "more_body": half})


def with_transport(protocol: type[Any], open_transports: set[Any]) -> type[Any]:
    """Have uvicorn put the connection into the scope: to drop it cannot be said in ASGI.

    :param open_transports: where to keep all connections that are open.
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

        def connection_lost(self, exc: Exception | None) -> None:
            open_transports.discard(self.transport)
            super().connection_lost(exc)

    return WithTransport


class Server(uvicorn.Server):
    """One that leaves no connection open: over TLS each would wait for the other end to say goodbye.

    :ivar transports: connections that are open.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.transports: set[Any] = set()
        config.http_protocol_class = with_transport(config.http_protocol_class, self.transports)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for transport in list(self.transports):
            transport.abort()
        await asyncio.sleep(0)  # that is when they close
