"""Every row of HubSpot's error tables: the response, its verdict, what that concerns, how long to wait."""

from __future__ import annotations

import html
import json
import re
import time
from typing import Any
from urllib.parse import quote, quote_plus

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
from airflow_provider_hubchan.client.headers import date as date_of
from airflow_provider_hubchan.client.headers import quota as quota_of
from airflow_provider_hubchan.client.headers import retry_after as retry_after_of
from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.problems import response_problem
from airflow_provider_hubchan.client.redaction import redact
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
from tests.client.canned import MESSAGE, refusal, reply

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
        pytest.param(reply(404, {"message": "resource not found"}), Rejected, "row", None, id="404 without a category"),
        pytest.param(reply(405, error("METHOD_NOT_ALLOWED")), Rejected, "row", None, id="405"),
        pytest.param(reply(408, b""), Transient, "row", None, id="408"),
        pytest.param(reply(409, error("CONFLICT")), Rejected, "row", None, id="409"),
        pytest.param(reply(414, error("URI_TOO_LONG")), Rejected, "row", None, id="414"),
        pytest.param(reply(415, {"message": "No."}), Rejected, "row", None, id="415"),
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


PAGES = {
    "HTML": b"<html><title>Access denied</title>",
    "plain text": b"Forbidden",
    "nothing": b"",
    "half a document": b'{"message": "cut o',
    "a list": b'[{"message": "No."}]',
    "an object without HubSpot's fields": b'{"error": "No."}',
    "an object with empty fields": b'{"message": null, "category": null}',
    "brackets without end": b"[" * 100_000,
}


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 429, 451, 500, 502, 503, 200, 201])
@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_hubspots_says_nothing_of_the_row(status: int, name: str) -> None:
    """Whoever stands between us and HubSpot may answer anything: the row is tried again, and neither rejected nor updated."""
    page = b"[]" if status < 300 and name.startswith("an object") else PAGES[name]  # a success is an object of any kind
    verdict = responses.classify(reply(status, page, Content_Type="text/html"))
    assert isinstance(verdict, Transient | Throttled)
    reason = verdict.problem.reason
    assert reason.startswith(f"Status {status} came with ")
    assert "text/html" in reason or not page
    assert ('titled "Access denied"' in reason) == (b"<title>" in page)


@pytest.mark.parametrize("field", ["message", "category", "correlationId"])
def test_one_field_makes_an_error_hubspots(field: str) -> None:
    """The bodies of these calls are not documented: nobody knows that there will be more."""
    assert isinstance(responses.classify(reply(400, {field: "x"})), Rejected)
    assert isinstance(responses.classify(reply(403, {field: "x"})), Blocked)


@pytest.mark.parametrize("status", [407, 408, 421, 425, 499])
@pytest.mark.parametrize("body", [b"<html>", error("SOMETHING")], ids=["a page", "an error object"])
def test_a_status_of_the_way_to_hubspot_rejects_no_row(status: int, body: Any) -> None:
    """A proxy that wants a login, a gateway that gave up: whoever words it, it is not about the row."""
    assert isinstance(responses.classify(reply(status, body)), Transient)


@pytest.mark.parametrize("status", [100, 101, 102, 103, 199])
def test_an_interim_status_is_never_an_answer(status: int) -> None:
    """It neither updates nor rejects a row."""
    assert isinstance(responses.classify(reply(status, error("SOMETHING"))), Transient)


@pytest.mark.parametrize(
    "body",
    [
        error("INTERNAL_ERROR"),
        {"status": "error"},
        {"category": "VALIDATION_ERROR", "message": "No."},
        {"correlationId": "c-1", "message": "No."},
    ],
)
def test_a_success_that_holds_an_error_is_none(body: Any) -> None:
    """The message of a success has an object as its status, an error has a text."""
    assert isinstance(responses.classify(reply(200, body)), Transient)


@pytest.mark.parametrize(
    ("message", "warns"),
    [({"id": "m-1"}, False), ({}, False), ({"id": None}, False), ({"id": "m-2"}, True), ({"id": 7}, True), ({"id": []}, False)],
)
def test_another_message_in_the_answer_is_a_warning(message: Any, warns: bool) -> None:
    """HubSpot accepted something: that is no failure, and somebody should look at the ids."""
    assert bool(responses.other_message_warning(message, "m-1")) == warns


@pytest.mark.parametrize(
    ("status", "error_message", "read"),
    [
        ("SENT", None, ("SENT", None)),
        ({"a": 1}, ["b"], (None, None)),
        ("FAILED", "line\none\x1b[31m\ud800", ("FAILED", "line one [31m\ufffd")),
        ("S" * 1000, "x" * 1000, ("S" * 39 + "…", "x" * 299 + "…")),
    ],
)
def test_a_status_is_a_short_text_whatever_hubspot_sends(status: Any, error_message: Any, read: Any) -> None:
    """What goes into XCom and logs is one short line, or nothing."""
    message = {"status": {"statusType": status, "failureDetails": {"errorMessage": error_message}}}
    assert responses.message_status(message) == read


@pytest.mark.parametrize(("status", "max_attempts"), [(522, 2), (525, 2), (526, 2), (503, None)])
def test_a_broken_way_to_hubspot_is_tried_twice_only(status: int, max_attempts: int | None) -> None:
    """Where HubSpot's page says to contact support, many attempts do not help."""
    verdict = responses.classify(reply(status, b""))
    assert isinstance(verdict, Transient)
    assert verdict.max_attempts == max_attempts


@pytest.mark.parametrize(
    ("response", "advice"),
    [
        (refusal(401), "client ID, client secret and refresh token"),
        (refusal(403), "conversations.custom_channels.write"),
        (refusal(404), "does not own the channel"),
        (reply(302, {}), "API base URL"),
        (reply(429, DAILY), "midnight in the account's time zone"),
        (refusal(477), "another data centre"),
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
        ({"Max": "9" * 400, "Interval-Milliseconds": "10000"}, None),
        ({"Max": "9" * 20, "Interval-Milliseconds": "10000"}, None),
        ({"Max": "9" * 5000, "Remaining": "9" * 5000, "Interval-Milliseconds": "9" * 5000}, None),
        ({"Max": "110", "Interval-Milliseconds": "31536000000"}, None),
        ({"Max": "110", "Interval-Milliseconds": "60001"}, None),
        ({"Max": "110", "Interval-Milliseconds": "60000"}, Quota(110, 60.0, None)),
        ({"Max": "110", "Interval-Milliseconds": "0"}, None),
        ({"Max": "110", "Interval-Milliseconds": "nan"}, None),
        ({"Max": "110", "Remaining": "9" * 400, "Interval-Milliseconds": "10000"}, Quota(110, 10.0, None)),
        ({}, None),
    ],
)
def test_rate_headers_are_read_or_left_alone(headers: dict[str, str], quota: Quota | None) -> None:
    """Headers that are missing or make no sense give no quota."""
    assert quota_of(CaseInsensitiveDict({f"X-HubSpot-RateLimit-{name}": text for name, text in headers.items()})) == quota


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
        pytest.param("Mon, 01 Jan 0001 00:00:00 +2359", 0.0, id="before the first date"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -2359", None, id="after the last date"),
        pytest.param("Sun, 22 Nov 2026 09:00:30 +99999999999", None, id="a zone far away"),
        pytest.param("Sun, 22 Nov 2026 09:00:30 -0000", None, id="no zone"),
        pytest.param("9" * 5000, None, id="five thousand digits"),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float | None) -> None:
    """Seconds, or a date held against the response's own; what makes no sense counts as absent."""
    assert retry_after_of(CaseInsensitiveDict({"retry-after": text, "date": NOW})) == seconds


def test_a_retry_after_date_needs_the_responses_own_date() -> None:
    """Our clock may be wrong, so a date alone says nothing."""
    assert retry_after_of(CaseInsensitiveDict({"Retry-After": "Sun, 22 Nov 2026 09:00:30 GMT"})) is None
    assert retry_after_of(CaseInsensitiveDict()) is None


@pytest.mark.parametrize("text", ["", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 1900 00:00:00 GMT"])
def test_a_date_that_makes_no_sense_is_ours(text: str) -> None:
    """The next midnight is counted from it: the year 9999 has none."""
    assert abs(date_of(CaseInsensitiveDict({"Date": text})) - time.time()) < 3600.0
    assert date_of(CaseInsensitiveDict({"Date": NOW})) == 1795338000.0


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
            b'{"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant", "message": "no such token"}',
            "HubSpot answered 404: no such token.",
            "BAD_REFRESH_TOKEN",
            "from-header",
            id="the token endpoint's",
        ),
        pytest.param(
            b"<html><h1>Bad gateway</h1></html>",
            "Status 404 came with 33 bytes of text/html instead of an answer of HubSpot's API.",
            None,
            "from-header",
            id="an HTML page",
        ),
        pytest.param(
            b"",
            "Status 404 came with an empty body instead of an answer of HubSpot's API.",
            None,
            "from-header",
            id="nothing",
        ),
        pytest.param(
            b'{"message": "cut o',
            "Status 404 came with 18 bytes of text/html instead of an answer of HubSpot's API.",
            None,
            "from-header",
            id="half a document",
        ),
        pytest.param(
            b'{"message": {"not": "text"}, "category": 5}',
            "HubSpot answered 404: 5.",
            "5",
            "from-header",
            id="fields of other types",
        ),
        pytest.param(
            b'{"message": {"not": "text"}}',
            "HubSpot answered 404: it gives no reason.",
            None,
            "from-header",
            id="no word at all",
        ),
    ],
)
def test_a_problem_has_the_fields_of_the_body(body: bytes, reason: str, category: str | None, correlation_id: str) -> None:
    """Every field of an error is optional, and the body may be no JSON at all."""
    headers = CaseInsensitiveDict({"Content-Type": "text/html; charset=utf-8", "X-HubSpot-Correlation-Id": "from-header"})
    problem = response_problem(Response(404, headers, body))
    assert (problem.reason, problem.category, problem.correlation_id) == (reason, category, correlation_id)


def test_a_secret_is_redacted_before_the_message_is_cut() -> None:
    """Half a secret is one, too; and the other fields may not hold one either."""
    token = "CPjK-" + "abcdefghij" * 6
    body = {"message": "x" * 250 + " " + token, "category": token, "subCategory": token, "correlationId": token}
    problem = response_problem(reply(400, body), secrets=[token])
    assert "CPjK" not in repr(problem)


SECRET = "CPj/K -s3cr&t=ü"


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET, safe=""),
        re.sub("%..", lambda code: code.group().lower(), quote(SECRET)),
        quote_plus(SECRET),
        html.escape(SECRET),
        json.dumps(SECRET)[1:-1],
        SECRET.replace("/", "\\/"),
        "".join(f"%{byte:02X}" for byte in SECRET.encode()),
        "".join(f"&#{ord(character)};" for character in SECRET),
    ],
)
def test_a_secret_is_redacted_in_every_spelling(spelling: str) -> None:
    """The token address is sent a form, and may repeat it as it came; a page repeats it as HTML."""
    assert redact(f"a {spelling} b", [SECRET, ""]) == "a *** b"


UNCLEAN = "a\x00b\r\nc\x1b[2Jd\u2028e\ud800f"


@pytest.mark.parametrize("field", ["message", "category", "subCategory", "correlationId", "policyName"])
@pytest.mark.parametrize("text", [UNCLEAN, "x" * 1_000_000, UNCLEAN * 50_000], ids=["unclean", "long", "both"])
def test_every_word_of_hubspots_is_one_short_line(field: str, text: str) -> None:
    """It goes into logs, XCom and files: half characters, line breaks and megabytes must not."""
    response = reply(400, {"message": "No.", field: text}, X_HubSpot_Correlation_Id=text)
    problem = response_problem(response)
    for name in ("reason", "label", "category", "correlation_id"):
        value = getattr(problem, name) or ""
        assert value.isprintable()
        assert len(value) <= 350
        value.encode()


def test_labels_are_few_however_hubspot_words_it() -> None:
    """Reasons are counted by label: one that names its row, or holds a text, would be counted alone."""
    labels = {response_problem(reply(400, error(f"FOR_{number}"))).label for number in range(10_000, 10_100)}
    labels |= {response_problem(reply(400, error("two words"))).label, response_problem(reply(400, error("x" * 81))).label}
    assert labels == {"400"}


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
    reason = response_problem(reply(401, body), "Fetch another.", secrets=["s3cr3t-t0k3n"]).reason
    assert reason.startswith("HubSpot answered 401: token *** is bad very very")
    assert reason.endswith("…. Fetch another.")
    assert len(reason) < 360
