from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_hubchan.client.actions import READ_TIMEOUT, Abort, Aborted, NeedToken, NoResponse, Request, Response
from airflow_provider_hubchan.client.errors import CallFailed, Problem
from airflow_provider_hubchan.client.flow import RetryConfig, Unresolved, deliver, fetch, request_flow
from airflow_provider_hubchan.client.models import Account, MessageStatus, Token, Update
from tests.client.canned import MESSAGE, refusal, reply, run_flow

RETRY = RetryConfig(max_attempts=3, max_throttles=2, base_delay=1.0)
REQUEST = Request("GET", "https://api.hubapi.com/x")
BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}
DAILY = {"policyName": "DAILY", "message": "You have reached your daily limit."}
NO_JITTER = 0.0  # the shortest of the waits allowed


def flow() -> Any:
    return request_flow(REQUEST, RETRY, jitter=lambda: NO_JITTER)


@pytest.mark.parametrize(
    ("responses", "actions", "result"),
    [
        pytest.param([reply()], "token, send", "Accepted", id="200"),
        pytest.param([refusal(404)], "token, send", "Rejected", id="404"),
        pytest.param([reply(503, b""), reply()], "token, send, wait 0.5, token, send", "Accepted", id="503, 200"),
        pytest.param(
            [NoResponse(READ_TIMEOUT), reply()], "token, send, wait 0.5, token, send", "Accepted", id="no response, 200"
        ),
        pytest.param([reply(423, b""), reply()], "token, send, wait 2, token, send", "Accepted", id="423, 200"),
        pytest.param(
            [reply(503, b"", Retry_After="20"), reply()], "token, send, wait 20, token, send", "Accepted", id="503 says 20 s"
        ),
        pytest.param(
            [reply(500, b"")] * 3,
            "token, send, wait 0.5, token, send, wait 1, token, send",
            "Unresolved",
            id="500 three times",
        ),
        pytest.param([reply(526, b"")] * 2, "token, send, wait 0.5, token, send", "Unresolved", id="526 twice"),
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
            "Unresolved",
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
        pytest.param([reply(429, DAILY)], "token, send, abort", "Unresolved", id="daily limit"),
        pytest.param([reply(477, b"", Retry_After="86400")], "token, send, abort", "Unresolved", id="477"),
        pytest.param([reply(503, b"", Retry_After="3600")], "token, send, abort", "Unresolved", id="503 says an hour"),
        pytest.param([reply(429, BURST, Retry_After="3600")], "token, send, abort", "Unresolved", id="429 says an hour"),
        pytest.param([refusal(403)], "token, send, abort for good", "Unresolved", id="403"),
        pytest.param([refusal(401), reply()], "token, send, token, not t-1, send", "Accepted", id="401, 200"),
        pytest.param(
            [refusal(401), refusal(401)], "token, send, token, not t-1, send, abort for good", "Unresolved", id="401 twice"
        ),
        pytest.param(
            [refusal(401), reply(503, b""), refusal(401), reply()],
            "token, send, token, not t-1, send, wait 0.5, token, send, token, not t-2, send",
            "Accepted",
            id="a token that expires a second time, later",
        ),
    ],
)
def test_the_flow_of_a_call(responses: list[Response | NoResponse], actions: str, result: str) -> None:
    """The responses decide which actions follow, and when the flow ends."""
    performed, answer = run_flow(flow(), *responses)
    assert ", ".join(performed) == actions
    assert type(answer).__name__ == result


@pytest.mark.parametrize("defer_after", [0.0, 1.0, 60.0])
@pytest.mark.parametrize(
    ("response", "actions"),
    [
        pytest.param(reply(503, b""), "token, send, wait 0.5, token, send, wait 1, token, send", id="503"),
        pytest.param(NoResponse(READ_TIMEOUT), "token, send, wait 0.5, token, send, wait 1, token, send", id="no response"),
        pytest.param(reply(423, b""), "token, send, wait 2, token, send, wait 2, token, send", id="423"),
        pytest.param(
            reply(423, b"", Retry_After="0.001"), "token, send, wait 2, token, send, wait 2, token, send", id="423 says 1 ms"
        ),
        pytest.param(
            reply(429, {"policyName": "SECONDLY"}),
            "token, send, all wait 1, token, send, all wait 1, token, send",
            id="429 of one second",
        ),
        pytest.param(reply(429, BURST), "token, send, all wait, token, send, all wait, token, send", id="429"),
    ],
)
def test_a_fault_for_which_hubspot_names_no_time_is_retried_whatever_wait_is_too_long(
    response: Response | NoResponse, actions: str, defer_after: float
) -> None:
    """The pauses that we choose ourselves are those of the backoff; *max_retry_after* is for the times that HubSpot names."""
    retry = RetryConfig(max_attempts=3, max_throttles=2, base_delay=1.0, max_retry_after=defer_after)
    performed, answer = run_flow(request_flow(REQUEST, retry, jitter=lambda: NO_JITTER), *[response] * 3)
    assert ", ".join(performed) == actions
    assert isinstance(answer, Unresolved)


@pytest.mark.parametrize(("status", "body"), [(503, b""), (423, b""), (429, BURST), (429, {"policyName": "SECONDLY"})])
@pytest.mark.parametrize(("defer_after", "wait"), [(2.9, None), (3.0, 3.0)])
def test_a_time_that_hubspot_names_is_waited_for_up_to_a_bound(
    status: int, body: Any, defer_after: float, wait: float | None
) -> None:
    """Longer than *max_retry_after*: the batch ends with HubSpot's time, whatever the cap of the backoff is."""
    retry = RetryConfig(max_delay=0.1, max_retry_after=defer_after)
    responses = [reply(status, body, Retry_After="3")] + [reply()] * (wait is not None)
    performed, answer = run_flow(request_flow(REQUEST, retry, jitter=lambda: NO_JITTER), *responses)
    if wait is None:
        assert (performed, answer.retry_after) == (["token", "send", "abort"], 3.0)  # type: ignore[union-attr]
    else:
        assert performed[2].removeprefix("all ") == "wait 3"


def test_a_long_wait_is_handed_on() -> None:
    """Whoever runs the batch learns how long HubSpot asks to wait."""
    _, answer = run_flow(flow(), reply(477, b"", Retry_After="86400"))
    assert answer.retry_after == 86400.0
    assert not answer.permanent


@pytest.mark.parametrize(
    ("attempt", "retry_after", "jitter", "seconds"),
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
    attempt: int, retry_after: float | None, jitter: float, seconds: float
) -> None:
    """Between half and all of the doubled time; a time that HubSpot names is kept to the second, and a little more."""
    assert RetryConfig(base_delay=1.0, max_delay=60.0).delay(attempt, retry_after, jitter) == pytest.approx(seconds, abs=0.01)


def test_a_batch_that_ends_leaves_the_row_unresolved() -> None:
    """A flow that is aborted between two actions has an outcome all the same, with the reason."""
    update = Update(3, "m-1", MessageStatus.SENT)
    delivery = deliver(Account(), "100", update, RETRY)
    assert next(delivery) == NeedToken()
    with pytest.raises(StopIteration) as end:
        delivery.throw(Aborted(Abort(Problem("Somebody pressed stop.", "stopped"), permanent=False)))
    outcome = end.value.value
    assert (outcome.result, outcome.problem.reason) == (
        "unresolved",
        "Given up: Somebody pressed stop.",
    )


@pytest.mark.parametrize(
    ("responses", "result"), [([reply()], "updated"), ([refusal(400)], "rejected"), ([refusal(403)], "unresolved")]
)
def test_an_answer_becomes_an_outcome(responses: list[Response], result: str) -> None:
    """Accepted is updated, refused is rejected, no answer is unresolved."""
    update = Update(1, "m-1", MessageStatus.READ)
    _, outcome = run_flow(deliver(Account(), "100", update, RETRY), *responses)
    assert (outcome.update, outcome.result) == (update, result)


def test_a_secret_in_a_response_does_not_reach_the_outcome() -> None:
    """Neither the token of the request nor the account's secrets are repeated."""
    account = Account(client_secret="cl13nt-s3cr3t", refresh_token="r3fr3sh")
    _, outcome = run_flow(
        deliver(account, "100", Update(1, "m", MessageStatus.SENT), RETRY),
        reply(400, {"message": "t-1 cl13nt-s3cr3t r3fr3sh?"}),
    )
    assert outcome.problem is not None
    assert outcome.problem.reason.startswith("HubSpot answered 400: *** *** ***?.")


def test_a_single_call_gives_the_body_or_raises() -> None:
    """Callers of one call get HubSpot's object, or an error with fields."""
    assert run_flow(fetch(Account(), REQUEST, RETRY), reply())[1] == MESSAGE
    with pytest.raises(CallFailed) as refused:
        run_flow(fetch(Account(), REQUEST, RETRY), reply(404, {"category": "OBJECT_NOT_FOUND", "correlationId": "c-9"}))
    assert refused.value.permanent
    assert refused.value.problem.status == 404
    assert str(refused.value).endswith("(category OBJECT_NOT_FOUND, correlationId c-9)")
    with pytest.raises(CallFailed) as exhausted:
        run_flow(fetch(Account(), REQUEST, RETRY), reply(429, DAILY, Retry_After="100"))
    assert not exhausted.value.permanent
    assert exhausted.value.retry_after == 100.0


def message(status: object, **details: object) -> Response:
    return reply(200, {"id": "m", "status": status if status is None else {"statusType": status, **details}})


@pytest.mark.parametrize(
    ("update", "current", "result"),
    [
        (Update(1, "m", MessageStatus.SENT), message("SENT"), "skipped"),
        (Update(1, "m", MessageStatus.SENT), message("READ"), "skipped"),
        (Update(1, "m", MessageStatus.FAILED, "gone"), message("READ"), "skipped"),
        (Update(1, "m", MessageStatus.READ), message("READ"), "skipped"),
        (Update(1, "m", MessageStatus.READ), message("SENT"), "updated"),
        (Update(1, "m", MessageStatus.SENT), message("FAILED"), "updated"),
        (Update(1, "m", MessageStatus.SENT), message(None), "updated"),
        (Update(1, "m", MessageStatus.SENT), reply(200, {"status": "SENT"}), "updated"),
        (Update(1, "m", MessageStatus.FAILED), message("FAILED"), "skipped"),
        (Update(1, "m", MessageStatus.FAILED, "gone"), message("FAILED", failureDetails={"errorMessage": "gone"}), "skipped"),
        (Update(1, "m", MessageStatus.FAILED, "gone"), message("FAILED", failureDetails={"errorMessage": "lost"}), "updated"),
        (Update(1, "m", MessageStatus.FAILED, "gone"), message("FAILED"), "updated"),
    ],
)
def test_compare_before_write_sends_only_what_differs(update: Update, current: Response, result: str) -> None:
    """READ is never turned back, and a status that HubSpot does not give counts as different."""
    responses = [current] if result == "skipped" else [current, reply()]
    actions, outcome = run_flow(deliver(Account(), "100", update, RETRY, True), *responses)
    assert (outcome.result, actions.count("send")) == (result, len(responses))
    if outcome.problem:
        assert "already" in outcome.problem.reason


@pytest.mark.parametrize(("response", "result"), [(refusal(404), "rejected"), (refusal(403), "unresolved")])
def test_compare_before_write_needs_an_answer(response: Response, result: str) -> None:
    """Nothing is written over what could not be read."""
    actions, outcome = run_flow(deliver(Account(), "100", Update(1, "m", MessageStatus.SENT), RETRY, True), response)
    assert (outcome.result, actions.count("send")) == (result, 1)


def test_a_daily_limit_ends_the_batch_with_hubspots_time() -> None:
    """When midnight comes is counted from the response's own date, not from the worker's clock."""
    daily = request_flow(REQUEST, RETRY)
    next(daily)
    daily.send(Token("t"))
    abort = daily.send(reply(429, DAILY, Date="Sun, 22 Nov 2026 17:00:00 GMT"))
    assert isinstance(abort, Abort)
    assert (abort.retry_after, abort.refused_at) == (None, 1795366800.0)
