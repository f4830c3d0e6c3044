"""What HubSpot's response to a call means: `RULES` is the whole decision, as a table.

A response gets one of seven verdicts, and each concerns one row, the whole account, or the rest of the batch:

    Accepted          row        done
    Rejected          row        HubSpot refused; trying again cannot help
    Transient         row        something failed that may work the next time
    Throttled         account    a burst limit: nobody sends until it is over
    Unauthorized      account    the access token is not valid: fetch a new one, once
    QuotaExhausted    batch      a long wait: the daily limit, or the account is being moved
    Blocked           batch      nothing will be accepted until a person changes the app, the connection or the account

Only a JSON object is HubSpot's answer. What else comes (a page, plain text, nothing, half a document) was written by a proxy,
a firewall or a gateway, whatever its status: it says nothing about the row, which is tried again a few times. The error bodies
of these calls are not documented, so no more is asked of an error than one field of HubSpot's other errors (`is_hubspots`).

Within that, the HTTP status decides first, then ``policyName`` (or the message) and ``subCategory``; ``category`` is an open
list and decides nothing.

Sources: HubSpot docs, error handling and usage guidelines; bodies seen in its developer forum.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from airflow_provider_hubchan.client import headers
from airflow_provider_hubchan.client.actions import (
    BAD_PROXY,
    INCOMPLETE,
    NO_CONNECTION,
    NO_PROXY_CONNECTION,
    NO_SOCKS,
    PROXY_LOGIN,
    PROXY_REFUSAL,
    READ_TIMEOUT,
    TOO_LARGE,
    UNKNOWN_HOST,
    UNREADABLE,
    UNTRUSTED_TLS,
    NoResponse,
    Response,
)
from airflow_provider_hubchan.client.endpoints import READ_SCOPE, WRITE_SCOPE
from airflow_provider_hubchan.client.error_texts import shorten
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus
from airflow_provider_hubchan.client.problems import NOT_HUBSPOT, clean, is_hubspots, response_problem, word

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
    :param is_named: True if this response names that time; False if it is HubSpot's rule for such responses.
    """

    scope: ClassVar[Scope] = "row"
    problem: Problem
    retry_after: float | None = None
    max_attempts: int | None = None
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """A burst limit of the account.

    :param retry_after: seconds until HubSpot takes requests again, None if it does not say.
    :param max_attempts: how many requests it is worth at most, None for as many as the retry config allows.
    :param is_named: as of `Transient`.
    """

    scope: ClassVar[Scope] = "account"
    problem: Problem
    retry_after: float | None = None
    max_attempts: int | None = None
    is_named: bool = False


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
PROXY_ADVICE = "Put the proxy's user and password into HTTPS_PROXY of the worker, or exempt HubSpot with NO_PROXY."
_WRONG_APP = "the token belongs to an app that does not own the channel (use the OAuth app that registered it)"
_CONTACT_SUPPORT = "HubSpot asks to contact its support about it."
#: Requests that the limit of somebody between us and HubSpot is worth.
_FEW = 5

#: Fields of errors, which no answer to one of our calls has.
_ERROR_FIELDS = ("category", "correlationId", "errorType", "message", "error", "errors", "error_description")

Author = Literal["HubSpot", "somebody else", "anybody"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    :param statuses: the HTTP statuses that it is for.
    :param author: whose response it is for. A success is HubSpot's if its body is a JSON object that is no error; anything else
        as `is_hubspots` says.
    :param verdict: what such a response means.
    :param advice: what to do next, for the problem's reason.
    :param policy: a pattern that must be found in ``policyName`` or ``message``, in any case; empty for any.
    :param sub_category: a text that must be part of ``subCategory``; empty for any.
    :param default_wait: seconds to wait if the response has no ``Retry-After``.
    :param min_wait: seconds to wait at least.
    :param max_attempts: as of `Transient`.
    :param until_midnight: True if HubSpot refuses for the rest of the day.
    """

    statuses: Collection[int]
    author: Author
    verdict: type[Verdict]
    advice: str = ""
    policy: str = ""
    sub_category: str = ""
    default_wait: float | None = None
    min_wait: float = 0.0
    max_attempts: int | None = None
    until_midnight: bool = False

    def matches(self, status: int, payload: Mapping[str, Any] | None, author: Author) -> bool:
        """True if the rule is for this response.

        :param payload: the JSON object of the body, None if it is none.
        :param author: who wrote it, as far as can be told.
        """
        if status not in self.statuses or self.author not in (author, "anybody"):
            return False
        payload = payload or {}
        if self.policy:
            policy = " ".join(text for name in ("policyName", "message") if isinstance(text := payload.get(name), str))
            if not re.search(self.policy, policy, re.IGNORECASE):
                return False
        sub_category = payload.get("subCategory")
        return not self.sub_category or (isinstance(sub_category, str) and self.sub_category in sub_category)

    def wait(self, retry_after: float | None) -> float | None:
        """Seconds to wait, None if nothing says how long.

        :param retry_after: as in the response. Zero names no time: coming back at once, again and again, is a storm.
        """
        seconds = retry_after or self.default_wait
        return seconds if seconds is None else max(seconds, self.min_wait)


#: The first rule that matches decides.
RULES = (
    # Never an answer: the one that follows it is. No driver hands it out.
    Rule(range(200), "anybody", Transient, NOT_HUBSPOT),
    Rule([204], "anybody", Accepted),
    Rule(range(200, 300), "HubSpot", Accepted),
    # The page of a proxy, half a body, or an error object: HubSpot has not said that it was done.
    Rule(range(200, 300), "somebody else", Transient, f"A success without a message is not trusted. {NOT_HUBSPOT}"),
    Rule(range(300, 400), "anybody", Blocked, REDIRECT_ADVICE),
    Rule([407], "anybody", Transient, f"The proxy asks for a login. {PROXY_ADVICE}"),
    Rule([408], "anybody", Transient),
    # Of the way to HubSpot, not of the row: a connection that is for another host (421), a request that may be a replay (425),
    # one that a gateway has given up (499).
    Rule([421, 425, 499], "anybody", Transient),
    # HubSpot: "put at least 2 s between requests" after 423, because a lock lasts that long (docs, error handling).
    Rule([423], "anybody", Transient, default_wait=2.0, min_wait=2.0),
    # HubSpot promises a Retry-After of up to 24 hours (docs, error handling); without it, look again in an hour. The number is
    # HubSpot's own, and its body is not documented.
    Rule(
        [477],
        "anybody",
        QuotaExhausted,
        "HubSpot is moving the account to another data centre; every call fails until it is done.",
        default_wait=3600.0,
    ),
    Rule([429], "somebody else", Throttled, NOT_HUBSPOT, max_attempts=_FEW),
    Rule(range(400, 500), "somebody else", Transient, NOT_HUBSPOT),
    Rule([400], "HubSpot", Rejected, "Correct the row."),
    Rule(
        [401],
        "HubSpot",
        Unauthorized,
        "The access token is expired or wrong: fetch a new one, or give the connection the app's client ID, client secret "
        "and refresh token, so that it is renewed for you.",
    ),
    Rule(
        [403],
        "HubSpot",
        Blocked,
        f"Give the app the scope {WRITE_SCOPE} (and {READ_SCOPE} for reading), install it again, and check that the "
        "account has Sales or Service Hub Professional.",
    ),
    Rule(
        [404],
        "HubSpot",
        Blocked,
        f"Two causes look alike: the channel id is wrong, or {_WRONG_APP}.",
        sub_category="CHANNEL_DOES_NOT_EXIST",
    ),
    Rule([404], "HubSpot", Rejected, f"Two causes look alike: there is no such message in this channel, or {_WRONG_APP}."),
    Rule(
        [429],
        "HubSpot",
        QuotaExhausted,
        "The account's daily quota is used up; it is renewed at midnight in the account's time zone.",
        policy="daily",
        until_midnight=True,
    ),
    Rule([429], "HubSpot", Throttled, policy="(?<!ten_)secondly", default_wait=1.0),  # its window is one second
    Rule([429], "HubSpot", Throttled),
    Rule(range(400, 500), "HubSpot", Rejected),
    Rule([522, 525, 526], "anybody", Transient, _CONTACT_SUPPORT, max_attempts=2),
    Rule(range(500, 1000), "anybody", Transient),
)

#: The same for a response that did not come: the verdict, and what to do next.
NO_RESPONSE_RULES: dict[str, tuple[type[Transient | Blocked], str]] = {
    NO_CONNECTION: (Transient, "Check the API base URL, and the worker's way to it (proxy, firewall)."),
    UNKNOWN_HOST: (Transient, "Check the host of the API base URL and of the proxy, and the worker's name service (DNS)."),
    NO_PROXY_CONNECTION: (
        Transient,
        "Check HTTPS_PROXY and HTTP_PROXY of the worker, or exempt HubSpot with NO_PROXY.",
    ),
    PROXY_LOGIN: (Transient, PROXY_ADVICE),
    PROXY_REFUSAL: (Transient, "Let the proxy open connections to HubSpot, or exempt HubSpot with NO_PROXY."),
    BAD_PROXY: (Blocked, "Write HTTPS_PROXY and HTTP_PROXY of the worker as scheme (http), host and port of a proxy."),
    NO_SOCKS: (
        Blocked,
        "Install PySocks where the task runs, or name an HTTP proxy: tasks that wait in the triggerer have no SOCKS at all.",
    ),
    READ_TIMEOUT: (Transient, ""),
    INCOMPLETE: (Transient, ""),
    UNREADABLE: (Transient, NOT_HUBSPOT),
    TOO_LARGE: (Transient, NOT_HUBSPOT),
    UNTRUSTED_TLS: (Blocked, "Check the API base URL, or the CA bundle of the worker."),
}


def classify(response: Response | NoResponse, secrets: Iterable[str] = ()) -> Verdict:
    """Say what a response to a GET or PATCH means.

    :param secrets: texts that may not appear in a problem's reason.
    """
    if isinstance(response, NoResponse):
        verdict, _ = NO_RESPONSE_RULES[response.reason]
        return verdict(no_response_problem(response))
    author = _author(response)
    rule = _rule_for(response.status, response.payload, author)
    if rule.verdict is Accepted:
        return Accepted(response.payload or {})
    problem = response_problem(response, rule.advice, secrets)
    names_time = author == "HubSpot" or response.status in (423, 429, 477) or response.status >= 500
    named = headers.retry_after(response.headers) if names_time else None
    wait = rule.wait(named)
    if rule.verdict in (Transient, Throttled):
        return rule.verdict(problem, wait, rule.max_attempts, is_named=wait is not None and wait == named)
    if rule.verdict is QuotaExhausted:
        return QuotaExhausted(problem, wait, headers.date(response.headers) if rule.until_midnight else None)
    if rule.verdict is Unauthorized:
        return Unauthorized(problem)
    return Blocked(problem) if rule.verdict is Blocked else Rejected(problem)


def is_transient(status: int) -> bool:
    """True if the same request may succeed later, as far as the status alone says."""
    return _rule_for(status, {}, "HubSpot").verdict in (Transient, Throttled, QuotaExhausted)


def _author(response: Response) -> Author:
    payload = response.payload
    if response.status >= 300:
        return "HubSpot" if is_hubspots(payload) else "somebody else"
    return "HubSpot" if payload is not None and not _is_error(payload) else "somebody else"


def _is_error(payload: dict[str, Any]) -> bool:
    """True if the object is an error, of HubSpot or of a gateway: it says so, or has no ``id``."""
    return payload.get("status") == "error" or ("id" not in payload and any(payload.get(name) for name in _ERROR_FIELDS))


def _rule_for(status: int, payload: Mapping[str, Any] | None, author: Author) -> Rule:
    return next((rule for rule in RULES if rule.matches(status, payload, author)), RULES[-1])


def message_status(message: dict[str, Any]) -> tuple[str | None, str | None]:
    """The status of a message as HubSpot returns it, and why it failed; None for what HubSpot does not say.

    :return: ``status.statusType``, and ``status.failureDetails.errorMessage``, each as one short line.
    """
    status = message.get("status")
    status = status if isinstance(status, dict) else {}
    details = status.get("failureDetails")
    error_message = details.get("errorMessage") if isinstance(details, dict) else None
    name = status.get("statusType")
    if MessageStatus.parse(name) is None:
        name = clean(name, max_length=40)
        name = None if MessageStatus.parse(name) else name  # what is only almost a status is none
    return name, clean(error_message)


def other_message_warning(message: dict[str, Any], message_id: str) -> str | None:
    """What is odd if HubSpot answers with another message than it was asked about; None if it does not.

    It is no failure: what HubSpot's ``id`` looks like in this answer is not documented.
    """
    answered = word(message.get("id"))
    if answered is None or answered == word(message_id):
        return None
    return (
        f"HubSpot accepted the update of message {shorten(message_id)}, and answered with message {answered!r}. Check that the "
        "ids of the rows are HubSpot's message ids."
    )


def no_response_problem(no_response: NoResponse) -> Problem:
    """Say that no response came, and what to look at."""
    _, advice = NO_RESPONSE_RULES[no_response.reason]
    return Problem(f"No answer from HubSpot: {no_response.reason}. {advice}".strip(), no_response.reason)
