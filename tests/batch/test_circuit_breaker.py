"""When rows without an answer end the batch."""

from __future__ import annotations

from airflow_provider_hubchan.batch.circuit_breaker import CircuitBreaker
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Result, Update

NO_CONNECTION = Problem("No answer from HubSpot: no connection.", "no connection")


def breaker_after(threshold: int, *results: Result) -> CircuitBreaker:
    """A breaker that has recorded an outcome of each result."""
    breaker = CircuitBreaker(threshold)
    for row, result in enumerate(results, 1):
        problem = None if result == "updated" else NO_CONNECTION
        breaker.record(Outcome(Update(row, f"m-{row}", MessageStatus.SENT), result, problem))
    return breaker


def test_rows_in_a_row_without_an_answer_trip_it() -> None:
    """A server that is down is not asked for every row; a retry of the task may find it up."""
    assert breaker_after(3, "unresolved", "unresolved").abort_reason is None
    abort = breaker_after(3, "unresolved", "unresolved", "unresolved").abort_reason
    assert abort is not None
    assert not abort.permanent
    assert abort.problem == Problem(
        "3 rows in a row got no answer, so no other row is tried. No answer from HubSpot: no connection.",
        "HubSpot does not answer",
    )


def test_any_answer_starts_the_count_again() -> None:
    """Only rows without an answer, one after the other, mean that the server is down."""
    answered: tuple[Result, ...] = ("updated", "rejected", "skipped")
    for result in answered:
        assert breaker_after(2, "unresolved", result, "unresolved").abort_reason is None
        assert breaker_after(2, "unresolved", result, "unresolved", "unresolved").abort_reason is not None


def test_a_threshold_of_nothing_never_trips() -> None:
    """With 0, any number of rows may end without an answer."""
    assert breaker_after(0).abort_reason is None
    unresolved: list[Result] = ["unresolved"] * 100
    assert breaker_after(0, *unresolved).abort_reason is None
