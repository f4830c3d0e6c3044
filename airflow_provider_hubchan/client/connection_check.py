"""What the connection's Test button does: prove as much as can be proved without changing anything.

account details      the token is valid, and which account it is for
introspection        the scopes (only with the app's credentials)
channel accounts     the app owns the channel (only with a channel ID): nobody else gets an answer
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import (
    CONNECTION_TIMEOUT,
    INCOMPLETE,
    OUT_OF_TIME_LABEL,
    READ_TIMEOUT,
    Aborted,
    Flow,
    NeedToken,
    Response,
)
from airflow_provider_hubchan.client.endpoints import READ_SCOPE, WRITE_SCOPE
from airflow_provider_hubchan.client.error_texts import count_of, format_error
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import Answer, RetryConfig, request_flow
from airflow_provider_hubchan.client.models import Account, Token
from airflow_provider_hubchan.client.oauth import MAX_LIFE, TokenProvider
from airflow_provider_hubchan.client.problems import word
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.responses import Accepted, is_transient

TRY_LATER = "Could not be checked now, try again later: "
#: Seconds after the account's timeout that the check itself may take to end.
MARGIN = 1.0
#: Labels of problems that only say that HubSpot was slow: nobody has to change anything.
_SLOW = (READ_TIMEOUT, INCOMPLETE, OUT_OF_TIME_LABEL)


@dataclass
class Diagnosis:
    """What the check found.

    :param ok: True if updates will work with this connection.
    :param faulty: True if they will not until something is fixed; if neither holds, it could not be checked now.
    :param notes: what was proved, and what to do; for people, without secrets.
    """

    ok: bool = True
    faulty: bool = False
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ("Not usable yet: " if self.faulty else "OK: " if self.ok else TRY_LATER) + "; ".join(self.notes)

    def fail(self, note: str, problem: Problem | None = None) -> None:
        """Note what has to be fixed; a failure or limit of HubSpot's own passes, and proves nothing.

        :param problem: HubSpot's answer, if that is the cause.
        """
        self.ok = False
        self.faulty = self.faulty or not (problem and _passes(problem))
        self.notes.append(note)


def check_connection(account: Account, limiter: RateLimiter, mask: Callable[[str], None]) -> Diagnosis:
    """Check an account, and answer within its timeout whatever the other side does; never raises.

    :param mask: called with each secret that is fetched.
    """
    from airflow_provider_hubchan.client.sync_driver import SyncDriver  # parsing a DAG file does not need requests

    diagnoses: list[Diagnosis] = []
    deadline = time.monotonic() + account.timeout

    def check() -> None:
        # A token fetched for this: the shared one knows nothing of a scope that was granted just now.
        retry, tokens = RetryConfig(max_attempts=1, max_throttles=0), TokenProvider(account, mask)
        try:
            with SyncDriver(account, limiter, tokens, retry, deadline=deadline, out_of_time=CONNECTION_TIMEOUT) as driver:
                diagnoses.append(driver.run(check_flow(account, retry)))
        except Exception as error:  # of this machine: Airflow's masker is away, there is no memory
            failed = Diagnosis()
            failed.fail(f"the check itself failed ({format_error(error)})")
            diagnoses.append(failed)

    # In a thread of its own: a name service has no timeout of ours.
    thread = Thread(target=check, daemon=True)
    thread.start()
    thread.join(account.timeout + MARGIN)
    if not diagnoses:
        late = Diagnosis()
        late.fail(
            f"no answer within {account.timeout:g} s. Check the API base URL and the network.", CONNECTION_TIMEOUT.problem
        )
        return late
    return diagnoses[0]


def _passes(problem: Problem) -> bool:
    """True if the same check may succeed another time, although nobody changes anything."""
    if problem.status is not None:
        return is_transient(problem.status)
    return problem.label.endswith(_SLOW)


def check_flow(account: Account, retry: RetryConfig) -> Flow[Diagnosis]:
    """Check an account; never raises."""
    diagnosis, owns_channel = Diagnosis(), False
    try:
        owns_channel = yield from _check_calls(account, retry, diagnosis)
    except Aborted as aborted:
        problem = aborted.abort.problem
        diagnosis.fail(str(problem), problem)
    if account.private_app_warning and not owns_channel:
        diagnosis.fail(account.private_app_warning)
    return diagnosis


def _check_calls(account: Account, retry: RetryConfig, diagnosis: Diagnosis) -> Flow[bool]:
    """:return: whether the app was proved to own the channel."""
    token: Token = yield NeedToken()  # before the calls: the reason for having none is told as it is, not as that of a call
    answer: Answer = yield from request_flow(endpoints.get_account_details(account), retry, account.secrets())
    if not isinstance(answer, Accepted):
        diagnosis.fail(str(answer.problem), answer.problem)
        return False
    secrets = (*account.secrets(), *token.secrets())
    portal, zone = (word(answer.body.get(name), secrets) for name in ("portalId", "timeZone"))
    diagnosis.notes.append(f"account {portal or 'unknown'} ({zone or 'no time zone'})")

    introspection = None
    if account.client_id:
        response = yield endpoints.token(account, "/introspect", token=token.value, token_type_hint="access_token")  # noqa: S106
        if isinstance(response, Response) and response.status == 200:
            introspection = response.payload
    _check_scopes(diagnosis, introspection)

    if not account.channel_id:
        diagnosis.notes.append("no Channel ID (channel_id) is set, so whether the app owns the channel was not checked")
        return False
    answer = yield from request_flow(endpoints.list_channel_accounts(account, account.channel_id), retry, account.secrets())
    if isinstance(answer, Accepted):
        total = word(answer.body.get("total")) or 0
        diagnosis.notes.append(f"the app owns channel {account.channel_id} (channel accounts: {total})")
        return True
    diagnosis.fail(f"channel {account.channel_id}: {answer.problem}", answer.problem)
    return False


def _check_scopes(diagnosis: Diagnosis, introspection: dict[str, Any] | None) -> None:
    scopes = introspection.get("scopes") if introspection and introspection.get("active") else None
    if not introspection or not isinstance(scopes, list):
        diagnosis.notes.append("the scopes could not be checked (no introspection)")
        return
    missing = [scope for scope in (WRITE_SCOPE, READ_SCOPE) if scope not in scopes]
    if WRITE_SCOPE in missing:
        diagnosis.fail(f"the app lacks the scope {' and '.join(missing)}: add it to the app and install the app again")
    elif missing:
        diagnosis.notes.append(f"the app lacks the scope {READ_SCOPE}: updates work, reading messages does not")
    else:
        diagnosis.notes.append("both custom-channels scopes are granted")
    expires_in = introspection.get("expires_in")
    if isinstance(expires_in, int | float) and 0 < expires_in <= MAX_LIFE:
        minutes = round(expires_in / 60)
        diagnosis.notes.append(f"the token is good for {count_of(minutes, 'more minute')} and is renewed before it ends")
