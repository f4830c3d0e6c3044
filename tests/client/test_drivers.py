"""Both drivers against the local HubSpot, over real HTTP: the same script, the same outcomes."""

from __future__ import annotations

import gc
import socket
import threading
import time
from typing import Any

import pytest

from airflow_provider_hubchan.batch.rows import Update
from airflow_provider_hubchan.client import sync_driver
from airflow_provider_hubchan.client.actions import STOPPED, NeedToken, Stopped, Wait
from airflow_provider_hubchan.client.flow import deliver
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.ratelimit.limiter import Pace
from airflow_provider_hubchan.emulator import Emulator
from tests.client.driver_runs import FAULTS, PATIENCE, script, with_tasks, with_threads
from tests.local_hubspot import HeaderLedger, account_of, sockets_to


@pytest.mark.slow
def test_both_drivers_tell_the_same_outcomes() -> None:
    """One script of faults through threads and through tasks: equal outcomes, row for row and word for word."""
    lists = []
    for drive in (with_threads, with_tasks):
        with Emulator(limit=0, window=0.2) as emulator:  # a burst 429 holds everybody for as long
            outcomes = sorted(drive(script(emulator)), key=lambda outcome: outcome.update.row)
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
def test_nobody_listens(drive: Any) -> None:
    """A port where nothing listens is a fault of the way, named alike by both drivers."""
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
    """However many stories need a token, a revoked refresh token is tried once, and no message is touched."""
    with Emulator(limit=0) as emulator:
        emulator.world.install.revoked = True
        outcomes = drive(account_of(emulator))
        assert {outcome.result for outcome in outcomes} == {"unresolved"}
        assert "Install the app in the account again" in outcomes[0].problem.reason
        assert len(emulator.ledger.entries) == 1


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_token_is_fetched_once_for_everybody(drive: Any) -> None:
    """Six stories that begin together share one grant."""
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


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_proxies_of_the_environment_are_used(drive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker behind a proxy reaches HubSpot through it."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with Emulator(limit=0) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        proxy.ledger = ledger = HeaderLedger()
        drive(Account(base_url="http://hubspot.invalid", access_token="t"))
        assert ledger.headers[0]["host"] == "hubspot.invalid"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("https_proxy", "http://127.0.0.1:999999", "no connection"),
        ("https_proxy", "ftp://127.0.0.1", "no connection"),
        ("https_proxy", "http://us€r:p@127.0.0.1", "no connection"),
        ("https_proxy", "http://", "no connection"),
        ("REQUESTS_CA_BUNDLE", "/no/such/file", "no trustworthy TLS connection"),
    ],
)
def test_an_environment_that_cannot_work_is_a_plain_outcome(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy without a host, a CA bundle that is not there: every row says so, and nobody finds a traceback."""
    monkeypatch.setenv(name, value)
    outcomes = with_threads(Account(base_url="https://hubspot.invalid", access_token="t", timeout=0.5))
    assert len(outcomes) == len(FAULTS)
    assert {outcome.result for outcome in outcomes} == {"unresolved"}
    assert said in {outcome.problem.label.removeprefix("given up: ") for outcome in outcomes if outcome.problem}


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


def test_a_stop_ends_the_batch_within_one_request() -> None:
    """Requests under way are finished, nothing new is sent, and every row that is left is unresolved."""
    with Emulator(limit=0) as emulator:
        emulator.world.seed(map(str, range(500)))
        emulator.fault(delay=0.2, times=1000)
        account = account_of(emulator)
        with sync_driver.Driver(account, Pace(), Bearer(account), PATIENCE) as driver:
            outcomes = []
            rows = (deliver(account, "100200", Update(row, str(row), "SENT"), PATIENCE) for row in range(500))
            for outcome in driver.run_all(rows, 4):
                if outcome:
                    outcomes.append(outcome)
                driver.end(STOPPED)
        assert len(outcomes) == 500
        assert sum(outcome.result == "updated" for outcome in outcomes) == len(emulator.ledger.patches()) <= 12
        assert {outcome.problem.label for outcome in outcomes if outcome.problem} == {"given up: stopped"}
        assert [thread for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == []


def test_a_stop_does_not_wait_for_somebody_elses_token() -> None:
    """Another driver holds the account's token lock: a batch that is told to end does, all the same."""
    account = Account(access_token="t")
    bearer = Bearer(account)
    with bearer.lock, sync_driver.Driver(account, Pace(), bearer, PATIENCE) as driver:
        threading.Timer(0.2, driver.end, [STOPPED]).start()
        story = deliver(account, "100200", Update(1, "m", "SENT"), PATIENCE)
        next(story)
        with pytest.raises(Stopped):
            driver._token(NeedToken(refused="t"))


def test_an_exception_of_the_caller_leaves_no_thread_behind() -> None:
    """A batch that is left half way is ended: its threads are gone when the exception arrives."""
    with Emulator(limit=0) as emulator:
        account = account_of(emulator)
        rows = (deliver(account, "100200", Update(row, str(row), "SENT"), PATIENCE) for row in range(500))
        with sync_driver.Driver(account, Pace(), Bearer(account), PATIENCE) as driver:
            results = driver.run_all(rows, 4)
            next(results)
            with pytest.raises(KeyboardInterrupt):
                results.throw(KeyboardInterrupt)
        assert len(emulator.ledger.patches()) < 100
    assert [thread for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == []


def test_a_defect_in_a_story_reaches_the_caller() -> None:
    """An exception in a worker thread is raised where the batch is awaited, not lost with the thread."""

    def defect() -> Any:
        yield Wait(1 / 0)

    account = Account(access_token="t")
    with sync_driver.Driver(account, Pace(), Bearer(account), PATIENCE) as driver, pytest.raises(ZeroDivisionError):
        list(driver.run_all([defect()], 2))


def test_the_socket_after_a_broken_one_is_closed() -> None:
    """After an exception urllib3's pool waits for the garbage collector to close its sockets; a batch must not."""
    with Emulator(limit=0) as emulator:
        emulator.world.seed(["m"])
        account = account_of(emulator)
        emulator.fault(drop="before")
        gc.disable()
        try:
            with sync_driver.Driver(account, Pace(), Bearer(account), PATIENCE) as driver:
                assert driver.run(deliver(account, "100200", Update(1, "m", "SENT"), PATIENCE)).result == "updated"
                assert len(sockets_to(emulator)) == 1
            assert sockets_to(emulator) == []
        finally:
            gc.enable()


def test_a_deadline_ends_everything() -> None:
    """A driver with a deadline neither waits nor sends beyond it."""
    with Emulator(limit=0) as emulator:
        account = account_of(emulator, timeout=30.0)
        emulator.fault(delay=30.0, path="/", times=10)
        began = time.monotonic()
        with sync_driver.Driver(account, Pace(), Bearer(account), PATIENCE, deadline=began + 0.3) as driver:
            outcome = driver.run(deliver(account, "100200", Update(1, "m", "SENT"), PATIENCE))
        assert outcome.problem is not None
        assert outcome.problem.label == "given up: out of time"


@pytest.mark.slow
def test_the_pace_is_kept_by_threads_and_tasks() -> None:
    """An account of 15 requests per 0.5 s, learned from the first reply, shared by threads and tasks: no 429."""
    with Emulator(limit=15, window=0.5) as emulator:
        emulator.world.seed(FAULTS)
        account, pace = account_of(emulator), Pace()
        for drive in (with_threads, with_tasks, with_threads, with_tasks):
            assert {outcome.result for outcome in drive(account, pace)} == {"updated"}
        assert len(emulator.ledger.patches(status=200)) == 4 * len(FAULTS)
        assert emulator.ledger.patches(status=429) == []
