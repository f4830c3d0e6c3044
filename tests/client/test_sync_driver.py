"""The driver for threads: how it ends, what it leaves behind, how many threads it takes."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from typing import Any

import pytest

from airflow_provider_hubchan.client.actions import STOPPED, Aborted, NeedToken, Wait
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from airflow_provider_hubchan.emulator import Emulator
from tests.client.driver_runs import RETRY
from tests.local_hubspot import REFUSAL, account_of, sockets_to


def test_a_stop_ends_the_batch_within_one_request() -> None:
    """Requests under way are finished, nothing new is sent, and every row that is left is unresolved."""
    with Emulator(limit=0) as emulator:
        emulator.world.seed(map(str, range(500)))
        emulator.fault(delay=0.2, times=1000)
        account = account_of(emulator)
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver:
            outcomes = []
            rows = (deliver(account, "100200", Update(row, str(row), MessageStatus.SENT), RETRY) for row in range(500))
            for outcome in driver.run_all(rows, 4):
                if outcome:
                    outcomes.append(outcome)
                driver.abort(STOPPED)
        assert len(outcomes) == 500
        assert sum(outcome.result == "updated" for outcome in outcomes) == len(emulator.ledger.patches()) <= 12
        assert {outcome.problem.label for outcome in outcomes if outcome.problem} == {"given up: stopped"}
        assert [thread for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == []


def test_a_stop_does_not_wait_for_another_drivers_token() -> None:
    """Another driver holds the account's token lock: a batch that is told to end does, all the same."""
    account = Account(access_token="t")
    tokens = TokenProvider(account)
    with tokens.lock, SyncDriver(account, RateLimiter(), tokens, RETRY) as driver:
        threading.Timer(0.2, driver.abort, [STOPPED]).start()
        flow = deliver(account, "100200", Update(1, "m", MessageStatus.SENT), RETRY)
        next(flow)
        with pytest.raises(Aborted):
            driver._token(NeedToken(refused="t"))


def test_an_exception_of_the_caller_leaves_no_thread_behind() -> None:
    """A batch that is left half way is ended: its threads are gone when the exception arrives."""
    with Emulator(limit=0) as emulator:
        account = account_of(emulator)
        rows = (deliver(account, "100200", Update(row, str(row), MessageStatus.SENT), RETRY) for row in range(500))
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver:
            results = driver.run_all(rows, 4)
            next(results)
            with pytest.raises(KeyboardInterrupt):
                results.throw(KeyboardInterrupt)
        assert len(emulator.ledger.patches()) < 100
    assert [thread for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == []


def test_a_defect_in_a_flow_reaches_the_caller() -> None:
    """An exception in a worker thread is raised where the batch is awaited, not lost with the thread."""

    def defect() -> Any:
        yield Wait(1 / 0)

    account = Account(access_token="t")
    with (
        SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver,
        pytest.raises(ZeroDivisionError),
    ):
        list(driver.run_all([defect()], 2))


def test_the_socket_after_a_broken_one_is_closed() -> None:
    """After an exception urllib3's pool waits for the garbage collector to close its sockets; a batch must not."""
    with Emulator(limit=0) as emulator:
        emulator.world.seed(["m"])
        account = account_of(emulator)
        emulator.fault(drop="before")
        gc.disable()
        try:
            with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver:
                assert driver.run(deliver(account, "100200", Update(1, "m", MessageStatus.SENT), RETRY)).result == "updated"
                assert len(sockets_to(emulator)) == 1
            assert sockets_to(emulator) == []
        finally:
            gc.enable()


def test_the_threads_of_the_next_look_send_on_the_same_connections() -> None:
    """Each look at messages that HubSpot does not know has new threads; the driver's open files do not grow with the looks."""
    with Emulator(limit=0) as emulator:
        emulator.fault(delay=0.005, times=10_000)
        account = account_of(emulator)
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver:
            for _ in range(20):
                rows = (deliver(account, "100200", Update(row, str(row), MessageStatus.SENT), RETRY) for row in range(8))
                assert sum(outcome is not None for outcome in driver.run_all(rows, 4)) == 8
                assert 1 <= len(sockets_to(emulator)) <= 4
        assert sockets_to(emulator) == []


def test_a_connection_that_the_server_closed_between_two_looks_costs_no_attempt() -> None:
    """Servers close connections that were idle for some seconds, and the pauses of a grace last up to half a minute."""

    def look(emulator: Emulator) -> list[str]:
        emulator.world.seed(["m"])
        flow = deliver(account, "100200", Update(1, "m", MessageStatus.SENT), driver.retry)
        return [outcome.result for outcome in driver.run_all([flow], 1) if outcome]

    with Emulator(limit=0) as emulator:
        account, port = account_of(emulator), int(emulator.url.rsplit(":", 1)[1])
        driver = SyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig(max_attempts=1))
        assert look(emulator) == ["updated"]
    with driver, Emulator(limit=0, port=port) as restarted:
        assert look(restarted) == ["updated"]


def test_a_deadline_ends_everything() -> None:
    """A driver with a deadline neither waits nor sends beyond it."""
    with Emulator(limit=0) as emulator:
        account = account_of(emulator, timeout=30.0)
        emulator.fault(delay=30.0, path="/", times=10)
        began = time.monotonic()
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY, deadline=began + 0.3) as driver:
            outcome = driver.run(deliver(account, "100200", Update(1, "m", MessageStatus.SENT), RETRY))
        assert outcome.problem is not None
        assert outcome.problem.label == "given up: out of time"


def test_no_thread_is_started_while_all_wait_for_the_token() -> None:
    """Another driver fetches the token and takes its time: more threads would only wait with those that are there."""
    account = Account(refresh_token="r")
    tokens = TokenProvider(account)
    with tokens.lock, SyncDriver(account, RateLimiter(), tokens, RETRY) as driver:
        rows = (deliver(account, "100200", Update(row, str(row), MessageStatus.SENT), RETRY) for row in range(100))
        results = driver.run_all(rows, 16)
        assert [next(results) for _ in range(3)] == [None] * 3
        assert driver._workers is not None
        assert driver._workers.size < 16
        driver.abort(STOPPED)
        assert {outcome.result for outcome in results if outcome} == {"unresolved"}


@pytest.mark.slow
def test_there_are_as_many_connections_as_the_quota_needs() -> None:
    """Sixteen threads are allowed, and a quota of 6 requests in half a second never has more than 6 of them sending."""
    with Emulator(limit=6, window=0.5) as emulator:
        emulator.world.seed(map(str, range(30)))
        emulator.fault(delay=0.005, times=1000)
        account = account_of(emulator)
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig()) as driver:
            rows = (deliver(account, "100200", Update(row, str(row), MessageStatus.SENT), RetryConfig()) for row in range(30))
            assert sum(outcome is not None and outcome.result == "updated" for outcome in driver.run_all(rows, 16)) == 30
            assert len(sockets_to(emulator)) <= 6


@pytest.mark.parametrize(
    ("status", "result"), [(200, "updated"), (404, "rejected"), (400, "rejected"), (409, "rejected"), (503, "unresolved")]
)
def test_whatever_hubspot_answers_there_are_as_many_threads(status: int, result: str) -> None:
    """A batch of messages that HubSpot does not know gets all the threads that are allowed, as one that is accepted does."""
    assert threads_for(status) == {result: 40, "threads": 4}


def threads_for(status: int) -> Counter[str]:
    """The results of 40 rows that are all answered with *status* after 20 ms, and how many of 4 threads were started."""
    with Emulator(limit=0) as emulator:
        emulator.world.seed(map(str, range(40)))
        fault: dict[str, Any] = {} if status == 200 else {"status": status, "body": REFUSAL}
        emulator.fault(delay=0.02, times=1000, **fault)
        account = account_of(emulator)
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver:
            rows = (deliver(account, "100200", Update(row, str(row), MessageStatus.SENT), RETRY) for row in range(40))
            counts = Counter[str](outcome.result for outcome in driver.run_all(rows, 4) if outcome)
            assert driver._workers is not None
            counts["threads"] = driver._workers.size
            return counts


def test_a_thread_without_work_is_not_counted_as_waiting() -> None:
    """One row that waits for its second attempt: all waiting is that of one worker, however many threads were started."""
    with Emulator() as emulator:
        emulator.world.seed(["m-1"])
        emulator.fault(status=503, headers={"Retry-After": "1"})
        account, began = account_of(emulator), time.monotonic()
        with SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY) as driver:
            flow = deliver(account, "100200", Update(1, "m-1", MessageStatus.READ), RetryConfig())
            outcomes = [outcome for outcome in driver.run_all([flow], 16) if outcome]
        assert [outcome.result for outcome in outcomes] == ["updated"]
        assert 0.9 <= driver.waited <= time.monotonic() - began
