"""Random replies: any bytes, good replies with a few bytes changed, any numbers in headers. No reply raises anything."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client import headers
from airflow_provider_hubchan.client.actions import Abort, Aborted, NeedToken, Request, Response
from airflow_provider_hubchan.client.flow import RetryConfig, request_flow
from airflow_provider_hubchan.client.models import Account, Token
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.responses import Accepted, Rejected, classify, message_status
from tests.hostile.cases import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    MAX_LIMIT,
    MAX_WINDOW,
    REFRESH_TOKEN,
    SECRETS,
    Case,
    assert_presentable,
    spellings,
)
from tests.hostile.runs import DRIVERS, ended, start
from tests.hostile.server import Reply, answer, close, good_reply, page

#: A week: nobody waits longer for a Retry-After.
MAX_RETRY_AFTER = 7 * 24 * 3600.0


def values(secrets: Iterable[str]) -> st.SearchStrategy[Any]:
    """Any value of JSON, with secrets among them."""
    scalar = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(10**300, 10**400)
        | st.floats()
        | st.text(st.characters(exclude_categories=()), max_size=40)
        | st.sampled_from([spelling for secret in secrets for spelling in spellings(secret).values()])
    )
    return st.recursive(
        scalar,
        lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(max_size=5), value, max_size=3),
        max_leaves=4,
    )


#: Those that the token address is sent; any text may happen to be another one.
APP_SECRETS = (CLIENT_SECRET, REFRESH_TOKEN)
VALUE, APP_VALUE = values(SECRETS), values(APP_SECRETS)
WORD = st.sampled_from(
    [
        "message",
        "category",
        "subCategory",
        "correlationId",
        "policyName",
        "errorType",
        "error",
        "status",
        "errors",
        "id",
        "context",
    ]
)
ERROR = st.dictionaries(WORD | st.text(max_size=5), VALUE, max_size=8)
BODY = (
    st.binary(max_size=60)
    | ERROR.map(lambda payload: json.dumps(payload).encode())
    | VALUE.map(lambda v: json.dumps(v).encode())
)
NUMBER = (
    st.integers().map(str)
    | st.integers(0, 6000).map(lambda digits: "9" * digits)
    | st.floats().map(str)
    | st.text(st.characters(max_codepoint=255), max_size=20)
    | st.datetimes().map(lambda moment: f"{moment:%a, %d %b} {moment.year:04} {moment:%H:%M:%S} GMT")
    | st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9]{1,3}(:[0-9]{1,3}){0,3} [+-]?[0-9A-Z]{0,8}", fullmatch=True
    )
)
NAMES = (
    "X-HubSpot-RateLimit-Max",
    "X-HubSpot-RateLimit-Interval-Milliseconds",
    "X-HubSpot-RateLimit-Remaining",
    "X-HubSpot-Correlation-Id",
    "Retry-After",
    "Date",
    "Content-Type",
)
HEADERS = st.dictionaries(st.sampled_from(NAMES), NUMBER).map(CaseInsensitiveDict)
RESPONSE = st.builds(Response, st.integers(200, 599), HEADERS, BODY)
FEW, MANY = settings(max_examples=12, deadline=None), settings(max_examples=300, deadline=None)


@MANY
@given(RESPONSE)
def test_any_response_has_a_verdict(response: Response) -> None:
    """And what is said of it is one short line, without secrets; only HubSpot's own objects decide about a row."""
    verdict = classify(response, SECRETS)
    if isinstance(verdict, Accepted):
        assert 200 <= response.status < 300
        assert all(text is None or text.isprintable() for text in message_status(verdict.body))
        return
    assert_presentable(verdict.problem)
    if isinstance(verdict, Rejected):
        assert response.payload
        assert {"message", "category", "correlationId", "policyName"} & response.payload.keys()
    wait = getattr(verdict, "retry_after", None)
    assert wait is None or 0.0 <= wait <= MAX_RETRY_AFTER
    assert math.isfinite(getattr(verdict, "refused_at", None) or 0.0)


@MANY
@given(HEADERS)
def test_any_numbers_in_headers_are_within_bounds_or_no_information(odd: CaseInsensitiveDict[str]) -> None:
    """A limiter that learns from them gives a permit to the next request within a window."""
    quota, limiter = headers.quota(odd), RateLimiter()
    assert quota is None or (0 < quota.limit <= MAX_LIMIT and 0.0 < quota.window <= MAX_WINDOW)
    seconds = headers.retry_after(odd)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER
    assert math.isfinite(headers.date(odd))
    share, now = limiter.share(), 0.0
    for _ in range(3):
        permit = limiter.acquire(now, share)
        while isinstance(permit, float):
            now += permit
            assert now < 10 * MAX_WINDOW
            permit = limiter.acquire(now, share)
        assert isinstance(permit, Permit)
        now += 0.1
        limiter.release(now, permit, quota)
    assert limiter._in_flight == 0


GRANT = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("access_token", "expires_in", "refresh_token", "hub_id", "status", "error", "message"), APP_VALUE),
)


@MANY
@given(
    st.lists(
        st.builds(
            Response,
            st.sampled_from([200, 200, 200, 400, 401, 403, 503]),
            HEADERS,
            GRANT.map(json.dumps).map(str.encode) | st.binary(max_size=60),
        ),
        min_size=2,
        max_size=2,
    )
)
@example([Response(200, {}, b'{"access_token": "t", "expires_in": 1e-9}')] * 2)
def test_any_reply_of_the_token_address_is_a_token_or_the_end_of_the_batch(replies: list[Response]) -> None:
    """A token can be sent, and is not at its end when it comes."""
    account = Account(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)
    masked: list[str] = []
    flow = TokenProvider(account, masked.append).refresh_flow(RetryConfig(max_attempts=2), NeedToken(), lambda: 0.0)
    try:
        action: Any = next(flow)
        while True:
            action = flow.send(replies.pop(0) if isinstance(action, Request) else None)
            if isinstance(action, Abort):
                assert_presentable(action.problem, APP_SECRETS)
    except Aborted as aborted:
        assert_presentable(aborted.abort.problem, APP_SECRETS)
    except StopIteration as end:
        token = end.value
        assert isinstance(token, Token)
        assert 0.0 < token.renew_at <= token.expires_at
        assert token.value.isprintable()
        assert token.value.isascii()
        assert " " not in token.value
        assert {token.value} <= set(masked)
        assert token.portal is None or 0 < token.portal < 2**63


@MANY
@given(st.data())
def test_any_replies_to_a_request_end_in_one_answer(data: st.DataObject) -> None:
    """After as many attempts as are allowed, whatever comes in between."""
    retry = RetryConfig(max_attempts=3, max_throttles=3)
    flow, requests = request_flow(Request("PATCH", "http://127.0.0.1/m-1"), retry, SECRETS, jitter=lambda: 0.5), 0
    try:
        action: Any = next(flow)
        while True:
            result: Any = None
            if isinstance(action, Request):
                result, requests = data.draw(RESPONSE), requests + 1
                assert requests <= 2 * (retry.max_attempts + retry.max_throttles)
            elif isinstance(action, NeedToken):
                result = Token(ACCESS_TOKEN)
            action = flow.send(result)
    except StopIteration as end:
        if not isinstance(end.value, Accepted):
            assert_presentable(end.value.problem)


GOOD = [
    good_reply("m-1"),
    answer(404, {"message": "no", "category": "OBJECT_NOT_FOUND"}),
    answer(503, {"message": "no"}, "Retry-After: 0"),
    page(403),
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + good_reply("m-1"),
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"id": "m-1"}\r\n0\r\n\r\n',
]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A good reply in which some bytes were replaced, left out or put in."""
    data = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 6)))
        data = data[:start] + draw(st.binary(max_size=6)) + data[end:]
    return data


ROWS = ("m-1", "m-2", "m-3")


@pytest.mark.slow
@pytest.mark.parametrize("drive", DRIVERS)
@settings(FEW, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.binary(max_size=200) | changed(), min_size=1, max_size=2), min_size=12, max_size=12))
def test_random_bytes_from_a_server_leave_every_row_accounted_for(drive: str, scripts: list[list[bytes]]) -> None:
    """Each row has one outcome, all permits are back, and no connection or task is left."""
    runs = []
    for replies in scripts:
        steps: list[Reply] = [[data, close] for data in replies]
        runs.append(start(DRIVERS[drive], Case("", {"m-1": steps}, rows=ROWS, timeout=1.0)))
    for run in map(ended, runs):
        assert [*run.outcomes] == [*ROWS]
        for outcome in run.outcomes.values():
            assert outcome.result in ("updated", "rejected", "unresolved")
            if outcome.problem:
                assert_presentable(outcome.problem, [ACCESS_TOKEN])
        if run.aborted is None:
            assert [run.outcomes[row].result for row in ROWS[1:]] == ["updated", "updated"]
        assert (run.permits_in_flight, run.open_connections, run.tasks) == (0, 0, 0)
        assert run.next_result == "updated"
