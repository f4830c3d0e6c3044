"""What a faulty answer is on the wire, and how faults, clock and settings are controlled over HTTP and by options."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_hubchan.emulator import Emulator
from tests.emulator.raw_http import Raw, message, served


@pytest.fixture
def raw() -> Iterator[Raw]:
    with Emulator(limit=0) as emulator:
        emulator.world.seed(["m-1"])
        with Raw(emulator) as asker:
            yield asker


def received(raw: Raw) -> tuple[bytes, bool]:
    """What comes on a bare connection after a GET of the message, and whether it ended with a reset."""
    parts = urlsplit(raw.emulator.url)
    got = b""
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=5) as line:
        line.sendall(f"GET {message('m-1')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {raw.token}\r\n\r\n".encode())
        try:
            while more := line.recv(65536):
                got += more
        except ConnectionResetError:
            return got, True
    return got, False


def test_a_connection_is_closed_or_reset(raw: Raw) -> None:
    """Before the first byte or half way: with FIN as always, with RST if asked for."""
    for drop, begins in (("before", b""), ("half", b"HTTP/1.1 200")):
        for reset in (False, True):
            raw.emulator.fault(drop=drop, reset=reset)
            got, was_reset = received(raw)
            assert (got[: len(begins)], was_reset) == (begins, reset)
            assert not got.endswith(b"}")


def test_a_slow_body_comes_whole(raw: Raw) -> None:
    """Status and headers are there at once, the body comes in pieces, and the connection can be used again."""
    raw.emulator.fault(trickle=0.05)
    status, body, headers = raw.patch()
    assert (status, body["id"], headers["X-HubSpot-RateLimit-Max"]) == (200, "m-1", "1000000")
    raw.emulator.fault(trickle=0.05, status=200)
    assert raw.patch()[:2] == (200, b"")
    assert raw.patch()[0] == 200


def test_a_header_of_a_fault_replaces_the_usual_one_however_it_is_written(raw: Raw) -> None:
    """There is one of its kind, and the length stays the true one."""
    raw.emulator.fault(status=503, body="<p>busy</p>", headers={"content-type": "text/plain", "content-LENGTH": "3"})
    status, _, headers = raw.ask("GET", message("m-1"))
    assert (status, headers.get_all("Content-Type"), headers.get_all("Content-Length")) == (503, ["text/plain"], ["11"])


def test_headers_do_not_wait_for_a_slow_body(raw: Raw) -> None:
    """Who has read them still waits for the body, and may leave."""
    raw.emulator.fault(trickle=60)
    raw.connection.timeout = 0.5
    raw.connection.request("GET", message("m-1"), headers={"Authorization": f"Bearer {raw.token}"})
    response = raw.connection.getresponse()
    assert response.status == 200
    with pytest.raises(TimeoutError):
        response.read()


def test_a_revoked_token_is_told_over_http(raw: Raw) -> None:
    """From the second call on it is unknown, and the ledger says that a fault hit it."""
    raw.emulator.fault(revoke="access", after=1)
    assert [raw.patch()[0] for _ in range(3)] == [200, 401, 401]
    assert [entry.fault is not None for entry in raw.emulator.ledger.entries] == [False, True, False]


def test_faults_are_listed_and_taken_out_over_http(raw: Raw) -> None:
    """What was asked for, how many requests it has hit, what is left; one goes by its id."""
    added = raw.ask("POST", "/_emulator/faults", [{"answer": "locked", "times": 3}, {"status": 500, "rate": 0.5}])[1]
    assert added == {"added": 2, "ids": [1, 2]}
    assert raw.patch()[0] == 423
    assert raw.ask("GET", "/_emulator/faults")[1] == [
        {"answer": "locked", "times": 3, "id": 1, "struck": 1, "left": 2},
        {"status": 500, "rate": 0.5, "id": 2, "struck": 0, "left": None},
    ]
    assert raw.ask("DELETE", "/_emulator/faults/1")[:2] == (200, {})
    assert [fault["id"] for fault in raw.ask("GET", "/_emulator/faults")[1]] == [2]
    assert raw.ask("DELETE", "/_emulator/faults/1")[:2] == (400, {"error": "there is no fault 1; there are 2"})
    raw.ask("POST", "/_emulator/reset")
    assert raw.ask("GET", "/_emulator/faults")[1] == []
    names = {each["answer"]: (each["status"], each["mark"]) for each in raw.ask("GET", "/_emulator/answers")[1]}
    assert names["locked"] == (423, "observed")


def test_a_fault_tells_how_many_requests_it_has_hit(raw: Raw) -> None:
    """What the test that added it wants to know."""
    fault = raw.emulator.fault(answer="locked", times=2)
    assert [raw.patch()[0] for _ in range(3)] == [423, 423, 200]
    assert (fault.struck, fault.left) == (2, 0)


def test_the_clock_is_stopped_and_sped_up_over_http(raw: Raw) -> None:
    """It stands at 0, is moved by hand, and tells its speed."""
    assert raw.ask("GET", "/_emulator/clock")[1]["speed"] == 1.0
    stopped = raw.ask("POST", "/_emulator/clock", {"speed": 0})[1]
    assert raw.ask("GET", "/_emulator/clock")[1] == stopped
    assert raw.ask("POST", "/_emulator/clock", {"advance": 5})[1] == {"now": stopped["now"] + 5, "speed": 0.0}
    for speed, error in ((-1, "speed must be a number from 0"), ("fast", "speed must be a number, not 'fast'")):
        status, said, _ = raw.ask("POST", "/_emulator/clock", {"speed": speed})
        assert (status, error in said["error"]) == (400, True)


def test_settings_are_changed_over_http(raw: Raw) -> None:
    """They hold from the next call on; a slip changes nothing, and what the world was made with stays."""
    assert raw.ask("GET", "/_emulator/settings")[1]["repeats"] == "accepted"
    assert raw.ask("POST", "/_emulator/settings", {"repeats": "refused", "limit": 7})[1]["limit"] == 7
    assert [raw.patch()[0] for _ in range(2)] == [200, 400]
    for change, error in (
        ({"limit": 9, "repeat": "accepted"}, "there is no setting repeat; there are channel_id"),
        ({"limit": -1}, "limit is -1, not a number of at least 0"),
        ({"time_zone": "UTC"}, "time_zone can be chosen at the start only"),
    ):
        status, said, _ = raw.ask("POST", "/_emulator/settings", change)
        assert status == 400
        assert said["error"].startswith(error)
    assert raw.ask("GET", "/_emulator/settings")[1]["limit"] == 7


def test_the_command_line_takes_faults_and_moves_the_clock(tmp_path: Path) -> None:
    """A file of faults, and a clock that stands so long before midnight."""
    file = tmp_path / "faults.yaml"
    file.write_text("- answer: locked\n  times: 2\n")
    with served("--messages=1", f"--faults={file}", "--speed=0", "--before-midnight=60", "--time-zone=UTC") as (_, ask):
        token = ask("POST", "/_emulator/tokens")[1]["access_token"]
        clock = ask("GET", "/_emulator/clock")[1]
        statuses = [ask("GET", message("message-1"), token)[0] for _ in range(3)]
    assert (clock["speed"], clock["now"] % 86400) == (0.0, 86400 - 60)
    assert statuses == [423, 423, 200]


def test_a_page_of_a_gateway_is_html(raw: Raw) -> None:
    """No JSON, no rate headers, and the connection is kept."""
    raw.emulator.fault(answer="bad-gateway")
    status, body, headers = raw.patch()
    assert (status, headers["Content-Type"], headers["X-HubSpot-RateLimit-Max"]) == (502, "text/html", None)
    assert b"502 Bad Gateway" in body
    assert isinstance(raw.connection, http.client.HTTPConnection)
    assert raw.patch()[0] == 200
