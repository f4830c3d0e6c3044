from __future__ import annotations

import json
from typing import cast

from airflow_provider_hubchan.batch.dead_letters import letter
from airflow_provider_hubchan.batch.progress_log import Journal, words
from airflow_provider_hubchan.batch.report import NAMED, Report
from airflow_provider_hubchan.batch.rows import Outcome, Result, Update
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.ratelimit.fair_share import Quota

NOT_FOUND = Problem("HubSpot answered 404: no.", "404 OBJECT_NOT_FOUND", 404, "OBJECT_NOT_FOUND", "c-1")


def outcome(row: int, result: str, problem: Problem | None = None) -> Outcome:
    return Outcome(Update(row, f"m-{row}", "FAILED", "gone"), cast(Result, result), problem)


def test_every_outcome_is_counted_once() -> None:
    """The four counters add up to the rows."""
    report = Report()
    for row, result in enumerate(("updated", "skipped", "rejected", "unresolved", "updated"), 1):
        report.add(outcome(row, result, None if result == "updated" else NOT_FOUND))
    summary = report.summary()
    assert (summary["updated"], summary["skipped"], summary["rejected"], summary["unresolved"]) == (2, 1, 1, 1)
    assert summary["rows"] == 5
    assert report.counts() == "5 rows: 2 updated, 1 skipped, 1 rejected, 1 unresolved"


def test_the_summary_names_a_bounded_number_of_rows() -> None:
    """However many rows are rejected, XCom gets twenty; skipped rows are no problem."""
    report = Report()
    for row in range(1, 1001):
        report.add(outcome(row, "skipped" if row % 2 else "rejected", NOT_FOUND))
    assert len(report.problems) == NAMED
    assert report.problems[0] == {
        "row": 2,
        "message_id": "m-2",
        "outcome": "rejected",
        "reason": "HubSpot answered 404: no.",
        "correlation_id": "c-1",
    }
    assert report.top_reasons() == "500 skipped: 404 OBJECT_NOT_FOUND; 500 rejected: 404 OBJECT_NOT_FOUND"


def test_a_streak_is_broken_by_any_answer() -> None:
    """Only rows without an answer, one after the other, mean that nobody is there."""
    report = Report()
    for row, result in enumerate(("unresolved", "unresolved", "rejected", "unresolved"), 1):
        report.add(outcome(row, result, NOT_FOUND))
    assert report.streak == 1


def test_a_line_of_the_report_file_can_be_fed_back() -> None:
    """The row as it is read, and beside it what became of it."""
    assert json.loads(letter(outcome(7, "rejected", NOT_FOUND), 2, "2026-11-22T15:00:00+00:00")) == {
        "message_id": "m-7",
        "status": "FAILED",
        "error_message": "gone",
        "row": 7,
        "outcome": "rejected",
        "reason": "HubSpot answered 404: no.",
        "category": "OBJECT_NOT_FOUND",
        "correlation_id": "c-1",
        "try": 2,
        "time": "2026-11-22T15:00:00+00:00",
    }


def test_the_journal_tells_plan_progress_and_end() -> None:
    """Rows, quota and time in words; progress not more often than every ten seconds."""
    told, now = list[str](), 0.0
    journal = Journal(told.append, 1000, clock=lambda: now)
    report = Report(rows=100, skipped=100)
    journal.plan(report, Quota(100, 10.0), learned=False, compare=False)
    journal.plan(report, Quota(110, 10.0), learned=True, compare=False)
    for now in (5.0, 9.9, 10.0, 12.0, 20.0):  # noqa: B007 - the clock
        report.rows += 100
        journal.progress(report)
    report.updated, report.requests, report.elapsed_seconds, report.waited_seconds = 600, 610, 92.4, 0.2
    journal.end(report)
    assert told == [
        "1,000 rows: 900 to send, 100 skipped. Quota 100 requests per 10 s (until HubSpot's first reply tells "
        "the account's own): about 1 minute 30 seconds.",
        "1,000 rows: 900 to send, 100 skipped. Quota 110 requests per 10 s: about 1 minute 22 seconds.",
        "400 of 1,000 rows done (40%), 30.0 per second, 0 rejected, 0 unresolved, about 20 seconds left.",
        "600 of 1,000 rows done (60%), 25.0 per second, 0 rejected, 0 unresolved, about 16 seconds left.",
        "600 rows: 600 updated, 100 skipped, 0 rejected, 0 unresolved; 610 requests, 0 answered with 429, in 1 minute "
        "32 seconds, of which less than a second waiting.",
    ]


def test_a_duration_is_said_as_people_say_it() -> None:
    """Whole seconds up to weeks, in English whatever the machine speaks."""
    assert [words(seconds) for seconds in (0.0, 1.4, 61.0, 18_720.0)] == [
        "less than a second",
        "1 second",
        "1 minute 1 second",
        "5 hours 12 minutes",
    ]
