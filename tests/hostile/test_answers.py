"""Only HubSpot's answer is an answer: what a proxy, a firewall or a gateway sends decides nothing about a row."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_hubchan.client.errors import StatusPollFailed
from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from tests.hostile.cases import Case, case, check
from tests.hostile.runs import (
    AMPLE,
    DRIVERS,
    Run,
    one_by_one_with_tasks,
    one_by_one_with_threads,
    poll_with_tasks,
    poll_with_threads,
)
from tests.hostile.server import Connection, Reply, Server, answer, close, good_reply, hang, page, pause

#: With these, what follows a 429 takes a fraction of a second.
SHORT_WINDOW = ("X-HubSpot-RateLimit-Max: 100", "X-HubSpot-RateLimit-Interval-Milliseconds: 200")
NOT_FOUND = {"status": "error", "message": "No message with id m-1", "category": "OBJECT_NOT_FOUND"}
CORRELATION_ID = "4b1f3b9c-3a67-4e3d-8d5f-3c8a1d3c9e11"
STRANGERS = (400, 401, 403, 404, 405, 407, 408, 409, 410, 413, 418, 421, 422, 425, 431, 451, 499, 500, 502, 503, 504, 520, 530)
SUCCESSES = (200, 201, 202, 203, 206, 226)

PAGES = [
    *(
        case(f"a page with status {status}", page(status), reason=f"{status}|text/html|Blocked")
        for status in (*STRANGERS, *SUCCESSES)
    ),
    *(
        case(f"plain text with status {status}", answer(status, b"no", Content_Type="text/plain"))
        for status in (400, 403, 404, 410)
    ),
    *(case(f"an empty {status}", answer(status, b"", Content_Type="")) for status in (200, 400, 401, 403, 404, 409, 500, 503)),
    *(case(f"a JSON list with status {status}", answer(status, [NOT_FOUND])) for status in (200, 400, 403, 404)),
    *(case(f"half a document with status {status}", answer(status, b'{"message": "No')) for status in (200, 400, 403, 404)),
    *(
        case(f"JSON of another program with status {status}", answer(status, {"error": "no", "code": 17}))
        for status in (400, 401, 403, 404, 405, 409, 410, 422, 451)
    ),
    *(case(f"an empty object with status {status}", answer(status, {})) for status in (400, 403, 404)),
    *(
        case(f"HubSpot's words with status {status}", answer(status, {"message": "No.", "category": "VALIDATION_ERROR"}))
        for status in (407, 408, 421, 425, 499, 500, 503)
    ),
    case("a page with status 429", answer(429, b"<html>", *SHORT_WINDOW, Content_Type="text/html"), requests=(2, 6)),
    case("a page of two lines of title", page(403, "Access\r\n\tdenied")),
    case("a page with a forged title", page(403, "\x1b[31mBlocked\x00\u2028")),
    case("a page with a title of 100 KB", page(403, "x" * 100_000)),
    case("a page without a type", answer(403, b"<html>", Content_Type="")),
    case("a page with a type of 8,000 characters", answer(403, b"<html>", Content_Type="text/" + "x" * 8000)),
    case("a page that says it is JSON", answer(404, b"<title>404</title>")),
]

HUBSPOTS = [
    *(
        case(f"400 with {name} alone", answer(400, {name: "VALIDATION_ERROR"}), outcome="rejected")
        for name in ("message", "category", "correlationId")
    ),
    *(
        case(f"{status} with all fields", answer(status, {**NOT_FOUND, "correlationId": CORRELATION_ID}), outcome="rejected")
        for status in (400, 404, 405, 409, 410, 413, 414, 415, 422, 451)
    ),
    *(
        case(f"403 with {name} alone", answer(403, {name: "MISSING_SCOPES"}), ends="for good")
        for name in ("message", "category", "correlationId")
    ),
    case("401 twice", answer(401, {"message": "no", "category": "EXPIRED_AUTHENTICATION"}), ends="for good"),
    case(
        "the channel does not exist",
        answer(404, {**NOT_FOUND, "subCategory": "ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST"}),
        ends="for good",
    ),
    case("a redirect", answer(302, b"", Location="http://127.0.0.1:9/"), ends="for good", reason="Redirects are not followed"),
    case("a redirect without an address", answer(307, b""), ends="for good"),
    case("not modified", b"HTTP/1.1 304 Not Modified\r\n\r\n", ends="for good"),
    case("a lock", answer(423, {"message": "locked", "category": "LOCKED"})),
    case("a lock for an hour", answer(423, {"message": "locked"}, Retry_After="3600"), ends="for now"),
    case("the account is being moved", answer(477, {"message": "moving"}), ends="for now"),
    case("the account is being moved, says a page", page(477), ends="for now"),
    case("the daily limit", answer(429, {"policyName": "DAILY", "message": "daily limit"}), ends="for now"),
    case(
        "an object and another id", answer(body={"id": "m-7", "status": {"statusType": "SENT"}}), outcome="updated", warnings=1
    ),
    case("an id that is a number", answer(body={"id": 1}), outcome="updated", warnings=1),
    case("an id of 100 KB", answer(body={"id": "x" * 100_000}), outcome="updated", warnings=1),
    case("an id of control characters", answer(body={"id": "m\x00\x1b[31m\r\n\u2028"}), outcome="updated", warnings=1),
    case("an empty object", answer(body={}), outcome="updated"),
    case("201 with a message", answer(201, {"id": "m-1"}), outcome="updated"),
    case("204", b"HTTP/1.1 204 No Content\r\n\r\n", outcome="updated"),
    *(
        case(f"200 with an error and {name}", answer(body={"status": "error", name: "text"}))
        for name in ("message", "category", "correlationId", "id", "nothing")
    ),
    case("200 with a category and no message", answer(body={"category": "RATE_LIMITS", "message": "no"})),
]

INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\nX-A: b\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
    "199": b"HTTP/1.1 199 Odd\r\n\r\n",
    "103 five times": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 5,
}
FIRST = {
    "404": (answer(404, NOT_FOUND), "rejected"),
    "400": (answer(400, {"message": "no"}), "rejected"),
    "200": (good_reply("m-1"), "updated"),
}
ORDER = [
    *(
        case(f"{name} before {status}", interim + final, outcome=outcome)
        for name, interim in INTERIM.items()
        for status, (final, outcome) in FIRST.items()
    ),
    *(
        case(f"{name} a while before 404", interim, pause(0.1), answer(404, NOT_FOUND), outcome="rejected")
        for name, interim in INTERIM.items()
    ),
    *(case(f"{name} alone", interim, close) for name, interim in INTERIM.items()),
    case(
        "101 and an answer",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + answer(404, NOT_FOUND),
    ),
    case("101 and a while later an answer", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", pause(0.1), answer(404, NOT_FOUND)),
    case("101 and nothing", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", hang, timeout=0.4),
    case("101 and the end", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", close),
    case("two answers at once", answer(200, {"id": "m-1"}) + answer(404, NOT_FOUND), outcome="updated|unresolved"),
    case("an answer that goes on", answer(200, {"id": "m-1"}) + b"x" * 1000, outcome="updated|unresolved"),
    case("line breaks after an answer", answer(200, {"id": "m-1"}) + b"\r\n\r\n", outcome="updated"),
    case(
        "a body where none may be", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", outcome="updated|unresolved"
    ),
    case(
        "an answer before the end of the connection", answer(200, {"id": "m-1"}, Connection="close"), close, outcome="updated"
    ),
    case("an answer and an end without a word", answer(404, NOT_FOUND), close, outcome="rejected"),
    Case("a page, then an answer", {"m-1": [[page(403)], [good_reply("m-1")]]}, "updated", requests=(2, 2)),
    Case(
        "an interim page, then an answer", {"m-1": [[INTERIM["103"], close], [good_reply("m-1")]]}, "updated", requests=(2, 2)
    ),
    Case(
        "a 401, then an answer",
        {"m-1": [[answer(401, NOT_FOUND)], [good_reply("m-1")]], "token": []},
        "updated",
        requests=(2, 2),
    ),
]
CASES = [*PAGES, *HUBSPOTS, *ORDER]


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_who_answers_decides_what_an_answer_is_worth(case: Case, drive: str, run_of: Callable[[Case, str], Run]) -> None:
    """The row has its outcome, and the next row its own answer and not what was left of this one's."""
    check(case, run_of(case, drive))


def bare(count: int, *, known: tuple[str, ...] = (), body: Any = None) -> Case:
    """So many rows that are all answered with a 404 without a category, but for those that HubSpot knows."""
    rows = tuple(f"m-{number}" for number in range(1, count + 1))
    reply: list[Reply] = [[answer(404, body or {"message": "resource not found"})]]
    return Case("404s", {row: reply for row in rows if row not in known}, "rejected", others="rejected", rows=rows)


def results_of(run: Run) -> list[str]:
    return [outcome.result for outcome in run.outcomes.values()]


def test_an_address_that_answers_404_to_everything_rejects_no_row() -> None:
    """After twenty of them and not one success the batch ends, and every row can be sent again."""
    run = DRIVERS["threads"](bare(150))
    assert results_of(run) == ["unresolved"] * 150
    assert run.ends == "for good"
    assert 20 <= len(run.requests) < 150
    assert run.aborted
    assert "API version" in run.aborted.problem.reason


@pytest.mark.parametrize("known", ["m-1", "m-10", "m-20"])
def test_one_success_proves_the_address(known: str) -> None:
    """The 404s are about the messages then."""
    results = results_of(DRIVERS["threads"](bare(30, known=(known,))))
    assert (results.count("rejected"), results.count("updated")) == (29, 1)


def test_a_category_proves_the_address() -> None:
    """HubSpot names one when it does not know a message: each row is rejected."""
    assert results_of(DRIVERS["threads"](bare(30, body=NOT_FOUND))) == ["rejected"] * 30


def test_a_few_404s_reject_their_rows() -> None:
    """Nineteen messages that HubSpot does not know are not unlikely."""
    assert results_of(DRIVERS["threads"](bare(19))) == ["rejected"] * 19


@pytest.mark.parametrize("deliver_one_by_one", [one_by_one_with_threads, one_by_one_with_tasks])
@pytest.mark.parametrize(
    "surplus",
    [
        pytest.param(answer(404, NOT_FOUND), id="a reply"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="an interim reply"),
        pytest.param(b"\r\n", id="a line break"),
        pytest.param(b"x" * 1000, id="text"),
    ],
)
def test_what_comes_between_two_requests_is_not_the_second_ones_answer(
    deliver_one_by_one: Callable[..., list[str]], surplus: bytes
) -> None:
    """A reply to a request that was never made; the connection had been quiet when the next one was sent."""
    answered, sent = threading.Event(), threading.Event()

    def has_been_answered(connection: Connection) -> None:
        answered.wait(AMPLE)

    def has_been_sent(connection: Connection) -> None:
        sent.set()

    def between() -> None:
        answered.set()
        sent.wait(AMPLE)

    with Server({"m-1": [[good_reply("m-1"), has_been_answered, surplus, has_been_sent]]}) as server:
        results = deliver_one_by_one(server, ["m-1", "m-2", "m-3"], between)
    assert results == ["updated", "updated", "updated"]
    assert [request.key for request in server.requests] == ["m-1", "m-2", "m-3"]


NO_ANSWERS = {
    "an error object": answer(body={"status": "error", "message": "no", "statusType": "READ"}),
    "brackets": answer(body=b"[" * 100_000),
    "a page of a firewall": page(403),
    "a page that is not found": page(404),
    "a page that is there": page(200),
    "a proxy": answer(407, {"message": "no"}),
    "an interim reply": INTERIM["103"],
    "a status that is a list": answer(body={"status": {"statusType": ["READ"]}}),
    "details that are a list": answer(body={"status": {"statusType": None, "failureDetails": ["READ"]}}),
}


@pytest.mark.parametrize("poll", [poll_with_threads, poll_with_tasks])
def test_what_is_no_answer_does_not_end_a_wait(poll: Callable[[Server, StatusPoll], None]) -> None:
    """The message is neither READ nor lost: it is asked for again at the next poll, and then it is there."""
    with Server({name: [[reply, close]] for name, reply in NO_ANSWERS.items()}) as server:
        waiting = StatusPoll([*NO_ANSWERS, "good"], Target(("SENT", "READ")))
        poll(server, waiting)
        waiting.check()
        assert (waiting.open, waiting.is_done) == ([*NO_ANSWERS], False)
        server.be_good()
        poll(server, waiting)
        assert waiting.is_done


@pytest.mark.parametrize("poll", [poll_with_threads, poll_with_tasks])
def test_a_failure_in_hubspots_words_is_one_short_line(poll: Callable[[Server, StatusPoll], None]) -> None:
    """The text of a failed wait can go into a log, whatever the message's own reason holds."""
    status = {"statusType": "FAILED", "failureDetails": {"errorMessage": "\x1b[31m\x00\r\n\ud800" + "x" * 100_000}}
    with Server({"m-1": [[answer(body={"id": "m-1", "status": status})]]}) as server:
        waiting = StatusPoll(["m-1"], Target())
        poll(server, waiting)
        with pytest.raises(StatusPollFailed) as raised:
            waiting.check()
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) <= 1500
