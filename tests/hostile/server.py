"""A raw TCP server on loopback that answers as its script says, byte for byte. It knows no HTTP beyond where a request ends.

A script has a list of replies for each key: a message id, ``token`` for the token address, ``details`` for the account's
details. The n-th request with that key gets the n-th reply, later ones get the last; a key that is not in the script gets a
good reply. A reply is a list of steps: bytes to send, or a function of the `Connection`.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import unquote

#: Bytes of a request at most, and of an endless stream: no loop of the server goes on for ever.
MAX_REQUEST, MAX_STREAM = 2_000_000, 8_000_000
#: Seconds between two looks at whether the peer or the test has ended.
POLL_INTERVAL = 0.05


@dataclass(frozen=True)
class Received:
    """A request as it came.

    :ivar key: the message id, ``token`` or ``details``.
    :ivar connection: number of the connection, from 1.
    """

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    connection: int

    @property
    def key(self) -> str:
        path = self.path.split("?")[0]
        return "token" if "/oauth/" in path else unquote(path.rsplit("/", 1)[1])


Step = bytes | Callable[["Connection"], None]
Reply = Sequence[Step]
Script = dict[str, list[Reply]]


def answer(status: int = 200, body: Any = None, *extra: str, **headers: str) -> bytes:
    """A reply that is HTTP as it should be: JSON, or bytes as they are.

    :param extra: further header lines.
    :param headers: further headers, with underscores for hyphens.
    """
    raw = body if isinstance(body, bytes) else json.dumps({"id": "x"} if body is None else body).encode()
    named = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
    named |= {name.replace("_", "-"): text for name, text in headers.items()}
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {text}" for name, text in named.items()), *extra]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw


def page(status: int, title: str = "Blocked", content_type: str = "text/html; charset=utf-8") -> bytes:
    """A page that something between us and HubSpot sends."""
    html = f"<!doctype html><html><head><title>{title}</title></head><body>Reference #18.2</body></html>"
    return answer(status, html.encode(), Content_Type=content_type)


def good_reply(key: str) -> bytes:
    """What HubSpot would send."""
    if key == "token":
        return answer(body={"access_token": "n3w-t0k3n", "expires_in": 1800, "token_type": "bearer", "hub_id": 1})
    return answer(body={"timeZone": "Europe/Berlin"} if key == "details" else {"id": key, "status": {"statusType": "SENT"}})


def reset(connection: Connection) -> None:
    """Break the connection off, so that the peer reads an error and not an end."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(connection)


def close(connection: Connection) -> None:
    """Close the connection."""
    connection.is_closed = True


def half_close(connection: Connection) -> None:
    """Send no more, but read on."""
    connection.socket.shutdown(socket.SHUT_WR)


def hang(connection: Connection) -> None:
    """Send nothing until the peer closes the connection."""
    while not connection.has_ended():
        pass


def pause(seconds: float) -> Step:
    """Send nothing for a while."""
    return lambda connection: connection.wait(seconds)


def drip(data: bytes, interval: float = POLL_INTERVAL) -> Step:
    """Send a byte now and then, until the peer closes the connection or the bytes are over; then hang."""

    def send(connection: Connection) -> None:
        for byte in data:
            connection.socket.sendall(bytes([byte]))
            if connection.has_ended(interval):
                return
        hang(connection)

    return send


def endless(data: bytes, interval: float = 0.0) -> Step:
    """Send the same again and again, until the peer closes the connection or `MAX_STREAM` bytes were sent; then hang."""

    def send(connection: Connection) -> None:
        for _ in range(MAX_STREAM // len(data)):
            connection.socket.sendall(data)
            if connection.has_ended(interval):
                return
        hang(connection)

    return send


def later(seconds: float) -> Step:
    """Move the clock of the batch on: `Server.clock`."""

    def move(connection: Connection) -> None:
        connection.server.ahead += seconds

    return move


class Connection:
    """One connection of the server."""

    def __init__(self, server: Server, sock: socket.socket, number: int) -> None:
        self.server, self.socket, self.number = server, sock, number
        self.is_closed = False
        self._unread = b""

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the test."""
        self.server.closing.wait(seconds)

    def has_ended(self, seconds: float = POLL_INTERVAL) -> bool:
        """True if the peer has closed the connection, or the test has ended; waits a while for that."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return self.server.closing.is_set()
        return not self._receive() or self.server.closing.wait(seconds)

    def serve(self) -> None:
        """Answer requests until one side ends the connection."""
        with self.socket, suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self.is_closed and (request := self._read_request()):
                for step in self.server.reply_to(request):
                    if isinstance(step, bytes):
                        self.socket.sendall(step)
                    else:
                        step(self)

    def _read_request(self) -> Received | None:
        while b"\r\n\r\n" not in self._unread:
            if not self._receive():
                return None
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._unread) < length:
            if not self._receive():
                return None
        self._unread = self._unread[length:]
        method, path, _ = first.split(" ")
        return Received(method, path, headers, self.number)

    def _receive(self) -> bool:
        data = self.socket.recv(65_536)
        self._unread += data
        return bool(data) and len(self._unread) <= MAX_REQUEST


class Server:
    """The server; use it as a context manager: no thread and no socket of it is left afterwards.

    :ivar requests: what came, in order.
    :ivar ahead: seconds that `clock` is ahead of the monotonic clock.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.script: Script = script or {}
        self.requests: list[Received] = []
        self.ahead = 0.0
        self.closing = threading.Event()
        self._seen: Counter[str] = Counter()
        self._connections: dict[threading.Thread, Connection] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, daemon=True, name="hostile-server")

    def __enter__(self) -> Server:
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10)
        for connection in self._open():
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in list(self._connections):
            thread.join(10)
            assert not thread.is_alive(), "a connection of the server has not ended"

    def clock(self) -> float:
        """Seconds of a monotonic clock that a reply can move on."""
        return time.monotonic() + self.ahead

    @property
    def open_connections(self) -> int:
        """How many connections nobody has closed."""
        return len(self._open())

    def be_good(self) -> None:
        """Answer everything well from now on."""
        self.script = {}

    def keys(self) -> list[str]:
        """What was asked for, in order."""
        return [request.key for request in self.requests]

    def reply_to(self, request: Received) -> Reply:
        """The next reply for a request."""
        with self._lock:
            self.requests.append(request)
            number = self._seen[request.key]
            self._seen[request.key] += 1
            replies = self.script.get(request.key)
        return replies[min(number, len(replies) - 1)] if replies else [good_reply(request.key)]

    def _open(self) -> list[Connection]:
        with self._lock:
            return [connection for thread, connection in self._connections.items() if thread.is_alive()]

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(self, sock, len(self._connections) + 1)
            thread = threading.Thread(target=connection.serve, daemon=True, name="hostile-connection")
            with self._lock:
                self._connections[thread] = connection
            thread.start()
