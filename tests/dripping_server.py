"""A server that answers every request with a byte now and then, and never to the end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two bytes: each of them comes in time for any timeout of a read.
INTERVAL = 0.2
#: Half an answer; what follows is part of a header that does not end.
BEGINNING = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Slow: "


class DrippingServer:
    """Use it as a context manager; it listens on 127.0.0.1.

    :ivar url: where it listens.
    :ivar requests: the first line of each request.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> DrippingServer:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def connection(self, **extra: object) -> str:
        """An Airflow connection to it, as JSON; with a ready access token unless *extra* says otherwise."""
        extra = {"channel_id": "100200", "access_token": "r3ady", **extra}
        return json.dumps({"conn_type": "hubchan", "host": self.url, "extra": extra})

    def _accept(self) -> None:
        self._socket.settimeout(0.05)
        while not self._stopped.is_set():
            try:
                client, _ = self._socket.accept()
            except TimeoutError:
                continue
            self._threads.append(threading.Thread(target=self._drip, args=(client,)))
            self._threads[-1].start()

    def _drip(self, client: socket.socket) -> None:
        with client:
            try:
                client.settimeout(5.0)
                self.requests.append(client.recv(65_536).decode(errors="replace").split("\r\n")[0])
                for byte in self._bytes():
                    client.sendall(byte)
                    if self._stopped.wait(INTERVAL):
                        return
            except OSError:  # the client has gone
                return

    def _bytes(self) -> Iterator[bytes]:
        yield BEGINNING
        while True:
            yield b"a"


def call_in_time(function: Callable[[], T], seconds: float = 20.0) -> T:
    """Call *function* in a thread, which must end in so many *seconds*: long enough for any machine.

    :return: what it returns; what it raises is raised.
    """
    outcomes = list[tuple[T | None, BaseException | None]]()

    def call() -> None:
        try:
            outcomes.append((function(), None))
        except BaseException as error:
            outcomes.append((None, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcomes:
        raise AssertionError(f"it has not ended in {seconds:g} seconds")
    ((result, error),) = outcomes
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
