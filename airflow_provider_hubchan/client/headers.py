"""What the headers of a response say, as numbers within bounds. A number that makes no sense is no information.

Whoever answers may send any bytes: a limit of 400 digits, an interval of a year, a date in the year 9999.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from airflow_provider_hubchan.client.models import Quota

#: Characters of a number or a date at most.
MAX_LENGTH = 60
#: The highest limit, and seconds of the longest window, that are believed: HubSpot's windows last one second and ten (HubSpot
#: docs, usage guidelines).
MAX_LIMIT, MAX_WINDOW = 1_000_000_000, 60.0
#: A Retry-After beyond this many seconds is not believed: HubSpot's longest documented wait is 24 hours (status 477).
MAX_RETRY_AFTER = 7 * 24 * 3600.0
#: A ``Date`` before 2020 or after 2099, in seconds since the epoch, is not believed.
EARLIEST, LATEST = 1_577_836_800.0, 4_102_444_800.0


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What the rate headers say; None if they are missing or make no sense."""
    limit = _whole_number(headers, "X-HubSpot-RateLimit-Max")
    milliseconds = _whole_number(headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
    if not limit or not milliseconds or limit > MAX_LIMIT or milliseconds > 1000 * MAX_WINDOW:
        return None
    return Quota(limit, milliseconds / 1000.0, _whole_number(headers, "X-HubSpot-RateLimit-Remaining"))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``Retry-After``, None if it is missing or makes no sense.

    Both forms of RFC 9110 section 10.2.3: seconds, or a date, which is compared with the response's own ``Date`` because our
    clock may be wrong. A time that has passed is 0.
    """
    text = headers.get("Retry-After", "").strip()
    if len(text) > MAX_LENGTH:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment, now = _date(text), _date(headers.get("Date", ""))
        if moment is None or now is None:
            return None
        seconds = max(0.0, moment - now)
    return seconds if math.isfinite(seconds) and 0.0 <= seconds <= MAX_RETRY_AFTER else None


def date(headers: Mapping[str, str]) -> float:
    """The response's own ``Date`` in seconds since the epoch; our clock's, if it has none that makes sense."""
    moment = _date(headers.get("Date", ""))
    return time.time() if moment is None or not EARLIEST <= moment < LATEST else moment


def _whole_number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if len(text) <= MAX_LENGTH and text.isascii() and text.isdigit() else None


def _date(text: str) -> float | None:
    """A date in seconds since the epoch; None if it is none, or one without a time zone."""
    if len(text) > MAX_LENGTH:
        return None
    try:
        moment: datetime = parsedate_to_datetime(text)
        return None if moment.tzinfo is None else moment.timestamp()
    except (ValueError, TypeError, IndexError, ArithmeticError):  # the parser of the standard library has no one error
        return None
