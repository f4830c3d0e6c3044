from __future__ import annotations

import json
from typing import cast

import pytest

from airflow_provider_hubchan.batch.dead_letters import format_dead_letter
from airflow_provider_hubchan.batch.progress_log import ProgressLog, format_duration
from airflow_provider_hubchan.batch.report import MAX_PROBLEMS, Report
from airflow_provider_hubchan.batch.row_reader import read_rows
from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Quota, Result, Update
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.request_counters import RequestCounters

NOT_FOUND = Problem("HubSpot answered 404: no.", "404 OBJECT_NOT_FOUND", 404, "OBJECT_NOT_FOUND", "c-1")


def outcome(row: int, result: str, problem: Problem | None = None) -> Outcome:
    return Outcome(Update(row, f"m-{row}", MessageStatus.FAILED, "gone"), cast(Result, result), problem)


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
    assert len(report.problems) == MAX_PROBLEMS
    assert report.problems[0] == {
        "row": 2,
        "message_id": "m-2",
        "outcome": "rejected",
        "reason": "HubSpot answered 404: no.",
        "correlation_id": "c-1",
    }
    assert report.top_reasons() == "500 skipped: 404 OBJECT_NOT_FOUND; 500 rejected: 404 OBJECT_NOT_FOUND"


def test_a_line_of_the_report_file_can_be_fed_back() -> None:
    """It has the row as it is read, and beside it what became of it."""
    assert json.loads(format_dead_letter(outcome(7, "rejected", NOT_FOUND), 2, "2026-11-22T15:00:00+00:00")) == {
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


def test_a_line_names_the_task_instance_that_wrote_it() -> None:
    """That is no part of the row when it is fed back; a row's own key of this name is kept."""
    task = {"dag_id": "batch", "run_id": "run-1", "task_id": "mark", "map_index": 3}
    update = Update(7, "m-7", MessageStatus.SENT, rest='{"task_instance": "theirs"}')
    line = json.loads(format_dead_letter(Outcome(update, "rejected", NOT_FOUND), 1, "2026-11-22", json.dumps(task)))
    assert (line["task_instance"], line["as_it_came"]) == (task, {"task_instance": "theirs"})
    (again,) = read_rows(numbered([line]))
    assert again == Update(1, "m-7", MessageStatus.SENT, rest='{"task_instance": "theirs"}')


class Driver:
    """What the progress log asks of a driver."""

    quota, blocked_for = Quota(110, 10.0), 0.0

    def __init__(self) -> None:
        self.counters, self.limiter = RequestCounters(), RateLimiter()

    def answered(self, status: int | None, times: int, failure: str = "") -> None:
        for _ in range(times):
            self.counters.request_began(0.0)
            self.counters.request_ended(0.0, counts=True, status=status, failure=failure)


def test_the_progress_log_has_plan_progress_and_end() -> None:
    """Rows, quota and time are in words, and progress comes not more often than every ten seconds."""
    lines, now, driver = list[str](), 0.0, Driver()
    log = ProgressLog(lines.append, 1000, clock=lambda: now)
    report = Report(skipped=100)
    log.plan(report, Quota(100, 10.0), limit_is_known=False, compare_before_write=False)
    log.plan(report, Quota(110, 10.0), limit_is_known=True, compare_before_write=False)
    for now in (5.0, 9.9, 10.0, 12.0, 20.0):  # noqa: B007 - the clock
        report.updated += 100
        log.progress(report, driver)  # type: ignore[arg-type]
    report.requests, report.elapsed_seconds, report.waited_seconds = 610, 92.4, 0.2
    log.end(report)
    assert lines == [
        "1,000 rows: 900 to send, 100 skipped. Quota 100 requests per 10 s (until HubSpot's first reply tells "
        "the account's own): about 1 minute 30 seconds.",
        "1,000 rows: 900 to send, 100 skipped. Quota 110 requests per 10 s: about 1 minute 22 seconds.",
        "400 of 1,000 rows done (40%), 30.0 per second, 0 rejected, 0 unresolved, about 20 seconds left.",
        "600 of 1,000 rows done (60%), 25.0 per second, 0 rejected, 0 unresolved, about 16 seconds left.",
        "600 rows: 500 updated, 100 skipped, 0 rejected, 0 unresolved; 610 requests, 0 answered with 429, in 1 minute "
        "32 seconds, of which less than a second waiting.",
    ]


@pytest.mark.parametrize(
    ("rows", "remaining", "said"),
    [
        (65, 108, []),
        (65, 45, ["45 of the 64 requests that are left may be sent at once, and then 110 per 10 s: about 10 seconds."]),
        (
            997,
            189,
            ["110 of the 996 requests that are left may be sent at once, and then 110 per 10 s: about 1 minute 31 seconds."],
        ),
        (
            1000,
            0,
            ["0 of the 999 requests that are left may be sent at once, and then 110 per 10 s: about 1 minute 31 seconds."],
        ),
    ],
)
def test_the_first_reply_tells_what_to_expect(rows: int, remaining: int, said: list[str]) -> None:
    """What HubSpot has counted already, from this task or from others, has to grow old first. It is said once."""
    lines, driver = list[str](), Driver()
    log, report = ProgressLog(lines.append, rows, clock=lambda: 0.0), Report()
    log.progress(report, driver)  # type: ignore[arg-type]
    assert lines == [], "there is no reply yet"
    permit = driver.limiter.acquire(0.0, driver.limiter.share())
    assert isinstance(permit, Permit)
    driver.limiter.release(0.1, permit, Quota(110, 10.0, remaining))
    report.updated = 1
    log.progress(report, driver)  # type: ignore[arg-type]
    log.progress(report, driver)  # type: ignore[arg-type]
    assert lines == said


def test_the_progress_log_says_what_holds_the_batch_up() -> None:
    """A limit, a pause, a server that fails: each is named while it lasts, and not after it. Unresolved rows are not done."""
    lines, now, driver = list[str](), 0.0, Driver()
    log = ProgressLog(lines.append, 10, clock=lambda: now)
    report = Report()
    driver.answered(429, 3)
    driver.blocked_for = 8.0
    now = 10.0
    log.progress(report, driver)  # type: ignore[arg-type]
    driver.blocked_for = 0.0
    driver.answered(503, 1)
    driver.answered(None, 1, "no connection")
    report.unresolved, now = 4, 20.0
    log.progress(report, driver)  # type: ignore[arg-type]
    report.updated, now = 1, 30.0
    log.progress(report, driver)  # type: ignore[arg-type]
    assert lines == [
        "0 of 10 rows done (0%), 0.0 per second, 0 rejected, 0 unresolved; HubSpot answered 3 requests with 429 (limit 110 per "
        "10 s, assumed); nothing is sent for 8 seconds, no row has an answer yet.",
        "0 of 10 rows done (0%), 0.2 per second, 0 rejected, 4 unresolved; 2 requests failed, the last: "
        "no connection, about 30 seconds left.",
        "1 of 10 rows done (10%), 0.2 per second, 0 rejected, 4 unresolved, about 30 seconds left.",
    ]


def test_what_is_left_is_counted_at_once() -> None:
    """A million rows without an outcome are one addition; the first are named, and none is counted twice."""
    report, problem = Report(updated=2), Problem("Given up: stopped.", "given up: stopped")
    left = (Update(row, f"m-{row}", MessageStatus.READ) for row in range(3, 1_000_001))
    report.close(1_000_000, left, problem)
    assert (report.rows, report.unresolved, len(report.problems)) == (1_000_000, 999_998, MAX_PROBLEMS)
    assert report.top_reasons() == "999,998 unresolved: given up: stopped"
    assert next(left).row == 3 + MAX_PROBLEMS, "the others were not looked at"
    report.close(1_000_000, left, problem)
    assert report.unresolved == 999_998


def test_a_duration_is_formatted_as_people_say_it() -> None:
    """Whole seconds up to weeks are in English, whatever the machine's locale."""
    assert [format_duration(seconds) for seconds in (0.0, 1.4, 61.0, 18_720.0)] == [
        "less than a second",
        "1 second",
        "1 minute 1 second",
        "5 hours 12 minutes",
    ]
