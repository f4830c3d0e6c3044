"""What HubSpot's answer to a call means.

An answer means one of seven things. Each says whom it concerns:

    Accepted        this row    done
    Rejected        this row    HubSpot refused; trying again cannot help
    Fault           this row    something broke on the way; try again
    Throttle        everyone    a burst limit; nobody sends until it is over
    Closure         everyone    a wait too long to sit out: daily limit, or the account is being moved
    Unauthorized    everyone    the token is no good; a fresh one once
    Refusal         everyone    nothing will be accepted until a person changes the app, the connection or the account

Statuses are judged by their number first, then by ``policyName`` and ``subCategory``; ``category`` is an open list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_hubchan.client import replies
from airflow_provider_hubchan.client.actions import Lost, Reply
from airflow_provider_hubchan.client.errors import BAD_TLS, Problem
from airflow_provider_hubchan.client.ratelimit.fair_share import Quota

WRITE_SCOPE = "conversations.custom_channels.write"
READ_SCOPE = "conversations.custom_channels.read"

#: HubSpot: "put at least 2 s between requests" after 423, because a lock lasts that long (docs, error handling).
LOCK_SECONDS = 2.0
#: Seconds until to look again after a 477 without the ``Retry-After`` that HubSpot promises (docs, error handling).
MOVING = 3600.0
#: Seconds of the SECONDLY policy's window.
SECONDLY = 1.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """:param body: HubSpot's JSON object, for a message the whole of it, with its text and people's names."""

    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """:param problem: why HubSpot refused this row."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Fault:
    """
    :param after: seconds that HubSpot asks for, None if it does not.
    :param tries: how many requests it may take at most, None for as many as patience has.
    """

    problem: Problem
    after: float | None = None
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class Throttle:
    """:param after: seconds until HubSpot takes requests again, None if it does not say."""

    problem: Problem
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Closure:
    """
    :param after: seconds until HubSpot takes requests again, None if it does not say.
    :param refused_at: HubSpot's time of a reply that refuses for the rest of the day, in seconds since the epoch.
    """

    problem: Problem
    after: float | None = None
    refused_at: float | None = None


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """:param problem: why the token is no good."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """:param problem: what a person has to change."""

    problem: Problem


Meaning = Accepted | Rejected | Fault | Throttle | Closure | Unauthorized | Refusal

_WRONG_APP = "the token belongs to an app that does not own the channel (use the OAuth app that registered it)"
_ADVICE = {
    400: "Correct the row.",
    401: "The access token is expired or wrong: fetch a new one, or give the connection the app's client ID, client secret "
    "and refresh token, so that it is renewed for you.",
    403: f"Give the app the scope {WRITE_SCOPE} (and {READ_SCOPE} for reading), install it again, and check that the "
    "account has Sales or Service Hub Professional.",
    404: f"Two causes look alike: there is no such message in this channel, or {_WRONG_APP}.",
    477: "HubSpot is moving the account to another data centre; every call fails until it is done.",
    522: "HubSpot asks to contact its support about it.",
    525: "HubSpot asks to contact its support about it.",
    526: "HubSpot asks to contact its support about it.",
}
_DAILY = "The account's daily quota is used up; it is renewed at midnight in the account's time zone."


def meaning(reply: Reply | Lost, secrets: Iterable[str] = ()) -> Meaning:
    """What a reply to a GET or PATCH means.

    Sources: HubSpot docs, error handling and usage guidelines; bodies seen in its developer forum.

    :param secrets: texts that may not appear in a problem's reason.
    """
    if isinstance(reply, Lost):
        return _lost(reply)
    status = reply.status

    def problem(advice: str = "") -> Problem:
        return replies.problem(status, reply.headers, reply.body, advice or _ADVICE.get(status, ""), secrets)

    if 200 <= status < 300:
        body = replies.json_object(reply.body)
        if body is None and status != 204:  # a proxy's own page, or half a body: not HubSpot's word that it was done
            return Fault(problem("A success without a message is not trusted: is there a proxy in between?"))
        return Accepted(body or {})
    after = replies.retry_after(reply.headers) or None  # "0" names no time: coming back at once, again and again, is a storm
    if 300 <= status < 400:
        return Refusal(problem(replies.REDIRECT))
    if status == 401:
        return Unauthorized(problem())
    if status == 403:
        return Refusal(problem())
    if status == 429:
        return _limit(reply, after, problem)
    if status == 477:
        return Closure(problem(), MOVING if after is None else after)
    if status == 423:
        return Fault(problem(), max(LOCK_SECONDS, after or 0.0))
    if replies.transient(status):
        return Fault(problem(), after, tries=2 if status in (522, 525, 526) else None)
    if status == 404 and "CHANNEL_DOES_NOT_EXIST" in str((replies.json_object(reply.body) or {}).get("subCategory")):
        return Refusal(problem(f"Two causes look alike: the channel id is wrong, or {_WRONG_APP}."))
    return Rejected(problem())


def _limit(reply: Reply, after: float | None, problem: Any) -> Throttle | Closure:
    """A 429 speaks through ``policyName``, else through its words; ``category`` is mostly missing."""
    said = replies.json_object(reply.body) or {}
    policy = f"{said.get('policyName') or ''} {said.get('message') or ''}".lower()
    if "daily" in policy:
        return Closure(problem(_DAILY), after, replies.date(reply.headers))
    if after is None and "secondly" in policy.replace("ten_secondly", ""):
        after = SECONDLY
    return Throttle(problem(), after)


def _lost(lost: Lost) -> Fault | Refusal:
    problem = replies.lost(lost.why)
    return Refusal(problem) if lost.why == BAD_TLS else Fault(problem)


def quota(reply: Reply) -> Quota | None:
    """What the reply's rate headers say; None if they are missing or make no sense."""
    limit = _number(reply.headers, "X-HubSpot-RateLimit-Max")
    window = _number(reply.headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
    if not limit or not window:
        return None
    return Quota(limit, window / 1000.0, _number(reply.headers, "X-HubSpot-RateLimit-Remaining"))


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None
