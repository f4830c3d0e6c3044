"""When the daily quota is reset."""

from __future__ import annotations

import pendulum
import pytest

from airflow_provider_hubchan.client.actions import Abort
from airflow_provider_hubchan.client.daily_quota import (
    RESET_MARGIN,
    next_reset,
    seconds_until_full_hour,
    seconds_until_midnight,
)
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Account
from tests.client.canned import refusal, reply, run_flow

ACCOUNT = Account(base_url="https://api.hubapi.com", access_token="t")
NOON = pendulum.datetime(2026, 11, 22, 17, 0, 0).timestamp()  # 12:00 in US/Eastern
ABORT = Abort(Problem("the day is over", "429 DAILY"), permanent=False, refused_at=NOON)


@pytest.mark.parametrize(
    ("at", "zone", "hours"),
    [
        ("2026-11-22T17:00:00Z", "US/Eastern", 12.0),
        ("2026-11-22T17:00:00Z", "UTC", 7.0),
        ("2026-11-22T17:00:00Z", "Asia/Kolkata", 1.5),
        ("2026-11-22T04:59:00Z", "US/Eastern", 1 / 60),
        ("2026-11-01T05:00:00Z", "US/Eastern", 24.0),  # 01:00 EDT; the day has 25 hours
        ("2026-03-08T06:00:00Z", "US/Eastern", 22.0),  # 01:00 EST; the day has 23 hours
    ],
)
def test_midnight_is_that_of_the_account(at: str, zone: str, hours: float) -> None:
    """By the calendar of its zone, changes of daylight saving included, and a little after."""
    assert seconds_until_midnight(pendulum.parse(at).timestamp(), zone) == pytest.approx(hours * 3600 + RESET_MARGIN)  # type: ignore[union-attr]


@pytest.mark.parametrize("zone", ["None", "", "Mars/Olympus", "../etc/passwd"])
def test_an_unknown_zone_is_a_value_error(zone: str) -> None:
    """HubSpot may send any text as the zone."""
    with pytest.raises(ValueError, match="no time zone"):
        seconds_until_midnight(NOON, zone)


def test_full_hours() -> None:
    """A minute before the hour it is a minute, and on the hour itself it is the next one."""
    assert seconds_until_full_hour(7140.0) == 60.0 + RESET_MARGIN
    assert seconds_until_full_hour(7200.0) == 3600.0 + RESET_MARGIN


def test_hubspot_is_asked_for_the_zone() -> None:
    """The wait ends at midnight of the account's zone, and the log says so."""
    actions, abort = run_flow(next_reset(ACCOUNT, ABORT), reply(200, {"timeZone": "US/Eastern"}))
    assert actions == ["token", "send"]
    assert abort.retry_after == 12 * 3600 + RESET_MARGIN
    assert abort.wait_reason == "the account's daily quota resets at 00:00 US/Eastern, in"


@pytest.mark.parametrize(
    "response",
    [
        reply(429, {"policyName": "DAILY"}),
        reply(200, {}),
        refusal(403),
        reply(200, {"timeZone": "Mars"}),
    ],
    ids=["refused, too", "no zone", "no scope", "no such zone"],
)
def test_without_a_zone_it_is_the_next_full_hour(response: object) -> None:
    """At each full hour it is midnight somewhere."""
    _, abort = run_flow(next_reset(ACCOUNT, ABORT), response)  # type: ignore[arg-type]
    assert abort.retry_after == 3600 + RESET_MARGIN
    assert "which HubSpot does not tell now" in abort.wait_reason
