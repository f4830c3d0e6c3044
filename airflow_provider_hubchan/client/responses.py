"""What HubSpot's response to a call means: `RULES` is the whole decision, as a table.

A response gets one of seven verdicts, and each concerns one row, the whole account, or the rest of the batch:

    Accepted          row        done
    Rejected          row        HubSpot refused; trying again cannot help
    Transient         row        something failed that may work the next time
    Throttled         account    a burst limit: nobody sends until it is over
    Unauthorized      account    the access token is not valid: fetch a new one, once
    QuotaExhausted    batch      a long wait: the daily limit, or the account is being moved
    Blocked           batch      nothing will be accepted until a person changes the app, the connection or the account

Every field of an error body is optional, and something between us and HubSpot may answer in HTML. So the HTTP status decides
first, then ``policyName`` (or the message) and ``subCategory``; ``category`` is an open list and decides nothing.

Sources: HubSpot docs, error handling and usage guidelines; bodies seen in its developer forum.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Literal

from airflow_provider_hubchan.client.actions import (
    INCOMPLETE,
    NO_CONNECTION,
    READ_TIMEOUT,
    UNTRUSTED_TLS,
    NoResponse,
    Response,
)
from airflow_provider_hubchan.client.endpoints import READ_SCOPE, WRITE_SCOPE
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Quota

Scope = Literal["row", "account", "batch"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """HubSpot did what was asked.

    :param body: the JSON object of the response, empty if there is none. For a message it is the whole message, with its text
        and people's names.
    """

    scope: ClassVar[Scope] = "row"
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """HubSpot refused this row; trying again cannot help."""

    scope: ClassVar[Scope] = "row"
    problem: Problem


@dataclass(frozen=True, slots=True)
class Transient:
    """Something failed that may work the next time.

    :param retry_after: seconds that HubSpot asks to wait, None if it does not.
    :param max_attempts: how many requests it is worth at most, None for as many as the retry config allows.
    """

    scope: ClassVar[Scope] = "row"
    problem: Problem
    retry_after: float | None = None
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """A burst limit of the account.

    :param retry_after: seconds until HubSpot takes requests again, None if it does not say.
    """

    scope: ClassVar[Scope] = "account"
    problem: Problem
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The access token is not valid."""

    scope: ClassVar[Scope] = "account"
    problem: Problem


@dataclass(frozen=True, slots=True)
class QuotaExhausted:
    """HubSpot takes nothing for longer than a worker should wait.

    :param retry_after: seconds until HubSpot takes requests again, None if it does not say.
    :param refused_at: HubSpot's time of a response that refuses for the rest of the day, in seconds since the epoch.
    """

    scope: ClassVar[Scope] = "batch"
    problem: Problem
    retry_after: float | None = None
    refused_at: float | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing will be accepted until a person changes something; the problem says what."""

    scope: ClassVar[Scope] = "batch"
    problem: Problem


Verdict = Accepted | Rejected | Transient | Throttled | Unauthorized | QuotaExhausted | Blocked

REDIRECT_ADVICE = "Redirects are not followed, a token could leak: check the connection's API base URL."
_WRONG_APP = "the token belongs to an app that does not own the channel (use the OAuth app that registered it)"
_CONTACT_SUPPORT = "HubSpot asks to contact its support about it."


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    :param statuses: the HTTP statuses that it is for.
    :param verdict: what such a response means.
    :param advice: what to do next, for the problem's reason.
    :param policy: a pattern that must be found in ``policyName`` or ``message``, in any case; empty for any.
    :param sub_category: a text that must be part of ``subCategory``; empty for any.
    :param needs_object: True if the body must be a JSON object.
    :param default_wait: seconds to wait if the response has no ``Retry-After``.
    :param min_wait: seconds to wait at least.
    :param max_attempts: as of `Transient`.
    :param until_midnight: True if HubSpot refuses for the rest of the day.
    :param is_hubspots: False if the response is not HubSpot's: then its ``Retry-After`` is not, either.
    """

    statuses: Collection[int]
    verdict: type[Verdict]
    advice: str = ""
    policy: str = ""
    sub_category: str = ""
    needs_object: bool = False
    default_wait: float | None = None
    min_wait: float = 0.0
    max_attempts: int | None = None
    until_midnight: bool = False
    is_hubspots: bool = True

    def matches(self, status: int, payload: Mapping[str, Any] | None) -> bool:
        """True if the rule is for this status and body.

        :param payload: the JSON object of the body, None if it is none.
        """
        if status not in self.statuses or (self.needs_object and payload is None):
            return False
        if self.policy:
            policy = f"{(payload or {}).get('policyName') or ''} {(payload or {}).get('message') or ''}"
            if not re.search(self.policy, policy, re.IGNORECASE):
                return False
        return not self.sub_category or self.sub_category in str((payload or {}).get("subCategory"))

    def wait(self, retry_after: float | None) -> float | None:
        """Seconds to wait, None if nothing says how long.

        :param retry_after: as in the response. Zero names no time: coming back at once, again and again, is a storm.
        """
        seconds = (retry_after if self.is_hubspots else None) or self.default_wait
        return seconds if seconds is None else max(seconds, self.min_wait)


#: The first rule that matches decides.
RULES = (
    Rule([204], Accepted),
    Rule(range(200, 300), Accepted, needs_object=True),
    # The page of a proxy, or half a body: HubSpot has not said that it was done.
    Rule(
        range(200, 300),
        Transient,
        "A success without a message is not trusted: is there a proxy in between?",
        is_hubspots=False,
    ),
    Rule(range(300, 400), Blocked, REDIRECT_ADVICE),
    Rule([400], Rejected, "Correct the row."),
    Rule(
        [401],
        Unauthorized,
        "The access token is expired or wrong: fetch a new one, or give the connection the app's client ID, client secret "
        "and refresh token, so that it is renewed for you.",
    ),
    Rule(
        [403],
        Blocked,
        f"Give the app the scope {WRITE_SCOPE} (and {READ_SCOPE} for reading), install it again, and check that the "
        "account has Sales or Service Hub Professional.",
    ),
    Rule(
        [404],
        Blocked,
        f"Two causes look alike: the channel id is wrong, or {_WRONG_APP}.",
        sub_category="CHANNEL_DOES_NOT_EXIST",
    ),
    Rule([404], Rejected, f"Two causes look alike: there is no such message in this channel, or {_WRONG_APP}."),
    Rule([408], Transient),
    # HubSpot: "put at least 2 s between requests" after 423, because a lock lasts that long (docs, error handling).
    Rule([423], Transient, default_wait=2.0, min_wait=2.0),
    Rule(
        [429],
        QuotaExhausted,
        "The account's daily quota is used up; it is renewed at midnight in the account's time zone.",
        policy="daily",
        until_midnight=True,
    ),
    Rule([429], Throttled, policy="(?<!ten_)secondly", default_wait=1.0),  # its window is one second
    Rule([429], Throttled),
    # HubSpot promises a Retry-After of up to 24 hours (docs, error handling); without it, look again in an hour.
    Rule(
        [477],
        QuotaExhausted,
        "HubSpot is moving the account to another data centre; every call fails until it is done.",
        default_wait=3600.0,
    ),
    Rule([522, 525, 526], Transient, _CONTACT_SUPPORT, max_attempts=2),
    Rule(range(500, 1000), Transient),
    Rule(range(1000), Rejected),
)

#: The same for a response that did not come.
NO_RESPONSE_RULES: dict[str, tuple[type[Transient | Blocked], str]] = {
    NO_CONNECTION: (Transient, "Check the API base URL, and the worker's way to it (proxy, firewall, name service)."),
    READ_TIMEOUT: (Transient, ""),
    INCOMPLETE: (Transient, ""),
    UNTRUSTED_TLS: (Blocked, "Check the API base URL, or the CA bundle of the worker."),
}

#: A Retry-After beyond this many seconds is not believed: HubSpot's longest documented wait is 24 hours (status 477).
MAX_RETRY_AFTER = 7 * 24 * 3600.0
#: Characters of HubSpot's own message that are passed on.
MAX_MESSAGE = 300


def classify(response: Response | NoResponse, secrets: Iterable[str] = ()) -> Verdict:
    """Say what a response to a GET or PATCH means.

    :param secrets: texts that may not appear in a problem's reason.
    """
    if isinstance(response, NoResponse):
        verdict, _ = NO_RESPONSE_RULES[response.reason]
        return verdict(no_response_problem(response))
    payload = json_object(response.body)
    rule = _rule_for(response.status, payload)
    if rule.verdict is Accepted:
        return Accepted(payload or {})
    problem = response_problem(response, rule.advice, secrets)
    wait = rule.wait(retry_after(response.headers))
    if rule.verdict is Transient:
        return Transient(problem, wait, rule.max_attempts)
    if rule.verdict is Throttled:
        return Throttled(problem, wait)
    if rule.verdict is QuotaExhausted:
        return QuotaExhausted(problem, wait, _date(response.headers) if rule.until_midnight else None)
    if rule.verdict is Unauthorized:
        return Unauthorized(problem)
    return Blocked(problem) if rule.verdict is Blocked else Rejected(problem)


def is_transient(status: int) -> bool:
    """True if the same request may succeed later, as far as the status alone says."""
    return _rule_for(status, {}).verdict in (Transient, Throttled, QuotaExhausted)


def _rule_for(status: int, payload: Mapping[str, Any] | None) -> Rule:
    return next((rule for rule in RULES if rule.matches(status, payload)), RULES[-1])


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in *body*; None for an HTML page, an empty body, half a document, or JSON of another kind."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def message_status(message: dict[str, Any]) -> tuple[str | None, str | None]:
    """The status of a message as HubSpot returns it, and why it failed; None for what HubSpot does not say.

    :return: ``status.statusType``, and ``status.failureDetails.errorMessage``.
    """
    status = message.get("status")
    status = status if isinstance(status, dict) else {}
    name, details = status.get("statusType"), status.get("failureDetails")
    error_message = details.get("errorMessage") if isinstance(details, dict) else None
    return name if isinstance(name, str) else None, error_message


def quota(response: Response) -> Quota | None:
    """What the response's rate headers say; None if they are missing or make no sense."""
    limit = _whole_number(response.headers, "X-HubSpot-RateLimit-Max")
    milliseconds = _whole_number(response.headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
    if not limit or not milliseconds:
        return None
    return Quota(limit, milliseconds / 1000.0, _whole_number(response.headers, "X-HubSpot-RateLimit-Remaining"))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``Retry-After``, None if it is missing or makes no sense.

    Both forms of RFC 9110 section 10.2.3: seconds, or a date, which is compared with the response's own ``Date`` because our
    clock may be wrong. A time that has passed is 0.
    """
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date", ""))
            seconds = max(0.0, (moment - now).total_seconds())
        except (ValueError, TypeError):  # not dates, or one without a time zone
            return None
    return seconds if math.isfinite(seconds) and 0.0 <= seconds <= MAX_RETRY_AFTER else None


def response_problem(response: Response, advice: str = "", secrets: Iterable[str] = ()) -> Problem:
    """Say what HubSpot answered, and *advice* after it.

    :param secrets: texts that a response may repeat and nobody may read.
    """
    payload = json_object(response.body) or {}
    category = payload.get("category") or payload.get("policyName") or payload.get("status") or payload.get("error")
    if category in ("error", None):
        category = payload.get("errorType")
    message = payload.get("message") or payload.get("error_description")
    if not isinstance(message, str):
        message = _describe_body(response)
    message = " ".join(_redact(message, secrets).split())  # redacted before it is cut: half a secret is one, too
    message = message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"
    text = f"HubSpot answered {response.status}: {message.rstrip('.')}."
    category = _redact(str(category), secrets) if category else None
    correlation_id = payload.get("correlationId") or response.headers.get("X-HubSpot-Correlation-Id")
    return Problem(
        reason=f"{text} {advice}".strip(),
        label=_redact(f"{response.status} {payload.get('subCategory') or category or ''}".strip(), secrets),
        status=response.status,
        category=category,
        correlation_id=_redact(str(correlation_id), secrets) if correlation_id else None,
    )


def no_response_problem(no_response: NoResponse) -> Problem:
    """Say that no response came, and what to look at."""
    _, advice = NO_RESPONSE_RULES[no_response.reason]
    return Problem(f"No answer from HubSpot: {no_response.reason}. {advice}".strip(), no_response.reason)


def _whole_number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _date(headers: Mapping[str, str]) -> float:
    """The response's own ``Date`` in seconds since the epoch; our clock's, if it has none that makes sense."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return time.time()


def _redact(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _describe_body(response: Response) -> str:
    if not response.body.strip():
        return "no text"
    content_type = response.headers.get("Content-Type", "").split(";")[0].strip() or "unnamed type"
    return f"{len(response.body):,} bytes of {content_type} instead of an answer of HubSpot's API"
