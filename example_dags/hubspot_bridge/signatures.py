"""Who sent a request: HubSpot, by the app's client secret, or the gateway, by a URL that only we can have given to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

#: Seconds that a signature is good for (HubSpot's guide on request validation).
MAX_AGE = 300
#: The percent-escapes that HubSpot decodes in the URI before it signs, and no others (the same guide).
ESCAPES = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
_ESCAPED = re.compile("|".join(ESCAPES), re.IGNORECASE)


def hubspot_signature(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """The header ``X-HubSpot-Signature-v3``.

    :param secret: the app's client secret.
    :param uri: the whole address as HubSpot has it, with its query.
    :param body: the bytes as they came: JSON that was parsed and written again has another signature.
    :param timestamp: the header ``X-HubSpot-Request-Timestamp``, milliseconds since 1970.
    """
    decoded = _ESCAPED.sub(lambda escape: ESCAPES[escape[0].upper()], uri)
    signed = f"{method}{decoded}".encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def is_from_hubspot(
    secret: str, method: str, uri: str, body: bytes, *, timestamp: str | None, signature: str | None, now: float
) -> bool:
    """Whether HubSpot sent this, and within the last five minutes: older requests may be recorded ones.

    :param timestamp: the header, None if there is none.
    :param signature: the header, None if there is none.
    :param now: seconds since 1970. A clock that is wrong by more than five minutes refuses everything.
    """
    if (
        not timestamp
        or not signature
        or not re.fullmatch("[0-9]{1,15}", timestamp)
        or abs(now - int(timestamp) / 1000) > MAX_AGE
    ):
        return False
    expected = hubspot_signature(secret, method, uri, body, timestamp)
    return hmac.compare_digest(expected.encode(), signature.encode())  # of bytes: it refuses text that is not ASCII


def callback_signature(secret: str, message_id: str) -> str:
    """What makes a callback URL one of ours. It works with any gateway: all of them call the URL that they were given.

    A gateway that signs its callbacks (Twilio: ``X-Twilio-Signature``) does so with the account's token; check that instead, or
    as well.
    """
    return hmac.digest(secret.encode(), message_id.encode(), hashlib.sha256).hex()


def is_ours(secret: str, message_id: str, signature: str) -> bool:
    """Whether a callback URL is one that we gave to the gateway for this message."""
    return hmac.compare_digest(callback_signature(secret, message_id).encode(), signature.encode())
