"""``requests``, told to do exactly what a `Request` says: a request in, a `Reply` or `Lost` out, and no rules.

Most of the time of ``Session.patch`` goes into what is the same for each of ten thousand calls: reading the environment,
``.netrc``, merging settings, a cookie jar, redirects. Here the environment is read once, and a finished request goes straight
to the adapter. Proxies and CA bundle are honoured as ever; cookies, redirects and ``.netrc`` must not be (the last would put
another password in the place of the token), and here nothing looks at them.
"""

from __future__ import annotations

from threading import local
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.client import replies
from airflow_provider_hubchan.client.errors import BAD_TLS, CUT_OFF, NO_CONNECTION, NO_REPLY
from airflow_provider_hubchan.client.steps import Lost, Reply, Request

HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"}


class Sessions:
    """One connection for each thread that sends: ``requests`` does not promise that threads can share more.

    :param base_url: the one host that is called; proxies and CA bundle are looked up for it.
    """

    def __init__(self, base_url: str) -> None:
        with requests.Session() as session:
            settings = session.merge_environment_settings(base_url, {}, False, None, None)
        self._settings: dict[str, Any] = {name: value for name, value in settings.items() if name != "stream"}
        self._mine = local()
        self._all: list[HTTPAdapter] = []

    def send(self, request: Request, sent: float, timeout: float) -> Reply | Lost:
        """Send once; redirects are not followed.

        :param sent: the time now, for the reply.
        :param timeout: seconds for connecting and for each read.
        """
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = request.url  # as it is: prepared by requests, %2E%2E would be decoded and climb to another address
        prepared.headers = CaseInsensitiveDict(HEADERS | request.headers())
        if request.body:
            prepared.body = request.body
            prepared.headers["Content-Length"] = str(len(request.body))
        try:
            response = self._adapter().send(prepared, timeout=timeout, **self._settings)
            return Reply(response.status_code, response.headers, response.content, sent)
        except requests.RequestException as error:
            return Lost(_why(error))

    def close(self) -> None:
        """Close every socket. Call it when no thread sends any more."""
        for adapter in self._all:
            for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
                for key in manager.pools.keys():  # noqa: SIM118 - urllib3's container cannot be iterated
                    manager.pools[key].close()  # left alone, a pool that has seen an exception waits for the garbage collector
            adapter.close()

    def _adapter(self) -> HTTPAdapter:
        adapter: HTTPAdapter | None = getattr(self._mine, "adapter", None)
        if adapter is None:
            adapter = self._mine.adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1)
            self._all.append(adapter)
        return adapter


def _why(error: requests.RequestException) -> str:
    """Name what went wrong in the words that both drivers share."""
    cause = error.args[0] if error.args else None
    if isinstance(error, requests.exceptions.SSLError):
        return BAD_TLS if replies.untrusted(error) else CUT_OFF
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return NO_CONNECTION
    if isinstance(error, requests.ReadTimeout) or isinstance(cause, ReadTimeoutError):
        return NO_REPLY
    return NO_CONNECTION if isinstance(getattr(cause, "reason", None), NewConnectionError) else CUT_OFF
