"""Every row of HubSpot's error tables: the response, its verdict, what that concerns, how long to wait."""

from __future__ import annotations

from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client import responses
from airflow_provider_hubchan.client.actions import (
    INCOMPLETE,
    NO_CONNECTION,
    READ_TIMEOUT,
    UNTRUSTED_TLS,
    NoResponse,
    Response,
)
from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.responses import (
    Accepted,
    Blocked,
    QuotaExhausted,
    Rejected,
    Scope,
    Throttled,
    Transient,
    Unauthorized,
)
from tests.client.canned import MESSAGE, reply

NOW = "Sun, 22 Nov 2026 09:00:00 GMT"
BURST = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "policyName": "TEN_SECONDLY_ROLLING",
}
DAILY = {"status": "error", "message": "You have reached your daily limit.", "errorType": "RATE_LIMIT", "policyName": "DAILY"}


def error(category: str, message: str = "No.", **more: Any) -> dict[str, Any]:
    return {"status": "error", "message": message, "category": category, "correlationId": "c-1", **more}


@pytest.mark.parametrize(
    ("response", "verdict", "scope", "retry_after"),
    [
        pytest.param(reply(200), Accepted, "row", None, id="200 with the message"),
        pytest.param(reply(200, {"id": "m"}), Accepted, "row", None, id="200 without a status, which is optional"),
        pytest.param(reply(204, b""), Accepted, "row", None, id="204 has no body"),
        pytest.param(reply(200, b""), Transient, "row", None, id="200 without a body is not trusted"),
        pytest.param(reply(200, b"<html>Log in"), Transient, "row", None, id="200 with a proxy's page"),
        pytest.param(reply(200, b"<html>", Retry_After="9"), Transient, "row", None, id="200 with a proxy's page and its time"),
        pytest.param(reply(200, b'{"id": "m", "te'), Transient, "row", None, id="200 with half a message"),
        pytest.param(reply(301, b"", Location="https://elsewhere"), Blocked, "batch", None, id="301 is not followed"),
        pytest.param(reply(400, error("VALIDATION_ERROR", "Invalid input JSON on line 1")), Rejected, "row", None, id="400"),
        pytest.param(reply(401, error("EXPIRED_AUTHENTICATION")), Unauthorized, "account", None, id="401 expired"),
        pytest.param(reply(401, error("INVALID_AUTHENTICATION")), Unauthorized, "account", None, id="401 invalid"),
        pytest.param(reply(403, error("MISSING_SCOPES")), Blocked, "batch", None, id="403 scopes"),
        pytest.param(reply(403, error("BANNED")), Blocked, "batch", None, id="403 banned"),
        pytest.param(reply(403, error("MISSING_PERMISSIONS")), Blocked, "batch", None, id="403 permissions"),
        pytest.param(reply(404, error("OBJECT_NOT_FOUND")), Rejected, "row", None, id="404 message"),
        pytest.param(
            reply(404, error("OBJECT_NOT_FOUND", subCategory="ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST")),
            Blocked,
            "batch",
            None,
            id="404 channel: every row would get it",
        ),
        pytest.param(reply(404, b"<html>"), Rejected, "row", None, id="404 of an unknown address"),
        pytest.param(reply(405, b"<html>"), Rejected, "row", None, id="405 in HTML"),
        pytest.param(reply(408, b""), Transient, "row", None, id="408"),
        pytest.param(reply(409, error("CONFLICT")), Rejected, "row", None, id="409"),
        pytest.param(reply(414, b""), Rejected, "row", None, id="414"),
        pytest.param(reply(415, b""), Rejected, "row", None, id="415"),
        pytest.param(reply(422, error("VALIDATION_ERROR")), Rejected, "row", None, id="422"),
        pytest.param(reply(423, error("LOCKED")), Transient, "row", 2.0, id="423: at least 2 s"),
        pytest.param(reply(423, error("LOCKED"), Retry_After="9"), Transient, "row", 9.0, id="423 with Retry-After"),
        pytest.param(reply(429, BURST), Throttled, "account", None, id="429 rolling: it names no time"),
        pytest.param(reply(429, BURST, Retry_After="3"), Throttled, "account", 3.0, id="429 rolling with Retry-After"),
        pytest.param(
            reply(429, {"message": "You have reached your secondly limit."}), Throttled, "account", 1.0, id="429 secondly"
        ),
        pytest.param(reply(429, {"policyName": "secondly"}), Throttled, "account", 1.0, id="429 secondly by policy, any case"),
        pytest.param(reply(429, b"<html>slow down"), Throttled, "account", None, id="429 from a gateway"),
        pytest.param(reply(429, DAILY), QuotaExhausted, "batch", None, id="429 daily"),
        pytest.param(
            reply(429, {"message": "You have reached your daily limit."}),
            QuotaExhausted,
            "batch",
            None,
            id="429 daily by its message",
        ),
        pytest.param(reply(429, DAILY, Retry_After="3600"), QuotaExhausted, "batch", 3600.0, id="429 daily with Retry-After"),
        pytest.param(reply(477, b"", Retry_After="86400"), QuotaExhausted, "batch", 86400.0, id="477 asks for a day"),
        pytest.param(reply(477, b""), QuotaExhausted, "batch", 3600.0, id="477 without a time: in an hour"),
        pytest.param(reply(500, error("INTERNAL_ERROR")), Transient, "row", None, id="500"),
        pytest.param(reply(502, b"<html>"), Transient, "row", None, id="502 in HTML"),
        pytest.param(reply(503, b""), Transient, "row", None, id="503"),
        pytest.param(reply(503, b"", Retry_After="4"), Transient, "row", 4.0, id="503 with Retry-After"),
        pytest.param(reply(504, b""), Transient, "row", None, id="504"),
        pytest.param(reply(521, b""), Transient, "row", None, id="521"),
        pytest.param(reply(522, b""), Transient, "row", None, id="522"),
        pytest.param(reply(523, b""), Transient, "row", None, id="523"),
        pytest.param(reply(524, b""), Transient, "row", None, id="524"),
        pytest.param(reply(525, b""), Transient, "row", None, id="525"),
        pytest.param(reply(526, b""), Transient, "row", None, id="526"),
        pytest.param(NoResponse(READ_TIMEOUT), Transient, "row", None, id="timeout"),
        pytest.param(NoResponse(INCOMPLETE), Transient, "row", None, id="reset"),
        pytest.param(NoResponse(NO_CONNECTION), Transient, "row", None, id="no connection"),
        pytest.param(NoResponse(UNTRUSTED_TLS), Blocked, "batch", None, id="a certificate nobody trusts"),
    ],
)
def test_what_a_response_means(response: Response | NoResponse, verdict: type, scope: Scope, retry_after: float | None) -> None:
    """The verdict says what it concerns, and for how long HubSpot asks to wait."""
    given = responses.classify(response)
    assert type(given) is verdict
    assert given.scope == scope
    assert getattr(given, "retry_after", None) == retry_after


@pytest.mark.parametrize(("status", "max_attempts"), [(522, 2), (525, 2), (526, 2), (503, None)])
def test_a_broken_way_to_hubspot_is_tried_twice_only(status: int, max_attempts: int | None) -> None:
    """Where HubSpot's page says to contact support, many attempts do not help."""
    verdict = responses.classify(reply(status, b""))
    assert isinstance(verdict, Transient)
    assert verdict.max_attempts == max_attempts


@pytest.mark.parametrize(
    ("response", "advice"),
    [
        (reply(401, {}), "client ID, client secret and refresh token"),
        (reply(403, {}), "conversations.custom_channels.write"),
        (reply(404, {}), "does not own the channel"),
        (reply(302, {}), "API base URL"),
        (reply(429, DAILY), "midnight in the account's time zone"),
        (reply(477, {}), "another data centre"),
        (reply(522, {}), "support"),
        (NoResponse(UNTRUSTED_TLS), "CA bundle"),
    ],
)
def test_a_problem_says_what_to_do_next(response: Response | NoResponse, advice: str) -> None:
    """What a person can fix is part of the problem's reason."""
    verdict = responses.classify(response)
    assert not isinstance(verdict, Accepted)
    assert advice in verdict.problem.reason


def test_an_accepted_response_has_the_message() -> None:
    """The whole body is handed on, for callers of single calls."""
    assert responses.classify(reply(200)) == Accepted(MESSAGE)


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({"Max": "110", "Remaining": "109", "Interval-Milliseconds": "10000"}, Quota(110, 10.0, 109)),
        ({"Max": "110", "Interval-Milliseconds": "10000"}, Quota(110, 10.0, None)),
        ({"Max": "110", "Remaining": "-1", "Interval-Milliseconds": "1000"}, Quota(110, 1.0, None)),
        ({"Max": "110"}, None),
        ({"Max": "many", "Interval-Milliseconds": "10000"}, None),
        ({"Max": "0", "Interval-Milliseconds": "10000"}, None),
        ({}, None),
    ],
)
def test_rate_headers_are_read_or_left_alone(headers: dict[str, str], quota: Quota | None) -> None:
    """Headers that are missing or make no sense give no quota."""
    assert responses.quota(reply(200, **{f"X-HubSpot-RateLimit-{name}": text for name, text in headers.items()})) == quota


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("20", 20.0, id="seconds"),
        pytest.param("0", 0.0, id="at once"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param(" 7 ", 7.0, id="space around it"),
        pytest.param("86400", 86400.0, id="24 hours, as 477 may ask"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1e12", None, id="absurd"),
        pytest.param("inf", None, id="for ever"),
        pytest.param("nan", None, id="not a number"),
        pytest.param("soon", None, id="words"),
        pytest.param("", None, id="empty"),
        pytest.param("Sun, 22 Nov 2026 09:00:30 GMT", 30.0, id="a date"),
        pytest.param("Sun, 22 Nov 2026 08:00:00 GMT", 0.0, id="a date that has passed"),
        pytest.param("Sun, 22 Nov 2099 08:00:00 GMT", None, id="an absurd date"),
        pytest.param("Sun, 99 Nov 2026 09:00:30 GMT", None, id="no such date"),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float | None) -> None:
    """Seconds, or a date held against the response's own; what makes no sense counts as absent."""
    assert responses.retry_after(CaseInsensitiveDict({"retry-after": text, "date": NOW})) == seconds


def test_a_retry_after_date_needs_the_responses_own_date() -> None:
    """Our clock may be wrong, so a date alone says nothing."""
    assert responses.retry_after(CaseInsensitiveDict({"Retry-After": "Sun, 22 Nov 2026 09:00:30 GMT"})) is None
    assert responses.retry_after(CaseInsensitiveDict()) is None


@pytest.mark.parametrize(
    ("body", "reason", "category", "correlation_id"),
    [
        pytest.param(
            b'{"status": "error", "message": "Channel 1 not found", "category": "OBJECT_NOT_FOUND", "correlationId": "c-1"}',
            "HubSpot answered 404: Channel 1 not found.",
            "OBJECT_NOT_FOUND",
            "c-1",
            id="HubSpot's error object",
        ),
        pytest.param(
            b'{"message": "You have reached your daily limit.", "errorType": "RATE_LIMIT", "policyName": "DAILY"}',
            "HubSpot answered 404: You have reached your daily limit.",
            "DAILY",
            "from-header",
            id="a rate limit has no category but a policy",
        ),
        pytest.param(
            b'{"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant", "error_description": "no such token"}',
            "HubSpot answered 404: no such token.",
            "BAD_REFRESH_TOKEN",
            "from-header",
            id="the token endpoint's",
        ),
        pytest.param(
            b"<html><h1>Bad gateway</h1></html>",
            "HubSpot answered 404: 33 bytes of text/html instead of an answer of HubSpot's API.",
            None,
            "from-header",
            id="an HTML page",
        ),
        pytest.param(b"", "HubSpot answered 404: no text.", None, "from-header", id="nothing"),
        pytest.param(
            b'{"message": "cut o',
            "HubSpot answered 404: 18 bytes of text/html instead of an answer of HubSpot's API.",
            None,
            "from-header",
            id="half a document",
        ),
        pytest.param(
            b'{"message": {"not": "text"}, "category": 5}',
            "HubSpot answered 404: 43 bytes of text/html instead of an answer of HubSpot's API.",
            "5",
            "from-header",
            id="fields of other types",
        ),
    ],
)
def test_a_problem_has_the_fields_of_the_body(body: bytes, reason: str, category: str | None, correlation_id: str) -> None:
    """Every field of an error is optional, and the body may be no JSON at all."""
    headers = CaseInsensitiveDict({"Content-Type": "text/html; charset=utf-8", "X-HubSpot-Correlation-Id": "from-header"})
    problem = responses.response_problem(Response(404, headers, body))
    assert (problem.reason, problem.category, problem.correlation_id) == (reason, category, correlation_id)


def test_a_secret_is_redacted_before_the_message_is_cut() -> None:
    """Half a secret is one, too; and the other fields may not hold one either."""
    token = "CPjK-" + "abcdefghij" * 6
    body = {"message": "x" * 250 + " " + token, "category": token, "subCategory": token, "correlationId": token}
    problem = responses.response_problem(reply(400, body), secrets=[token])
    assert "CPjK" not in repr(problem)


@pytest.mark.parametrize(
    ("text", "untrusted"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch", True),
        ("[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found", True),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", True),
        ("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed or bad record mac", False),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", False),
    ],
)
def test_a_broken_tls_connection_is_not_an_untrusted_one(text: str, untrusted: bool) -> None:
    """One corrupted record must not end a batch for good."""
    assert NoResponse.of_tls_error(OSError(text)).reason == (UNTRUSTED_TLS if untrusted else INCOMPLETE)


def test_hubspots_message_is_one_short_line_without_secrets() -> None:
    """A response may repeat a secret, or hold a very long text."""
    body = b'{"message": "token s3cr3t-t0k3n is\\nbad' + b" very" * 200 + b'"}'
    reason = responses.response_problem(reply(401, body), "Fetch another.", secrets=["s3cr3t-t0k3n"]).reason
    assert reason.startswith("HubSpot answered 401: token *** is bad very very")
    assert reason.endswith("…. Fetch another.")
    assert len(reason) < 360
