"""Both drivers against the local HubSpot, over real HTTP: the same faults, the same outcomes."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from airflow_provider_hubchan.client.actions import (
    BAD_PROXY,
    NO_PROXY_CONNECTION,
    NO_SOCKS,
    PROXY_LOGIN,
    PROXY_REFUSAL,
    UNKNOWN_HOST,
)
from airflow_provider_hubchan.client.models import Account, Outcome
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.emulator import Emulator
from tests.client.driver_runs import FAULTS, add_faults, with_tasks, with_threads
from tests.local_hubspot import HeaderLedger, account_of


@pytest.mark.slow
def test_both_drivers_have_the_same_outcomes() -> None:
    """The same faults, met by threads and by tasks: equal outcomes, row for row and word for word."""
    lists = []
    for drive in (with_threads, with_tasks):
        with Emulator(limit=0, window=0.2) as emulator:  # a burst 429 holds everybody for as long
            outcomes = sorted(drive(add_faults(emulator)), key=lambda outcome: outcome.update.row)
            lists.append(
                [
                    (outcome.update, outcome.result, outcome.problem and (outcome.problem.label, outcome.problem.reason))
                    for outcome in outcomes
                ]
            )
            assert {update.message_id: result for update, result, _ in lists[-1]} == {
                message_id: result for message_id, (_, result) in FAULTS.items()
            }
            assert max(entry.others_in_flight for entry in emulator.ledger.entries) == 0
    assert lists[0] == lists[1]


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_port_where_nothing_listens(drive: Any) -> None:
    """There is no connection, and both drivers name it alike."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcomes = drive(Account(base_url=f"http://127.0.0.1:{port}", access_token="t", timeout=0.5))
    assert {(outcome.result, outcome.problem.label) for outcome in outcomes} == {("unresolved", "no connection")}


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_redirects_are_not_followed(drive: Any) -> None:
    """A redirect would carry the token to another host: it ends the batch, and says where to look."""
    with Emulator(limit=0) as emulator, Emulator(limit=0) as elsewhere:
        account = account_of(emulator)
        emulator.fault(status=302, headers={"Location": elsewhere.url}, times=100)
        outcomes = drive(account)
        assert {outcome.result for outcome in outcomes} == {"unresolved"}
        assert "API base URL" in outcomes[0].problem.reason
        assert elsewhere.ledger.entries == []


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_refused_token_ends_the_batch_with_one_grant(drive: Any) -> None:
    """However many flows need a token, a revoked refresh token is tried once, and no message is touched."""
    with Emulator(limit=0) as emulator:
        emulator.world.install.revoked = True
        outcomes = drive(account_of(emulator))
        assert {outcome.result for outcome in outcomes} == {"unresolved"}
        assert "Install the app in the account again" in outcomes[0].problem.reason
        assert len(emulator.ledger.entries) == 1


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_token_is_fetched_once_for_all_flows(drive: Any) -> None:
    """Six flows that begin together share one grant."""
    with Emulator(limit=0) as emulator:
        emulator.world.seed(FAULTS)
        emulator.fault(path="/oauth/", delay=0.1)
        outcomes = drive(account_of(emulator))
        assert {outcome.result for outcome in outcomes} == {"updated"}
        assert len(emulator.ledger.grants()) == 1


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_netrc_entry_does_not_replace_the_token(drive: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both libraries would send the password of ~/.netrc in the place of our token, or beside our credentials."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password 3v3\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Emulator(limit=0) as emulator:
        emulator.ledger = ledger = HeaderLedger()
        emulator.world.seed(FAULTS)
        assert {outcome.result for outcome in drive(account_of(emulator))} == {"updated"}
        assert all("basic" not in headers.get("authorization", "").lower() for headers in ledger.headers)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The proxy of this process's environment. Its ledger has the headers."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with Emulator(limit=0) as emulator:
        monkeypatch.setenv("http_proxy", emulator.url)
        emulator.ledger = HeaderLedger()
        yield emulator


def goes_through(proxy: Emulator, drive: Any) -> bool:
    drive(Account(base_url="http://hubspot.invalid", access_token="t"))
    assert isinstance(proxy.ledger, HeaderLedger)
    return proxy.ledger.headers[0]["host"] == "hubspot.invalid"


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_proxies_of_the_environment_are_used(drive: Any, proxy: Emulator) -> None:
    """A worker behind a proxy reaches HubSpot through it."""
    assert goes_through(proxy, drive)


class ChangingEnvironment(dict[str, str]):
    """An environment in which another thread deletes a variable while it is looked through.

    :ivar changes: how often it still does.
    """

    changes = 5

    def items(self) -> Any:
        if self.changes:
            self.changes -= 1
            raise KeyError("GONE_MEANWHILE")
        return super().items()


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_an_environment_that_changes_while_it_is_looked_through(
    drive: Any, proxy: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads of the process set variables and delete them: the proxy is found all the same."""
    environment = ChangingEnvironment(os.environ)
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", environment)
        assert goes_through(proxy, drive)
    assert environment.changes == 0


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("https_proxy", "http://127.0.0.1:999999", BAD_PROXY),
        ("https_proxy", "ftp://127.0.0.1", BAD_PROXY),
        ("https_proxy", "http://us€r:p@127.0.0.1", BAD_PROXY),
        ("https_proxy", "http://", BAD_PROXY),
        ("REQUESTS_CA_BUNDLE", "/no/such/file", "no trustworthy TLS connection"),
    ],
)
def test_an_environment_that_cannot_work_is_an_outcome(
    name: str, value: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy without a host, a CA bundle that is not there: every row has it as its problem, and there is no traceback."""
    monkeypatch.setenv(name, value)
    outcomes = with_threads(Account(base_url="https://hubspot.invalid", access_token="t", timeout=0.5))
    assert len(outcomes) == len(FAULTS)
    assert {outcome.result for outcome in outcomes} == {"unresolved"}
    assert label in {outcome.problem.label.removeprefix("given up: ") for outcome in outcomes if outcome.problem}


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A port where each connection gets this reply, whatever it asks."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not stopped.is_set():
                with suppress(OSError):
                    client, _ = server.accept()
                    with client:
                        client.settimeout(5.0)
                        client.recv(65_536)
                        client.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def labels(outcomes: list[Outcome]) -> set[str]:
    return {outcome.problem.label.removeprefix("given up: ") for outcome in outcomes if outcome.problem}


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
@pytest.mark.parametrize(
    ("reply", "label"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", PROXY_LOGIN),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", PROXY_REFUSAL),
    ],
    ids=["a login", "a refusal"],
)
def test_what_a_proxy_answers_has_words_of_its_own(
    drive: Any, reply: bytes, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not HubSpot's answer, and no fault of HubSpot's."""
    with answering(reply) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        outcomes = drive(Account(base_url="https://hubspot.invalid", access_token="t", timeout=2.0))
    assert labels(outcomes) == {label}
    assert {outcome.result for outcome in outcomes} == {"unresolved"}


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
@pytest.mark.parametrize(
    ("proxy", "label"),
    [
        ("http://127.0.0.1:1", NO_PROXY_CONNECTION),
        ("http://127.0.0.1:999999", BAD_PROXY),
        ("http://127.0.0.1:port", BAD_PROXY),
        ("ftp://127.0.0.1", BAD_PROXY),
        ("http://", BAD_PROXY),
        ("socks5://127.0.0.1:1", NO_SOCKS),
        ("socks5h://127.0.0.1:1", NO_SOCKS),
    ],
)
def test_a_proxy_that_cannot_be_used_has_words_of_its_own(
    drive: Any, proxy: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the log looks at the environment of the worker, and not at HubSpot."""
    monkeypatch.setenv("https_proxy", proxy)
    assert labels(drive(Account(base_url="https://hubspot.invalid", access_token="t", timeout=0.5))) == {label}


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_host_that_nobody_knows_has_words_of_its_own(drive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the base URL is not a server that is down. A name service without a network takes many seconds to say
    so, and some invent an address: here it says so at once.
    """

    def knows_no_name(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", knows_no_name)
    assert labels(drive(Account(base_url="https://hubspot.invalid", access_token="t", timeout=2.0))) == {UNKNOWN_HOST}


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
@pytest.mark.parametrize("exempt", ["127.0.0.0/8", "10.0.0.0/8, 127.0.0.1", "localhost,127.0.0.1"])
def test_addresses_are_exempt_from_the_proxy_alone_and_as_ranges(
    drive: Any, exempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``NO_PROXY`` means the same to both drivers."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", exempt)
    monkeypatch.setenv("NO_PROXY", exempt)
    with Emulator(limit=0) as emulator:
        emulator.world.seed(FAULTS)
        assert {outcome.result for outcome in drive(account_of(emulator))} == {"updated"}


def test_no_cookie_is_kept() -> None:
    """Calls must not depend on each other."""
    with Emulator(limit=0) as emulator:
        emulator.ledger = ledger = HeaderLedger()
        emulator.world.seed(FAULTS)
        emulator.fault(status=200, body={"id": "fine"}, headers={"Set-Cookie": "a=b"}, times=10)
        for drive in (with_threads, with_tasks):
            drive(account_of(emulator))
        assert ledger.headers
        assert all("cookie" not in headers for headers in ledger.headers)


@pytest.mark.slow
def test_the_limit_is_kept_by_threads_and_tasks() -> None:
    """An account of 15 requests per 0.5 s, learned from the first response, shared by threads and tasks: no 429."""
    with Emulator(limit=15, window=0.5) as emulator:
        emulator.world.seed(FAULTS)
        account, limiter = account_of(emulator), RateLimiter()
        for drive in (with_threads, with_tasks, with_threads, with_tasks):
            assert {outcome.result for outcome in drive(account, limiter)} == {"updated"}
        assert len(emulator.ledger.patches(status=200)) == 4 * len(FAULTS)
        assert emulator.ledger.patches(status=429) == []
