"""The local HubSpot's state as JSON: what is loaded is what was saved, and behaves like it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.api.routes import answer
from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.faults.injection import answer_hit
from airflow_provider_hubchan.emulator.model.records import StagingToken
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.snapshot import as_json, from_json
from tests.emulator.raw_http import FORM, Raw, message, served

IDS = [f"m-{number}" for number in range(4)]
#: What differs from one answer to the next for no reason.
RANDOM = ("correlationId", "requestId", "access_token", "X-HubSpot-Correlation-Id")

#: method, path, body, token: as good, bad and strange as callers are.
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["GET", "PATCH"]),
        st.sampled_from([message(each) for each in [*IDS, "m-9"]] + ["/account-info/v3/details", "/oauth/v3/token"]),
        st.sampled_from(["READ", "FAILED", "SENT", "RECEIVED"]),
        st.sampled_from(["good", "other", "old", "none"]),
    ),
    max_size=12,
)
FAULTS = st.lists(
    st.fixed_dictionaries(
        {"answer": st.sampled_from(["locked", "migration", "ten-secondly", "bad-gateway"])},
        optional={
            "message_id": st.sampled_from(IDS),
            "method": st.sampled_from(["GET", "PATCH"]),
            "times": st.integers(1, 3) | st.just("always"),
            "after": st.integers(0, 3),
            "rate": st.sampled_from([0.3, 0.7, 1]),
            "until": st.integers(1, 30),
            "delay": st.just({"uniform": [0, 1]}),
        },
    )
    | st.just({"lag": 20, "times": 2})
    | st.just({"revoke": "access", "after": 5}),
    max_size=4,
)
SETTINGS = st.fixed_dictionaries(
    {"seed": st.integers(0, 3), "limit": st.integers(0, 9), "daily": st.integers(0, 20)},
    optional={"repeats": st.just("refused"), "transitions": st.just("forward"), "refused_count": st.booleans()},
)


class Stopped(HubspotBackend):
    """One whose clock stands still until it is moved, and that answers without HTTP."""

    url = "http://127.0.0.1:1"

    def reset(self) -> None:
        super().reset()
        self.world.clock.run(0)

    def furnish(self, faults: list[dict[str, Any]]) -> None:
        """Something of every kind."""
        world = self.world
        world.seed(IDS)
        world.issue(value="good")
        world.issue(value="old", life=5)
        portal = world.add_portal(7, "Asia/Tokyo")
        install = world.add_install(world.install.app, portal)
        world.issue(install, value="other")
        private = world.add_app("private", private=True)
        world.add_install(private, portal)
        account = world.add_account(world.add_channel("7", private), world.install.portal)
        world.staging["s"] = StagingToken(
            "s", account.channel, portal, 5, world.clock.now(), "name", {"type": "x", "value": "y"}
        )
        world.seed(["theirs"], "7")
        world.messages["7", "theirs"].content = {"direction": "INCOMING", "text": "Hello\n\u2603"}
        world.posted[account.id, "once"] = "theirs"
        self.schedule.add_all(faults, world.clock.now())

    def call(self, method: str, path: str, status: str, token: str) -> Any:
        headers = {"authorization": f"Bearer {token}", "content-type": FORM}
        request = Request(method, path, headers, json.dumps({"statusType": status}).encode())
        if path.endswith("/token"):
            install = self.world.install
            form = {"grant_type": "refresh_token", "refresh_token": install.refresh_token}
            form |= {"client_id": install.app.client_id, "client_secret": install.app.client_secret}
            request = Request("POST", path, headers, urlencode(form).encode())
        hit = self.schedule.next_hit(request, self.world)
        said = answer_hit(self.world, hit, request) if hit else answer(self.world, request)
        body = (
            {key: value for key, value in said.body.items() if key not in RANDOM} if isinstance(said.body, dict) else said.body
        )
        return said.status, body, {key: value for key, value in said.headers.items() if key not in RANDOM}, hit


@settings(max_examples=150, deadline=None)
@given(chosen=SETTINGS, faults=FAULTS, before=CALLS, after=CALLS, pause=st.sampled_from([0, 4, 10, 25, 86_400]))
def test_what_is_loaded_is_what_was_saved(
    chosen: dict[str, Any], faults: list[dict[str, Any]], before: list[Any], after: list[Any], pause: float
) -> None:
    """Saved, loaded and saved again it is the same; and whatever is asked then, both give the same answers."""
    one, other = Stopped(**chosen), Stopped()
    one.furnish(faults)
    for call in before:
        one.call(*call)
    raw = json.dumps(one.state())
    other.restore(raw)
    assert json.dumps(other.state()) == raw
    for each in (one, other):
        each.world.clock.advance(pause)
    assert [one.call(*call) for call in after] == [other.call(*call) for call in after]
    one.world.tokens.clear()  # their names are left to chance
    other.world.tokens.clear()
    assert one.state() == other.state()


def test_nothing_of_the_world_is_left_out() -> None:
    """Each field of the world is in the state, by its own name or by a known one; the index is computed from the messages."""
    saved = set(as_json(World(), HubspotBackend().schedule)) - {"version", "last_fault", "faults"}
    names = {"stale_reads": "lagging"}
    assert {names.get(name, name) for name in vars(World()) if name != "thread_index"} == saved


def test_a_state_is_the_same_after_a_file(tmp_path: Path) -> None:
    """`save` writes it, `load` takes it up in another emulator, which then answers with the same token."""
    file = tmp_path / "state.json"
    with Emulator(channel_id="7") as one, Raw(one) as raw:
        one.world.seed(["m-1"])
        raw.ask("PATCH", message("m-1", channel="7"), {"statusType": "READ"})
        one.fault(message_id="m-1", answer="locked", times=2)
        raw.ask("GET", message("m-1", channel="7"))
        one.save(file)
        token = raw.token
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
    with Emulator() as other, Raw(other) as raw:
        other.load(file)
        raw.token = token
        answers = [raw.ask("GET", message("m-1", channel="7")) for _ in range(2)]
        assert [status for status, _, _ in answers] == [423, 200]
        assert answers[1][1]["status"] == {"statusType": "READ"}
        assert other.connection()["extra"]["channel_id"] == "7"
        other.reset()
        assert other.world.channel_id == "100200"


def test_faults_that_are_over_are_not_saved() -> None:
    """What is left keeps its number, which decides its luck, and a new one gets the next."""
    one, other = Stopped(), Stopped()
    one.furnish(
        [{"answer": "locked"}, {"answer": "locked", "until": 5}, {"answer": "locked", "rate": 0.5}, {"answer": "locked"}]
    )
    one.call("GET", message("m-0"), "", "good")
    one.world.clock.advance(5)
    one.schedule.remove(4)
    other.restore(json.dumps(one.state()))
    assert [scheduled.number for scheduled in other.schedule] == [3]
    assert other.fault(status=500).number == one.fault(status=500).number == 5


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    """A state with something of every kind."""
    hubspot = Stopped()
    hubspot.furnish([{"answer": "locked", "message_id": "m-0"}])
    return hubspot.state()


def broken(good: dict[str, Any], *path: Any, to: Any) -> str:
    """The state with one value changed; None takes it out."""
    state = json.loads(json.dumps(good))
    place = state
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(state)


@pytest.mark.parametrize(
    ("path", "to", "error"),
    [
        (("version",), 2, "the state has version 2; this emulator reads and writes version 1"),
        (("version",), None, "the state has version None"),
        (("messages",), None, "messages: Field required"),
        (("more",), 5, "more: Extra inputs are not permitted"),
        (("messages", 0, "created_at"), "soon", "messages.0.created_at: Input should be a valid number"),
        (("messages", 0, "account"), "5", "a record of kind Message is of ChannelAccount '5', which is not there"),
        (("tokens", "good", "install"), "x in 5", "a record of kind AccessToken is of Install 'x in 5'"),
        (("portals", 0, "calendar"), "Nowhere", "'Nowhere' is no time zone"),
        (("portals", 0, "day", "day"), "yesterday", "portals.0.day.day: Input should be a valid date"),
        (("portals", 1, "id"), 62515, "there are two records of kind Portal with the key 62515"),
        (("settings", "limit"), -1, "limit is -1, not a number of at least 0"),
        (("settings", "limits"), 1, "limits"),
        (("clock", "speed"), -1, "speed must be a number from 0"),
        (("clock", "now"), 1e30, "clock.now"),
        (("installs",), [], "no app is installed in any portal"),
        (("faults", 0, "spec", "answer"), "nothing", "fault 1: there is no answer 'nothing'"),
    ],
)
def test_a_broken_state_is_refused_and_changes_nothing(
    good: dict[str, Any], path: tuple[Any, ...], to: Any, error: str
) -> None:
    """The error says where; what was there before is all there."""
    hubspot = Stopped()
    hubspot.world.seed(["kept"])
    before = hubspot.state()
    with pytest.raises(ValueError, match=r"^the state (is broken|has version)") as caught:
        hubspot.restore(broken(good, *path, to=to))
    assert error in str(caught.value)
    assert hubspot.state() == before


@pytest.mark.parametrize("raw", ["", "{", "[]", "5", b"\xff"])
def test_what_is_no_state_is_refused(raw: str | bytes) -> None:
    """Half a file, something else, or no text at all."""
    with pytest.raises(ValueError, match=r"the state (is not JSON|has version None)"):
        from_json(raw)


def test_the_state_goes_over_http() -> None:
    """GET gives it, PUT takes it up; one that is broken is answered 400, and nothing is loaded."""
    with Emulator() as emulator, Raw(emulator) as raw:
        emulator.world.clock.run(0)
        emulator.world.seed(["m-1"])
        raw.patch()
        state = raw.ask("GET", "/_emulator/state")[1]
        raw.ask("POST", "/_emulator/reset")
        assert raw.patch()[0] == 401
        assert raw.ask("PUT", "/_emulator/state", state)[:2] == (200, {"messages": 1, "faults": 0})
        assert raw.ask("GET", "/_emulator/state")[1] == state
        assert raw.patch()[0] == 200
        status, said, _ = raw.ask("PUT", "/_emulator/state", state | {"version": 0})
        assert (status, said["error"][:27]) == (400, "the state has version 0; th")
        assert raw.patch()[0] == 200


@pytest.mark.slow
def test_the_command_line_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The state is written when the program ends, and taken up when it begins; messages are seeded once."""
    file = tmp_path / "state.json"
    options = (f"--state={file}", "--messages=2", "--repeats=refused")
    with served(*options) as (_, ask):
        token = ask("POST", "/_emulator/tokens")[1]["access_token"]
        assert ask("PATCH", message("message-1"), token, {"statusType": "READ"})[0] == 200
    with served(*options, "--limit=1") as (_, ask):
        assert ask("GET", "/_emulator/messages")[1]["counts"] == {"READ": 1, "SENT": 1}
        assert ask("GET", "/_emulator/settings")[1]["limit"] == 1
        assert ask("PATCH", message("message-1"), token, {"statusType": "READ"})[0] == 429  # the window of before counts
        ask("POST", "/_emulator/clock", body={"advance": 10})
        assert ask("PATCH", message("message-1"), token, {"statusType": "READ"})[0] == 400
