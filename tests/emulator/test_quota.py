"""The local HubSpot's quotas: the window to the millisecond, plans, apps and accounts side by side, another program."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import takewhile
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api import quota
from airflow_provider_hubchan.emulator.model.clock import DAY
from airflow_provider_hubchan.emulator.model.limits import RollingWindow
from airflow_provider_hubchan.emulator.model.records import Install
from airflow_provider_hubchan.emulator.model.settings import PLANS, Settings
from airflow_provider_hubchan.emulator.model.world import World
from tests.emulator.raw_http import FORM, Raw, grant_form, message
from tests.emulator.worlds import world_at

#: A time of this year, so that the numbers have the size that they have in use.
NOW = 1_795_000_000


def arrivals(number: int, limit: int) -> Iterator[int]:
    """Milliseconds at which calls come: at once, in bursts, and to the millisecond at which an older one no longer counts."""
    chance, moment, recent = random.Random(limit), NOW * 1000, [NOW * 1000]
    for _ in range(number):
        if chance.random() < 1 / (limit + 2):
            moment = max(moment, chance.choice(recent[-limit:]) + 10_000 - chance.choice((0, 0, 1)))
        else:
            moment += chance.choice((0, 0, 0, 1, 4_000 // limit, 8_000 // limit))
        recent.append(moment)
        yield moment


@pytest.mark.parametrize("limit", [1, 20, 110, 190])
def test_the_window_agrees_with_brute_force(limit: int) -> None:
    """Of 25,000 calls for each limit, exactly those are let through that find room among the ones of the last ten seconds."""
    window, admitted, refused = RollingWindow(), list[int](), 0
    for moment in arrivals(25_000, limit):
        room = len(list(takewhile((moment - 10_000).__lt__, reversed(admitted)))) < limit
        assert window.has_room(moment / 1000, limit, 10.0) is room, (moment, len(admitted))
        if room:
            window.count(moment / 1000)
            admitted.append(moment)
        refused += not room
    assert min(len(admitted), refused) > 1_000, "both happened often"


@pytest.mark.parametrize("foreign", [0.1, 0.3, 0.9])
def test_another_program_uses_its_share_of_the_window(foreign: float) -> None:
    """Who keeps to the rest is never refused, who asks for a tenth more is; who storms takes from the other one, too."""

    def refused(share: float) -> float:
        world, calls = world_at(foreign=foreign), round(1_000 * 11 * share)
        said = []
        for _ in range(calls):  # 1,000 seconds
            said.append(quota.count_request(world, world.install))
            world.clock.advance(1_000 / calls)
        return sum(policy is not None for policy in said) / calls

    assert refused(1 - foreign - 0.02) == 0
    assert refused(1 - foreign + 0.1) > 0
    assert 0.1 * (1 - foreign) < 1 - refused(10) <= 0.1


def test_another_program_shows_in_the_headers() -> None:
    """Who asks for the first time in an hour finds the other one's calls of ten seconds."""
    world = world_at(foreign=0.5)
    assert quota.remaining(world, world.install) == pytest.approx(55, abs=1)
    world.clock.advance(3600)
    assert quota.remaining(world, world.install) == pytest.approx(55, abs=1)


@pytest.mark.parametrize("plan", PLANS)
def test_plans(plan: str) -> None:
    """The window has room for so many; what is chosen by hand goes before the plan."""
    world = world_at(plan=plan)
    assert (quota.window_limit(world), quota.daily_limit(world)) == PLANS[plan]
    refused = [quota.count_request(world, world.install) for _ in range(260)]
    assert refused.count(None) == PLANS[plan][0]
    world.settings.change(limit=7, daily=0)
    assert (quota.window_limit(world), quota.daily_limit(world)) == (7, 0)


def test_refused_calls_may_count() -> None:
    """The rule is a setting: with it, who goes on calling is never let through."""

    def let_through(**chosen: Any) -> int:
        world, done = world_at(limit=10, **chosen), 0
        for _ in range(1000):
            done += quota.count_request(world, world.install) is None
            world.clock.advance(0.1)
        return done

    assert let_through() == 100
    assert let_through(refused_count=True) == 10


def test_a_private_app_is_told_of_its_day() -> None:
    """OAuth's replies have no daily headers, the others do; and their 429 names another group."""
    world = world_at(plan="starter", limit=2)
    private = world.add_install(world.add_app("private", app_id=7, private=True), world.install.portal)

    def told(install: Install) -> str | None:
        return quota.rate_headers(world, install).get("X-HubSpot-RateLimit-Daily-Remaining")

    assert quota.count_request(world, private) is None
    assert (told(world.install), told(private)) == (None, "249999")
    assert quota.rate_limited("TEN_SECONDLY_ROLLING", private).body["groupName"] == (
        "publicapi:private_app-api-calls-ten-secondly:62515:7"
    )
    world.clock.advance(DAY)
    assert told(private) == "250000"


def two_apps_in_two_portals(world: World) -> list[Install]:
    """The demo's app and another one, each in both portals."""
    elsewhere, other = world.add_portal(777, "Asia/Tokyo"), world.add_app("other")
    world.add_install(world.install.app, elsewhere)
    for portal in (world.install.portal, elsewhere):
        world.add_install(other, portal)
    return world.installs


def test_each_app_has_a_window_in_each_account() -> None:
    """Four windows, and none of them knows of another."""
    world = world_at(limit=5)
    for install in two_apps_in_two_portals(world):
        refused = [quota.count_request(world, install) for _ in range(7)]
        assert refused == [None] * 5 + ["TEN_SECONDLY_ROLLING"] * 2


def test_apps_and_accounts_do_not_see_each_other() -> None:
    """A message is in one account, a channel is one app's; a token opens nothing else."""
    with Emulator() as emulator, Raw(emulator) as raw:
        world = emulator.world
        ours, theirs, *others = two_apps_in_two_portals(world)
        account = world.add_account(world.channels[world.channel_id], theirs.portal)
        emulator.world.seed(["here"])
        emulator.world.seed(["there"], portal=theirs.portal)
        seen = {}
        for install in (ours, theirs, *others):
            raw.token = world.issue(install)
            seen[install.app.client_id, install.portal.id] = [raw.ask("GET", message(each))[0] for each in ("here", "there")]
        assert list(seen.values()) == [[200, 404], [404, 200], [404, 404], [404, 404]]
        raw.token = world.issue(theirs)
        assert raw.ask("GET", "/account-info/2026-03/details")[1]["timeZone"] == "Asia/Tokyo"
        assert raw.ask("GET", message("there"))[1]["channelAccountId"] == account.id


def test_the_token_address_has_a_limiter_of_its_own() -> None:
    """The eleventh grant of a second is refused; the window of the calls has nothing to do with it."""
    with Emulator() as emulator, Raw(emulator) as raw:
        emulator.world.clock.run(0)
        form = urlencode(grant_form(emulator))
        said = [raw.ask("POST", "/oauth/2026-03/token", form, Content_Type=FORM) for _ in range(11)]
        assert [status for status, _, _ in said] == [200] * 10 + [429]
        assert (said[-1][1]["policyName"], said[-1][1]["message"]) == ("SECONDLY", "You have reached your rate limit.")
        assert quota.remaining(emulator.world, emulator.world.install) == 110
        emulator.world.clock.advance(1)
        assert raw.ask("POST", "/oauth/2026-03/token", form, Content_Type=FORM)[0] == 200


@pytest.mark.parametrize(
    ("chosen", "errors"),
    [
        ({"plan": "gold"}, ["plan is 'gold', not one of marketplace, starter"]),
        ({"limit": -1, "daily": 1.5, "transitions": "back"}, ["limit is -1", "daily is 1.5", "transitions is 'back'"]),
        ({"foreign": 1.0}, ["foreign must be less than 1"]),
        ({"window": 0.0}, ["window must be more than 0"]),
        ({"status_in_reply": "yes"}, ["status_in_reply is 'yes', not true or false"]),
        ({"time_zone": 5}, ["time_zone is 5, not a text"]),
        ({"limit": True}, ["limit is True"]),
        ({"seed": None}, ["seed is None"]),
    ],
)
def test_settings_that_cannot_be_are_all_named(chosen: dict[str, Any], errors: list[str]) -> None:
    """Made or changed: every fault in one error, and nothing is changed."""
    with pytest.raises(ValueError, match=r"is|must") as made:
        Settings(**chosen)
    settings = Settings()
    with pytest.raises(ValueError, match=r"is|must") as changed:
        settings.change(**chosen)
    assert settings == Settings()
    assert str(made.value) == str(changed.value)
    for error in errors:
        assert error in str(made.value)


def test_an_unknown_setting_is_named_with_those_there_are() -> None:
    """A slip in a name is an error."""
    with pytest.raises(ValueError, match="there is no setting limits; there are channel_id, plan, limit"):
        Settings().change(limits=5)


@pytest.mark.parametrize(
    ("chosen", "first", "then", "error"),
    [
        ({"transitions": "forward"}, "READ", "SENT", "A message that is READ cannot become SENT"),
        ({"repeats": "refused"}, "READ", "READ", "The message is READ already"),
        ({"error_message_with": "failed"}, "SENT", "READ", "errorMessage cannot come with READ"),
        ({"error_message_limit": 3}, "SENT", "FAILED", "errorMessage has more than 3 characters"),
    ],
)
def test_rules_that_nobody_knows_are_settings(chosen: dict[str, Any], first: str, then: str, error: str) -> None:
    """As it is, HubSpot's files alone hold; with the setting the second update is refused, and changes nothing."""
    with Emulator() as emulator, Raw(emulator) as raw:
        emulator.world.seed(["m-1", "m-2"])

        def update(message_id: str, status: str, **more: str) -> tuple[int, Any]:
            return raw.patch(message_id, {"statusType": status, **more})[:2]

        assert [update("m-1", first)[0], update("m-1", then, errorMessage="late")[0]] == [200, 200]
        emulator.world.settings.change(**chosen)
        update("m-2", first)
        status, said = update("m-2", then, errorMessage="late")
        assert (status, said["category"], said["message"]) == (400, "VALIDATION_ERROR", error)
        assert emulator.world.messages["100200", "m-2"].status == ("READ" if first == "READ" else "SENT")


def test_a_reply_may_come_without_a_status() -> None:
    """HubSpot's files call it optional."""
    with Emulator(status_in_reply=False) as emulator, Raw(emulator) as raw:
        emulator.world.seed(["m-1"])
        assert "status" not in raw.patch()[1]
        assert raw.ask("GET", message("m-1"))[1]["status"] == {"statusType": "READ"}
