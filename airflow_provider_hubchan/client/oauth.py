"""The account's bearer token: which one is good, and the story of fetching the next.

The refresh grant is form-encoded (JSON is answered with 415) and answers with ``expires_in``, 1800 seconds today
(HubSpot docs, manage OAuth tokens). A refresh token lives until the app is uninstalled; if one comes back, it is kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Literal
from urllib.parse import urlencode

from airflow_provider_hubchan.client import replies
from airflow_provider_hubchan.client.actions import Halt, Lost, Reply, Request, Stopped, Story, Wait
from airflow_provider_hubchan.client.errors import BAD_TLS, CUT_OFF, NO_REPLY, Problem
from airflow_provider_hubchan.client.models import Account, sendable
from airflow_provider_hubchan.client.patience import Patience

#: Seconds before its end from which a token is not used any more: requests have died with "expired 0 seconds ago".
MARGIN = 60.0
#: Seconds between two looks of a thread that waits for somebody else to fetch the token.
LOCKED = 0.05
#: Which of HubSpot's own words an ``error`` of OAuth (RFC 6749, section 5.2) is like, where it stands alone.
_ERRORS = {"invalid_grant": "BAD_REFRESH_TOKEN", "access_denied": "BAD_HUB", "invalid_client": "BAD_CLIENT_ID"}
_LATER = "Try again later."
_ELSEWHERE = "That is not HubSpot's token address: check the connection's API base URL and API version."

#: API versions whose tokens come from the address of another one.
TOKEN_VERSIONS = {"2025-09": "2026-03"}

_NO_WAY_TO_FETCH = "There is no access token and no refresh token to fetch one with: complete the connection."
_APPS_OWN = "Check OAuth client ID (login) and OAuth client secret (password) of the connection: both are those of the app."
_ADVICE = {
    "BAD_REFRESH_TOKEN": "Install the app in the account again and put the new Refresh token (refresh_token) into the "
    "connection.",
    "BAD_HUB": "The account has removed the app: install it again and put the new Refresh token (refresh_token) into the "
    "connection.",
    "BAD_CLIENT_ID": _APPS_OWN,
    "BAD_CLIENT_SECRET": _APPS_OWN,
}


@dataclass(frozen=True, slots=True)
class Token:
    """
    :param expires_at: seconds of the driver's monotonic clock, infinite if HubSpot did not say.
    :param refresh_token: the one to fetch the next token with.
    :param portal: id of the account that it is for, None if HubSpot did not say.
    """

    value: str = field(repr=False)
    expires_at: float
    refresh_token: str | None = field(default=None, repr=False)
    portal: int | None = None

    def good(self, now: float, refused: str | None) -> bool:
        """True if the token is worth sending: not *refused*, and not about to expire."""
        return self.value != refused and now < self.expires_at


class Bearer:
    """The one token of an account and process, whoever asks for it.

    :param announce: called with each new secret before it is used, so that log maskers know it.
    """

    def __init__(self, account: Account, announce: Callable[[str], None] = lambda secret: None) -> None:
        self._account, self._announce = account, announce
        #: Held by a driver while it fetches: however many threads ask, one goes.
        self.lock = Lock()
        #: How many tokens were fetched.
        self.fetched = 0
        self._token = Token(account.access_token, float("inf")) if account.access_token else None

    @property
    def portal(self) -> int | None:
        """Id of the account, None if HubSpot has not said: it does when a token is fetched (``hub_id``)."""
        return self._token.portal if self._token else None

    def value(self, now: float, refused: str | None) -> str | None:
        """The token to send, or None if one has to be fetched."""
        return self._token.value if self._token and self._token.good(now, refused) else None

    @contextmanager
    def alone(self, check: Callable[[], None]) -> Iterator[None]:
        """Hold the lock, in a thread that calls *check* while it waits: fetching can take long, a stop must not."""
        while not self.lock.acquire(timeout=LOCKED):
            check()
        try:
            check()
            yield
        finally:
            self.lock.release()

    def fetch(
        self, patience: Patience, because: Problem | None = None, spread: Callable[[], float] = random.random
    ) -> Story[str]:
        """Fetch a token and keep it: the story of the refresh grant. It halts the batch if there is none to be had.

        :param because: what HubSpot said to the token that is to be replaced.
        """
        account = self._account
        if not account.refresh_token:
            yield (halt := Halt(because or Problem(_NO_WAY_TO_FETCH, "no access token"), permanent=True))
            raise Stopped(halt)
        held = self._token
        refresh_token = (held and held.refresh_token) or account.refresh_token
        secrets = (*account.secrets(), refresh_token, *([held.value] if held else []))
        request = token_request(account, grant_type="refresh_token", refresh_token=refresh_token)
        attempt = 0
        while True:
            attempt += 1
            reply = yield request
            token = _granted(reply)
            if token is not None:
                for secret in (token.value, token.refresh_token):
                    if secret:
                        self._announce(secret)
                self._token, self.fetched = token, self.fetched + 1
                return token.value
            problem = _refused(reply, secrets)
            asked = replies.retry_after(reply.headers) if isinstance(reply, Reply) else None
            final = _is_final(reply)
            if final or attempt >= patience.tries or (asked or 0.0) > patience.longest:
                later = asked if (asked or 0.0) > patience.longest else None
                yield (halt := Halt(problem, permanent=final, retry_after=later))
                raise Stopped(halt)
            yield Wait(patience.pause(attempt, asked, spread()))


def token_request(account: Account, action: Literal["", "/introspect"] = "", **form: str) -> Request:
    """``POST /oauth/{version}/token``, or ``…/introspect``: the app's credentials and *form*, form-encoded.

    The version is the connection's; HubSpot publishes no token address of 2025-09, so that one uses 2026-03's.
    """
    body = urlencode({"client_id": account.client_id, "client_secret": account.client_secret, **form})
    version = TOKEN_VERSIONS.get(account.api_version, account.api_version)
    url = f"{account.base_url}/oauth/{version}/token{action}"
    return Request("POST", url, body.encode(), content_type="application/x-www-form-urlencoded", paced=False)


def _granted(reply: Reply | Lost) -> Token | None:
    """The token in a reply, counted from the moment the request left: it lives a little longer than we use it."""
    said = replies.json_object(reply.body) if isinstance(reply, Reply) and reply.status == 200 else None
    value = (said or {}).get("access_token")
    if not said or not isinstance(value, str) or not sendable(value) or not isinstance(reply, Reply):
        return None
    refresh_token = said.get("refresh_token")
    life = said.get("expires_in")
    if not isinstance(life, int | float) or life <= 0:
        life = float("inf")  # then a 401 will tell
    # A short life is not eaten up by the margin: a fifth of it is enough.
    expires_at = reply.sent + life - min(MARGIN, life / 5)
    portal = said.get("hub_id")
    return Token(
        value,
        expires_at,
        refresh_token if isinstance(refresh_token, str) else None,
        portal if isinstance(portal, int) else None,
    )


def _is_final(reply: Reply | Lost) -> bool:
    """True if trying again cannot help."""
    if isinstance(reply, Lost):
        return reply.why == BAD_TLS
    return reply.status != 200 and not replies.transient(reply.status)


def _refused(reply: Reply | Lost, secrets: tuple[str, ...]) -> Problem:
    if isinstance(reply, Lost):
        problem = replies.lost(reply.why)
        if reply.why in (NO_REPLY, CUT_OFF):
            problem = replace(problem, reason=f"{problem.reason} {_LATER}")
    else:
        problem = replies.problem(reply.status, reply.headers, reply.body, _advice(reply), secrets)
    return replace(problem, reason=f"No access token could be fetched. {problem.reason}", label=f"token: {problem.label}")


def _advice(reply: Reply) -> str:
    if 300 <= reply.status < 400:
        return replies.REDIRECT
    said = replies.json_object(reply.body) or {}
    for cause in (str(said.get("status")), _ERRORS.get(str(said.get("error")))):
        if cause in _ADVICE:
            return _ADVICE[cause]
    return _LATER if replies.transient(reply.status) else _ELSEWHERE
