"""A server that gives every request the emulator's answer to a PATCH, and does nothing else: so the client is measured."""

from __future__ import annotations

import asyncio
import json
import re
import sys

from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.api.routes import answer
from airflow_provider_hubchan.emulator.model.world import World

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def patch_answer() -> bytes:
    """The emulator's answer to a PATCH, rate headers included, as it goes over the wire."""
    world = World(limit=0)
    world.seed(["message-1"])
    path = "/conversations/custom-channels/2026-03/100200/messages/message-1"
    request = Request("PATCH", path, {"authorization": f"Bearer {world.issue()}"}, b'{"statusType": "READ"}')
    response = answer(world, request)
    assert response.status == 200, response
    body = json.dumps(response.body).encode()
    headers = {"Content-Type": "application/json;charset=utf-8", **response.headers, "Content-Length": str(len(body))}
    return b"HTTP/1.1 200 OK\r\n" + b"".join(f"{name}: {text}\r\n".encode() for name, text in headers.items()) + b"\r\n" + body


class Echo(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, response: bytes, delay: float) -> None:
        self._response, self._delay, self._received = response, delay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._received, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._response)
            else:
                self._transport.write(self._response)


async def main(delay: float) -> None:
    """Serve on any free port of the loopback address, say which."""
    response = patch_answer()
    server = await asyncio.get_running_loop().create_server(lambda: Echo(response, delay), "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
