"""When an account's daily quota begins anew: at midnight in the account's time zone (HubSpot docs, usage guidelines)."""

from __future__ import annotations

from dataclasses import replace

import pendulum

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Abort, Aborted, Flow
from airflow_provider_hubchan.client.flow import RetryConfig, request_flow
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.responses import Accepted

#: Seconds after midnight: nobody has promised that HubSpot's counters change on the second.
RESET_MARGIN = 5.0


def next_reset(account: Account, abort: Abort) -> Flow[Abort]:
    """Ask for the account's time zone, and say in *abort* when to come back; never raises.

    If HubSpot does not tell the zone (its daily limit may hold for that call, too), it is the next full hour: at each of
    them it is midnight somewhere.

    :param abort: one that has a *refused_at*.
    """
    zone = None
    try:
        retry = RetryConfig(max_attempts=2, max_throttles=2)
        answer = yield from request_flow(endpoints.get_account_details(account), retry, account.secrets())
        if isinstance(answer, Accepted):
            zone = answer.body.get("timeZone")
    except Aborted:
        pass
    assert abort.refused_at is not None
    try:
        seconds, text = seconds_until_midnight(abort.refused_at, str(zone)), f"resets at 00:00 {zone}, in"
    except ValueError:
        seconds, text = (
            seconds_until_full_hour(abort.refused_at),
            "resets at midnight in its own time zone, which HubSpot does not tell now; the next try is in",
        )
    return replace(abort, retry_after=seconds, wait_reason=f"the account's daily quota {text}")


def seconds_until_midnight(at: float, zone: str) -> float:
    """Seconds from *at* (since the epoch) until a little after the next midnight in *zone*.

    :raises ValueError: if there is no such zone.
    """
    try:
        local = pendulum.from_timestamp(at, tz=zone)
    except Exception as error:  # pendulum has no one error for an unknown zone
        raise ValueError(f"no time zone {zone!r}") from error
    return (local.add(days=1).start_of("day") - local).total_seconds() + RESET_MARGIN


def seconds_until_full_hour(at: float) -> float:
    """Seconds from *at* until a little after the next full hour."""
    return 3600.0 - at % 3600.0 + RESET_MARGIN
