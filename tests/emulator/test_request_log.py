"""The local HubSpot's ledger: what it keeps of each request, what it leaves out, how it is asked, and what it weighs."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api import routes
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.request_log.ledger import Ledger
from tests.emulator.raw_http import FORM, Raw, grant_form, message

#: 2026-07-15T16:00:00Z
NOON = 1_784_131_200.0


class Noted:
    """A ledger that is asked without HTTP, in a world whose clock stands still."""

    def __init__(self, **settings: Any) -> None:
        self.world, self.ledger = World(**{"limit": 0, **settings}), Ledger()
        self.world.clock = Clock(lambda: 0.0, at=NOON)
        self.token = self.world.issue()

    def patch(self, message_id: str, answered: bool = True) -> None:
        """A PATCH of a message."""
        request = Request("PATCH", message(message_id), {"authorization": f"Bearer {self.token}"}, b'{"statusType": "READ"}')
        entry = self.ledger.begin(request, self.world)
        if answered:
            self.ledger.answered(entry, request, routes.answer(self.world, request))


@pytest.fixture
def raw() -> Iterator[Raw]:
    with Emulator(limit=0) as emulator:
        emulator.world.clock = Clock(lambda: 0.0, at=NOON)
        emulator.world.seed(["m-1", "m-2", "a/b"])
        with Raw(emulator) as asker:
            yield asker


def test_an_entry_is_the_whole_request_and_the_whole_reply(raw: Raw) -> None:
    """Time, caller, message, body, status and reply, and that no fault hit it."""
    reply = raw.patch("a%2Fb", {"statusType": "FAILED", "errorMessage": "30003"})[1]
    (entry,) = raw.ask("GET", "/_emulator/ledger")[1]
    assert entry == {
        "at": "2026-07-15T16:00:00.000Z",
        "caller": {"client_id": "hubchan-demo-client-id", "portal_id": 62515},
        "method": "PATCH",
        "path": message("a%2Fb"),
        "query": "",
        "channel_id": "100200",
        "message_id": "a/b",
        "body": {"statusType": "FAILED", "errorMessage": "30003"},
        "status": 200,
        "reply": reply,
        "fault": None,
        "others_in_flight": 0,
    }


def test_an_entry_says_which_fault_it_was(raw: Raw) -> None:
    """The fault as it was given, in the entry and in its line."""
    raw.emulator.fault(message_id="m-1", status=503, body={"message": "Try later."})
    raw.patch()
    (entry,) = raw.emulator.ledger.entries
    assert entry.as_json()["fault"] == {"message_id": "m-1", "status": 503, "body": {"message": "Try later."}}
    assert entry.as_json()["reply"] == {"message": "Try later."}
    assert entry.as_line() == (
        f'16:00:00.000 PATCH {message("m-1")} {{"statusType":"READ"}} -> 503 {{"message":"Try later."}} '
        '(fault: {"message_id":"m-1","status":503,"body":{"message":"Try later."}})'
    )


#: A line of its own, a terminal's escapes, an end of line of Unicode's, and half a character.
FORGED = "x\r\n16:00:00.000 PATCH \x1b[2J\x9b31m\u2028\ud800"


def test_no_text_makes_a_line_of_its_own(raw: Raw) -> None:
    """Neither in the line of a request nor in what is seen; control characters are shown as escapes, and long texts are cut."""
    raw.emulator.world.seed([FORGED])
    raw.emulator.fault(message_id="m-1", status=503, body=FORGED)
    raw.patch("m-1", FORGED.encode(errors="replace"))
    raw.patch("m-2", {"statusType": "FAILED", "errorMessage": FORGED + "y" * 10_000})
    raw.emulator.world.messages["100200", FORGED].status = "FAILED"
    lines = raw.emulator.seen().splitlines()
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("16:")] == [entry.as_line() for entry in raw.emulator.ledger.entries]
    assert max(map(len, lines)) < 1_000
    with pytest.raises(AssertionError) as caught:
        raw.emulator.ledger.assert_each_once(["m-2", FORGED])
    assert str(caught.value).isprintable()


def test_the_caller_of_a_grant_is_in_its_form(raw: Raw) -> None:
    """The app by its client id; the portal only if a token of it was granted; nobody, if nothing says who it is."""
    form = grant_form(raw.emulator)
    raw.ask("POST", "/oauth/v3/token", urlencode(form), Content_Type=FORM, Authorization="")
    raw.ask("POST", "/oauth/v3/token", urlencode(form | {"refresh_token": "x"}), Content_Type=FORM, Authorization="")
    raw.patch(Authorization="Bearer nobody's")
    callers = [entry.caller for entry in raw.emulator.ledger.entries]
    assert callers == [("hubchan-demo-client-id", 62515), ("hubchan-demo-client-id", None), None]


def test_the_caller_is_told_by_the_token_among_several_apps_and_portals() -> None:
    """The same app in two portals, and another app in one of them, are three callers."""
    with Emulator(limit=0) as emulator, Raw(emulator) as raw:
        world = emulator.world
        portal, other = world.add_portal(777), world.add_app("other-app")
        world.seed(["m-1"])
        installs = [world.install, world.add_install(world.install.app, portal), world.add_install(other, portal)]
        for install in installs:
            raw.token = world.issue(install)
            raw.patch()
        assert [(entry.caller, entry.status) for entry in emulator.ledger.entries] == [
            (("hubchan-demo-client-id", 62515), 200),
            (("hubchan-demo-client-id", 777), 404),
            (("other-app", 777), 404),
        ]
        assert len(emulator.ledger.chosen(caller="hubchan-demo-client-id")) == 2
        assert len(emulator.ledger.chosen(caller=777)) == 2
        assert len(raw.ask("GET", "/_emulator/ledger?caller=777&status=404")[1]) == 2


def secrets_of(raw: Raw) -> list[str]:
    """Every secret of the emulator, and those that the tests below send."""
    install = raw.emulator.world.install
    return [install.app.client_secret, install.refresh_token, "s3cr3t", *raw.emulator.world.tokens]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (urlencode({"grant_type": "authorization_code", "code": "s3cr3t"}), {"Content_Type": FORM}),
        (urlencode({"client-secret": "s3cr3t", "Refresh_Token": "s3cr3t", "token": "s3cr3t"}), {"Content_Type": FORM}),
        ("client%5Fsecret=s3cr3t", {"Content_Type": FORM}),
        ({"client_secret": "s3cr3t", "deep": [{"accessToken": "s3cr3t", "code": "s3cr3t"}]}, {}),
        ('{"client_secret": "s3cr3t', {}),
        ('{"refresh_token": "a=s3cr3t"', {}),
        ({"Authorization": "Bearer s3cr3t"}, {}),
    ],
)
def test_no_secret_of_a_request_is_shown(raw: Raw, body: Any, headers: dict[str, str]) -> None:
    """Whatever its form: fields of a form, JSON at any depth, JSON that is broken."""
    raw.ask("POST", "/oauth/2026-03/token", body, **headers)
    shown = json.dumps(raw.ask("GET", "/_emulator/ledger")[1]) + raw.emulator.ledger.entries[0].as_line()
    assert "s3cr3t" not in shown + repr(raw.emulator.ledger.entries)


def test_no_secret_of_a_reply_is_shown(raw: Raw, tmp_path: Path) -> None:
    """The granted token, the refresh token beside it, the token that was asked about, and what is signed."""
    form = grant_form(raw.emulator)
    raw.token = raw.ask("POST", "/oauth/2026-03/token", urlencode(form), Content_Type=FORM)[1]["access_token"]
    raw.ask("POST", "/oauth/2026-03/token/introspect", urlencode(form | {"token": raw.token}), Content_Type=FORM)
    raw.patch()
    raw.emulator.ledger.write(tmp_path / "ledger.jsonl")
    grant, introspection, _ = raw.ask("GET", "/_emulator/ledger")[1]
    assert (grant["reply"]["access_token"], grant["reply"]["refresh_token"], grant["reply"]["expires_in"]) == (
        "***",
        "***",
        1800,
    )
    assert introspection["reply"]["signed_access_token"] == introspection["reply"]["token"] == "***"
    assert introspection["reply"]["token_type"] == "bearer", "what is no secret stays"
    written = (tmp_path / "ledger.jsonl").read_text() + repr(raw.emulator.ledger.entries)
    assert [secret for secret in secrets_of(raw) if secret in written] == []


def test_no_secret_of_an_address_is_shown(raw: Raw) -> None:
    """The developer's key in the query, and the token of an account that is about to be connected in the path."""
    base = "/conversations/custom-channels/2026-03"
    raw.ask("GET", f"{base}?hapikey=s3cr3t&appId=300400")
    raw.ask("PATCH", f"{base}/100200/channel-account-staging-tokens/s3cr3t", {})
    entries = raw.ask("GET", "/_emulator/ledger")[1]
    assert (entries[0]["query"], entries[1]["path"].rsplit("/", 1)[1]) == ("hapikey=***&appId=300400", "***")
    assert "s3cr3t" not in repr(raw.emulator.ledger.entries)


def test_what_is_no_secret_is_shown_as_it_is(raw: Raw) -> None:
    """Broken JSON and HTML say what went wrong; a ``code`` in a reply is no secret, but tells of an error."""
    raw.emulator.fault(status=502, body="<html>Bad Gateway</html>")
    raw.emulator.fault(status=400, body={"errors": [{"code": "TOO_LONG"}]})
    raw.ask("PATCH", message("m-1"), '{"statusType": READ}')
    raw.ask("PATCH", message("m-1"), "")
    first, second = raw.emulator.ledger.entries
    assert (first.body, first.reply) == ('{"statusType": READ}', "<html>Bad Gateway</html>")
    assert (second.body, second.reply) == (None, {"errors": [{"code": "TOO_LONG"}]})


def test_the_ledger_is_asked_with_everything_it_knows(raw: Raw) -> None:
    """Time, path, caller, fault and the newest so many: over HTTP and in Python it is the same."""
    ledger, clock = raw.emulator.ledger, raw.emulator.world.clock
    raw.emulator.fault(message_id="m-2", status=503)
    for message_id in ("m-1", "m-2", "m-9"):
        raw.patch(message_id)
        clock.advance(60)
    raw.ask("GET", "/account-info/2026-03/details")
    for query, arguments, found in (
        ("since=2026-07-15T16:01:00Z", {"since": NOON + 60}, [503, 404, 200]),
        ("until=2026-07-15T16:01:00.000Z", {"until": NOON + 60}, [200]),
        (f"since={NOON + 60}&until={NOON + 120}", {"since": NOON + 60, "until": NOON + 120}, [503]),
        ("fault=yes", {"fault": True}, [503]),
        ("fault=no", {"fault": False}, [200, 404, 200]),
        ("path=/account-info/", {"path": "/account-info/"}, [200]),
        ("last=2", {"last": 2}, [404, 200]),
        ("last=1&method=PATCH", {"last": 1, "method": "PATCH"}, [404]),
        ("message_id=m-9", {"message_id": "m-9"}, [404]),
        ("caller=nobody", {"caller": "nobody"}, []),
    ):
        assert [entry["status"] for entry in raw.ask("GET", f"/_emulator/ledger?{query}")[1]] == found, query
        assert [entry.status for entry in ledger.chosen(**arguments)] == found, arguments


def test_everything_that_is_wrong_with_a_question_is_said_at_once(raw: Raw) -> None:
    """Each slip by its name, and what would do."""
    status, said, _ = raw.ask("GET", "/_emulator/ledger?id=m-1&status=ok&since=noon&fault=perhaps&last=-1")
    assert status == 400
    assert said["error"] == (
        "the ledger has no id; it has method, message_id, status, path, caller, since, until, fault, last; "
        "status must be a number, not 'ok'; "
        "since must be a time like 2026-07-15T16:00:00Z, or seconds since the epoch, not 'noon'; "
        "fault must be yes or no, not 'perhaps'; last must be a number, not '-1'"
    )


def text_of(raw: Raw, path: str, **headers: str) -> str:
    raw.connection.request("GET", path, headers=headers)
    response = raw.connection.getresponse()
    assert response.status == 200
    return response.read().decode()


def test_it_is_written_as_json_lines(raw: Raw, tmp_path: Path) -> None:
    """To a file, at an address of its own, or for who accepts JSON Lines: the same entries, one a line."""
    for message_id in ("m-1", "m-9", "m-2"):
        raw.patch(message_id)
    entries = raw.ask("GET", "/_emulator/ledger")[1]
    assert [entry["message_id"] for entry in entries] == ["m-1", "m-9", "m-2"]
    path = tmp_path / "ledger.jsonl"
    assert raw.emulator.ledger.write(path) == 3
    for text in (
        path.read_text(),
        text_of(raw, "/_emulator/ledger.jsonl?method=PATCH"),
        text_of(raw, "/_emulator/ledger", Accept="application/x-ndjson"),
    ):
        assert [json.loads(line) for line in text.splitlines()] == entries
    assert raw.emulator.ledger.write(path, status=404) == 1
    assert json.loads(path.read_text())["message_id"] == "m-9"


def test_more_entries_than_are_written_at_a_time_are_whole() -> None:
    """1,234 entries, written a few hundred at a time, are a JSON array and as many lines."""
    with Emulator(limit=0) as emulator, Raw(emulator) as raw:
        emulator.world.seed(["m-1"])
        request = Request("PATCH", message("m-1"))
        for _ in range(1234):
            emulator.ledger.begin(request, emulator.world)
        assert len(raw.ask("GET", "/_emulator/ledger")[1]) == 1234
        assert len(text_of(raw, "/_emulator/ledger.jsonl").splitlines()) == 1234


def test_the_newest_are_kept_and_all_are_counted() -> None:
    """Ten requests, four kept: updates and PATCHes are exact all the same, and what was dropped is said."""
    noted = Noted(ledger=4)
    noted.world.seed(["m-1", "m-2"])
    for message_id in ["m-1", "m-2", "unknown", "m-1", "m-1"] * 2:
        noted.patch(message_id)
    ledger = noted.ledger
    assert [entry.message_id for entry in ledger.entries] == ["m-2", "unknown", "m-1", "m-1"]
    assert (ledger.received, ledger.dropped, ledger.patched) == (10, 6, 10)
    assert ledger.updates() == {"m-1": 6, "m-2": 2}
    ledger.clear()
    assert (ledger.entries, ledger.received, ledger.dropped, ledger.updates()) == ([], 0, 0, {})


def test_a_ledger_of_none_still_counts(raw: Raw) -> None:
    """With ``ledger=0`` nothing is kept, and an answer that comes after its entry has gone is counted, too."""
    raw.emulator.world.settings.change(ledger=0)
    for message_id in ("m-1", "m-9", "m-1"):
        raw.patch(message_id)
    status, entries, headers = raw.ask("GET", "/_emulator/ledger")
    assert (status, entries, headers["X-Ledger-Dropped"]) == (200, [], "3")
    assert raw.ask("GET", "/_emulator/patches")[1] == {"by_message": {"m-1": 2}, "total": 3}


def test_an_entry_is_light() -> None:
    """A kilobyte, most of which is the reply; nothing that the garbage collector has to walk through hangs on it."""
    noted = Noted()
    noted.world.seed(f"message-{number}" for number in range(2000))
    for number in range(50):
        noted.patch(f"message-{number}")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            noted.patch(f"message-{number}")
        kept = tracemalloc.get_traced_memory()[0]
        replies = sum(len(entry.response_body) for entry in noted.ledger.entries[-2000:])
    finally:
        tracemalloc.stop()
    assert 2000 * 300 < replies < kept - before < 1400 * 2000
    assert not hasattr(noted.ledger.entries[0], "__dict__")


def test_a_reply_is_made_into_bytes_once() -> None:
    """What the ledger keeps is the very bytes that are sent."""
    noted, answer = Noted(), Response(200, {"id": "m-1"})
    request = Request("PATCH", message("m-1"))
    entry = noted.ledger.begin(request, noted.world)
    assert noted.ledger.answered(entry, request, answer) is answer
    assert entry.response_body is answer.content()


def test_each_once_names_those_to_blame() -> None:
    """Messages that were missed, repeated, or not asked for; a long list is cut."""
    noted = Noted()
    ids = [f"m-{number}" for number in range(30)]
    noted.world.seed([*ids, "extra"])
    for message_id in ids:
        noted.patch(message_id)
    noted.ledger.assert_each_once(ids)
    noted.patch("m-7")
    noted.patch("extra")
    with pytest.raises(AssertionError) as caught:
        noted.ledger.assert_each_once([*ids, *(f"n-{number}" for number in range(12))])
    assert str(caught.value) == (
        "n-0, n-1, n-2, n-3, n-4, n-5, n-6, n-7, n-8, n-9 and 2 more: never updated; "
        "m-7 (2 times): updated more than once; extra: updated, but not asked for"
    )


def test_messages_are_listed_by_status() -> None:
    """A test sees which failed and why, without knowing how the emulator keeps them."""
    emulator = HubspotBackend()
    emulator.world.seed(["m-1", "m-2"])
    emulator.world.messages["100200", "m-2"].status = "FAILED"
    emulator.world.messages["100200", "m-2"].error_message = "30003"
    assert [(each.id, each.status, each.error_message) for each in emulator.messages("FAILED")] == [("m-2", "FAILED", "30003")]
    assert [each.id for each in emulator.messages()] == ["m-1", "m-2"]
    assert emulator.messages(status="READ") == []
