"""When an account's daily quota is renewed: at midnight in its own time zone, says HubSpot (docs, usage guidelines)."""

from __future__ import annotations

from dataclasses import replace

import pendulum

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Halt, Stopped, Story
from airflow_provider_hubchan.client.flow import call
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.responses import Accepted

#: Seconds after midnight: nobody has promised that HubSpot's counters are the first to know what day it is.
MARGIN = 5.0


def with_renewal(account: Account, halt: Halt) -> Story[Halt]:
    """Ask for the account's time zone, and say in *halt* when to come back; never raises.

    If HubSpot does not tell the zone (its daily limit may hold for that call, too), it is the next full hour: at each of
    them it is midnight somewhere.

    :param halt: one that has a *refused_at*.
    """
    zone = None
    try:
        answer = yield from call(endpoints.get_account_details(account), Patience(tries=2, throttles=2), account.secrets())
        if isinstance(answer, Accepted):
            zone = answer.body.get("timeZone")
    except Stopped:
        pass
    assert halt.refused_at is not None
    try:
        seconds, what = until_midnight(halt.refused_at, str(zone)), f"resets at 00:00 {zone}, in"
    except ValueError:
        seconds, what = (
            until_full_hour(halt.refused_at),
            "resets at midnight in its own time zone, which HubSpot does not tell now; the next try is in",
        )
    return replace(halt, retry_after=seconds, until=f"the account's daily quota {what}")


def until_midnight(at: float, zone: str) -> float:
    """Seconds from *at* (since the epoch) until a little after the next midnight in *zone*.

    :raises ValueError: if there is no such zone.
    """
    try:
        local = pendulum.from_timestamp(at, tz=zone)
    except Exception as fault:  # pendulum has no one error for an unknown zone
        raise ValueError(f"no time zone {zone!r}") from fault
    return (local.add(days=1).start_of("day") - local).total_seconds() + MARGIN


def until_full_hour(at: float) -> float:
    """Seconds from *at* until a little after the next full hour."""
    return 3600.0 - at % 3600.0 + MARGIN
