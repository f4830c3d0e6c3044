"""The local HubSpot over HTTP, on a loopback address unless told otherwise, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any

import uvicorn

from airflow_provider_hubchan.emulator import contract
from airflow_provider_hubchan.emulator.asgi import Server, body_of, dated, send_answer
from airflow_provider_hubchan.emulator.control import control_app
from airflow_provider_hubchan.emulator.entry import Entry
from airflow_provider_hubchan.emulator.environment import airflow_connection
from airflow_provider_hubchan.emulator.local import LocalHubspot
from airflow_provider_hubchan.emulator.shapes import Call
from airflow_provider_hubchan.emulator.spoil import Spoiled, spoil
from airflow_provider_hubchan.emulator.tls import certificate

CONTROL = "/_emulator"
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104  # only if asked for


class Emulator(LocalHubspot):
    """A HubSpot of one's own: start it, give `connection` to Airflow, look at `world` and `ledger` afterwards.

    >>> with Emulator() as hubspot:
    ...     hubspot.world.seed(["m-1"])
    ...     hubspot.connection()["conn_type"]
    'hubchan'

    :param host: IPv4 address to listen on, ``0.0.0.0`` for all. Nothing protects it: whoever reaches it may do everything.
    :param port: 0 for any free one.
    :param tls: True to serve https, with a certificate that `ca_file` vouches for.
    :param settings: see `Settings`; ``limit=0`` for as good as none.
    :ivar ca_file: with *tls*, path of the certificate to trust (PEM), until it is stopped.
    """

    def __init__(self, *, host: str = LOOPBACK, port: int = 0, tls: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self._certificate = certificate() if tls else None
        self.ca_file = self._certificate.ca_file if self._certificate else None
        self._in_flight: Counter[tuple[str, str]] = Counter()
        self._control = control_app(self)
        self._socket = socket.create_server((host, port), backlog=512)
        shown = LOOPBACK if host == EVERYWHERE else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            loop="asyncio" if tls else "auto",  # uvloop hangs when it is closed after a handshake that failed
            proxy_headers=False,
            date_header=False,  # it would be of the machine's clock
            log_config=None,
            log_level="critical",
            lifespan="off",
            ws="none",  # HubSpot has none here, and older uvicorns import what websockets calls deprecated
        )
        config.load()
        config.ssl = self._certificate.context if self._certificate else None
        self._server = Server(config)
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
        if self._certificate:
            self._certificate.remove()

    @contextmanager
    def as_connection(self, conn_id: str = "hubchan_default", **extra: Any) -> Iterator[Emulator]:
        """Have Airflow find it under this connection id, through the environment; start it first if need be.

        :param extra: more of the connection's extras.
        """
        with nullcontext() if self._thread.is_alive() else self, airflow_connection(conn_id, self.connection(**extra)):
            yield self

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        send = dated(send, lambda: self.world.clock.now())
        if scope["path"] == "/" or scope["path"].startswith(CONTROL):
            return await self._control(scope, receive, send)
        call = Call(
            scope["method"],
            scope["raw_path"].decode("ascii"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await body_of(receive),
            scope["query_string"].decode("latin-1"),
        )
        about = call.message
        entry = self.ledger.begin(call, self.world)
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
        strike = self.script.take(call, self.world)
        if strike is None:
            return await send_answer(send, self.ledger.answered(entry, call, contract.answer(self.world, call)))
        entry.fault = strike.fault
        spoiled = Spoiled(self.world, strike, call, lambda answer: self.ledger.answered(entry, call, answer))
        return await spoil(spoiled, scope["transport"], receive, send)
