"""``requests``, told to do exactly what a `Request` says: a request in, a `Reply` or `Lost` out, and no rules."""

from __future__ import annotations

from threading import local
from typing import Any

import requests
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from airflow_provider_hubchan import USER_AGENT
from airflow_provider_hubchan.client.steps import BAD_TLS, CUT_OFF, NO_CONNECTION, NO_REPLY, Lost, Reply, Request


class Sessions:
    """One session for each thread that sends: ``requests`` does not promise that threads can share one.

    :param base_url: the one host that is called; proxies and CA bundle are looked up for it.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._mine = local()
        self._all: list[requests.Session] = []

    def send(self, request: Request, sent: float, timeout: float) -> Reply | Lost:
        """Send once; redirects are not followed.

        :param sent: the time now, for the reply.
        :param timeout: seconds for connecting and for each read.
        """
        session = self._session()
        prepared = session.prepare_request(
            requests.Request(request.method, self._base_url, data=request.body, auth=_Headers(request))
        )
        prepared.url = request.url  # as it is: requests would decode %2E%2E and climb to another address
        settings = session.merge_environment_settings(self._base_url, {}, None, None, None)
        try:
            response = session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
        except requests.RequestException as error:
            return Lost(_why(error))
        return Reply(response.status_code, response.headers, response.content, sent)

    def close(self) -> None:
        """Close every socket. Call it when no thread sends any more."""
        for session in self._all:
            session.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = requests.Session()
            session.headers.update({"User-Agent": USER_AGENT})
            session.cookies = _NoCookies()
            self._all.append(session)
        return session


class _Headers(AuthBase):
    """Sets a request's headers last, as authentication: a ``.netrc`` entry for the host would replace the token."""

    def __init__(self, request: Request) -> None:
        self._headers = request.headers()

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers.update(self._headers)
        return prepared


class _NoCookies(RequestsCookieJar):
    """Keeps no cookies: calls must not depend on each other."""

    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> None:
        return None


def _why(error: requests.RequestException) -> str:
    """Name what went wrong in the words that both drivers share."""
    cause = error.args[0] if error.args else None
    if isinstance(error, requests.exceptions.SSLError):
        return CUT_OFF if "EOF" in str(error) else BAD_TLS
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return NO_CONNECTION
    if isinstance(error, requests.ReadTimeout) or isinstance(cause, ReadTimeoutError):
        return NO_REPLY
    return NO_CONNECTION if isinstance(getattr(cause, "reason", None), NewConnectionError) else CUT_OFF
