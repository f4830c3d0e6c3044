"""How many threads a pool starts, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_hubchan.client.worker_pool import WorkerPool


def threads_for(max_workers: int, needs_more: Callable[[], bool] = lambda: True) -> int:
    """How many threads a pool starts for a hundred pieces of work."""
    pool = WorkerPool(lambda piece: piece, range(100), max_workers, needs_more)
    try:
        assert sorted(result for result in pool.results() if result is not None) == list(range(100))
    finally:
        pool.join()
    return pool.size


@pytest.mark.parametrize("max_workers", [1, 4, 16])
def test_there_are_as_many_threads_as_are_allowed(max_workers: int) -> None:
    """While more are needed, each thread that takes a piece of work starts another."""
    assert threads_for(max_workers) == max_workers


def test_no_thread_is_started_while_none_is_needed() -> None:
    """The one that is there does the work."""
    assert threads_for(16, needs_more=lambda: False) == 1


def test_results_do_not_pile_up_for_a_slow_caller() -> None:
    """Results wait for the caller, and work waits for the results: memory does not grow with the batch."""
    begun = 0

    def work(piece: int) -> int:
        nonlocal begun
        begun += 1
        return piece

    pool = WorkerPool(work, range(1000), 1, lambda: False)
    results = pool.results()
    next(results)
    time.sleep(0.05)
    assert begun < 100
    assert sum(1 for _ in results) == 999
    pool.join()


def test_a_machine_without_threads_to_spare_does_the_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's limit of threads costs speed, and no row."""
    start, started = threading.Thread.start, list[str]()

    def limited(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert threads_for(16) == 2


def test_no_more_work_is_taken_after_the_caller_has_left() -> None:
    """Closing the results does not wait for work that was not begun."""
    source = iter(range(1_000_000))
    pool = WorkerPool(lambda piece: piece, source, 2, lambda: True)
    results = pool.results()
    next(results)
    results.close()
    pool.join()
    assert next(source) < 1000


def test_threads_that_wait_do_not_hold_up_the_others() -> None:
    """Four pieces that can only end together get a thread each."""
    together = threading.Barrier(4, timeout=30)

    def work(piece: int) -> int:
        if piece < 4:
            together.wait()
        return piece

    pool = WorkerPool(work, range(100), 16, lambda: True)
    assert sorted(result for result in pool.results() if result is not None) == list(range(100))
    pool.join()
    assert pool.size >= 4


def test_a_response_that_is_long_in_coming_does_not_stop_the_others() -> None:
    """While the only thread waits for its response, the caller's thread starts another."""
    hanging, rest_is_done = threading.Event(), threading.Event()

    def work(piece: int) -> int:
        if piece == 0:
            hanging.set()
            assert rest_is_done.wait(30)
        elif piece == 99:
            rest_is_done.set()
        return piece

    pool = WorkerPool(work, range(100), 16, hanging.is_set)
    results = [result for result in pool.results() if result is not None]
    pool.join()
    assert sorted(results) == list(range(100))
