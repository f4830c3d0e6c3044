"""Send one `Request` with ``requests``: a request in, a `Response` or `NoResponse` out, and no rules.

Most of the time of ``Session.patch`` goes into what is the same for each of ten thousand calls: reading the environment and
``.netrc``, merging settings, choosing proxy and TLS context, a cookie jar, redirects, wrapping the response. Here
``requests`` is asked for all that once for each thread, and its connection pool then makes each call. Proxies and CA bundle are
honoured as usual; cookies, redirects and ``.netrc`` must not be (the last would put another password in the place of the
token), and nothing here looks at them.
"""

from __future__ import annotations

from contextlib import suppress
from socket import SHUT_RDWR, socket
from threading import local
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, ReadTimeoutError, SSLError

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.client.actions import (
    INCOMPLETE,
    NO_CONNECTION,
    READ_TIMEOUT,
    UNTRUSTED_TLS,
    NoResponse,
    Request,
    Response,
)

HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"}


class ConnectionPool:
    """One connection for each thread that sends: ``requests`` does not promise that threads can share more.

    :param base_url: the one host that is called; proxies and CA bundle are looked up for it.
    """

    def __init__(self, base_url: str) -> None:
        with requests.Session() as session:
            settings = session.merge_environment_settings(base_url, {}, False, None, None)
        self._settings: dict[str, Any] = {name: value for name, value in settings.items() if name != "stream"}
        self._base_url = base_url
        self._of_this_thread = local()
        self._connections: list[Connection] = []

    def send(self, request: Request, sent_at: float, timeout: float) -> Response | NoResponse:
        """Send once; redirects are not followed.

        :param sent_at: the time now, for the response.
        :param timeout: seconds for connecting and for each read.
        """
        connection: Connection | None = getattr(self._of_this_thread, "connection", None)
        if connection is None:
            try:
                connection = self._of_this_thread.connection = Connection(self._base_url, self._settings)
            except (requests.RequestException, HTTPError, ValueError):  # the environment's proxy makes no sense
                return NoResponse(NO_CONNECTION)
            except OSError:  # the environment's CA bundle cannot be read
                return NoResponse(UNTRUSTED_TLS)
            self._connections.append(connection)
        return connection.send_once(request, sent_at, timeout)

    def abort(self) -> None:
        """Break off every call, from another thread: whoever waits for a response gets none at once."""
        for connection in list(self._connections):
            connection.abort()

    def close(self) -> None:
        """Close every socket. Call it when no thread sends any more."""
        for connection in self._connections:
            connection.close()


class Connection(HTTPAdapter):
    """The connection of one thread to one host: an adapter of ``requests`` that holds a single connection of urllib3."""

    def __init__(self, base_url: str, settings: dict[str, Any]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        prepared = requests.Request("GET", base_url).prepare()
        assert prepared.url is not None
        pool: Any = self.get_connection_with_tls_context(prepared, **settings)
        self.cert_verify(pool, prepared.url, settings["verify"], settings["cert"])  # type: ignore[no-untyped-call]
        pool.ConnectionCls = _reporting_socket_to(self, pool.ConnectionCls)
        self._pool = pool
        self.socket: socket | None = None
        sends_whole_url = self.request_url(prepared, settings["proxies"]).startswith("http")  # a proxy needs the host, too
        self._path_begins_at = 0 if sends_whole_url else len(base_url) - len(urlsplit(base_url).path)

    def send_once(self, request: Request, sent_at: float, timeout: float) -> Response | NoResponse:
        """Send *request* once on this connection; redirects are not followed. Arguments as of `ConnectionPool.send`."""
        try:
            response = self._pool.urlopen(
                request.method,
                request.url[self._path_begins_at :],  # unchanged: if requests prepared it, %2E%2E would lead to another address
                body=request.body or None,
                headers=HEADERS | request.headers(),
                redirect=False,
                retries=False,
                assert_same_host=False,
                timeout=timeout,
            )
            return Response(response.status, response.headers, response.data, sent_at)
        except SSLError as error:
            return NoResponse.of_tls_error(error)
        except (HTTPError, OSError, UnicodeError) as error:
            return NoResponse(_reason(error))

    def abort(self) -> None:
        """Shut the socket down, from another thread: its call ends as if the network had failed."""
        if self.socket:
            with suppress(OSError):  # it is closed already
                # the method of the plain socket: that of a TLS socket takes itself apart under the reader
                socket.shutdown(self.socket, SHUT_RDWR)

    def close(self) -> None:
        """Close the socket. A pool that has seen an exception would keep it until the garbage collector comes."""
        self._pool.close()
        super().close()


def _reporting_socket_to(connection: Connection, connection_class: Any) -> Any:
    """A class of urllib3 connections that gives *connection* its socket: the pool does not tell which one is in use."""

    class Reporting(connection_class):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            connection.socket = self.sock

    return Reporting


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectTimeoutError | NewConnectionError | ProxyError | UnicodeError):
        return NO_CONNECTION
    return READ_TIMEOUT if isinstance(error, ReadTimeoutError) else INCOMPLETE
