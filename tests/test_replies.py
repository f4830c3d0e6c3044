from __future__ import annotations

import json

import pytest
from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client import replies

NOW = "Sun, 22 Nov 2026 09:00:00 GMT"


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
