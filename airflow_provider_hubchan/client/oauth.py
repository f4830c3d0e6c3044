"""The account's access token: whether the current one can be used, and the flow that fetches the next.

HubSpot answers a refresh grant with ``expires_in``, 1800 seconds today (HubSpot docs, manage OAuth tokens). A refresh token is
valid until the app is uninstalled; if a response brings another one, that is used from then on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import (
    INCOMPLETE,
    READ_TIMEOUT,
    Abort,
    Aborted,
    Flow,
    NoResponse,
    Response,
    Wait,
)
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, is_sendable_token
from airflow_provider_hubchan.client.responses import (
    NO_RESPONSE_RULES,
    REDIRECT_ADVICE,
    Blocked,
    is_transient,
    json_object,
    no_response_problem,
    response_problem,
    retry_after,
)

#: Seconds before its end from which a token is not used any more: requests have failed with "expired 0 seconds ago".
EXPIRY_MARGIN = 60.0
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


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what came with it.

    :param expires_at: seconds of the driver's monotonic clock, infinite if HubSpot did not say.
    :param refresh_token: the one to fetch the next token with, None for the connection's.
    :param portal: id of the account that it is for, None if HubSpot did not say.
    """

    value: str = field(repr=False)
    expires_at: float
    refresh_token: str | None = field(default=None, repr=False)
    portal: int | None = None

    def is_usable(self, now: float, refused: str | None) -> bool:
        """True if the token can be sent: it is not *refused*, and not about to expire."""
        return self.value != refused and now < self.expires_at


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
        self._token = Token(account.access_token, float("inf")) if account.access_token else None

    @property
    def portal(self) -> int | None:
        """Id of the account, None as long as HubSpot has not said: it does when a token is fetched (``hub_id``)."""
        return self._token.portal if self._token else None

    def current(self, now: float, refused: str | None) -> str | None:
        """The token to send, or None if one has to be fetched."""
        return self._token.value if self._token and self._token.is_usable(now, refused) else None

    @contextmanager
    def exclusive(self, check: Callable[[], None]) -> Iterator[None]:
        """Hold the lock. *check* is called while the thread waits for it: a fetch can take long, a stop must not."""
        while not self.lock.acquire(timeout=LOCK_POLL):
            check()
        try:
            check()
            yield
        finally:
            self.lock.release()

    def refresh_flow(
        self, retry: RetryConfig, problem: Problem | None = None, jitter: Callable[[], float] = random.random
    ) -> Flow[str]:
        """Fetch a token and keep it; abort the batch if that is not possible.

        :param problem: HubSpot's answer to the token that is to be replaced, None if there was none.
        """
        account = self._account
        if not account.refresh_token:
            yield (abort := Abort(problem or Problem(_NO_CREDENTIALS, "no access token"), permanent=True))
            raise Aborted(abort)
        previous = self._token
        refresh_token = (previous and previous.refresh_token) or account.refresh_token
        secrets = (*account.secrets(), refresh_token, *([previous.value] if previous else []))
        request = endpoints.token(account, grant_type="refresh_token", refresh_token=refresh_token)
        attempt = 0
        while True:
            attempt += 1
            response = yield request
            token = _read_token(response)
            if token is not None:
                for secret in (token.value, token.refresh_token):
                    if secret:
                        self._mask(secret)
                self._token, self.fetched = token, self.fetched + 1
                return token.value
            wait = retry_after(response.headers) if isinstance(response, Response) else None
            permanent, too_long = _is_permanent(response), (wait or 0.0) > retry.max_delay
            if permanent or too_long or attempt >= retry.max_attempts:
                problem = _problem(response, secrets)
                yield (abort := Abort(problem, permanent=permanent, retry_after=wait if too_long else None))
                raise Aborted(abort)
            yield Wait(retry.delay(attempt, wait, jitter()))


def _read_token(response: Response | NoResponse) -> Token | None:
    """The token in a response; its life counts from the moment the request was sent, so it is never used too long."""
    payload = json_object(response.body) if isinstance(response, Response) and response.status == 200 else None
    value = (payload or {}).get("access_token")
    if not payload or not isinstance(value, str) or not is_sendable_token(value) or not isinstance(response, Response):
        return None
    refresh_token, portal, expires_in = payload.get("refresh_token"), payload.get("hub_id"), payload.get("expires_in")
    if not isinstance(expires_in, int | float) or expires_in <= 0:
        expires_in = float("inf")  # then a 401 will tell
    # The margin takes a fifth of a short life at most.
    expires_at = response.sent_at + expires_in - min(EXPIRY_MARGIN, expires_in / 5)
    return Token(
        value,
        expires_at,
        refresh_token if isinstance(refresh_token, str) else None,
        portal if isinstance(portal, int) else None,
    )


def _is_permanent(response: Response | NoResponse) -> bool:
    """True if trying again cannot help."""
    if isinstance(response, NoResponse):
        return NO_RESPONSE_RULES[response.reason][0] is Blocked
    return response.status != 200 and not is_transient(response.status)


def _problem(response: Response | NoResponse, secrets: tuple[str, ...]) -> Problem:
    if isinstance(response, NoResponse):
        problem = no_response_problem(response)
        if response.reason in (READ_TIMEOUT, INCOMPLETE):
            problem = replace(problem, reason=f"{problem.reason} {_TRY_LATER}")
    else:
        problem = response_problem(response, _advice(response), secrets)
    return replace(problem, reason=f"No access token could be fetched. {problem.reason}", label=f"token: {problem.label}")


def _advice(response: Response) -> str:
    if 300 <= response.status < 400:
        return REDIRECT_ADVICE
    payload = json_object(response.body) or {}
    for status in (str(payload.get("status")), _OAUTH_ERRORS.get(str(payload.get("error")))):
        if status in _ADVICE:
            return _ADVICE[status]
    return _TRY_LATER if is_transient(response.status) else _WRONG_ADDRESS
