"""The parts of any HubSpot reply, read defensively: every field of an error is optional, and a gateway may answer in HTML."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_hubchan.client.errors import BAD_TLS, NO_CONNECTION, Problem

#: Statuses after which the same request may succeed (HubSpot docs, error handling; 408 by RFC 9110). Beside them all 5xx.
TRANSIENT = frozenset({408, 423, 429, 477})
#: Retry-After beyond this many seconds is no answer: HubSpot's longest documented wait is 24 hours (status 477).
LONGEST_WAIT = 7 * 24 * 3600.0
#: What to do about a redirect, wherever it comes from.
REDIRECT = "Redirects are not followed, a token could leak: check the connection's API base URL."
_LOST = {
    NO_CONNECTION: "Check the API base URL, and the worker's way to it (proxy, firewall, name service).",
    BAD_TLS: "Check the API base URL, or the CA bundle of the worker.",
}
#: Characters of HubSpot's own words that are passed on.
LONGEST_WORDS = 300


def transient(status: int) -> bool:
    """True if the same request may succeed later."""
    return status in TRANSIENT or status >= 500


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in *body*, or None: an HTML page, nothing, half a document, or JSON of another kind."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``Retry-After``, None if it is missing or makes no sense.

    Both forms of RFC 9110 section 10.2.3: seconds, or a date, which is held against the reply's own ``Date``
    (our clock may be wrong). A time that has passed is 0.
    """
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            asked, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date", ""))
            seconds = max(0.0, (asked - now).total_seconds())
        except (ValueError, TypeError):  # not dates, or one without a time zone
            return None
    return seconds if math.isfinite(seconds) and 0.0 <= seconds <= LONGEST_WAIT else None


def date(headers: Mapping[str, str]) -> float:
    """The reply's own ``Date`` in seconds since the epoch; our clock's, if it has none that makes sense."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return time.time()


def problem(status: int, headers: Mapping[str, str], body: bytes, advice: str = "", secrets: Iterable[str] = ()) -> Problem:
    """Say what HubSpot answered, and *advice* after it.

    :param secrets: texts that a reply may echo and nobody may read.
    """
    said = json_object(body) or {}
    category = said.get("category") or said.get("policyName") or said.get("status") or said.get("error")
    if category in ("error", None):
        category = said.get("errorType")
    words = said.get("message") or said.get("error_description")
    if not isinstance(words, str):
        words = _not_json(headers, body)
    words = " ".join(_clean(words, secrets).split())  # cleaned before it is cut: half a secret is one, too
    words = words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - 1]}…"
    text = f"HubSpot answered {status}: {words.rstrip('.')}."
    category = _clean(str(category), secrets) if category else None
    correlation_id = said.get("correlationId") or headers.get("X-HubSpot-Correlation-Id")
    return Problem(
        reason=f"{text} {advice}".strip(),
        label=_clean(f"{status} {said.get('subCategory') or category or ''}".strip(), secrets),
        status=status,
        category=category,
        correlation_id=_clean(str(correlation_id), secrets) if correlation_id else None,
    )


def lost(why: str) -> Problem:
    """Say that no answer came, and what to look at."""
    return Problem(f"No answer from HubSpot: {why}. {_LOST.get(why, '')}".strip(), why)


def untrusted(error: Exception) -> bool:
    """True if a TLS error means that the other side is not who it should be, and not that a connection broke."""
    return any(
        sign in str(error) for sign in ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "[X509")
    )


def _clean(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _not_json(headers: Mapping[str, str], body: bytes) -> str:
    if not body.strip():
        return "no text"
    kind = headers.get("Content-Type", "").split(";")[0].strip() or "unnamed type"
    return f"{len(body):,} bytes of {kind} instead of an answer of HubSpot's API"
