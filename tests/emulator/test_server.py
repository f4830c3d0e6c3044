"""The local HubSpot, asked over raw HTTP: it is the ground under the other tests, so it has tests of its own."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from airflow_provider_hubchan.emulator import Emulator
from tests.emulator.raw_http import FORM, Raw, grant_form, message, served
from tests.waiting import wait_until

VERSIONS = ("v3", "2026-03", "2026-09")


@pytest.fixture
def raw() -> Iterator[Raw]:
    with Emulator() as emulator:
        emulator.world.seed(["m-1", "a/b", ".."])
        with Raw(emulator) as asker:
            yield asker


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_is_updated_and_read_back(raw: Raw, version: str) -> None:
    """PATCH answers 200 with the whole message, and GET shows the same, in every version."""
    status, body, _ = raw.ask("PATCH", message("m-1", version), {"statusType": "FAILED", "errorMessage": "30003"})
    assert status == 200
    assert body["status"] == {"statusType": "FAILED", "failureDetails": {"errorMessageTokens": {}, "errorMessage": "30003"}}
    assert raw.ask("GET", message("m-1", version))[:2] == (200, body)
    assert raw.emulator.world.counts() == {"SENT": 2, "FAILED": 1}


def test_only_v3_stands_before_the_name(raw: Raw) -> None:
    """An address that mixes the two forms is unknown, and not answered in the error shape."""
    assert raw.ask("GET", "/conversations/custom-channels/v3/100200/messages/m-1")[0] == 404
    assert raw.ask("GET", "/conversations/2026-03/custom-channels/100200/messages/m-1")[0] == 404
    assert "category" not in raw.ask("GET", "/nowhere")[1]


def test_an_encoded_id_is_one_segment(raw: Raw) -> None:
    """The path is split before it is decoded."""
    assert raw.patch("a%2Fb")[0] == 200
    assert raw.patch("%2E%2E")[0] == 200
    assert raw.patch("a/b")[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "",
        {"statusType": "RECEIVED"},
        {"statusType": "read"},
        {"statusType": "\ud800"},
        {},
        {"statusType": "FAILED", "errorMessage": 5},
    ],
)
def test_a_bad_body_is_a_validation_error(raw: Raw, body: Any) -> None:
    """Broken JSON and values outside the enum are answered in one form, and change nothing."""
    status, error, _ = raw.patch(body=body)
    assert (status, error["category"], error["status"]) == (400, "VALIDATION_ERROR", "error")
    assert error["message"].startswith("Invalid input JSON on line 1")
    assert raw.emulator.world.counts() == {"SENT": 3}


def test_an_unknown_message_is_not_found(raw: Raw) -> None:
    """The error object names the id and carries a correlation id, in body and header."""
    status, error, headers = raw.patch("m-9")
    assert (status, error["category"], error["context"]) == (404, "OBJECT_NOT_FOUND", {"id": ["m-9"]})
    assert error["correlationId"] == headers["X-HubSpot-Correlation-Id"]


def test_a_channel_of_another_app_looks_as_if_it_did_not_exist(raw: Raw) -> None:
    """The right id with the wrong app's token is a 404, as observed."""
    status, error, _ = raw.ask("PATCH", message("m-1", channel="999"), {"statusType": "READ"})
    assert status == 404
    assert error["subCategory"] == "ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST"
    assert error["context"] == {"channelId": ["999"]}


def test_bearer_tokens_are_checked(raw: Raw) -> None:
    """Missing, unknown and expired tokens are three texts and two categories of 401."""
    for header in ("", "Basic abc", "Bearer unknown"):
        status, error, _ = raw.patch(Authorization=header)
        assert (status, error["category"]) == (401, "INVALID_AUTHENTICATION")
    raw.emulator.world.clock.advance(1801)
    status, error, _ = raw.patch()
    assert (status, error["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert "expired 1 second(s) ago" in error["message"]
    assert list(error["context"]) == ["expire time"]


def test_scopes_are_checked(raw: Raw) -> None:
    """Write does not read and read does not write; channel accounts open to either."""
    world = raw.emulator.world
    raw.token = world.issue(scopes=["conversations.custom_channels.read"])
    status, error, _ = raw.patch()
    assert (status, error["category"]) == (403, "MISSING_SCOPES")
    assert error["errors"][0]["context"] == {"requiredGranularScopes": ["conversations.custom_channels.write"]}
    assert raw.ask("GET", message("m-1"))[0] == 200
    accounts = "/conversations/custom-channels/2026-03/100200/channel-accounts?limit=1"
    assert raw.ask("GET", accounts)[1]["total"] == 1
    raw.token = world.issue(scopes=["conversations.custom_channels.write"])
    assert raw.ask("GET", message("m-1"))[0] == 403
    assert raw.ask("GET", accounts)[0] == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_the_refresh_grant(raw: Raw, version: str) -> None:
    """A form gets a token of 1800 seconds that works; JSON gets 415."""
    form = grant_form(raw.emulator)
    status, token, headers = raw.ask("POST", f"/oauth/{version}/token", urlencode(form), Content_Type=FORM)
    assert (status, token["expires_in"], token["token_type"]) == (200, 1800, "bearer")
    assert "X-HubSpot-RateLimit-Max" not in headers
    raw.token = token["access_token"]
    assert raw.patch()[0] == 200
    assert raw.ask("POST", f"/oauth/{version}/token", form)[0] == 415
    assert raw.ask("GET", f"/oauth/{version}/token")[0] == 405


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_id": "x"}, "BAD_CLIENT_ID"),
        ({"client_secret": "x"}, "BAD_CLIENT_SECRET"),
        ({"refresh_token": "x"}, "BAD_REFRESH_TOKEN"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
def test_a_bad_grant_says_which_part(raw: Raw, change: dict[str, str], status: str) -> None:
    """400 with the older status and the standard error beside each other."""
    form = grant_form(raw.emulator) | change
    code, error, _ = raw.ask("POST", "/oauth/2026-03/token", urlencode(form), Content_Type=FORM)
    assert (code, error["status"]) == (400, status)
    assert error["error"] in ("invalid_client", "invalid_grant", "unsupported_grant_type")


def test_introspection(raw: Raw) -> None:
    """A good token tells its scopes and life; any other is not active."""
    app = raw.emulator.world.install.app
    form = {"client_id": app.client_id, "client_secret": app.client_secret, "token": raw.token}
    status, said, _ = raw.ask("POST", "/oauth/2026-03/token/introspect", urlencode(form), Content_Type=FORM)
    assert (status, said["active"], said["hub_id"], said["expires_in"]) == (200, True, 62515, 1800)
    assert "conversations.custom_channels.write" in said["scopes"]
    form["token"] = "other"
    assert raw.ask("POST", "/oauth/2026-03/token/introspect", urlencode(form), Content_Type=FORM)[1] == {"active": False}


def test_account_details(raw: Raw) -> None:
    """Any good token may ask which account it is for."""
    assert raw.ask("GET", "/account-info/2026-03/details")[1]["portalId"] == raw.emulator.world.install.portal.id


def test_the_limit_is_a_rolling_window() -> None:
    """Eleven requests in a window of ten: the last is a 429 as observed, and a moved clock frees the window."""
    with Emulator(limit=10) as emulator, Raw(emulator) as raw:
        emulator.world.seed(["m-1"])
        _, _, headers = raw.patch()
        assert headers["X-HubSpot-RateLimit-Max"] == "10"
        assert headers["X-HubSpot-RateLimit-Remaining"] == "9"
        assert headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
        assert headers["X-HubSpot-RateLimit-Daily"] is None
        for _ in range(9):
            assert raw.patch()[0] == 200
        status, error, headers = raw.patch()
        assert status == 429
        assert (error["errorType"], error["policyName"]) == ("RATE_LIMIT", "TEN_SECONDLY_ROLLING")
        assert "category" not in error
        assert headers["Retry-After"] is None
        assert headers["X-HubSpot-RateLimit-Remaining"] == "0"
        emulator.world.clock.advance(10)
        assert raw.patch()[0] == 200


def test_faults_are_played_once_each(raw: Raw) -> None:
    """A scripted answer comes the number of times it was scripted for, then the contract holds again."""
    raw.emulator.fault(status=503, body="<html>", headers={"Retry-After": "7"}, times=2)
    for _ in range(2):
        status, body, headers = raw.patch()
        assert (status, body, headers["Retry-After"], headers["Content-Type"]) == (503, b"<html>", "7", "text/html")
        assert headers["X-HubSpot-RateLimit-Max"] == "110"
    assert raw.patch()[0] == 200


def test_faults_find_their_message(raw: Raw) -> None:
    """A fault for one message leaves the others alone, and the token endpoint too."""
    raw.emulator.fault(message_id="a/b", status=500)
    assert raw.patch("m-1")[0] == 200
    assert raw.patch("a%2Fb")[0] == 500
    assert raw.patch("a%2Fb")[0] == 200


def test_a_connection_can_be_dropped(raw: Raw) -> None:
    """Before the first byte, or half way: the caller sees a broken connection, and with ``apply`` it was done all the same."""
    raw.emulator.fault(drop="before")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        raw.patch()
    assert raw.emulator.world.counts() == {"SENT": 3}
    raw.connection.close()
    raw.emulator.fault(drop="before", apply=True)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        raw.patch()
    assert raw.emulator.world.counts() == {"SENT": 2, "READ": 1}
    raw.connection.close()
    raw.emulator.fault(drop="half", status=200, body={"id": "m-1"})
    with pytest.raises(http.client.IncompleteRead):
        raw.patch()
    raw.connection.close()
    assert [entry.status for entry in raw.emulator.ledger.patches()] == [None, None, 200]


def test_an_answer_can_be_late(raw: Raw) -> None:
    """A delay comes before the true answer; who does not wait for it finds the message as it was."""
    raw.emulator.fault(delay=0.1)
    assert raw.patch()[0] == 200
    raw.emulator.fault(message_id="a/b", delay=30.0, status=500)
    raw.connection.close()
    raw.connection.timeout = 0.1
    with pytest.raises(TimeoutError):
        raw.patch("a%2Fb")
    assert raw.emulator.world.counts() == {"SENT": 2, "READ": 1}


@pytest.mark.parametrize("fault", [{"delay": 600.0}, {"trickle": 600.0}], ids=["headers", "body"])
def test_a_server_that_stops_breaks_every_answer_off(fault: dict[str, Any]) -> None:
    """Whoever waits for one learns that there is none, and the test that stops it does not wait for it."""
    ends = list[BaseException]()

    def ask() -> None:
        with Raw(emulator) as raw:
            raw.connection.timeout = None
            try:
                raw.patch()
            except (OSError, http.client.HTTPException) as error:
                ends.append(error)

    with Emulator(limit=0) as emulator:
        emulator.world.seed(["m-1"])
        emulator.fault(**fault)
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        wait_until(lambda: len(emulator.ledger.entries) == 1)
    asking.join(30.0)
    assert len(ends) == 1


def test_the_ledger_knows_every_request(raw: Raw) -> None:
    """Each request with its body and answer; secrets of a grant are not kept."""
    raw.patch()
    app = raw.emulator.world.install.app
    raw.ask("POST", "/oauth/v3/token", urlencode({"client_id": "x", "client_secret": app.client_secret}), Content_Type=FORM)
    patch, grant = raw.ask("GET", "/_emulator/ledger")[1]
    assert (patch["method"], patch["message_id"], patch["body"], patch["status"]) == (
        "PATCH",
        "m-1",
        {"statusType": "READ"},
        200,
    )
    assert grant["body"] == "client_id=x&client_secret=%2A%2A%2A"
    assert len(raw.emulator.ledger.patches("m-1", status=200)) == 1


def test_the_ledger_is_asked_for_a_part(raw: Raw) -> None:
    """Method, message and status choose entries, alone and together; a slip is answered with words."""
    raw.emulator.fault(message_id="a/b", status=503)
    for message_id in ("m-1", "a%2Fb", "a%2Fb"):
        raw.patch(message_id)
    raw.ask("GET", message("a%2Fb"))

    def asked(query: str) -> list[tuple[str, str, int]]:
        entries = raw.ask("GET", f"/_emulator/ledger?{query}")[1]
        return [(entry["method"], entry["message_id"], entry["status"]) for entry in entries]

    assert len(asked("")) == 4
    assert asked("method=GET") == [("GET", "a/b", 200)]
    assert asked("message_id=m-1") == [("PATCH", "m-1", 200)]
    assert asked("status=503") == [("PATCH", "a/b", 503)]
    assert asked("method=PATCH&message_id=a%2Fb&status=200") == [("PATCH", "a/b", 200)]
    assert asked("message_id=m-9") == []
    for query, error in (("id=m-1", "no id; it has method, message_id, status"), ("status=ok", "status must be a number")):
        status, said, _ = raw.ask("GET", f"/_emulator/ledger?{query}")
        assert status == 400
        assert error in said["error"]


def test_repeats_are_counted(raw: Raw) -> None:
    """What was done to each message, and all that was tried, in a few bytes."""
    raw.emulator.fault(message_id="a/b", status=503)
    for message_id in ("m-1", "a%2Fb", "a%2Fb", "m-1", "m-9"):
        raw.patch(message_id)
    raw.ask("GET", message("m-1"))
    assert raw.ask("GET", "/_emulator/patches")[1] == {"by_message": {"m-1": 2, "a/b": 1}, "total": 5}


def test_it_is_controlled_over_http(raw: Raw) -> None:
    """Everything that a test in another process needs is under one prefix."""
    assert raw.ask("GET", "/_emulator/health")[1] == {"ok": True}
    assert raw.ask("POST", "/_emulator/messages", {"ids": ["x", 7]})[1] == {"messages": 5}
    assert raw.ask("POST", "/_emulator/faults", [{"status": 500}, {"status": 502}])[1] == {"added": 2, "ids": [1, 2]}
    assert [raw.patch("x")[0] for _ in range(2)] == [500, 502]
    raw.ask("POST", "/_emulator/faults", {"status": 500, "times": 9})
    raw.ask("DELETE", "/_emulator/faults")
    assert raw.patch("7")[0] == 200
    assert raw.ask("GET", "/_emulator/messages")[1]["counts"] == {"SENT": 4, "READ": 1}
    raw.ask("POST", "/_emulator/clock", {"advance": 3600})
    assert raw.patch()[0] == 401
    raw.token = raw.ask("POST", "/_emulator/tokens", {"life": 60})[1]["access_token"]
    assert raw.patch()[0] == 200
    raw.ask("POST", "/_emulator/revoke")
    assert raw.emulator.world.install.revoked
    assert raw.ask("GET", "/_emulator/connection")[1] == raw.emulator.connection()
    raw.ask("POST", "/_emulator/reset")
    assert raw.ask("GET", "/_emulator/messages")[1] == {"counts": {}, "messages": {}}
    assert raw.emulator.ledger.entries == []


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("faults", {"satus": 500}, "a fault has no satus; it has times, message_id"),
        ("faults", {"drop": "late"}, "drop is 'late', not 'before' or 'half'"),
        ("messages", {"id": "x"}, "ids must be a list of message ids"),
        ("clock", {"advance": "an hour"}, "advance must be a number of seconds"),
        ("clock", {"advance": -1}, "advance must be a number of seconds from 0"),
        ("clock", {"advance": True}, "advance must be a number of seconds"),
        ("clock", '{"advance": NaN}', "advance must be a number of seconds from 0"),
        ("clock", {"before_midnight": "soon"}, "before_midnight must be a number of seconds"),
        ("clock", {"before_midnight": 0}, "before_midnight must be more than 0 and at most 86400 seconds"),
        ("clock", {"before_midnight": 86_401}, "before_midnight must be more than 0 and at most 86400 seconds"),
        ("clock", {"advance": 1, "before_midnight": 1}, "the clock takes one of advance, before_midnight, speed"),
        ("clock", {"back": 1}, "the clock takes one of advance, before_midnight, speed; asked was back"),
        ("clock", {}, "the clock takes one of advance, before_midnight, speed; asked was nothing"),
        ("clock", "{", "the body is not JSON"),
        ("clock", "[" * 100_000, "the body is not JSON"),
        ("tokens", {"live": 1}, "a token has no live; it has scopes, life, value"),
        ("tokens", {"life": "long", "scopes": "oauth", "value": 1}, "life must be a number of seconds, at least 0, not 'long'"),
        ("tokens", {"life": -1, "scopes": [1]}, "scopes must be a list of texts, not [1]; life must be"),
        ("tokens", '{"life": 1e999}', "life must be a number of seconds"),
        ("tokens", {"value": 7}, "value must be a text, not 7"),
    ],
)
def test_a_wrong_control_call_says_what_is_wrong(raw: Raw, path: str, body: Any, error: str) -> None:
    """A slip in a test's script is answered with 400 and words."""
    status, said, _ = raw.ask("POST", f"/_emulator/{path}", body)
    assert status == 400
    assert error in said["error"]


def test_a_control_call_that_does_not_exist_is_refused(raw: Raw) -> None:
    """An unknown path with 404, a wrong method with 405 and those that are allowed, a fault without a number with 400."""
    assert raw.ask("GET", "/_emulator/nowhere")[:2] == (404, b"Not Found")
    status, _, headers = raw.ask("PATCH", "/_emulator/faults")
    assert (status, headers["Allow"]) == (405, "GET, POST, DELETE")
    assert raw.ask("DELETE", "/_emulator/faults/x")[:2] == (400, {"error": "'x' is not the number of a fault"})
    assert raw.ask("HEAD", "/_emulator/health")[0] == 200


def test_an_error_of_a_control_call_is_short(raw: Raw) -> None:
    """Whatever was sent."""
    status, answer, _ = raw.ask("POST", "/_emulator/tokens", {"scopes": "x" * 1_000_000})
    assert status == 400
    assert answer["error"].startswith("scopes must be a list of texts, not 'xxx")
    assert len(answer["error"]) <= 1_500


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_without_end_is_refused(raw: Raw, chunked: bool) -> None:
    """Ten megabytes of a call of HubSpot's API are read, and nothing of more is kept."""
    for size, status in ((10_000_000, 400), (10_000_001, 413)):
        body = b"x" * size
        sent = {"Authorization": f"Bearer {raw.token}"}
        raw.connection.request("PATCH", message("m-1"), iter([body]) if chunked else body, sent, encode_chunked=chunked)
        response = raw.connection.getresponse()
        assert (response.status, len(response.read()) < 1_000) == (status, True)
    assert [len(entry.request_body) for entry in raw.emulator.ledger.entries] == [10_000_000]
    assert raw.patch()[0] == 200


def test_a_state_that_is_too_deep_is_refused(raw: Raw) -> None:
    """It is answered like any other that cannot be read."""
    status, said, _ = raw.ask("PUT", "/_emulator/state", "[" * 100_000)
    assert (status, said["error"].partition(":")[0]) == (400, "the state is not JSON")


def test_the_command_line_serves_and_says_how_to_connect() -> None:
    """``python -m`` seeds messages, prints a connection for Airflow, and answers."""
    with served("--channel-id=7", "--messages=3") as (lines, ask):
        seeded = ask("GET", "/_emulator/messages")[1]["messages"]
        connection = ask("GET", "/_emulator/connection")[1]
    assert lines[0] == f"HubSpot emulator at {connection['host']}, channel 7, 3 messages.\n"
    assert json.loads(lines[2].split("=", 1)[1].strip().strip("'")) == connection
    assert seeded == {"message-1": "SENT", "message-2": "SENT", "message-3": "SENT"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--messages", "nowhere.jsonl", "'nowhere.jsonl' is neither a number nor a file"),
        ("--limit", "-1", "limit is -1, not a number of at least 0"),
        ("--host", "192.0.2.1", "--host 192.0.2.1 --port 0: Cannot assign requested address"),
        ("--daily", "-1", "daily is -1, not a number of at least 0"),
        ("--time-zone", "Nowhere/Town", "'Nowhere/Town' is no time zone of the IANA database"),
    ],
)
def test_the_command_line_refuses_what_cannot_be(option: str, value: str, error: str) -> None:
    """A wrong argument ends with one line that names it."""
    command = [sys.executable, "-m", "airflow_provider_hubchan.emulator", "--port", "0", f"{option}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert error in done.stderr


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")])
def test_it_listens_where_it_is_told_to(host: str, shown: str) -> None:
    """On all addresses for a network of containers; what it says of itself can be called from here."""
    with Emulator(host=host) as emulator, Raw(emulator) as raw:
        assert str(urlsplit(emulator.url).hostname) == shown
        assert raw.ask("GET", "/_emulator/health")[1] == {"ok": True}
        elsewhere = ("127.0.0.3", urlsplit(emulator.url).port or 0)
        with closing(socket.socket()) as line:
            assert (line.connect_ex(elsewhere) == 0) is (host == "0.0.0.0")


def test_two_emulators_do_not_know_of_each_other() -> None:
    """Each has its own port, messages and ledger."""
    with Emulator() as one, Emulator() as other, Raw(one) as raw:
        one.world.seed(["m-1"])
        raw.patch()
        assert one.url != other.url
        assert len(one.ledger.entries) == 1
        assert other.ledger.entries == []


def test_it_may_be_stopped_twice() -> None:
    """By a test in its middle, and by the fixture at its end."""
    with Emulator() as emulator:
        emulator.__exit__(None, None, None)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(emulator.url).port or 0), timeout=1.0)
