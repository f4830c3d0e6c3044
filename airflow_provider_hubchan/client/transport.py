"""``requests``, told to do exactly what a `Request` says: a request in, a `Reply` or `Lost` out, and no rules.

Most of the time of ``Session.patch`` goes into what is the same for each of ten thousand calls: reading the environment and
``.netrc``, merging settings, choosing proxy and TLS context, a cookie jar, redirects, wrapping the response. Here all that is
asked of ``requests`` once for each thread, and its connection pool then does each call. Proxies and CA bundle are honoured as
ever; cookies, redirects and ``.netrc`` must not be (the last would put another password in the place of the token), and
nothing here looks at them.
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
from airflow_provider_hubchan.client import replies
from airflow_provider_hubchan.client.actions import Lost, Reply, Request
from airflow_provider_hubchan.client.errors import BAD_TLS, CUT_OFF, NO_CONNECTION, NO_REPLY

HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"}


class Sessions:
    """One connection for each thread that sends: ``requests`` does not promise that threads can share more.

    :param base_url: the one host that is called; proxies and CA bundle are looked up for it.
    """

    def __init__(self, base_url: str) -> None:
        with requests.Session() as session:
            settings = session.merge_environment_settings(base_url, {}, False, None, None)
        self._settings: dict[str, Any] = {name: value for name, value in settings.items() if name != "stream"}
        self._base_url = base_url
        self._mine = local()
        self._all: list[Line] = []

    def send(self, request: Request, sent: float, timeout: float) -> Reply | Lost:
        """Send once; redirects are not followed.

        :param sent: the time now, for the reply.
        :param timeout: seconds for connecting and for each read.
        """
        line: Line | None = getattr(self._mine, "line", None)
        if line is None:
            try:
                line = self._mine.line = Line(self._base_url, self._settings)
            except (requests.RequestException, HTTPError, ValueError):  # the environment's proxy makes no sense
                return Lost(NO_CONNECTION)
            except OSError:  # its CA bundle is not there
                return Lost(BAD_TLS)
            self._all.append(line)
        return line.exchange(request, sent, timeout)

    def cut(self) -> None:
        """Break off every exchange, from another thread: whoever waits for an answer gets none at once."""
        for line in list(self._all):
            line.cut()

    def close(self) -> None:
        """Close every socket. Call it when no thread sends any more."""
        for line in self._all:
            line.close()


class Line(HTTPAdapter):
    """The connection of one thread."""

    def __init__(self, base_url: str, settings: dict[str, Any]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        probe = requests.Request("GET", base_url).prepare()
        assert probe.url is not None
        self._pool: Any = self.get_connection_with_tls_context(probe, **settings)
        self.cert_verify(self._pool, probe.url, settings["verify"], settings["cert"])  # type: ignore[no-untyped-call]
        pool: Any = self._pool
        pool.ConnectionCls = _known_to(self, pool.ConnectionCls)
        self.socket: socket | None = None
        whole = self.request_url(probe, settings["proxies"]).startswith("http")  # a proxy wants to be told the host
        self._cut = 0 if whole else len(base_url) - len(urlsplit(base_url).path)

    def exchange(self, request: Request, sent: float, timeout: float) -> Reply | Lost:
        """See `Sessions.send`."""
        try:
            response = self._pool.urlopen(
                request.method,
                request.url[self._cut :],  # as it is: prepared by requests, %2E%2E would climb to another address
                body=request.body or None,
                headers=HEADERS | request.headers(),
                redirect=False,
                retries=False,
                assert_same_host=False,
                timeout=timeout,
            )
            return Reply(response.status, response.headers, response.data, sent)
        except (HTTPError, OSError, UnicodeError) as error:
            return Lost(_why(error))

    def cut(self) -> None:
        """See `Sessions.cut`. What comes of it in the other thread is a lost connection, as if the network had broken."""
        if self.socket:
            with suppress(OSError):  # it is closed already
                socket.shutdown(self.socket, SHUT_RDWR)  # not that of a TLS socket, which takes itself apart under the reader

    def close(self) -> None:
        """Close the socket; left alone, a pool that has seen an exception waits for the garbage collector."""
        self._pool.close()
        super().close()


def _known_to(line: Line, kind: Any) -> Any:
    """A kind of connection that tells *line* its socket: the pool keeps to itself which one is in use."""

    class Known(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            line.socket = self.sock

    return Known


def _why(error: Exception) -> str:
    """Name what went wrong in the words that both drivers share."""
    if isinstance(error, SSLError):
        return BAD_TLS if replies.untrusted(error) else CUT_OFF
    if isinstance(error, ConnectTimeoutError | NewConnectionError | ProxyError | UnicodeError):
        return NO_CONNECTION
    return NO_REPLY if isinstance(error, ReadTimeoutError) else CUT_OFF
