"""The local HubSpot over HTTP, on a loopback address, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import uvicorn

from airflow_provider_hubchan.emulator import contract
from airflow_provider_hubchan.emulator.control import control_app
from airflow_provider_hubchan.emulator.ledger import Entry
from airflow_provider_hubchan.emulator.local import LocalHubspot
from airflow_provider_hubchan.emulator.shapes import Answer, Call

CONTROL = "/_emulator"


class Emulator(LocalHubspot):
    """A HubSpot of one's own: start it, give `connection` to Airflow, look at `world` and `ledger` afterwards.

    >>> with Emulator() as hubspot:
    ...     hubspot.world.seed(["m-1"])
    ...     hubspot.connection()["conn_type"]
    'hubchan'

    :param port: 0 for any free one.
    :param limit: requests per window; 0 for as good as none.
    :param window: seconds of the rolling window.
    """

    def __init__(self, *, port: int = 0, channel_id: str = "100200", limit: int = 110, window: float = 10.0) -> None:
        super().__init__(channel_id=channel_id, limit=limit, window=window)
        self._in_flight: Counter[tuple[str, str]] = Counter()
        self._control = control_app(self)
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._serve, interface="asgi3", proxy_headers=False, log_config=None, log_level="critical", lifespan="off"
        )
        config.load()
        config.http_protocol_class = _with_transport(config.http_protocol_class)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Emulator:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the emulator did not start")
            self._thread.join(0.005)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        self._server.force_exit = True  # a call that is being delayed is not waited for
        self._thread.join()
        self._socket.close()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith(CONTROL):
            return await self._control(scope, receive, send)
        call = Call(
            scope["method"],
            tuple(unquote(segment) for segment in scope["raw_path"].decode("ascii").strip("/").split("/")),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await _body(receive),
        )
        about = call.message
        entry = Entry(self.world.clock.now(), call, scope["raw_path"].decode("ascii"))
        self.ledger.add(entry)
        if about:
            entry.others_in_flight = self._in_flight[about]
            self._in_flight[about] += 1
        try:
            await self._answer(call, entry, scope, receive, send)
        finally:
            if about:
                self._in_flight[about] -= 1
                if not self._in_flight[about]:
                    del self._in_flight[about]

    async def _answer(self, call: Call, entry: Entry, scope: Any, receive: Any, send: Any) -> None:
        fault = self.script.take(call)
        if fault is None:
            return await _send(send, entry.answered(contract.answer(self.world, call)))
        entry.fault = fault
        true = contract.answer(self.world, call) if fault.applies else None
        if fault.delay and await _gone_within(receive, fault.delay):
            return None  # the caller did not wait
        if fault.drop == "before":
            scope["transport"].abort()
            await _gone_within(receive, 1.0)
            return None
        answer = (
            true if true is not None and fault.status is None else Answer(fault.status or 200, fault.body, dict(fault.headers))
        )
        if "x-hubspot-ratelimit-max" not in map(str.lower, answer.headers):
            answer.headers |= contract.rate_headers(self.world, self.world.app)
        await _send(send, entry.answered(answer), half=fault.drop == "half")


async def _gone_within(receive: Any, seconds: float) -> bool:
    """Wait *seconds*, or until the caller closes the connection."""
    try:
        while (await asyncio.wait_for(receive(), seconds))["type"] != "http.disconnect":
            pass
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send(send: Any, answer: Answer, half: bool = False) -> None:
    """Send an answer in one go; *half*: say how long it is, send the first half, and leave."""
    kind = "text/html" if isinstance(answer.body, str) else "application/json;charset=utf-8"
    body = (
        answer.body.encode()
        if isinstance(answer.body, str)
        else b""
        if answer.body is None
        else json.dumps(answer.body).encode()
    )
    headers = {"Content-Type": kind, **answer.headers, "Content-Length": str(max(len(body), 2) if half else len(body))}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body[: len(body) // 2] if half else body, "more_body": half})


def _with_transport(protocol: type[Any]) -> type[Any]:
    """Have uvicorn put the connection into the scope: to drop it cannot be said in ASGI."""

    class WithTransport(protocol):  # type: ignore[misc]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            app: Any = self.app

            async def app_with_transport(scope: Any, receive: Any, send: Any) -> None:
                scope["transport"] = transport
                await app(scope, receive, send)

            self.app: Any = app_with_transport

    return WithTransport
