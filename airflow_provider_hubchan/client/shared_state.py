"""What all of this process share who use the same account as the same app: one rate limiter, one access token.

HubSpot tells which account a refresh token is for only when it is used; so two connections are of one account and app if they
have the same base URL, app and refresh token (or access token). Their other fields (channel, timeout, ``requests_per_10s``) are
their own. Processes cannot share; what they do about it is in ratelimit/fair_share.py. A process that is forked keeps the
tokens; it gets a limiter of its own, and new locks: one that another thread held at that moment would stay locked for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

from airflow_provider_hubchan.client.models import API_VERSIONS, Account
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import ASSUMED_LIMIT, RateLimiter


class SharedState(NamedTuple):
    """The rate limiter and the access token of an account."""

    limiter: RateLimiter
    tokens: TokenProvider


_limiters: dict[Account, RateLimiter] = {}
_tokens: dict[Account, TokenProvider] = {}
_lock = Lock()


def shared_state(account: Account, mask: Callable[[str], None] = lambda secret: None) -> SharedState:
    """The account's state, made when it is first asked for.

    :param mask: called with each secret that is fetched, so that log maskers know it.
    """
    login = account.login
    app = replace(login, client_secret=None, api_version=API_VERSIONS[0])
    with _lock:  # threads that ask at once must not make two
        if app not in _limiters:
            assumed_limit = max(account.requests_per_10s or 0.0, ASSUMED_LIMIT)  # less is the bound of the quota share
            _limiters[app] = RateLimiter(assumed_limit)
        if login not in _tokens:
            _tokens[login] = TokenProvider(login, mask)
        return SharedState(_limiters[app], _tokens[login])


def reset() -> None:
    """Forget all accounts, for tests."""
    with _lock:
        _limiters.clear()
        _tokens.clear()


def _renew_after_fork() -> None:
    global _lock
    _lock = Lock()
    _limiters.clear()  # the requests of other threads would stay in flight
    for tokens in _tokens.values():
        tokens.lock = Lock()


os.register_at_fork(after_in_child=_renew_after_fork)
