"""What the connection's Test button does: prove as much as can be proved without changing anything.

account details      the token is good, which account it is for
introspection        the scopes (only with the app's credentials)
channel accounts     the app owns the channel (only with a channel id): answers to nobody else
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from airflow_provider_hubchan.client import endpoints, replies
from airflow_provider_hubchan.client.actions import NeedToken, Reply, Stopped, Story
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import Answer, call
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import Bearer, token_request
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.ratelimit.limiter import Pace
from airflow_provider_hubchan.client.responses import READ_SCOPE, WRITE_SCOPE, Accepted

LATER = "Could not be checked now, try again later: "


@dataclass
class Finding:
    """What the check-up found.

    :param ok: True if updates will work with this connection.
    :param faulty: True if they will not until something is mended; if neither holds, it could not be checked now.
    :param notes: what was proved, and what to do; for people, without secrets.
    """

    ok: bool = True
    faulty: bool = False
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ("Not usable yet: " if self.faulty else "OK: " if self.ok else LATER) + "; ".join(self.notes)

    def fail(self, note: str, problem: Problem | None = None) -> None:
        """Note what has to be mended, unless it is a fault or limit of HubSpot's: it passes, and proves nothing.

        :param problem: what HubSpot answered, if that is why.
        """
        self.ok = False
        self.faulty = self.faulty or not (problem and problem.status and replies.transient(problem.status))
        self.notes.append(note)


def check_up(account: Account, pace: Pace, announce: Callable[[str], None]) -> Finding:
    """Examine an account, and answer within its timeout whatever the other side does; never raises.

    :param announce: called with each secret that is fetched.
    """
    from airflow_provider_hubchan.client.sync_driver import Driver  # where a DAG file is parsed, nobody needs requests

    findings: list[Finding] = []

    def perform() -> None:
        # A token fetched for this: one that is at hand knows nothing of a scope granted just now.
        patience, bearer = Patience(tries=1, throttles=0), Bearer(account, announce)
        with Driver(account, pace, bearer, patience, deadline=time.monotonic() + 0.6 * account.timeout) as driver:
            findings.append(driver.run(examine(account, patience)))

    # In a thread of its own: a name service, or a server that sends a byte now and then, knows no timeout of ours.
    thread = Thread(target=perform, daemon=True)
    thread.start()
    thread.join(0.9 * account.timeout)
    if not findings:
        late = Finding()
        late.fail(f"no answer within {account.timeout:g} s. Check the API base URL and the network.")
        return late
    return findings[0]


def examine(account: Account, patience: Patience) -> Story[Finding]:
    """Examine an account; never raises."""
    found, owns = Finding(), False
    try:
        owns = yield from _examine(account, patience, found)
    except Stopped as stopped:
        found.fail(str(stopped.halt.problem), stopped.halt.problem)
    if account.private_app_warning and not owns:
        found.fail(account.private_app_warning)
    return found


def _examine(account: Account, patience: Patience, found: Finding) -> Story[bool]:
    """:return: whether the app was proved to own the channel."""
    token = yield NeedToken()  # the first: why there is none is told as it is, not as why a call was given up
    answer: Answer = yield from call(endpoints.get_account_details(account), patience, secrets=account.secrets())
    if not isinstance(answer, Accepted):
        found.fail(str(answer.problem), answer.problem)
        return False
    found.notes.append(f"account {answer.body.get('portalId', 'unknown')} ({answer.body.get('timeZone', 'no time zone')})")

    said = None
    if account.client_id:
        reply = yield token_request(account, "/introspect", token=token, token_type_hint="access_token")  # noqa: S106
        said = replies.json_object(reply.body) if isinstance(reply, Reply) and reply.status == 200 else None
    _judge_scopes(found, said)

    if not account.channel_id:
        found.notes.append("no Channel ID (channel_id) is set, so whether the app owns the channel was not checked")
        return False
    answer = yield from call(endpoints.list_channel_accounts(account, account.channel_id), patience, secrets=account.secrets())
    if isinstance(answer, Accepted):
        found.notes.append(f"the app owns channel {account.channel_id} (channel accounts: {answer.body.get('total', 0)})")
        return True
    found.fail(f"channel {account.channel_id}: {answer.problem}", answer.problem)
    return False


def _judge_scopes(found: Finding, said: dict[str, Any] | None) -> None:
    scopes = said.get("scopes") if said and said.get("active") else None
    if not said or not isinstance(scopes, list):
        found.notes.append("the scopes could not be checked (no introspection)")
        return
    missing = [scope for scope in (WRITE_SCOPE, READ_SCOPE) if scope not in scopes]
    if WRITE_SCOPE in missing:
        found.fail(f"the app lacks the scope {' and '.join(missing)}: add it to the app and install the app again")
    elif missing:
        found.notes.append(f"the app lacks the scope {READ_SCOPE}: updates work, reading messages does not")
    else:
        found.notes.append("both custom-channels scopes are granted")
    life = said.get("expires_in")
    if isinstance(life, int | float):
        found.notes.append(f"the token is good for {life / 60:.0f} more minutes and is renewed before it ends")
