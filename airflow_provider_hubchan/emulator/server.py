"""The emulator as a server in a thread of its own: HTTP or HTTPS, on a loopback address unless told otherwise."""

from __future__ import annotations

import json
import os
import socket
import ssl
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any

import uvicorn

from airflow_provider_hubchan.emulator.api import errors, routes
from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.asgi import BodyTooLarge, Server, read_body, send_response, with_date
from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.control import control_app
from airflow_provider_hubchan.emulator.faults.injection import Injected, inject
from airflow_provider_hubchan.emulator.origin_check import parse_allowed_hosts, with_origin_check, with_page_check
from airflow_provider_hubchan.emulator.request_log.entry import Entry

CONTROL, PAGE = "/_emulator", ("/", "/favicon.ico")
LOOPBACK, ALL_ADDRESSES = "127.0.0.1", "0.0.0.0"  # noqa: S104  # only if asked for


class Emulator(HubspotBackend):
    """A HubSpot of one's own: start it, give `connection` to Airflow, look at `world` and `ledger` afterwards.

    >>> with Emulator() as hubspot:
    ...     hubspot.world.seed(["m-1"])
    ...     hubspot.connection()["conn_type"]
    'hubchan'

    :param host: IPv4 address to listen on, ``0.0.0.0`` for all. Every program that reaches it may do everything.
    :param port: 0 for any free one.
    :param allowed_hosts: names and addresses that the control API and the page may be called by, with any port, beside *host*,
        ``localhost``, names under it, and loopback addresses: ``["hubspot"]`` in a network of containers.
    :param tls: True to serve https, with a certificate that `ca_file` vouches for.
    :param webhook: URL that the events of the first channel are sent to, its ``webhookUrl``; None for none.
    :param settings: fields of `Settings`; ``limit=0`` for a rate limit that is never reached.
    :ivar ca_file: with *tls*, path of the certificate to trust (PEM), until it is stopped; else None.
    :raises OSError: it cannot listen there.
    :raises ValueError: names every setting that is not allowed, or every allowed host that is neither a name nor an address, or
        says why nothing can be sent to *webhook*.
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        tls: bool = False,
        allowed_hosts: Iterable[str] = (),
        webhook: str | None = None,
        **settings: Any,
    ) -> None:
        self.webhook = webhook
        super().__init__(**settings)
        hosts = parse_allowed_hosts(allowed_hosts)
        self._certificate = make_certificate() if tls else None
        self.ca_file = self._certificate.ca_file if self._certificate else None
        self._in_flight: Counter[tuple[str, str]] = Counter()
        self._socket = socket.create_server((host, port), backlog=512)
        listens_on_all = self._socket.getsockname()[0] == ALL_ADDRESSES
        reachable = LOOPBACK if listens_on_all else host
        hosts |= parse_allowed_hosts([reachable])
        self._control = with_origin_check(control_app(self), hosts)
        self._api = with_page_check(self._serve_api, hosts)
        self.url = f"{'https' if tls else 'http'}://{reachable}:{self._socket.getsockname()[1]}"
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
        self._webhooks.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._webhooks.close()
        self._server.stop()
        self._thread.join()
        self._socket.close()
        if self._certificate:
            self._certificate.remove()

    @contextmanager
    def as_connection(self, conn_id: str = "hubchan_default", **extra: Any) -> Iterator[Emulator]:
        """Have Airflow find it under this connection id, through the environment; it is started if it does not run yet.

        :param extra: more of the connection's extras.
        """
        started = nullcontext() if self._thread.is_alive() else self
        with started, _environment_variable(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(self.connection(**extra))):
            yield self

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        send = with_date(send, lambda: self.world.clock.now())
        is_control = scope["path"] in PAGE or scope["path"].startswith(CONTROL)
        await (self._control if is_control else self._api)(scope, receive, send)

    async def _serve_api(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await read_body(receive)
        except BodyTooLarge:
            return await send_response(send, errors.body_too_large())
        request = Request(
            scope["method"],
            scope["raw_path"].decode("ascii"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body,
            scope["query_string"].decode("latin-1"),
        )
        message = request.message
        entry = self.ledger.begin(request, self.world)
        if message:
            entry.others_in_flight = self._in_flight[message]
            self._in_flight[message] += 1
        try:
            await self._answer(request, entry, scope, receive, send)
        finally:
            if message:
                self._in_flight[message] -= 1
                if not self._in_flight[message]:
                    del self._in_flight[message]

    async def _answer(self, request: Request, entry: Entry, scope: Any, receive: Any, send: Any) -> None:
        hit = self.schedule.next_hit(request, self.world)
        if hit is None:
            return await send_response(send, self.ledger.answered(entry, request, routes.answer(self.world, request)))
        entry.fault = hit.fault
        injected = Injected(self.world, hit, request, lambda response: self.ledger.answered(entry, request, response))
        return await inject(injected, scope["transport"], receive, send)


@contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of this process; afterwards it is as it was before."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


class Certificate:
    """A certificate of the server, and that of the authority that has signed it.

    :param context: holds the server's certificate.
    :param authority: the authority's certificate in PEM.
    :ivar ca_file: path of a file with it; it is removed by `remove`, or at the end of the program.
    """

    def __init__(self, context: ssl.SSLContext, authority: bytes) -> None:
        self.context = context
        with tempfile.NamedTemporaryFile(prefix="hubchan-emulator-", suffix=".pem", delete=False) as file:
            file.write(authority)
        self.ca_file = file.name
        self.remove: Callable[[], object] = weakref.finalize(self, os.unlink, file.name)


def make_certificate() -> Certificate:
    """A new certificate for 127.0.0.1 and localhost.

    :raises ModuleNotFoundError: trustme is not installed.
    """
    try:
        import trustme  # only here: it imports cryptography, which takes longer to load than everything else
    except ModuleNotFoundError as missing:
        command = "pip install 'airflow-provider-hubchan[emulator]'"
        raise ModuleNotFoundError(f"TLS needs {missing.name}: {command}", name=missing.name) from missing
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return Certificate(context, authority.cert_pem.bytes())
