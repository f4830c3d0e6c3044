"""A receiver of webhooks on this machine: it keeps what came, and answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event = json.loads(self.body)
        assert isinstance(event, dict)
        return event

    @property
    def text(self) -> str:
        return str(self.event["message"]["text"])

    @property
    def signature(self) -> str | None:
        return self.headers.get("x-hubspot-signature-v3")

    @property
    def timestamp(self) -> str:
        return self.headers["x-hubspot-request-timestamp"]


class Receiver:
    """Listens while it is entered.

    :param answer: gives the status of the answer to a request; it may wait.
    """

    def __init__(self, answer: Callable[[Received], int] = lambda received: 200, path: str = "/hubspot") -> None:
        self.received: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
                receiver.received.append(received)
                status = answer(received)
                with suppress(OSError):  # nobody waits for it any more
                    self.send_response(status)
                    self.send_header("Content-Length", "6")
                    self.end_headers()
                    self.wfile.write(b"thanks")

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.url = self.address + path

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def texts(self) -> list[str]:
        """What agents have written, in the order in which it came."""
        return [received.text for received in self.received]
