"""Faults: what they say, which requests they hit and when. Time stands still here, and is moved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.api.routes import answer
from airflow_provider_hubchan.emulator.faults.catalogue import ANSWERS
from airflow_provider_hubchan.emulator.faults.durations import Duration
from airflow_provider_hubchan.emulator.faults.injection import answer_hit
from airflow_provider_hubchan.emulator.faults.schedule import Schedule, read_faults
from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.model.records import AccessToken
from airflow_provider_hubchan.emulator.model.world import World
from tests.emulator.raw_http import message


class Stage:
    """A world whose time is moved by hand, a schedule of faults, and calls that are answered as the server answers them."""

    def __init__(self, *faults: dict[str, Any], **settings: Any) -> None:
        self.world = World(**({"limit": 0} | settings))
        self.world.clock = Clock(lambda: 0.0, at=1_000_000.0)
        self.world.seed(f"m-{number}" for number in range(200))
        self.schedule = Schedule()
        self.schedule.add_all(faults, self.world.clock.now())
        self.token = self.world.issue(value="token")

    def call(self, method: str, path: str, body: Any = None) -> Response:
        raw = b"" if body is None else json.dumps(body).encode()
        request = Request(method, path, {"authorization": f"Bearer {self.token}"}, raw)
        hit = self.schedule.next_hit(request, self.world)
        return answer_hit(self.world, hit, request) if hit else answer(self.world, request)

    def patch(self, message_id: str = "m-0", status: str = "READ") -> Response:
        return self.call("PATCH", message(message_id), {"statusType": status})

    def read(self, message_id: str = "m-0") -> str:
        return str(self.call("GET", message(message_id)).body["status"]["statusType"])

    def statuses(self, number: int) -> list[int]:
        return [self.patch().status for _ in range(number)]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_named_answer_is_one(name: str) -> None:
    """It comes with its status and something in it; a page is text, all else says what is wrong."""
    stage = Stage({"answer": name, "path": "/"})
    said = stage.patch()
    assert said.status == ANSWERS[name].status
    assert "<title>" in said.body if isinstance(said.body, str) else said.body["message"]
    assert ("X-HubSpot-RateLimit-Max" in said.headers) is ANSWERS[name].has_rate_headers
    assert stage.patch().status == 200


@pytest.mark.parametrize(
    ("name", "status", "facts"),
    [
        ("locked", 423, {"category": "LOCKED"}),
        ("ten-secondly", 429, {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}),
        ("secondly", 429, {"policyName": "SECONDLY"}),
        ("daily", 429, {"policyName": "DAILY", "message": "You have reached your daily limit."}),
        ("rate-limits", 429, {"category": "RATE_LIMITS"}),
        ("expired-token", 401, {"category": "EXPIRED_AUTHENTICATION"}),
        ("invalid-token", 401, {"category": "INVALID_AUTHENTICATION"}),
        ("missing-scopes", 403, {"category": "MISSING_SCOPES"}),
        ("banned", 403, {"category": "BANNED"}),
        ("missing-permissions", 403, {"category": "MISSING_PERMISSIONS"}),
        ("message-not-found", 404, {"context": {"id": ["m-0"]}}),
        ("channel-not-found", 404, {"context": {"channelId": ["100200"]}}),
        ("sender-not-found", 400, {"subCategory": "ConversationsApiError.SENDER_AGENT_NOT_FOUND"}),
        ("invalid-capability", 400, {"subCategory": "CustomChannelsError.INVALID_CHANNEL_CAPABILITY_VALUES"}),
        ("conflict", 409, {"category": "CONFLICT"}),
        ("already-exists", 409, {"category": "OBJECT_ALREADY_EXISTS"}),
        ("internal-error", 500, {"category": "INTERNAL_ERROR"}),
        ("internal-server-error", 500, {"category": "INTERNAL_SERVER_ERROR"}),
    ],
)
def test_named_answers_say_what_hubspot_says(name: str, status: int, facts: dict[str, Any]) -> None:
    """Category or policy are those of the reference, and a burst 429 has neither category nor Retry-After."""
    said = Stage({"answer": name}).patch()
    assert said.status == status
    assert {key: said.body[key] for key in facts} == facts
    assert ("category" in said.body) is ("policyName" not in said.body)
    assert "Retry-After" not in said.headers
    used_up = said.body.get("policyName") in ("TEN_SECONDLY_ROLLING", "SECONDLY")
    assert (said.headers.get("X-HubSpot-RateLimit-Remaining") == "0") is used_up


def test_every_status_that_hubspot_tells_of_has_a_name() -> None:
    """Those of the error page, of the rate limits and of the token address."""
    told = {400, 401, 403, 404, 405, 409, 414, 415, 423, 429, 477, 500, 502, 503, 504, *range(521, 527)}
    assert {each.status for each in ANSWERS.values()} == told


def test_only_the_pages_and_the_migration_of_the_reference_are_documented() -> None:
    """HubSpot's page of errors tells of these statuses; the page of a 405 was seen."""
    pages = {each.status: each.mark for each in ANSWERS.values() if each.status in (414, 477, 502, 504, *range(521, 527))}
    assert set(pages.values()) == {"documented"}
    assert (ANSWERS["unavailable-page"].mark, ANSWERS["method-not-allowed-page"].mark) == ("documented", "observed")


def test_an_answer_belongs_to_its_address() -> None:
    """What the token address says does not come from the custom-channels API, unless a path is given."""
    stage = Stage({"answer": "bad-refresh-token"})
    assert stage.patch().status == 200
    assert stage.call("POST", "/oauth/2026-03/token").body["error"] == "invalid_grant"
    assert Stage({"answer": "bad-refresh-token", "path": "/messages/"}).patch().status == 400


def test_headers_can_come_with_a_named_answer() -> None:
    """They are added, or replace its own."""
    said = Stage({"answer": "migration", "headers": {"Retry-After": 7, "X-More": "yes"}}).patch()
    assert (said.status, said.headers) == (477, {"Retry-After": "7", "X-More": "yes"})


@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        ({"satus": 500, "answr": "x"}, ["a fault has no answr, satus; it has times, message_id, method"]),
        ({"satus": 500, "drop": "late"}, ["has no satus", "drop is 'late', not 'before' or 'half'"]),
        ({"answer": "nothing"}, ["there is no answer 'nothing'; there are validation-error, "]),
        ({"status": 99, "rate": 0, "after": -1}, ["status is 99", "rate is 0, not a share", "after is -1"]),
        ({"status": True}, ["status is True, not a number from 200 to 599"]),
        ({"answer": "locked", "status": 500, "body": {}}, ["answer 'locked' has its own status and body"]),
        ({"body": {"a": 1}, "delay": 1}, ["body and headers need a status or an answer"]),
        ({"drop": "before", "answer": "locked"}, ["drop 'before' sends nothing"]),
        ({"reset": True, "delay": 1}, ["reset needs drop"]),
        ({"lag": 5, "method": "get"}, ["lag is of a PATCH"]),
        ({"lag": 5, "answer": "locked"}, ["lag is of a PATCH that is accepted"]),
        ({"status": 500, "since": 9, "until": 9}, ["until (9) is not after since (9)"]),
        ({"message_id": "m-0"}, ["a fault must do something: status, answer, delay"]),
        ({}, ["a fault must do something"]),
        ({"revoke": "all"}, ["revoke is 'all', not one of access, refresh, both"]),
        ({"times": 0, "status": 500}, ["times must be at least 1, or always; it is 0"]),
        ({"times": "often", "status": 500}, ["times must be at least 1, or always; it is 'often'"]),
        ({"message_id": ["m-0"], "headers": 5, "status": 500}, ["message_id is ['m-0'], not a text", "headers is 5"]),
        ({"delay": "long"}, ["delay is 'long', not a number of seconds, or one of uniform: least and most"]),
        ({"delay": -1, "trickle": float("nan")}, ["delay is -1", "trickle is nan"]),
        ({"delay": {"normal": [1]}}, ["delay: normal takes mean and deviation"]),
        ({"delay": {"uniform": [2, 1]}}, ["delay: the least is more than the most"]),
        ({"delay": {"exponential": 1, "least": 3, "most": 2}}, ["delay: the least is more than the most"]),
        ("locked", ["a fault must be an object, not 'locked'"]),
    ],
    ids=str,
)
def test_a_wrong_fault_is_told_all_that_is_wrong(fault: Any, errors: list[str]) -> None:
    """One error, which names every key, and what is known."""
    with pytest.raises(ValueError, match=r".") as caught:
        Schedule().add(fault, 0.0)
    for error in errors:
        assert error in str(caught.value)


def test_one_wrong_fault_of_many_adds_none() -> None:
    """Each is named by its place."""
    schedule = Schedule()
    with pytest.raises(ValueError, match=r"^fault 2: a fault has no x; .*; fault 4: a fault must do something"):
        schedule.add_all([{"status": 500}, {"x": 1}, {"status": 500}, {}], 0.0)
    assert list(schedule) == []


def test_a_fault_hits_after_so_many_calls_and_so_many_times() -> None:
    """Two are left alone, three are hit, the rest is left alone; what does not fit is not counted."""
    stage = Stage({"status": 500, "after": 2, "times": 3, "method": "patch"})
    stage.call("GET", message("m-0"))
    assert stage.statuses(7) == [200, 200, 500, 500, 500, 200, 200]
    (scheduled,) = stage.schedule
    assert scheduled.as_json() == {"status": 500, "after": 2, "times": 3, "method": "patch", "id": 1, "struck": 3, "left": 0}


def test_the_first_fault_that_hits_is_used() -> None:
    """One that waits lets the next have the call; those of the message come first."""
    stage = Stage(
        {"status": 500, "after": 1, "times": "always"}, {"status": 502, "times": 2}, {"status": 503, "message_id": "m-0"}
    )
    assert stage.statuses(4) == [503, 502, 500, 500]


def test_a_fault_has_its_time() -> None:
    """Seconds of the emulator's clock since it was added: from the first to just before the last."""
    stage = Stage({"answer": "locked", "since": 10, "until": 20})
    seen = []
    for _ in range(5):
        seen += stage.statuses(2)
        stage.world.clock.advance(5)
    assert seen == [200, 200, 200, 200, 423, 423, 423, 423, 200, 200]


def test_a_migration_is_of_one_portal() -> None:
    """Everything of it is answered 477 for the time, with what is left of it in Retry-After; others go on."""
    stage = Stage({"answer": "migration", "portal": 62515, "until": 3600})
    other = stage.world.add_portal(7)
    stage.world.add_install(stage.world.install.app, other)
    stage.world.tokens["other"] = AccessToken(stage.world.installs[1], 2_000_000.0, ("oauth",))
    assert stage.patch().headers["Retry-After"] == "3600"
    stage.world.clock.advance(1200)
    details = stage.call("GET", "/account-info/2026-03/details")
    assert (details.status, details.headers["Retry-After"]) == (477, "2400")
    stage.token = "other"
    assert stage.call("GET", "/account-info/2026-03/details").body["portalId"] == 7
    stage.world.clock.advance(2400)
    stage.token = stage.world.issue()
    assert stage.patch().status == 200


def test_a_rate_is_kept_and_hangs_on_the_seed() -> None:
    """A fifth of many calls is hit, the same ones each time; another seed hits others."""

    def hit_by(seed: int) -> list[str]:
        stage = Stage({"answer": "locked", "rate": 0.2}, seed=seed)
        ids = [f"m-{number}" for number in range(200)] * 5
        return [message_id for message_id in ids if stage.patch(message_id).status == 423]

    assert 120 < len(hit_by(1)) < 280
    assert hit_by(1) == hit_by(1) != hit_by(2)


def test_chance_does_not_hang_on_the_order_of_calls() -> None:
    """Which try of which message is hit is the same, whoever comes first; and another fault has its own luck."""
    fault = {"answer": "locked", "rate": 0.3}

    def hit_by(order: list[str], *faults: dict[str, Any]) -> dict[str, list[int]]:
        stage = Stage(*faults, seed=5)
        statuses: dict[str, list[int]] = {}
        for message_id in order:
            statuses.setdefault(message_id, []).append(stage.patch(message_id).status)
        return statuses

    order = [f"m-{number}" for number in range(50)] * 4
    mixed = order.copy()
    Random(1).shuffle(mixed)
    assert hit_by(order, fault) == hit_by(mixed, fault)
    assert hit_by(order, {"status": 500, "message_id": "nobody"}, fault) != hit_by(order, fault)


@pytest.mark.parametrize(
    ("said", "middle"),
    [
        ({"uniform": [1, 3]}, 2.0),
        ({"exponential": 2}, 1.386),
        ({"normal": [2, 0.5]}, 2.0),
        ({"lognormal": [2, 0.8]}, 2.0),
    ],
)
def test_a_delay_has_its_distribution(said: dict[str, Any], middle: float) -> None:
    """The median of many is where it belongs, and bounds hold."""
    chance = Random(1)
    drawn = sorted(Duration.parse("delay", said).draw(chance) for _ in range(4001))
    assert drawn[2000] == pytest.approx(middle, rel=0.05)
    assert drawn[0] >= 0
    bounded = Duration.parse("delay", said | {"least": 1.5, "most": 2.5})
    drawn = [bounded.draw(chance) for _ in range(1000)]
    assert (min(drawn), max(drawn)) == (1.5, 2.5)


def test_the_same_seed_gives_the_same_delays() -> None:
    """Each call has its own, and each again the same."""

    def delays() -> list[float]:
        stage = Stage({"delay": {"lognormal": [0.1, 1]}, "trickle": {"uniform": [0, 1]}, "times": "always"})
        hits = [stage.schedule.next_hit(Request("PATCH", message(f"m-{number}")), stage.world) for number in range(9)]
        return [seconds for hit in hits if hit for seconds in (hit.delay, hit.trickle)]

    assert delays() == delays()
    assert len(set(delays())) == 18


def test_a_write_can_be_read_late() -> None:
    """The PATCH says what it did; readers see what was, until the time is over; a second write is late by the first."""
    stage = Stage({"lag": 30, "message_id": "m-0", "times": 2})
    assert stage.patch().body["status"]["statusType"] == "READ"
    assert stage.read() == "SENT"
    stage.world.clock.advance(20)
    stage.patch(status="FAILED")
    stage.world.clock.advance(20)
    assert stage.read() == "SENT"
    stage.world.clock.advance(10)
    assert stage.read() == "FAILED"
    assert stage.patch("m-1").status == 200
    assert stage.read("m-1") == "READ"


def test_a_write_that_is_refused_changes_nothing_for_readers() -> None:
    """Nothing was written, so nothing lags."""
    stage = Stage({"lag": 30})
    assert stage.patch(status="RECEIVED").status == 400
    assert stage.world.stale_reads.until == {}


def test_a_young_message_is_not_there_yet() -> None:
    """Whoever comes too early gets a 404 as often as he asks; an older one is found."""
    stage = Stage({"answer": "message-not-found", "younger": 5})
    stage.world.clock.advance(5)
    stage.world.seed(["new"])
    assert [stage.patch("new").status, stage.patch("new").status, stage.patch("m-0").status] == [404, 404, 200]
    stage.world.clock.advance(5)
    assert stage.patch("new").status == 200


@pytest.mark.parametrize(("what", "call", "refreshed"), [("access", 401, True), ("refresh", 200, False), ("both", 401, False)])
def test_tokens_can_be_revoked_in_the_middle(what: str, call: int, refreshed: bool) -> None:
    """From the third call on. The refresh token's end lets access tokens live on, as documented."""
    stage = Stage({"revoke": what, "after": 2})
    assert stage.statuses(4) == [200, 200, call, call]
    assert stage.world.install.revoked is not refreshed


def test_tokens_can_be_revoked_at_a_time() -> None:
    """Once, and then a new token is good."""
    stage = Stage({"revoke": "access", "since": 60})
    assert stage.statuses(2) == [200, 200]
    stage.world.clock.advance(60)
    assert stage.statuses(1) == [401]
    stage.token = stage.world.issue()
    assert stage.statuses(1) == [200]


def test_thousands_of_faults_for_messages_are_not_looked_through() -> None:
    """A call takes as many steps with three thousand of them as with one, hit or not, and fewer once its own is over."""

    def steps(faults: int, message_id: str) -> list[int]:
        stage = Stage(*({"status": 500, "message_id": f"m-{number}"} for number in range(faults)))
        counted = list[int]()

        def profile(frame: object, event: str, arg: object) -> None:
            counted[-1] += event == "call"

        for _ in range(2):
            request = Request("PATCH", message(message_id))
            counted.append(0)
            sys.setprofile(profile)
            stage.schedule.next_hit(request, stage.world)
            sys.setprofile(None)
        return counted

    assert steps(3000, "m-0") == steps(1, "m-0")
    assert steps(3000, "nobody") == steps(1, "nobody")
    first, second = steps(3000, "m-0")
    assert first > second


def test_a_fault_can_be_taken_out() -> None:
    """By its number; the others keep theirs. One that is over can be taken out, too."""
    stage = Stage({"status": 500}, {"status": 502, "message_id": "m-0"}, {"status": 503})
    stage.schedule.remove(1)
    assert stage.statuses(3) == [502, 503, 200]
    stage.schedule.remove(2)
    assert [scheduled.number for scheduled in stage.schedule] == [3]
    with pytest.raises(ValueError, match="there is no fault 1; there are 3"):
        stage.schedule.remove(1)


@pytest.mark.parametrize(
    "text",
    [
        "- {answer: locked, message_id: 17, headers: {Retry-After: 3}}\n",
        "faults:\n- answer: locked\n  message_id: 17\n  headers:\n    Retry-After: 3\n",
        '{"faults": [{"answer": "locked", "message_id": "17", "headers": {"Retry-After": "3"}}]}',
    ],
)
def test_faults_come_from_a_file(tmp_path: Path, text: str) -> None:
    """YAML or JSON, a list or an object with one; ids and header values that YAML takes for numbers are texts."""
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    stage = Stage(*read_faults(str(file)))
    stage.world.seed(["17"])
    said = stage.patch("17")
    assert (said.status, said.headers["Retry-After"]) == (423, "3")


@pytest.mark.parametrize("text", ["- {answer: locked", "locked", "faults: 5", "faults: []\nmore: 1", "", None])
def test_a_file_without_faults_is_refused(tmp_path: Path, text: str | None) -> None:
    """Broken, something else, or not there: the error names the file."""
    file = tmp_path / "faults.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=r"faults\.yaml (cannot be read|must hold a list of faults)"):
        read_faults(str(file))
