"""How many threads a batch gets: as many as are of use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_hubchan.batch.rows import Update
from airflow_provider_hubchan.client.flow import deliver
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.ratelimit.limiter import Pace
from airflow_provider_hubchan.client.sync_driver import Driver
from airflow_provider_hubchan.client.worker_pool import Crew
from airflow_provider_hubchan.emulator import Emulator
from tests.local_hubspot import account_of


def threads_for(latency: float, work: float, most: int, enough: Callable[[], bool] = lambda: False) -> int:
    """How many threads a hundred pieces get, each of which measures the same."""

    def do(piece: int) -> int:
        crew.measured(latency, work)
        return piece

    crew = Crew(do, range(100), most, enough)
    try:
        assert sorted(result for result in crew.results() if result is not None) == list(range(100))
    finally:
        crew.join()
    return crew.size


@pytest.mark.parametrize(
    ("latency", "work", "most", "threads"),
    [
        pytest.param(0.1, 0.0005, 16, 16, id="a far server: all that are allowed"),
        pytest.param(0.0022, 0.0005, 16, 4, id="a near one: as many as the interpreter can serve"),
        pytest.param(0.0006, 0.0005, 16, 1, id="one that answers at once: two would stand in line"),
        pytest.param(0.1, 0.0005, 1, 1, id="one, if that is all that is allowed"),
    ],
)
def test_threads_are_as_many_as_latency_and_work_can_feed(latency: float, work: float, most: int, threads: int) -> None:
    """Little's law with the interpreter's rate: in flight = latency / work."""
    assert threads_for(latency, work, most) == threads


def test_nobody_is_called_while_somebody_waits_for_the_pace() -> None:
    """Little's law with the pace's rate: those that are there are all it can feed."""
    assert threads_for(0.1, 0.0005, 16, enough=lambda: True) == 1


@pytest.mark.slow
def test_a_slow_pace_needs_few_threads_and_no_more_sockets() -> None:
    """Sixteen are allowed, and a quota of 20 requests in half a second at 5 ms latency needs one or two, and one that waits."""
    with Emulator(limit=20, window=0.5) as emulator:
        emulator.world.seed(map(str, range(100)))
        emulator.fault(delay=0.005, times=1000)
        account = account_of(emulator)
        with Driver(account, Pace(), Bearer(account), Patience()) as driver:
            rows = (deliver(account, "100200", Update(row, str(row), "SENT"), Patience()) for row in range(100))
            assert sum(outcome is not None and outcome.result == "updated" for outcome in driver.run_all(rows, 16)) == 100
            assert driver._crew is not None
            assert len(driver._sessions._all) <= driver._crew.size < 16


def test_a_caller_who_is_slow_finds_no_pile() -> None:
    """Results wait for the caller, and work waits for the results: memory does not grow with the batch."""
    begun = 0

    def do(piece: int) -> int:
        nonlocal begun
        begun += 1
        return piece

    crew = Crew(do, range(1000), 1, lambda: True)
    results = crew.results()
    next(results)
    time.sleep(0.05)
    assert begun < 100
    assert sum(1 for _ in results) == 999
    crew.join()


def test_one_quick_reply_does_not_keep_the_others_out() -> None:
    """The fastest reply is that of these days, not of all times."""
    latencies = iter([0.0003, *[0.2] * 199])

    def do(piece: int) -> None:
        crew.measured(next(latencies), 0.0005)

    crew = Crew(do, range(200), 16, lambda: False)
    for _ in crew.results():
        pass
    crew.join()
    assert crew.size == 16


def test_a_machine_without_threads_to_spare_does_the_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's limit of threads costs speed, and no row."""
    start, started = threading.Thread.start, list[str]()

    def limited(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert threads_for(0.1, 0.0005, 16) == 2


def test_who_leaves_does_not_wait_for_what_was_not_begun() -> None:
    """After the caller has gone nothing more is pulled."""
    source = iter(range(1_000_000))
    crew = Crew(lambda piece: piece, source, 2, lambda: False)
    results = crew.results()
    next(results)
    results.close()
    crew.join()
    assert next(source) < 1000


def test_threads_that_pause_are_replaced() -> None:
    """A server that answers at once needs one thread, and one for each that sits out a fault."""
    together = threading.Barrier(4, timeout=30)

    def do(piece: int) -> None:
        crew.measured(0.0006, 0.0005)
        if piece < 4:
            with crew.pausing():
                together.wait()

    crew = Crew(do, range(100), 16, lambda: False)
    for _ in crew.results():
        pass
    crew.join()
    assert crew.size >= 4


def test_a_reply_that_is_long_in_coming_does_not_stop_the_others() -> None:
    """While the only thread hangs, the caller's own looks call another."""
    rest = threading.Event()

    def do(piece: int) -> int:
        crew.measured(0.0006, 0.0005)
        if piece == 0:
            assert rest.wait(30)
        elif piece == 99:
            rest.set()
        return piece

    crew = Crew(do, range(100), 16, lambda: False)
    assert [result for result in crew.results() if result is not None][-1] == 0
    crew.join()
