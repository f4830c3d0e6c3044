"""A program on the emulator's server, uvicorn, that gives every request the same answer: as fast as the emulator could be."""

from __future__ import annotations

from typing import Any

import uvicorn

from tests.bench.echo import patch_answer
from tests.e2e.processes import free_port

HEAD, _, BODY = patch_answer().partition(b"\r\n\r\n")
HEADERS = [tuple(line.lower().split(b": ", 1)) for line in HEAD.split(b"\r\n")[1:]]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Hear a request to its end, and answer it."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    port = free_port()
    print(f"http://127.0.0.1:{port}", flush=True)
    uvicorn.run(app, port=port, log_config=None, lifespan="off", proxy_headers=False, date_header=False)
