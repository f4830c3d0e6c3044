"""What everybody in this process shares who talks to the same account as the same app: one pace, one token."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from airflow_provider_hubchan.client.account import Account
from airflow_provider_hubchan.client.pace import Pace
from airflow_provider_hubchan.client.token import Bearer


class Shared(NamedTuple):
    """The pace and the token of an account."""

    pace: Pace
    bearer: Bearer


_of: dict[Account, Shared] = {}
_lock = Lock()


def shared(account: Account, announce: Callable[[str], None] = lambda secret: None) -> Shared:
    """The account's, made when it is first asked for.

    :param announce: called with each secret that is fetched, so that log maskers know it.
    """
    with _lock:  # threads that ask at once must not make two
        if account not in _of:
            _of[account] = Shared(Pace(account.requests_per_10s), Bearer(account, announce))
        return _of[account]


def forget() -> None:
    """Begin anew, for tests."""
    with _lock:
        _of.clear()
