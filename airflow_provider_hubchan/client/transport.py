"""Send one `Request` with ``requests``: a request in, a `Response` or `NoResponse` out, and no rules.

Most of the time of ``Session.patch`` goes into what is the same for each of ten thousand calls: reading the environment and
``.netrc``, merging settings, choosing proxy and TLS context, a cookie jar, redirects, wrapping the response. Here
``requests`` is asked for all that once for each connection, and its connection pool then makes each call. Proxies and CA bundle
are honoured as usual; cookies, redirects and ``.netrc`` must not be (the last would put another password in the place of the
token), and nothing here looks at them.

The other side may send anything, a byte at a time, without end. A call ends all the same, and whatever goes wrong in it is a
`NoResponse`: it concerns one request.
"""

from __future__ import annotations

import io
import time
from contextlib import suppress
from functools import partial
from http.client import HTTPResponse
from socket import SHUT_RDWR, socket
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.client.actions import (
    BAD_PROXY,
    INCOMPLETE,
    NO_CONNECTION,
    NO_PROXY_CONNECTION,
    NO_SOCKS,
    PROXY_LOGIN,
    PROXY_REFUSAL,
    READ_TIMEOUT,
    TOO_LARGE,
    UNKNOWN_HOST,
    UNREADABLE,
    UNTRUSTED_TLS,
    NoResponse,
    Request,
    Response,
)
from airflow_provider_hubchan.client.environment import look_through
from airflow_provider_hubchan.client.reply_bounds import ACCEPT_ENCODING, MAX_REPLY, ReplyTooLarge, decompress

HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING}
#: Bytes that are read at a time of a body in chunks.
CHUNK = 65_536


class ConnectionPool:
    """As many connections as threads have sent at the same time: ``requests`` does not promise that threads can share one. A
    thread has one for a call; then it is idle, and the next call is sent on it, from whatever thread.

    :param base_url: the one host that is called; proxies and CA bundle are looked up for it.
    """

    def __init__(self, base_url: str) -> None:
        with requests.Session() as session:
            settings = look_through(lambda: session.merge_environment_settings(base_url, {}, False, None, None))
        self._settings: dict[str, Any] = {name: value for name, value in settings.items() if name != "stream"}
        self._base_url = base_url
        self._connections: list[Connection] = []
        #: The one that was used last is taken first: the others grow old, and the server may close them.
        self._idle: list[Connection] = []

    def send(self, request: Request, sent_at: float, timeout: float, total: float) -> Response | NoResponse:
        """Send once; redirects are not followed.

        :param sent_at: the time now, for the response.
        :param timeout: seconds for connecting and for each read.
        :param total: seconds for the whole call.
        """
        try:
            connection = self._take()
        except requests.exceptions.InvalidSchema:
            return NoResponse(NO_SOCKS)
        except (requests.RequestException, HTTPError, ValueError):
            return NoResponse(BAD_PROXY)
        except OSError:  # the environment's CA bundle cannot be read
            return NoResponse(UNTRUSTED_TLS)
        try:
            return connection.send_once(request, sent_at, timeout, total)
        finally:
            self._idle.append(connection)

    def _take(self) -> Connection:
        """An idle connection, a new one if there is none."""
        with suppress(IndexError):
            return self._idle.pop()
        connection = Connection(self._base_url, self._settings)
        self._connections.append(connection)
        return connection

    def abort(self) -> None:
        """Break off every call, from another thread: whoever waits for a response gets none at once."""
        for connection in list(self._connections):
            connection.abort()

    def close(self) -> None:
        """Close every socket. Call it when no thread sends any more."""
        for connection in self._connections:
            connection.close()


class Connection(HTTPAdapter):
    """A connection to one host, for one thread at a time: an adapter of ``requests`` that holds a single one of urllib3."""

    def __init__(self, base_url: str, settings: dict[str, Any]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        prepared = requests.Request("GET", base_url).prepare()
        assert prepared.url is not None
        pool: Any = self.get_connection_with_tls_context(prepared, **settings)
        self.cert_verify(pool, prepared.url, settings["verify"], settings["cert"])  # type: ignore[no-untyped-call]
        pool.ConnectionCls = _bounded(self, pool.ConnectionCls)
        self._pool = pool
        self.socket: socket | None = None
        #: When the call that is under way ends, in seconds of the monotonic clock.
        self.ends = 0.0
        sends_whole_url = self.request_url(prepared, settings["proxies"]).startswith("http")  # a proxy needs the host, too
        self._path_begins_at = 0 if sends_whole_url else len(base_url) - len(urlsplit(base_url).path)

    def send_once(self, request: Request, sent_at: float, timeout: float, total: float) -> Response | NoResponse:
        """Send *request* once on this connection; redirects are not followed. Arguments as of `ConnectionPool.send`."""
        self.ends = time.monotonic() + total
        reply: BaseHTTPResponse | None = None
        try:
            reply = self._pool.urlopen(
                request.method,
                request.url[self._path_begins_at :],  # unchanged: if requests prepared it, %2E%2E would lead to another address
                body=request.body or None,
                headers=HEADERS | request.headers(),
                redirect=False,
                retries=False,
                assert_same_host=False,
                timeout=min(timeout, total),
                preload_content=False,
                decode_content=False,
            )
            body = decompress(_read_body(reply), reply.headers.get("Content-Encoding"))
            return Response(reply.status, reply.headers, body, sent_at)
        except Exception as error:  # whatever a stranger's bytes lead to
            if reply is not None:  # what is left of the reply must not be taken for the next one
                reply.close()
            return _no_response(error)
        finally:
            if reply is not None:
                reply.release_conn()

    def abort(self) -> None:
        """Shut the socket down, from another thread: its call ends as if the network had failed."""
        self.ends = 0.0
        if self.socket:
            with suppress(OSError):  # it is closed already
                # the method of the plain socket: that of a TLS socket takes itself apart under the reader
                socket.shutdown(self.socket, SHUT_RDWR)

    def close(self) -> None:
        """Close the socket. A pool that has seen an exception would keep it until the garbage collector comes."""
        self._pool.close()
        super().close()


class BoundedResponse(HTTPResponse):
    """Reads a response within the time of the call that is under way, and only so many bytes; interim ones are passed over.

    The standard library passes over 100 alone, and takes 102 or 103 for the answer: then the real one would be that of the
    next request. After 101 the connection is not one of HTTP any more.
    """

    def __init__(self, connection: Connection, sock: Any, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(_BoundedSocket(connection, sock), debuglevel, method)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Read up to the headers of the final response."""
        super().begin()
        while 100 <= self.status < 200:
            if self.status == 101:
                raise ValueError("101 Switching Protocols was not asked for")
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first
            super().begin()


class _BoundedSocket:
    """What `HTTPResponse` needs of a socket: a file to read from."""

    def __init__(self, connection: Connection, sock: Any) -> None:
        self._connection, self._sock = connection, sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._connection, self._sock))


class _BoundedReader(io.RawIOBase):
    """The bytes of a socket until the call's time is over, at most `MAX_REPLY`."""

    def __init__(self, connection: Connection, sock: Any) -> None:
        self._connection, self._sock = connection, sock
        self._raw, self._timeout, self._left = sock.makefile("rb", buffering=0), sock.gettimeout(), MAX_REPLY

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        seconds = self._connection.ends - time.monotonic()
        if seconds <= 0.0:
            raise TimeoutError("the time of the call is over")
        if self._timeout is None or seconds < self._timeout:
            self._sock.settimeout(seconds)
        count: int | None = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise ReplyTooLarge
        return count

    def close(self) -> None:
        if not self.closed:
            with suppress(OSError):  # it is closed already
                self._sock.settimeout(self._timeout)
        self._raw.close()
        super().close()


def _bounded(connection: Connection, connection_class: Any) -> Any:
    """A class of urllib3 connections that reads within bounds, and gives *connection* its socket: the pool does not tell which
    one is in use.
    """

    class Bounded(connection_class):  # type: ignore[misc]
        response_class = staticmethod(partial(BoundedResponse, connection))

        def connect(self) -> None:
            super().connect()
            connection.socket = self.sock

    return Bounded


def _read_body(reply: BaseHTTPResponse) -> bytes:
    length: int | None = getattr(reply, "length_remaining", None)
    if length is not None:
        if length > MAX_REPLY:  # the buffer for it would be made before the first byte comes
            raise ReplyTooLarge
        return reply.read(decode_content=False)
    if not getattr(reply, "chunked", False):
        return reply.read(MAX_REPLY + 1, decode_content=False)
    return b"".join(reply.read_chunked(CHUNK, decode_content=False))


def _no_response(error: Exception) -> NoResponse:
    if isinstance(error, SSLError):
        return NoResponse.of_tls_error(error)
    return NoResponse(_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, ReplyTooLarge):
        return TOO_LARGE
    if isinstance(error, ProxyError):
        return _proxy_reason(error.original_error)
    if isinstance(error, OverflowError):  # a port that is none: the connection's own was checked
        return BAD_PROXY
    if isinstance(error, NameResolutionError | UnicodeError):
        return UNKNOWN_HOST
    if isinstance(error, ConnectTimeoutError | NewConnectionError):
        return NO_CONNECTION
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return READ_TIMEOUT
    return INCOMPLETE if isinstance(error, HTTPError | OSError) else UNREADABLE


def _proxy_reason(error: Exception) -> str:
    if "Tunnel connection failed: 407" in str(error):
        return PROXY_LOGIN
    return PROXY_REFUSAL if "Tunnel connection failed" in str(error) else NO_PROXY_CONNECTION
