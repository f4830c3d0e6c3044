from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_hubchan.batch.rows import Update
from airflow_provider_hubchan.client.actions import Halt, Lost, NeedToken, Reply, Request, Stopped
from airflow_provider_hubchan.client.errors import NO_REPLY, CallFailed, Problem
from airflow_provider_hubchan.client.flow import call, deliver, fetch
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.patience import Patience
from tests.client.canned import MESSAGE, play, reply

PATIENCE = Patience(tries=3, throttles=2, first=1.0)
REQUEST = Request("GET", "https://api.hubapi.com/x")
BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}
DAILY = {"policyName": "DAILY", "message": "You have reached your daily limit."}
CALM = 0.0  # no spread: the shortest of the waits allowed


def story(patience: Patience = PATIENCE) -> Any:
    return call(REQUEST, patience, spread=lambda: CALM)


@pytest.mark.parametrize(
    ("answers", "steps", "result"),
    [
        pytest.param([reply()], "token, send", "Accepted", id="200"),
        pytest.param([reply(404, {})], "token, send", "Rejected", id="404"),
        pytest.param([reply(503, b""), reply()], "token, send, wait 0.5, token, send", "Accepted", id="503, 200"),
        pytest.param([Lost(NO_REPLY), reply()], "token, send, wait 0.5, token, send", "Accepted", id="nothing, 200"),
        pytest.param([reply(423, b""), reply()], "token, send, wait 2, token, send", "Accepted", id="423, 200"),
        pytest.param(
            [reply(503, b"", Retry_After="20"), reply()], "token, send, wait 20, token, send", "Accepted", id="503 says 20 s"
        ),
        pytest.param(
            [reply(500, b"")] * 3,
            "token, send, wait 0.5, token, send, wait 1, token, send",
            "GaveUp",
            id="500 three times",
        ),
        pytest.param([reply(526, b"")] * 2, "token, send, wait 0.5, token, send", "GaveUp", id="526 twice"),
        pytest.param([reply(429, BURST), reply()], "token, send, all wait, token, send", "Accepted", id="429, 200"),
        pytest.param(
            [reply(429, BURST, Retry_After="3"), reply()],
            "token, send, all wait 3, token, send",
            "Accepted",
            id="429 says 3 s, 200",
        ),
        pytest.param(
            [reply(429, BURST)] * 3,
            "token, send, all wait, token, send, all wait, token, send",
            "GaveUp",
            id="429 without end",
        ),
        pytest.param(
            [reply(429, BURST, Retry_After="0"), reply()],
            "token, send, all wait, token, send",
            "Accepted",
            id="429 says 0 s, which is no time",
        ),
        pytest.param(
            [reply(503, b"", Retry_After="0"), reply()], "token, send, wait 0.5, token, send", "Accepted", id="503 says 0 s"
        ),
        pytest.param([reply(429, DAILY)], "token, send, halt", "GaveUp", id="daily limit"),
        pytest.param([reply(477, b"", Retry_After="86400")], "token, send, halt", "GaveUp", id="477"),
        pytest.param([reply(503, b"", Retry_After="3600")], "token, send, halt", "GaveUp", id="503 says an hour"),
        pytest.param([reply(429, BURST, Retry_After="3600")], "token, send, halt", "GaveUp", id="429 says an hour"),
        pytest.param([reply(403, {})], "token, send, halt for good", "GaveUp", id="403"),
        pytest.param([reply(401, {}), reply()], "token, send, token, not t-1, send", "Accepted", id="401, 200"),
        pytest.param(
            [reply(401, {}), reply(401, {})], "token, send, token, not t-1, send, halt for good", "GaveUp", id="401 twice"
        ),
        pytest.param(
            [reply(401, {}), reply(503, b""), reply(401, {}), reply()],
            "token, send, token, not t-1, send, wait 0.5, token, send, token, not t-2, send",
            "Accepted",
            id="a token that expires a second time, later",
        ),
    ],
)
def test_the_story_of_a_call(answers: list[Reply | Lost], steps: str, result: str) -> None:
    """What the server answers decides what is done next, and when it ends."""
    done, answer = play(story(), *answers)
    assert ", ".join(done) == steps
    assert type(answer).__name__ == result


def test_a_long_wait_is_handed_on() -> None:
    """Whoever runs the batch learns how long HubSpot wants to be left alone."""
    _, answer = play(story(), reply(477, b"", Retry_After="86400"))
    assert answer.retry_after == 86400.0
    assert not answer.permanent


@pytest.mark.parametrize(
    ("attempt", "asked", "spread", "seconds"),
    [
        (1, None, 0.0, 0.5),
        (1, None, 0.999, 1.0),
        (3, None, 0.0, 2.0),
        (30, None, 0.0, 30.0),
        (1, 20.0, 0.0, 20.0),
        (9, 20.0, 0.999, 59.97),
        (2, 20.0, 0.999, 20.5),
        (3, 0.0, 0.0, 2.0),
    ],
)
def test_waits_double_up_to_a_bound_and_never_undercut_hubspot(
    attempt: int, asked: float | None, spread: float, seconds: float
) -> None:
    """Between half and all of the doubled time; a time that HubSpot names is kept to the second, and a little more."""
    assert Patience(first=1.0, longest=60.0).pause(attempt, asked, spread) == pytest.approx(seconds, abs=0.01)


def test_a_batch_that_ends_leaves_the_row_unresolved() -> None:
    """A story that is stopped between two steps has an outcome all the same, and says why."""
    update = Update(3, "m-1", "SENT")
    row = deliver(Account(), "100", update, PATIENCE)
    assert next(row) == NeedToken()
    with pytest.raises(StopIteration) as end:
        row.throw(Stopped(Halt(Problem("Somebody pressed stop.", "stopped"), permanent=False)))
    outcome = end.value.value
    assert (outcome.result, outcome.problem.reason) == (
        "unresolved",
        "Given up: Somebody pressed stop.",
    )


@pytest.mark.parametrize(
    ("answers", "result"), [([reply()], "updated"), ([reply(400, {})], "rejected"), ([reply(403, {})], "unresolved")]
)
def test_an_answer_becomes_an_outcome(answers: list[Reply], result: str) -> None:
    """Accepted is updated, refused is rejected, no answer is unresolved."""
    update = Update(1, "m-1", "READ")
    _, outcome = play(deliver(Account(), "100", update, PATIENCE), *answers)
    assert (outcome.update, outcome.result) == (update, result)


def test_a_secret_in_a_reply_does_not_reach_the_outcome() -> None:
    """Neither the token of the request nor the account's secrets are repeated."""
    account = Account(client_secret="cl13nt-s3cr3t", refresh_token="r3fr3sh")
    _, outcome = play(
        deliver(account, "100", Update(1, "m", "SENT"), PATIENCE), reply(400, {"message": "t-1 cl13nt-s3cr3t r3fr3sh?"})
    )
    assert outcome.problem is not None
    assert outcome.problem.reason.startswith("HubSpot answered 400: *** *** ***?.")


def test_a_single_call_gives_the_body_or_raises() -> None:
    """Callers of one call get HubSpot's object, or an error with fields."""
    assert play(fetch(Account(), REQUEST, PATIENCE), reply())[1] == MESSAGE
    with pytest.raises(CallFailed) as refused:
        play(fetch(Account(), REQUEST, PATIENCE), reply(404, {"category": "OBJECT_NOT_FOUND", "correlationId": "c-9"}))
    assert refused.value.permanent
    assert refused.value.problem.status == 404
    assert str(refused.value).endswith("(category OBJECT_NOT_FOUND, correlationId c-9)")
    with pytest.raises(CallFailed) as closed:
        play(fetch(Account(), REQUEST, PATIENCE), reply(429, DAILY, Retry_After="100"))
    assert not closed.value.permanent
    assert closed.value.retry_after == 100.0


def message(status: object, **details: object) -> Reply:
    return reply(200, {"id": "m", "status": status if status is None else {"statusType": status, **details}})


@pytest.mark.parametrize(
    ("update", "has", "result"),
    [
        (Update(1, "m", "SENT"), message("SENT"), "skipped"),
        (Update(1, "m", "SENT"), message("READ"), "skipped"),
        (Update(1, "m", "FAILED", "gone"), message("READ"), "skipped"),
        (Update(1, "m", "READ"), message("READ"), "skipped"),
        (Update(1, "m", "READ"), message("SENT"), "updated"),
        (Update(1, "m", "SENT"), message("FAILED"), "updated"),
        (Update(1, "m", "SENT"), message(None), "updated"),
        (Update(1, "m", "SENT"), reply(200, {"status": "SENT"}), "updated"),
        (Update(1, "m", "FAILED"), message("FAILED"), "skipped"),
        (Update(1, "m", "FAILED", "gone"), message("FAILED", failureDetails={"errorMessage": "gone"}), "skipped"),
        (Update(1, "m", "FAILED", "gone"), message("FAILED", failureDetails={"errorMessage": "lost"}), "updated"),
        (Update(1, "m", "FAILED", "gone"), message("FAILED"), "updated"),
    ],
)
def test_compare_before_write_sends_only_what_differs(update: Update, has: Reply, result: str) -> None:
    """READ is never turned back; what HubSpot does not tell counts as different."""
    answers = [has] if result == "skipped" else [has, reply()]
    steps, outcome = play(deliver(Account(), "100", update, PATIENCE, True), *answers)
    assert (outcome.result, steps.count("send")) == (result, len(answers))
    if outcome.problem:
        assert "already" in outcome.problem.reason


@pytest.mark.parametrize(("answer", "result"), [(reply(404, {}), "rejected"), (reply(403, {}), "unresolved")])
def test_compare_before_write_needs_an_answer(answer: Reply, result: str) -> None:
    """Nothing is written over what could not be read."""
    steps, outcome = play(deliver(Account(), "100", Update(1, "m", "SENT"), PATIENCE, True), answer)
    assert (outcome.result, steps.count("send")) == (result, 1)


def test_a_daily_limit_ends_the_batch_with_hubspots_time() -> None:
    """When midnight comes is counted from the reply's own date, not from the worker's clock."""
    story = call(REQUEST, PATIENCE)
    next(story)
    story.send("t")
    halt = story.send(reply(429, DAILY, Date="Sun, 22 Nov 2026 17:00:00 GMT"))
    assert isinstance(halt, Halt)
    assert (halt.retry_after, halt.refused_at) == (None, 1795366800.0)
