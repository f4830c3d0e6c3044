"""A `Problem` from what came, or did not come: HubSpot's words are taken in here, and cleaned here once.

A text of a response may hold anything: line breaks that forge a line of a log, escape sequences, half characters, a megabyte, a
secret that was sent. From here on it is one short line that any log and any database can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_hubchan.client.actions import Response
from airflow_provider_hubchan.client.error_texts import count_of, readable
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.redaction import redact

#: Characters of HubSpot's own message, of its other words (category, correlation ID), and of a page's title that are passed on.
MAX_MESSAGE, MAX_WORD, MAX_TITLE = 300, 100, 80
#: Characters of a text that are looked at: secrets are taken out before it is cut.
MAX_RAW = 20_000
#: Where to look when somebody else answers in HubSpot's place.
NOT_HUBSPOT = (
    "Look at what stands between this worker and HubSpot (proxy, firewall, gateway), and at the connection's API base URL."
)
_FIELDS = ("message", "category", "correlationId")
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,1000})", re.IGNORECASE)
#: What a label may hold: a word that is the same for equal causes, so none with the digits of an ID.
_LABEL_WORD = re.compile(r"(?!(?:.*[0-9]){4})[A-Za-z][A-Za-z0-9_.-]{0,79}")


def is_hubspots(payload: dict[str, Any] | None) -> bool:
    """True if a JSON object is an error of HubSpot's, as far as anybody knows: the bodies of these calls are not documented, so
    one of the fields of HubSpot's other errors is enough (HubSpot docs, error handling).
    """
    if payload is None:
        return False
    return isinstance(payload.get("policyName"), str) or any(payload.get(name) is not None for name in _FIELDS)


def response_problem(
    response: Response, advice: str = "", secrets: Iterable[str] = (), *, from_hubspot: bool | None = None
) -> Problem:
    """Say what HubSpot answered, and *advice* after it; or that it was not HubSpot who answered.

    :param secrets: texts that a response may repeat and nobody may read.
    :param from_hubspot: whether HubSpot answered, None for what `is_hubspots` says.
    """
    payload, secrets = response.payload or {}, tuple(secrets)
    correlation_id = word(payload.get("correlationId"), secrets)
    correlation_id = correlation_id or word(response.headers.get("X-HubSpot-Correlation-Id"), secrets)
    if not (is_hubspots(response.payload) if from_hubspot is None else from_hubspot):
        reason = (
            f"Status {response.status} came with {_describe_body(response, secrets)} instead of an answer of HubSpot's API."
        )
        return Problem(
            f"{reason} {advice}".strip(), f"{response.status} not from HubSpot", response.status, None, correlation_id
        )
    category, sub_category = _category(payload, secrets), word(payload.get("subCategory"), secrets)
    message = clean(payload.get("message"), secrets) or clean(payload.get("error_description"), secrets)
    text = (message or sub_category or category or "it gives no reason").rstrip(".")
    return Problem(
        reason=f"HubSpot answered {response.status}: {text}. {advice}".strip(),
        label=f"{response.status} {_label_word(sub_category or category)}".strip(),
        status=response.status,
        category=category or sub_category,
        correlation_id=correlation_id,
    )


def clean(value: object, secrets: Iterable[str] = (), max_length: int = MAX_MESSAGE) -> str | None:
    """A text of a response as one short line without secrets; None if it is no text, or an empty one."""
    if not isinstance(value, str):
        return None
    text = " ".join(readable(redact(value[:MAX_RAW], secrets), MAX_RAW).split())
    return (text if len(text) <= max_length else f"{text[: max_length - 1]}…") or None


def word(value: object, secrets: Iterable[str] = ()) -> str | None:
    """A name or an ID of a response as a short text; None if it is neither a text nor a number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        value = str(value)
    return clean(value, secrets, MAX_WORD)


def _category(payload: dict[str, Any], secrets: tuple[str, ...]) -> str | None:
    """``category``; rate limits have a ``policyName`` instead, the token address a ``status`` and an ``error``."""
    for name in ("category", "policyName", "status", "error", "errorType"):
        text = word(payload.get(name), secrets)
        if text and (name, text) != ("status", "error"):
            return text
    return None


def _label_word(text: str | None) -> str:
    return text if text and _LABEL_WORD.fullmatch(text) else ""


def _describe_body(response: Response, secrets: Iterable[str]) -> str:
    if not response.body.strip():
        return "an empty body"
    content_type = response.headers.get("Content-Type", "").split(";")[0]
    kind = clean(content_type, secrets, MAX_WORD) or "an unnamed type"
    found = _TITLE.search(response.body[:MAX_RAW])
    title = clean(found.group(1).decode(errors="replace"), secrets, MAX_TITLE) if found else None
    return f"{count_of(len(response.body), 'byte')} of {kind}" + (f', titled "{title}"' if title else "")
