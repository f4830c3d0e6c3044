"""The counters of a driver, with a clock that is a number."""

from __future__ import annotations

from airflow_provider_hubchan.client.request_counters import RequestCounters


def test_waiting_counts_once_however_many_wait() -> None:
    """Three workers that wait for two seconds are two seconds, and the number is right while they wait."""
    counters = RequestCounters()
    for _ in range(3):
        counters.wait_began(10.0)
    assert counters.waited(11.0) == 1.0
    for _ in range(3):
        counters.wait_ended(12.0)
    assert counters.waited(20.0) == 2.0


def test_waiting_beside_a_request_is_none() -> None:
    """While one worker's request is under way, something is going on."""
    counters = RequestCounters()
    counters.wait_began(0.0)
    counters.request_began(3.0)
    counters.request_ended(7.0, counts=True, status=200)
    counters.wait_ended(9.0)
    assert counters.waited(9.0) == 5.0


def test_a_worker_without_work_does_not_wait() -> None:
    """Nothing is under way and nobody waits: the time is not that of the quota."""
    counters = RequestCounters()
    counters.request_began(0.0)
    counters.request_ended(1.0, counts=True, status=200)
    assert counters.waited(100.0) == 0.0


def test_a_clock_that_another_thread_read_earlier_takes_nothing_back() -> None:
    """Threads read the clock in one order and get the lock in another."""
    counters = RequestCounters()
    counters.wait_began(5.0)
    counters.wait_began(4.0)
    counters.wait_ended(3.0)
    assert counters.waited(6.0) == 1.0


def test_requests_are_counted_by_what_came() -> None:
    """Token requests do not count against the quota; failures are told apart from limits."""
    counters = RequestCounters()
    for counts, status, failure in (
        (True, 200, ""),
        (True, 429, ""),
        (False, 429, ""),
        (True, 503, ""),
        (True, None, "no connection"),
    ):
        counters.request_began(0.0)
        counters.request_ended(0.0, counts=counts, status=status, failure=failure)
    assert (counters.requests, counters.rate_limited, counters.failed) == (4, 1, 2)
    assert counters.last_failure == "no connection"
