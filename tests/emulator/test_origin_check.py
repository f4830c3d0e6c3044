"""Whose requests the local HubSpot answers: Host, Origin and Sec-Fetch-Site as browsers and programs send them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.origin_check import parse_allowed_hosts
from tests.emulator.raw_http import FORM, grant_form, message, served

CONNECTION, RESET, HEALTH = "/_emulator/connection", "/_emulator/reset", "/_emulator/health"
#: Everything that shows or changes something, and is not HubSpot's.
CALLS = (
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/_emulator/page/page.js"),
    ("GET", "/_emulator/events"),
    ("GET", CONNECTION),
    ("GET", "/%5Femulator/connection"),
    ("GET", "/_emulator/ledger"),
    ("GET", "/_emulator/state"),
    ("GET", "/_emulator/nowhere"),
    ("OPTIONS", RESET),
    ("POST", RESET),
    ("POST", "/_emulator/tokens"),
    ("POST", "/_emulator/faults"),
    ("PUT", "/_emulator/state"),
    ("DELETE", "/_emulator/faults"),
)
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def served_emulator() -> Iterator[Emulator]:
    with Emulator(allowed_hosts=["hubspot", "10.1.2.3", "fd00::1"]) as emulator:
        yield emulator


@pytest.fixture
def emulator(served_emulator: Emulator) -> Emulator:
    """One server for all tests of this file, as it was at the start."""
    served_emulator.reset()
    served_emulator.world.seed(["m-1"])
    return served_emulator


def port(emulator: Emulator) -> int:
    return urlsplit(emulator.url).port or 0


def ask(emulator: Emulator, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> tuple[int, Any]:
    """Send these headers and no others, Host only if it is among them; PORT in them stands for the emulator's."""
    with closing(http.client.HTTPConnection("127.0.0.1", port(emulator), timeout=5)) as connection:
        connection.putrequest(method, path.replace("PORT", str(port(emulator))), skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.replace("PORT", str(port(emulator))).encode("latin-1"))
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        if response.headers["Content-Type"] == "text/event-stream; charset=utf-8":
            return response.status, b""
        text = response.read()
        return response.status, json.loads(text) if text[:1] in (b"{", b"[") else text


def is_untouched(emulator: Emulator) -> bool:
    """Nothing was reset or added, and nothing is in the request log."""
    return emulator.world.counts() == {"SENT": 1} and not list(emulator.schedule) and not emulator.ledger.received


@pytest.mark.parametrize("path", ["/", CONNECTION])
@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1:PORT", id="its address"),
        pytest.param("localhost:PORT", id="localhost"),
        pytest.param("LocalHost:PORT", id="upper case"),
        pytest.param("localhost.:PORT", id="trailing dot"),
        pytest.param("hubspot.localhost:PORT", id="under localhost"),
        pytest.param("127.8.9.10:PORT", id="another loopback address"),
        pytest.param("[::1]:PORT", id="IPv6"),
        pytest.param("[0:0:0:0:0:0:0:1]:PORT", id="long IPv6"),
        pytest.param("[::ffff:127.0.0.1]:PORT", id="IPv4 in IPv6"),
        pytest.param("localhost", id="no port"),
        pytest.param("localhost:", id="empty port"),
        pytest.param("localhost:1", id="forwarded port"),
        pytest.param("hubspot:8080", id="allowed name"),
        pytest.param("HUBSPOT.:8080", id="allowed name in capitals"),
        pytest.param("10.1.2.3", id="allowed address"),
        pytest.param("[fd00::1]", id="allowed IPv6"),
        pytest.param("[FD00:0::1]:80", id="allowed IPv6 otherwise"),
    ],
)
def test_it_answers_to_its_own_names(emulator: Emulator, host: str, path: str) -> None:
    """To loopback names and addresses with any port, however they are spelled, and to the hosts that are allowed."""
    assert ask(emulator, "GET", path, [("Host", host)])[0] == 200


@pytest.mark.parametrize(("method", "path"), CALLS, ids=[" ".join(call) for call in CALLS])
@pytest.mark.parametrize(
    "host",
    [
        pytest.param("evil.example:PORT", id="another name"),
        pytest.param("localhost.evil.example", id="localhost in front"),
        pytest.param("127.0.0.1.nip.io:PORT", id="address in front"),
        pytest.param("evillocalhost", id="localhost at the end"),
        pytest.param("hubspot.evil.example:PORT", id="allowed name in front"),
        pytest.param("x.hubspot", id="under an allowed name"),
        pytest.param("10.1.2.4", id="another address"),
        pytest.param("0.0.0.0:PORT", id="all addresses"),
        pytest.param("[::2]:PORT", id="another IPv6"),
        pytest.param("[::ffff:10.9.9.9]", id="another IPv4 in IPv6"),
        pytest.param("2130706433", id="address as a number"),
        pytest.param("127.1", id="short address"),
    ],
)
def test_another_host_is_refused(emulator: Emulator, host: str, method: str, path: str) -> None:
    """A name that leads here today led to a page's server a minute ago, so that the page may read the answer."""
    status, answer = ask(emulator, method, path, [("Host", host), ("Content-Type", "application/json")])
    assert status == 403
    if method != "HEAD":
        assert "--allowed-host" in answer["error"]
    assert is_untouched(emulator)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", CONNECTION), ("POST", RESET)])
@pytest.mark.parametrize(
    "hosts",
    [
        pytest.param([], id="none"),
        pytest.param([""], id="empty"),
        pytest.param(["localhost", "localhost"], id="the same twice"),
        pytest.param(["localhost", "evil.example"], id="two"),
        pytest.param(["evil.example", "localhost"], id="two, the good one last"),
        pytest.param(["localhost, evil.example"], id="list"),
        pytest.param(["me@localhost"], id="user"),
        pytest.param(["localhost:80@evil.example"], id="user that looks like a host"),
        pytest.param(["http://localhost"], id="address with scheme"),
        pytest.param(["localhost/evil"], id="path"),
        pytest.param(["localhost:80:80"], id="two ports"),
        pytest.param(["localhost:http"], id="port in words"),
        pytest.param(["localhost:99999"], id="port out of range"),
        pytest.param(["localhost.."], id="two dots"),
        pytest.param([".localhost"], id="dot in front"),
        pytest.param(["::1"], id="IPv6 without brackets"),
        pytest.param(["[::1"], id="half a bracket"),
        pytest.param(["[::1%lo]"], id="IPv6 with a zone"),
        pytest.param(["[127.0.0.1]"], id="IPv4 in brackets"),
        pytest.param(["[::1]evil.example"], id="name after brackets"),
        pytest.param(["localhost\xa0"], id="odd space"),
        pytest.param(["localhost\xb2"], id="not ASCII"),
        pytest.param(["a" * 5_000 + "@"], id="long"),
    ],
)
def test_a_host_that_is_none_is_refused(emulator: Emulator, hosts: list[str], method: str, path: str) -> None:
    """400, as RFC 9112 has it for a Host that is missing, there twice or malformed, in one short line."""
    status, answer = ask(emulator, method, path, [("Host", host) for host in hosts])
    assert status == 400
    assert len(answer["error"]) < 400
    assert answer["error"].isprintable()
    assert is_untouched(emulator)


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost:PORT/_emulator/connection", "localhost:PORT", 200),
        ("http://hubspot/_emulator/connection", "hubspot", 200),
        ("http://evil.example/_emulator/connection", "evil.example", 403),
        ("http://evil.example/_emulator/connection", "localhost:PORT", 400),
        ("http://localhost:PORT/_emulator/connection", "evil.example", 400),
        ("http://me@localhost/_emulator/connection", "localhost", 400),
    ],
)
def test_a_whole_url_as_the_target_names_the_host(emulator: Emulator, target: str, host: str, status: int) -> None:
    """As a request to a proxy has it; the Host beside it must be the same (RFC 9112, 3.2.2)."""
    assert ask(emulator, "GET", target, [("Host", host)])[0] == status


def test_pipelined_targets_are_not_confused(emulator: Emulator) -> None:
    """Each of two requests that come in one packet is judged by its own target."""
    good, bad = (f"GET http://{host}{HEALTH} HTTP/1.1\r\nHost: {host}\r\n" for host in ("localhost", "evil.example"))
    with closing(socket.create_connection(("127.0.0.1", port(emulator)), timeout=5)) as line:
        line.sendall(f"{bad}\r\n{good}Connection: close\r\n\r\n".encode())
        answers = b"".join(iter(lambda: line.recv(65_536), b""))
    assert [part.split(b" ", 1)[0] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"403", b"200"]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT"),
        ("localhost:PORT", "http://LOCALHOST:PORT"),
        ("localhost.:PORT", "http://localhost.:PORT"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("[::1]:PORT", "http://[::1]:PORT"),
        ("hubspot:8080", "http://hubspot:8080"),
    ],
)
def test_its_own_page_may_do_everything(emulator: Emulator, host: str, origin: str) -> None:
    """What the browser sends for the page's script."""
    own = [("Host", host), ("Origin", origin), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")]
    assert ask(emulator, "POST", "/_emulator/messages", own, b'{"ids": ["m-2"]}') == (200, {"messages": 2})
    assert ask(emulator, "GET", "/_emulator/connection", own)[0] == 200


@pytest.mark.parametrize(("method", "path"), CALLS, ids=[" ".join(call) for call in CALLS])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([("Origin", EVIL)], id="another origin"),
        pytest.param([("Origin", "null")], id="a sandboxed frame or a file"),
        pytest.param([("Origin", "")], id="an empty origin"),
        pytest.param([("Origin", "http://localhost:3000")], id="another port"),
        pytest.param([("Origin", "http://127.0.0.1:PORT")], id="another name of this machine"),
        pytest.param([("Origin", "https://localhost:PORT")], id="another scheme"),
        pytest.param([("Origin", "http://localhost")], id="no port"),
        pytest.param([("Origin", "http://localhost:PORT.evil.example")], id="own origin in front"),
        pytest.param([("Origin", "http://localhost:PORT@evil.example")], id="own origin as the user"),
        pytest.param([("Origin", "chrome-extension://abcdef")], id="an extension"),
        pytest.param([("Origin", f"http://localhost:PORT {EVIL}")], id="two origins in one header"),
        pytest.param([("Origin", "http://localhost:PORT"), ("Origin", EVIL)], id="two origins"),
        pytest.param([("Origin", EVIL), ("Sec-Fetch-Site", "same-origin")], id="another origin beside the same site"),
        pytest.param([("Sec-Fetch-Site", "cross-site")], id="another site"),
        pytest.param([("Sec-Fetch-Site", "same-site")], id="another port of this machine"),
        pytest.param([("Sec-Fetch-Site", "Cross-Site")], id="another site in capitals"),
        pytest.param([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], id="two sites"),
        pytest.param([("Origin", "http://localhost:PORT"), ("Sec-Fetch-Site", "cross-site")], id="own origin, another site"),
    ],
)
def test_pages_of_other_origins_are_refused(emulator: Emulator, sent: list[tuple[str, str]], method: str, path: str) -> None:
    """Whatever they ask for, and nothing changes; one line says what was refused."""
    status, answer = ask(emulator, method, path, [("Host", "localhost:PORT"), ("Content-Type", "application/json"), *sent])
    assert status == 403
    if method != "HEAD":
        assert answer["error"].startswith(("Origin ", "Sec-Fetch-Site "))
        assert "\n" not in answer["error"]
    assert is_untouched(emulator)


@pytest.mark.parametrize(
    ("path", "mode", "destination", "status"),
    [
        ("/", "navigate", "document", 200),
        ("/", "navigate", "iframe", 403),
        ("/", "no-cors", "image", 403),
        ("/", "cors", "empty", 403),
        (CONNECTION, "navigate", "document", 403),
    ],
)
def test_a_link_may_lead_to_the_page(emulator: Emulator, path: str, mode: str, destination: str, status: int) -> None:
    """As the whole window, and to the page only: what links there can read none of it."""
    sent = [("Host", "localhost:PORT"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode)]
    assert ask(emulator, "GET", path, [*sent, ("Sec-Fetch-Dest", destination)])[0] == status


def test_an_address_that_is_typed_in_is_answered(emulator: Emulator) -> None:
    """The browser says that no page has sent the request."""
    assert ask(emulator, "GET", "/_emulator/ledger", [("Host", "localhost:PORT"), ("Sec-Fetch-Site", "none")])[0] == 200


@pytest.mark.parametrize("kind", [FORM, "text/plain", "Text/Plain;charset=UTF-8", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if call[0] in ("POST", "PUT", "DELETE")])
def test_what_a_form_can_send_changes_nothing(emulator: Emulator, method: str, path: str, kind: str) -> None:
    """Browsers of before 2020 send no Origin with a form; a form cannot send JSON as what it is."""
    status, answer = ask(emulator, method, path, [("Host", "localhost:PORT"), ("Content-Type", kind)], b'{"status": 500}')
    assert status == 415
    assert "application/json" in answer["error"]
    assert is_untouched(emulator)


@pytest.mark.parametrize("kind", [None, "application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"])
def test_a_program_may_leave_the_content_type_out(emulator: Emulator, kind: str | None) -> None:
    """As http.client does, and requests for a text."""
    sent = [("Host", "localhost:PORT"), *([("Content-Type", kind)] if kind else [])]
    assert ask(emulator, "POST", "/_emulator/faults", sent, b'{"status": 500}') == (200, {"added": 1, "ids": [1]})


PROGRAM = [("Host", "hubspot-of-ci:8080")]


def test_a_program_may_call_hubspots_api_by_any_name(emulator: Emulator) -> None:
    """It is asked for a token, which a page does not get: so Airflow in another container needs no more than an address."""
    form = urlencode(grant_form(emulator)).encode()
    status, token = ask(emulator, "POST", "/oauth/2026-03/token", [*PROGRAM, ("Content-Type", FORM)], form)
    assert status == 200
    sent = [*PROGRAM, ("Authorization", f"Bearer {token['access_token']}"), ("Content-Type", "application/json")]
    assert ask(emulator, "PATCH", message("m-1"), sent, b'{"statusType": "READ"}')[0] == 200
    assert ask(emulator, "GET", CONNECTION, PROGRAM)[0] == 403


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([("Host", "localhost:PORT"), ("Origin", EVIL)], id="another origin"),
        pytest.param([("Host", "localhost:PORT"), ("Origin", "null")], id="no origin of its own"),
        pytest.param([("Host", "localhost:PORT"), ("Sec-Fetch-Site", "cross-site")], id="another site"),
        pytest.param([("Host", "evil.example:PORT"), ("Origin", "http://evil.example:PORT")], id="DNS rebinding"),
    ],
)
def test_no_page_of_another_origin_reaches_hubspots_api(emulator: Emulator, sent: list[tuple[str, str]]) -> None:
    """The credentials are the same for everybody, so a form could fetch a token or revoke it, and use up faults."""
    emulator.fault(path="/", status=503)
    form = urlencode(grant_form(emulator) | {"token": emulator.world.install.refresh_token}).encode()
    for method, path in (("POST", "/oauth/2026-03/token/revoke"), ("POST", "/oauth/2026-03/token"), ("GET", message("m-1"))):
        status, answer = ask(emulator, method, path, [*sent, ("Content-Type", FORM)], form)
        assert (status, list(answer)) == (403, ["error"])
    assert not emulator.world.install.revoked
    assert emulator.ledger.received == 0
    assert [fault.struck for fault in emulator.schedule] == [0]


@pytest.mark.parametrize("path", ["/", CONNECTION, "/_emulator/nowhere", "/_emulator/events?status=Read"])
def test_no_answer_may_be_framed_or_read_by_others(emulator: Emulator, path: str) -> None:
    """No header lets another origin read it, and some forbid it to browsers that would otherwise."""
    headers = requests.get(emulator.url + path, timeout=5).headers
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_a_body_that_is_refused_is_passed_over(emulator: Emulator) -> None:
    """The connection is good for the next request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port(emulator), timeout=10)) as connection:
        connection.request("POST", "/_emulator/messages", b"x" * 3_000_000, {"Origin": EVIL})
        response = connection.getresponse()
        assert (response.status, response.headers["Date"] is not None) == (403, True)
        response.read()
        connection.request("GET", HEALTH)
        assert connection.getresponse().status == 200


def test_a_request_for_a_websocket_is_checked_too(emulator: Emulator) -> None:
    """There is none here; the request is like any other."""
    upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "eA=="),
    ]
    status, _ = ask(emulator, "GET", "/_emulator/events", [("Host", "localhost:PORT"), ("Origin", EVIL), *upgrade])
    assert status == 403


def test_all_addresses_are_not_all_names() -> None:
    """Whoever listens for other machines names the hosts that they call it by."""
    with Emulator(host="0.0.0.0") as emulator:
        assert ask(emulator, "GET", HEALTH, [("Host", "127.0.0.1:PORT")])[0] == 200
        assert ask(emulator, "GET", HEALTH, [("Host", "hubspot:PORT")])[0] == 403
        assert ask(emulator, "GET", HEALTH, [("Host", "0.0.0.0:PORT")])[0] == 403


def test_the_address_to_listen_on_is_allowed() -> None:
    """A name that is given as the host, too."""
    for host in ("127.0.0.2", "localhost"):
        with Emulator(host=host) as emulator:
            assert requests.get(f"{emulator.url}{HEALTH}", timeout=5).json() == {"ok": True}


def test_over_tls_the_origin_is_https() -> None:
    """The page's own scheme is part of its origin."""
    with Emulator(tls=True) as emulator:
        for scheme, status in (("https", 200), ("http", 403)):
            headers = {"Origin": emulator.url.replace("https", scheme)}
            reply = requests.post(emulator.url + RESET, headers=headers, verify=emulator.ca_file, timeout=5)
            assert reply.status_code == status


@pytest.mark.parametrize(
    ("hosts", "error"),
    [
        (["*"], "'*' is neither a host name nor an address"),
        (["http://hubspot:8080", "ok", "a b"], "'http://hubspot:8080', 'a b' are neither host names nor addresses"),
        (["hubspot:8080"], "without scheme and port"),
        ([""], "''"),
        ("hubspot", "a list of names, not 'hubspot'"),
        ([7], "7 is neither a host name nor an address"),
        (["x" * 9_999 + "!"], "neither a host name"),
    ],
)
def test_a_host_that_cannot_be_is_not_allowed(hosts: Any, error: str) -> None:
    """All of them are named at once, in a short text."""
    with pytest.raises(ValueError, match="allowed_hosts") as caught:
        parse_allowed_hosts(hosts)
    assert error in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_command_line_allows_hosts() -> None:
    """The option may be given several times."""
    with served("--allowed-host=hubspot", "--allowed-host=10.1.2.3", "--host=0.0.0.0") as (lines, _):
        url = json.loads(lines[2].split("=", 1)[1].strip().strip("'"))["host"]
        statuses = [
            requests.get(url + HEALTH, headers={"Host": host}, timeout=5).status_code
            for host in ("hubspot:8080", "10.1.2.3", "127.0.0.1", "evil.example")
        ]
    assert statuses == [200, 200, 200, 403]


def test_without_options_a_program_needs_nothing() -> None:
    """As before: it reads, changes and resets by the address that is printed."""
    with served("--messages=1") as (_, call):
        assert call("POST", "/_emulator/messages", body={"ids": ["m-1"]}) == (200, {"messages": 2})
        assert call("POST", RESET) == (200, {})
        assert call("GET", "/_emulator/messages") == (200, {"counts": {}, "messages": {}})


@pytest.mark.hubspot_emulator(allowed_hosts=["host.docker.internal"], messages=1)
def test_the_fixture_allows_hosts(hubspot_emulator: Emulator) -> None:
    """Its marker takes them, beside what it has by default."""
    for host, status in (("host.docker.internal:PORT", 200), ("127.0.0.1:PORT", 200), ("evil.example", 403)):
        assert ask(hubspot_emulator, "GET", "/_emulator/messages", [("Host", host)])[0] == status
