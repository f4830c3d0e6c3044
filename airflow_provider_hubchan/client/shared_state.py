"""What everybody in this process shares who talks to the same account as the same app: one pace, one token.

Which account a refresh token is for, HubSpot says only when it is used; so two connections are of one account and app if they
have the same base URL, app and refresh token (or access token). What else they say (channel, timeout, ``requests_per_10s``)
is their own. Processes cannot share: what they do about it is in claim.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

from airflow_provider_hubchan.client.models import API_VERSIONS, TIMEOUT, Account
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.ratelimit.limiter import ASSUMED_LIMIT, Pace


class Shared(NamedTuple):
    """The pace and the token of an account."""

    pace: Pace
    bearer: Bearer


_paces: dict[Account, Pace] = {}
_bearers: dict[Account, Bearer] = {}
_lock = Lock()


def shared(account: Account, announce: Callable[[str], None] = lambda secret: None) -> Shared:
    """The account's, made when it is first asked for.

    :param announce: called with each secret that is fetched, so that log maskers know it.
    """
    login = replace(account, channel_id=None, requests_per_10s=None, timeout=TIMEOUT)
    app = replace(login, client_secret=None, api_version=API_VERSIONS[0])
    with _lock:  # threads that ask at once must not make two
        if app not in _paces:
            _paces[app] = Pace(max(account.requests_per_10s or 0.0, ASSUMED_LIMIT))  # less is the lane's bound
        if login not in _bearers:
            _bearers[login] = Bearer(login, announce)
        return Shared(_paces[app], _bearers[login])


def forget() -> None:
    """Begin anew, for tests."""
    with _lock:
        _paces.clear()
        _bearers.clear()
