"""The local HubSpot's days: the quota of an account, which begins anew at its midnight, by a clock that can be moved."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api import quota
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.api.routes import answer
from airflow_provider_hubchan.emulator.faults.schedule import Schedule
from airflow_provider_hubchan.emulator.model.clock import CENTURY, FURTHEST, Calendar, Clock, iso
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.snapshot import as_json, from_json
from tests.emulator.raw_http import FORM, Raw, grant_form, message, served
from tests.emulator.worlds import NOON, world_at

HOUR = 3600.0


def calls(world: World, number: int) -> list[str | None]:
    """Call so many times at once; each time None, or the policy that refused."""
    return [quota.count_request(world, world.install) for _ in range(number)]


def ask(world: World, path: str) -> Response:
    request = Request("GET", path, {"authorization": f"Bearer {world.issue()}"})
    return answer(world, request)


def test_no_daily_quota_unless_asked_for() -> None:
    """HubSpot documents none for OAuth apps."""
    assert set(calls(world_at(limit=0), 5000)) == {None}


def test_the_daily_quota_ends_and_begins_anew_at_midnight() -> None:
    """Three calls of a day are let through; the next one is let through after the account's midnight, not a second before."""
    world = world_at(daily=3)
    assert calls(world, 5) == [None] * 3 + ["DAILY"] * 2
    world.clock.advance(12 * HOUR - 1)
    assert calls(world, 1) == ["DAILY"]
    world.clock.advance(1)
    assert calls(world, 4) == [None] * 3 + ["DAILY"]


@pytest.mark.parametrize(
    ("time_zone", "hours"),
    [("US/Eastern", 12), ("UTC", 8), ("Asia/Kolkata", 2.5), ("Pacific/Auckland", 20), ("Asia/Tokyo", 23)],
)
def test_the_day_is_that_of_the_account(time_zone: str, hours: float) -> None:
    """One and the same moment is so many hours from the end of the day, here and there."""
    world = world_at(daily=1, time_zone=time_zone)
    assert calls(world, 2) == [None, "DAILY"]
    world.clock.advance(hours * HOUR - 1)
    assert calls(world, 1) == ["DAILY"]
    world.clock.advance(1)
    assert calls(world, 1) == [None]


def test_what_the_window_refuses_does_not_count_for_the_day() -> None:
    """Of five calls at once two pass the window; the day has room for two more."""
    world = world_at(limit=2, daily=4)
    assert calls(world, 5) == [None] * 2 + ["TEN_SECONDLY_ROLLING"] * 3
    world.clock.advance(10)
    assert calls(world, 3) == [None] * 2 + ["TEN_SECONDLY_ROLLING"]
    world.clock.advance(10)
    assert calls(world, 3) == ["DAILY"] * 3


def test_what_the_day_refuses_counts_for_nothing() -> None:
    """Refused calls fill neither the window nor the day."""
    world = world_at(limit=10, daily=4)
    calls(world, 50)
    assert quota.remaining(world, world.install) == 6
    assert world.install.portal.day.used == 4


def test_apps_of_one_account_share_its_day() -> None:
    """The window is of an app, the day is of the account, and another account has its own."""
    world = world_at(limit=2, daily=3)
    other = world.add_app("other")
    sibling, stranger = world.add_install(other, world.install.portal), world.add_install(other, world.add_portal(2))
    assert calls(world, 2) == [None, None]
    assert [quota.count_request(world, sibling) for _ in range(2)] == [None, "DAILY"]
    assert quota.count_request(world, stranger) is None


def test_a_used_up_day_is_answered_as_documented() -> None:
    """The body is the documented one; no category, no Retry-After, no daily headers."""
    world = world_at(daily=1)
    assert ask(world, message("m-1")).status == 200
    said = ask(world, message("m-1"))
    assert said.status == 429
    assert sorted(said.body) == ["correlationId", "errorType", "message", "policyName", "requestId", "status"]
    assert said.body["message"] == "You have reached your daily limit."
    assert (said.body["status"], said.body["errorType"], said.body["policyName"]) == ("error", "RATE_LIMIT", "DAILY")
    assert "Retry-After" not in said.headers
    assert said.headers["X-HubSpot-RateLimit-Remaining"] == "109"
    assert not [name for name in said.headers if "daily" in name.lower()]


@pytest.mark.parametrize(("spares", "status"), [(True, 200), (False, 429)])
def test_account_info_is_spared_or_not(spares: bool, status: int) -> None:
    """Nobody says whether it can be asked on a day that is used up, so both can be tried; until then it counts."""
    world = world_at(daily=2, daily_spares_account_info=spares)
    assert ask(world, "/account-info/v3/details").status == 200
    assert ask(world, message("m-1")).status == 200
    assert ask(world, message("m-1")).status == 429
    assert ask(world, "/account-info/v3/details").status == status


@pytest.mark.parametrize(
    ("time_zone", "at", "offset", "milliseconds"),
    [
        ("US/Eastern", datetime(2026, 1, 15, tzinfo=timezone.utc), "-05:00", -18_000_000),
        ("US/Eastern", datetime(2026, 7, 15, tzinfo=timezone.utc), "-04:00", -14_400_000),
        ("Asia/Kolkata", datetime(2026, 1, 15, tzinfo=timezone.utc), "+05:30", 19_800_000),
        ("UTC", datetime(2026, 1, 15, tzinfo=timezone.utc), "+00:00", 0),
    ],
)
def test_account_details_know_the_time_zone(time_zone: str, at: datetime, offset: str, milliseconds: int) -> None:
    """Name and offset are those of the account, at the emulator's time."""
    details = ask(world_at(at.timestamp(), time_zone=time_zone), "/account-info/2026-03/details").body
    assert (details["timeZone"], details["utcOffset"], details["utcOffsetMilliseconds"]) == (time_zone, offset, milliseconds)


@pytest.mark.parametrize("name", ["Nowhere/Town", "", "America", "../UTC"])
def test_a_time_zone_must_be_known(name: str) -> None:
    """A slip is named."""
    with pytest.raises(ValueError, match="is no time zone of the IANA database"):
        World(time_zone=name)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param((2026, 3, 8), 23, id="summer time begins"),
        pytest.param((2026, 7, 15), 24, id="any day"),
        pytest.param((2026, 11, 1), 25, id="summer time ends"),
    ],
)
def test_a_day_is_as_long_as_it_is(day: tuple[int, int, int], hours: int) -> None:
    """The quota of a day of 23 or 25 hours begins anew at its midnight all the same."""
    calendar = Calendar("US/Eastern")
    midnight = calendar.next_midnight(datetime(*day, 1, tzinfo=timezone.utc).timestamp())
    assert calendar.local(midnight).timetuple()[:6] == (*day, 0, 0, 0)
    assert calendar.next_midnight(midnight) - midnight == hours * HOUR
    assert calendar.next_midnight(midnight + hours * HOUR - 1) == midnight + hours * HOUR


def test_a_day_without_a_midnight_begins_with_its_first_second() -> None:
    """In Cairo summer time begins at midnight: the day before ends at what would be 0:00, and is 1:00."""
    calendar = Calendar("Africa/Cairo")
    midnight = calendar.next_midnight(datetime(2026, 4, 23, 12, tzinfo=timezone.utc).timestamp())
    assert calendar.local(midnight).isoformat() == "2026-04-24T01:00:00+03:00"
    assert calendar.local(midnight - 1).isoformat() == "2026-04-23T23:59:59+02:00"


@pytest.mark.parametrize("seconds", [0.5, 20, 12 * HOUR - 1, 12 * HOUR, 12 * HOUR + 1, 86_400])
def test_the_clock_is_moved_to_before_midnight(seconds: float) -> None:
    """Always forward, by less than two days, and the day's quota is over after so many seconds."""
    world = world_at(daily=1)
    world.before_midnight(seconds)
    assert 0 <= world.clock.now() - NOON < 2 * 86_400
    assert world.install.portal.calendar.next_midnight(world.clock.now()) - world.clock.now() == pytest.approx(seconds)
    assert calls(world, 2) == [None, "DAILY"]
    world.clock.advance(seconds)
    assert calls(world, 1) == [None]


def test_the_clock_never_moves_back() -> None:
    """Ten seconds before midnight, twenty seconds before midnight is tomorrow; asked again it is now."""
    world = world_at()
    world.before_midnight(10)
    world.before_midnight(20)
    assert world.clock.now() - NOON == 36 * HOUR - 20
    world.before_midnight(20)
    assert world.clock.now() - NOON == 36 * HOUR - 20
    for move in (world.before_midnight, world.clock.advance):
        with pytest.raises(ValueError, match="must be"):
            move(-1)


def test_no_number_of_steps_leads_beyond_what_can_be_written() -> None:
    """Moved a century at a time, the clock refuses at last, and what it shows and reckons then can still be written."""
    world = world_at()
    while world.clock.now() + CENTURY <= FURTHEST:
        world.clock.advance(CENTURY)
    with pytest.raises(ValueError, match="advance must not lead beyond 9799"):
        world.clock.advance(CENTURY)
    world.before_midnight(1)
    assert iso(world.clock.now() + CENTURY)
    assert from_json(json.dumps(as_json(world, Schedule())))[0].clock.now() >= world.clock.now()


def test_a_clock_goes_on_though_the_time_of_day_is_set_back() -> None:
    """It begins with the present, and goes by a source that only moves forward."""
    ticks = iter([5.0, 7.0, 9.0])
    clock = Clock(lambda: next(ticks))
    first = clock.now()
    assert abs(first - 2 - time.time()) < 60
    assert clock.now() == first + 2


def test_a_long_time_before_midnight_is_not_on_a_short_day() -> None:
    """The day of 23 hours has no moment 23.5 hours before its midnight, so the clock moves on to the day after it."""
    calendar = Calendar("US/Eastern")
    short = calendar.next_midnight(datetime(2026, 3, 8, tzinfo=timezone.utc).timestamp())
    assert calendar.before_midnight(short - HOUR, 23.5 * HOUR) == short + 23.5 * HOUR


@pytest.fixture
def raw() -> Iterator[Raw]:
    """A HubSpot with a day of three calls, at noon in New York."""
    with Emulator(daily=3) as emulator:
        emulator.world = world_at(daily=3)
        with Raw(emulator) as asker:
            yield asker


@pytest.mark.slow
def test_a_day_over_http(raw: Raw) -> None:
    """Three calls, then 429s, until a control call brings midnight near and another goes over it."""
    assert [raw.patch()[0] for _ in range(4)] == [200, 200, 200, 429]
    status, error, headers = raw.patch()
    assert (status, error["policyName"]) == (429, "DAILY")
    assert headers["Retry-After"] is None
    assert headers["X-HubSpot-RateLimit-Daily-Remaining"] is None
    assert raw.ask("GET", "/account-info/2026-03/details")[1]["utcOffset"] == "-04:00"
    assert raw.ask("POST", "/_emulator/clock", {"before_midnight": 20})[1]["now"] == NOON + 12 * HOUR - 20
    assert raw.patch()[0] == 401, "tokens live by the same clock"
    raw.token = raw.ask("POST", "/_emulator/tokens", {})[1]["access_token"]
    assert raw.patch()[0] == 429
    raw.ask("POST", "/_emulator/clock", {"advance": 20})
    assert raw.patch()[0] == 200


def test_every_answer_is_dated_by_the_emulators_clock(raw: Raw) -> None:
    """Good, refused, unknown, faulty and control answers say the same one time, and another when the clock has moved."""
    raw.emulator.world.settings.change(daily=0)
    asked: list[tuple[str, str, Any, dict[str, str]]] = [
        ("GET", message("m-1"), None, {}),
        ("GET", message("m-9"), None, {}),
        ("GET", message("m-1"), None, {"Authorization": ""}),
        ("GET", "/nowhere", None, {}),
        ("POST", "/oauth/v3/token", urlencode(grant_form(raw.emulator)), {"Content_Type": FORM}),
        ("GET", "/_emulator/health", None, {}),
        ("POST", "/_emulator/clock", {}, {}),
        ("GET", "/_emulator/nowhere", None, {}),
    ]

    def dates() -> set[str]:
        answers = [raw.ask(method, path, body, **more) for method, path, body, more in asked]
        assert [status for status, _, _ in answers[1:]] == [404, 401, 404, 200, 200, 400, 404]
        raw.emulator.fault(status=503)
        answers.append(raw.patch())
        return {", ".join(headers.get_all("Date") or ["none"]) for _, _, headers in answers}

    assert dates() == {"Wed, 15 Jul 2026 16:00:00 GMT"}
    raw.ask("POST", "/_emulator/clock", {"advance": 60})
    assert dates() == {"Wed, 15 Jul 2026 16:01:00 GMT"}


def test_a_fault_may_be_dated_otherwise(raw: Raw) -> None:
    """A scripted Date stands alone."""
    raw.emulator.fault(status=503, headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})
    assert raw.patch()[2].get_all("Date") == ["Thu, 01 Jan 1970 00:00:00 GMT"]


def test_a_reset_keeps_the_quota_and_begins_the_day_anew() -> None:
    """What the emulator was made with holds; what was used of it is forgotten."""
    with Emulator(daily=1, time_zone="Asia/Tokyo", daily_spares_account_info=False) as emulator:
        assert calls(emulator.world, 2) == [None, "DAILY"]
        emulator.reset()
        assert calls(emulator.world, 2) == [None, "DAILY"]
        assert emulator.world.install.portal.calendar.time_zone == "Asia/Tokyo"
        assert ask(emulator.world, "/account-info/v3/details").status == 429


def test_the_command_line_sets_the_day() -> None:
    """``--daily`` and ``--time-zone`` reach the account."""
    with served("--daily=2", "--time-zone=Asia/Tokyo", "--messages=1") as (_, ask_it):
        token = ask_it("POST", "/_emulator/tokens")[1]["access_token"]
        details = ask_it("GET", "/account-info/2026-03/details", token)[1]
        statuses = [ask_it("GET", message("message-1"), token)[0] for _ in range(2)]
    assert (details["timeZone"], details["utcOffset"], statuses) == ("Asia/Tokyo", "+09:00", [200, 429])
