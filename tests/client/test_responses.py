"""Every row of HubSpot's error tables: what was answered, what it means, how long to wait, whom it concerns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client import replies, responses
from airflow_provider_hubchan.client.actions import Lost, Reply
from airflow_provider_hubchan.client.errors import BAD_TLS, CUT_OFF, NO_CONNECTION, NO_REPLY
from airflow_provider_hubchan.client.ratelimit.fair_share import Quota
from airflow_provider_hubchan.client.responses import Accepted, Closure, Fault, Refusal, Rejected, Throttle, Unauthorized
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
    ("answer", "kind", "after"),
    [
        pytest.param(reply(200), Accepted, None, id="200 with the message"),
        pytest.param(reply(200, {"id": "m"}), Accepted, None, id="200 without a status, which is optional"),
        pytest.param(reply(204, b""), Accepted, None, id="204 has nothing to say"),
        pytest.param(reply(200, b""), Fault, None, id="200 with nothing is not HubSpot's word"),
        pytest.param(reply(200, b"<html>Log in"), Fault, None, id="200 with a proxy's page"),
        pytest.param(reply(200, b'{"id": "m", "te'), Fault, None, id="200 with half a message"),
        pytest.param(reply(301, b"", Location="https://elsewhere"), Refusal, None, id="301 is not followed"),
        pytest.param(reply(400, error("VALIDATION_ERROR", "Invalid input JSON on line 1")), Rejected, None, id="400"),
        pytest.param(reply(401, error("EXPIRED_AUTHENTICATION")), Unauthorized, None, id="401 expired"),
        pytest.param(reply(401, error("INVALID_AUTHENTICATION")), Unauthorized, None, id="401 invalid"),
        pytest.param(reply(403, error("MISSING_SCOPES")), Refusal, None, id="403 scopes"),
        pytest.param(reply(403, error("BANNED")), Refusal, None, id="403 banned"),
        pytest.param(reply(403, error("MISSING_PERMISSIONS")), Refusal, None, id="403 permissions"),
        pytest.param(reply(404, error("OBJECT_NOT_FOUND")), Rejected, None, id="404 message"),
        pytest.param(
            reply(404, error("OBJECT_NOT_FOUND", subCategory="ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST")),
            Refusal,
            None,
            id="404 channel: every row would get it",
        ),
        pytest.param(reply(404, b"<html>"), Rejected, None, id="404 of an unknown address"),
        pytest.param(reply(405, b"<html>"), Rejected, None, id="405 in HTML"),
        pytest.param(reply(408, b""), Fault, None, id="408"),
        pytest.param(reply(409, error("CONFLICT")), Rejected, None, id="409"),
        pytest.param(reply(414, b""), Rejected, None, id="414"),
        pytest.param(reply(415, b""), Rejected, None, id="415"),
        pytest.param(reply(422, error("VALIDATION_ERROR")), Rejected, None, id="422"),
        pytest.param(reply(423, error("LOCKED")), Fault, 2.0, id="423: at least 2 s"),
        pytest.param(reply(423, error("LOCKED"), Retry_After="9"), Fault, 9.0, id="423 with Retry-After"),
        pytest.param(reply(429, BURST), Throttle, None, id="429 rolling: it names no time"),
        pytest.param(reply(429, BURST, Retry_After="3"), Throttle, 3.0, id="429 rolling with Retry-After"),
        pytest.param(reply(429, {"message": "You have reached your secondly limit."}), Throttle, 1.0, id="429 secondly"),
        pytest.param(reply(429, {"policyName": "secondly"}), Throttle, 1.0, id="429 secondly by policy, any case"),
        pytest.param(reply(429, b"<html>slow down"), Throttle, None, id="429 from a gateway"),
        pytest.param(reply(429, DAILY), Closure, None, id="429 daily"),
        pytest.param(reply(429, {"message": "You have reached your daily limit."}), Closure, None, id="429 daily by its words"),
        pytest.param(reply(429, DAILY, Retry_After="3600"), Closure, 3600.0, id="429 daily with Retry-After"),
        pytest.param(reply(477, b"", Retry_After="86400"), Closure, 86400.0, id="477 asks for a day"),
        pytest.param(reply(477, b""), Closure, 3600.0, id="477 without a time: in an hour"),
        pytest.param(reply(500, error("INTERNAL_ERROR")), Fault, None, id="500"),
        pytest.param(reply(502, b"<html>"), Fault, None, id="502 in HTML"),
        pytest.param(reply(503, b""), Fault, None, id="503"),
        pytest.param(reply(503, b"", Retry_After="4"), Fault, 4.0, id="503 with Retry-After"),
        pytest.param(reply(504, b""), Fault, None, id="504"),
        pytest.param(reply(521, b""), Fault, None, id="521"),
        pytest.param(reply(522, b""), Fault, None, id="522"),
        pytest.param(reply(523, b""), Fault, None, id="523"),
        pytest.param(reply(524, b""), Fault, None, id="524"),
        pytest.param(reply(525, b""), Fault, None, id="525"),
        pytest.param(reply(526, b""), Fault, None, id="526"),
        pytest.param(Lost(NO_REPLY), Fault, None, id="timeout"),
        pytest.param(Lost(CUT_OFF), Fault, None, id="reset"),
        pytest.param(Lost(NO_CONNECTION), Fault, None, id="no connection"),
        pytest.param(Lost(BAD_TLS), Refusal, None, id="a certificate nobody trusts"),
    ],
)
def test_what_an_answer_means(answer: Reply | Lost, kind: type, after: float | None) -> None:
    """The kind says whom it concerns; ``after`` is the time that HubSpot asks for."""
    meaning = responses.meaning(answer)
    assert type(meaning) is kind
    assert getattr(meaning, "after", None) == after


@pytest.mark.parametrize(("status", "tries"), [(522, 2), (525, 2), (526, 2), (503, None)])
def test_a_broken_way_to_hubspot_is_tried_twice_only(status: int, tries: int | None) -> None:
    """Where HubSpot's page says to call support, many tries do not help."""
    meaning = responses.meaning(reply(status, b""))
    assert isinstance(meaning, Fault)
    assert meaning.tries == tries


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (reply(401, {}), "client ID, client secret and refresh token"),
        (reply(403, {}), "conversations.custom_channels.write"),
        (reply(404, {}), "does not own the channel"),
        (reply(302, {}), "API base URL"),
        (reply(429, DAILY), "midnight in the account's time zone"),
        (reply(477, {}), "another data centre"),
        (reply(522, {}), "support"),
        (Lost(BAD_TLS), "CA bundle"),
    ],
)
def test_a_problem_says_what_to_do_next(answer: Reply | Lost, advice: str) -> None:
    """What a person can mend is said with the problem."""
    meaning = responses.meaning(answer)
    assert not isinstance(meaning, Accepted)
    assert advice in meaning.problem.reason


def test_an_accepted_answer_has_the_message() -> None:
    """The whole body is handed on, for callers of single calls."""
    assert responses.meaning(reply(200)) == Accepted(MESSAGE)


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
    """Headers that are missing or make no sense tell nothing."""
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
    """Seconds, or a date held against the reply's own; what makes no sense counts as not said."""
    assert replies.retry_after(CaseInsensitiveDict({"retry-after": text, "date": NOW})) == seconds


def test_a_retry_after_date_needs_the_replys_own_date() -> None:
    """Our clock may be wrong, so a date alone says nothing."""
    assert replies.retry_after(CaseInsensitiveDict({"Retry-After": "Sun, 22 Nov 2026 09:00:30 GMT"})) is None
    assert replies.retry_after(CaseInsensitiveDict()) is None


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
def test_a_problem_says_what_can_be_known(body: bytes, reason: str, category: str | None, correlation_id: str) -> None:
    """Every field of an error is optional, and the body may be no JSON at all."""
    headers = CaseInsensitiveDict({"Content-Type": "text/html; charset=utf-8", "X-HubSpot-Correlation-Id": "from-header"})
    problem = replies.problem(404, headers, body)
    assert (problem.reason, problem.category, problem.correlation_id) == (reason, category, correlation_id)


def test_a_secret_is_covered_before_the_words_are_cut() -> None:
    """Half a secret is one, too; and no field but the message may hold one."""
    token = "CPjK-" + "abcdefghij" * 6
    body = {"message": "x" * 250 + " " + token, "category": token, "subCategory": token, "correlationId": token}
    problem = replies.problem(400, {}, json.dumps(body).encode(), secrets=[token])
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
    assert replies.untrusted(OSError(text)) is untrusted


def test_hubspots_words_are_one_short_line_without_secrets() -> None:
    """A reply that echoes a secret, or tells a novel, does neither to us."""
    body = b'{"message": "token s3cr3t-t0k3n is\\nbad' + b" very" * 200 + b'"}'
    reason = replies.problem(401, {}, body, "Fetch another.", secrets=["s3cr3t-t0k3n"]).reason
    assert reason.startswith("HubSpot answered 401: token *** is bad very very")
    assert reason.endswith("…. Fetch another.")
    assert len(reason) < 360
