"""The account's access token: whether the current one can be used, and the flow that fetches the next.

HubSpot answers a refresh grant with ``expires_in``, 1800 seconds today (HubSpot docs, manage OAuth tokens). A refresh token is
valid until the app is uninstalled; if a response brings another one, that is used from then on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

from airflow_provider_hubchan.client import endpoints, headers
from airflow_provider_hubchan.client.actions import (
    INCOMPLETE,
    READ_TIMEOUT,
    Abort,
    Aborted,
    Flow,
    NeedToken,
    NoResponse,
    Response,
    Wait,
)
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, Token, is_sendable_token
from airflow_provider_hubchan.client.problems import NOT_HUBSPOT, is_hubspots, response_problem
from airflow_provider_hubchan.client.responses import (
    NO_RESPONSE_RULES,
    REDIRECT_ADVICE,
    Blocked,
    is_transient,
    no_response_problem,
)

#: Seconds before its end from which a token is renewed: requests have failed with "expired 0 seconds ago".
EXPIRY_MARGIN = 60.0
#: Seconds until the next attempt to renew a token that still works, after one that failed.
RENEWAL_INTERVAL = 5.0
#: An ``expires_in`` of fewer or more seconds is no information: a token for each request, or one for ever.
MIN_LIFE, MAX_LIFE = 1.0, 366 * 24 * 3600.0
#: Seconds between two attempts of a thread to get the lock while another one fetches the token.
LOCK_POLL = 0.05

_TRY_LATER = "Try again later."
_WRONG_ADDRESS = "That is not HubSpot's token address: check the connection's API base URL and API version."
_NO_CREDENTIALS = "There is no access token and no refresh token to fetch one with: complete the connection."
_CHECK_APP = "Check OAuth client ID (login) and OAuth client secret (password) of the connection: both are those of the app."
#: What to do, by HubSpot's ``status``.
_ADVICE = {
    "BAD_REFRESH_TOKEN": "Install the app in the account again and put the new Refresh token (refresh_token) into the "
    "connection.",
    "BAD_HUB": "The account has removed the app: install it again and put the new Refresh token (refresh_token) into the "
    "connection.",
    "BAD_CLIENT_ID": _CHECK_APP,
    "BAD_CLIENT_SECRET": _CHECK_APP,
}
#: The same ``status`` for an ``error`` of OAuth (RFC 6749, section 5.2) that comes without one.
_OAUTH_ERRORS = {"invalid_grant": "BAD_REFRESH_TOKEN", "access_denied": "BAD_HUB", "invalid_client": "BAD_CLIENT_ID"}


class TokenProvider:
    """The one access token of an account in this process.

    :param mask: called with each new secret before it is used, so that log maskers know it.
    """

    def __init__(self, account: Account, mask: Callable[[str], None] = lambda secret: None) -> None:
        self._account, self._mask = account, mask
        #: Held by a driver while it fetches a token: of many threads that need one, only one sends a request.
        self.lock = Lock()
        #: How many tokens were fetched.
        self.fetched = 0
        self._token = Token(account.access_token) if account.access_token else None

    @property
    def portal(self) -> int | None:
        """Id of the account, None as long as HubSpot has not said: it does when a token is fetched (``hub_id``)."""
        return self._token.portal if self._token else None

    def current(self, now: float, refused: str | None) -> Token | None:
        """The token to send, or None if one has to be fetched.

        :param now: seconds of the driver's monotonic clock.
        :param refused: the value of a token that HubSpot has answered with 401, None for none.
        """
        token = self._token
        return token if token and token.value != refused and now < token.renew_at else None

    @contextmanager
    def exclusive(self, check: Callable[[], None]) -> Iterator[None]:
        """Hold the lock. *check* is called while the thread waits for it: a fetch can take long, a stop must not."""
        lock = self.lock  # a process that is forked meanwhile has another one
        while not lock.acquire(timeout=LOCK_POLL):
            check()
        try:
            check()
            yield
        finally:
            lock.release()

    def refresh_flow(
        self,
        retry: RetryConfig,
        need: NeedToken,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> Flow[Token]:
        """Fetch a token and keep it. If that fails in a way that passes, hand out the present one as long as it is valid; abort
        the batch if there is none.

        :param need: which token was refused, and with what answer.
        :param clock: the driver's monotonic clock, in seconds.
        """
        account = self._account
        if not account.refresh_token:
            yield (abort := Abort(need.problem or Problem(_NO_CREDENTIALS, "no access token"), permanent=True))
            raise Aborted(abort)
        previous = self._token
        refresh_token = (previous and previous.refresh_token) or account.refresh_token
        secrets = (*account.secrets(), refresh_token, *(previous.secrets() if previous else ()))
        request = endpoints.token(account, grant_type="refresh_token", refresh_token=refresh_token)
        attempt = 0
        while True:
            attempt += 1
            response = yield request
            if (token := _read_token(response)) is not None:
                return self._keep(token, refresh_token)
            wait = headers.retry_after(response.headers) if isinstance(response, Response) else None
            permanent, too_long = _is_permanent(response), (wait or 0.0) > retry.max_retry_after
            if not permanent and (token := self._still_valid(clock(), need.refused)):
                return token
            if permanent or too_long or attempt >= retry.max_attempts:
                problem = _problem(response, secrets)
                yield (abort := Abort(problem, permanent=permanent, retry_after=wait if too_long else None))
                raise Aborted(abort)
            yield Wait(retry.delay(attempt, wait, jitter()))

    def _keep(self, token: Token, refresh_token: str) -> Token:
        """Keep a token that was fetched; the refresh token that it was fetched with stays, if no other one came."""
        if token.refresh_token is None and refresh_token != self._account.refresh_token:
            token = replace(token, refresh_token=refresh_token)
        for secret in token.secrets():
            self._mask(secret)
        self._token, self.fetched = token, self.fetched + 1
        return token

    def _still_valid(self, now: float, refused: str | None) -> Token | None:
        """The present token, if it can still be sent; it is not to be renewed again at once. None if it cannot."""
        token = self._token
        if token is None or token.value == refused or now >= token.expires_at:
            return None
        self._token = replace(token, renew_at=min(now + RENEWAL_INTERVAL, token.expires_at))
        return self._token


def _read_token(response: Response | NoResponse) -> Token | None:
    """The token in a response; its life counts from the moment the request was sent, so it is never used too long."""
    payload = response.payload if isinstance(response, Response) and response.status == 200 else None
    if not payload or not isinstance(response, Response) or (value := _sendable(payload.get("access_token"))) is None:
        return None
    portal, life = payload.get("hub_id"), _life(payload.get("expires_in"))
    expires_at = response.sent_at + life
    return Token(
        value,
        expires_at - min(EXPIRY_MARGIN, life / 5),  # the margin takes a fifth of a short life at most
        expires_at,
        _sendable(payload.get("refresh_token")),
        portal if type(portal) is int and 0 < portal < 2**63 else None,
    )


def _sendable(token: Any) -> str | None:
    return token if isinstance(token, str) and is_sendable_token(token) else None


def _life(expires_in: Any) -> float:
    """Seconds that a token lives; infinite if that makes no sense: then a 401 will tell."""
    is_number = isinstance(expires_in, int | float) and not isinstance(expires_in, bool)
    return float(expires_in) if is_number and MIN_LIFE <= expires_in <= MAX_LIFE else math.inf


def _is_permanent(response: Response | NoResponse) -> bool:
    """True if trying again cannot help."""
    if isinstance(response, NoResponse):
        return NO_RESPONSE_RULES[response.reason][0] is Blocked
    if 300 <= response.status < 400:
        return True
    return response.status >= 400 and _is_from_hubspot(response) and not is_transient(response.status)


def _is_from_hubspot(response: Response) -> bool:
    """True if the token address answered: with the fields of HubSpot's other errors, or those of OAuth."""
    payload = response.payload or {}
    return is_hubspots(payload) or any(isinstance(payload.get(name), str) for name in ("error", "status"))


def _problem(response: Response | NoResponse, secrets: tuple[str, ...]) -> Problem:
    if isinstance(response, NoResponse):
        problem = no_response_problem(response)
        if response.reason in (READ_TIMEOUT, INCOMPLETE):
            problem = replace(problem, reason=f"{problem.reason} {_TRY_LATER}")
    else:
        problem = response_problem(response, _advice(response), secrets, from_hubspot=_is_from_hubspot(response))
    return replace(problem, reason=f"No access token could be fetched. {problem.reason}", label=f"token: {problem.label}")


def _advice(response: Response) -> str:
    if 300 <= response.status < 400:
        return REDIRECT_ADVICE
    if response.status >= 300 and not _is_from_hubspot(response):
        return f"{_WRONG_ADDRESS} {NOT_HUBSPOT}" if not is_transient(response.status) else f"{_TRY_LATER} {NOT_HUBSPOT}"
    payload = response.payload or {}
    status, error = (text if isinstance(text := payload.get(name), str) else "" for name in ("status", "error"))
    for name in (status, _OAUTH_ERRORS.get(error)):
        if name in _ADVICE:
            return _ADVICE[name]
    return _TRY_LATER if is_transient(response.status) else _WRONG_ADDRESS
