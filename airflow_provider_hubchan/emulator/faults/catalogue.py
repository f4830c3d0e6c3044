"""The answers that a fault can give by name, what HubSpot is known to answer when it does not do what was asked; and what a
fault can do to a webhook by name.

The mark of an answer is that of its status and category, policy or error. Where only these are known, the text is assumed. HTML
pages stand for whatever a gateway in front of HubSpot sends.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator.api import errors, quota
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.model.records import WRITE, Install
from airflow_provider_hubchan.emulator.model.world import World

#: Part of the path of the requests that an answer belongs to, see `NamedAnswer`.
TOKEN_ADDRESS = "/oauth/"
ANY_ADDRESS = "/"
#: Seconds of a migration's ``Retry-After`` if the fault has no end (documented: up to 24 hours).
MIGRATION = 86_400.0
#: What a fault can do to a webhook, in words. Its event is always HubSpot's.
WEBHOOK_FAULTS: dict[str, str] = {
    "late": "is sent late",
    "twice": "is sent twice",
    "out-of-order": "is sent after the next one of its channel",
    "unsigned": "is sent without a signature",
    "wrong-signature": "is signed with another secret",
    "old-signature": "is signed as of ten minutes ago",
}


class AnswerContext(NamedTuple):
    """What an answer may depend on.

    :param seconds_left: seconds of the emulator's clock until the fault is over, None if it has no end.
    """

    world: World
    request: Request
    seconds_left: float | None

    @property
    def install(self) -> Install:
        """The app and portal of the request's token, or the first."""
        return self.world.install_of(self.request.authorization) or self.world.install

    @property
    def channel_id(self) -> str:
        """The channel of the request's message, ``0`` if it is about none."""
        return self.request.message[0] if self.request.message else "0"

    @property
    def message_id(self) -> str:
        """The id of the request's message, ``0`` if it is about none."""
        return self.request.message[1] if self.request.message else "0"


class NamedAnswer(NamedTuple):
    """An answer of the catalogue.

    :param mark: documented, observed or assumed.
    :param path: part of the path of the requests that it belongs to, None for the custom-channels API.
    :param has_rate_headers: True if the rate headers are added.
    """

    status: int
    mark: str
    make: Callable[[AnswerContext], Response]
    path: str | None = None
    has_rate_headers: bool = True


def _error_object(
    status: int, category: str, text: str, sub_category: str | None = None, *, mark: str = "observed", **fields: Any
) -> NamedAnswer:
    return NamedAnswer(status, mark, lambda context: errors.error(status, text, category, sub_category, **fields))


def _oauth_error(name: str, oauth: str, text: str, status: int = 400, mark: str = "documented") -> NamedAnswer:
    return NamedAnswer(
        status, mark, lambda context: errors.oauth_error(name, oauth, text, status), TOKEN_ADDRESS, has_rate_headers=False
    )


def _html_page(status: int, title: str, mark: str = "documented") -> NamedAnswer:
    """A page of a gateway in front of HubSpot; its HTML is assumed."""
    html = f"<html>\n<head><title>{status} {title}</title></head>\n<body><h1>{status} {title}</h1></body>\n</html>\n"
    return NamedAnswer(status, mark, lambda context: Response(status, html), has_rate_headers=False)


def _rate_limit(policy: str, mark: str) -> NamedAnswer:
    return NamedAnswer(429, mark, lambda context: _used_up(context, policy))


def _used_up(context: AnswerContext, policy: str) -> Response:
    """429 whose headers say that the window (observed on a burst 429) or the day is used up, whatever was counted."""
    response = quota.rate_limited(policy, context.install)
    if policy == "SECONDLY":
        del response.body["groupName"]  # it names the group of ten seconds
    response.headers |= quota.rate_headers(context.world, context.install)
    of_window = ("X-HubSpot-RateLimit-Remaining", "X-HubSpot-RateLimit-Secondly-Remaining")
    used_up = ("X-HubSpot-RateLimit-Daily-Remaining",) if policy == "DAILY" else of_window
    response.headers |= {name: "0" for name in used_up if name in response.headers}
    return response


def _expired_token(context: AnswerContext) -> Response:
    """401 as if the token had expired a second ago."""
    now = context.world.clock.now()
    return errors.expired_token(now - 1, now)


def _migration(context: AnswerContext) -> Response:
    """477 whose ``Retry-After`` says when the fault is over (documented); the body is assumed."""
    seconds = MIGRATION if context.seconds_left is None else max(1.0, context.seconds_left)
    text = "This account is being moved between data centers."
    body = {"status": "error", "message": text, "correlationId": str(uuid.uuid4())}
    return Response(477, body, {"Retry-After": str(math.ceil(seconds))})


_SUPPORT = "https://help.hubspot.com/"
_PROCESSING = "There was an error processing the request."

ANSWERS: dict[str, NamedAnswer] = {
    "validation-error": _error_object(
        400, "VALIDATION_ERROR", "Invalid input", errors=[{"message": "Invalid input", "in": "body"}]
    ),
    "invalid-json": NamedAnswer(400, "observed", lambda context: errors.invalid_json("it cannot be read")),
    "bad-request": _error_object(400, "BAD_REQUEST", "The request was not understood"),
    "empty-update": _error_object(
        400, "VALIDATION_ERROR", "The update is empty", "CustomChannelsError.EMPTY_UPDATE_REQUEST_BODY"
    ),
    "sender-not-found": _error_object(
        400, "VALIDATION_ERROR", "Sender not found", "ConversationsApiError.SENDER_AGENT_NOT_FOUND"
    ),
    "invalid-capability": _error_object(
        400, "VALIDATION_ERROR", "Invalid capability values", "CustomChannelsError.INVALID_CHANNEL_CAPABILITY_VALUES"
    ),
    "expired-token": NamedAnswer(401, "observed", _expired_token, has_rate_headers=False),
    "invalid-token": NamedAnswer(401, "observed", lambda context: errors.unauthenticated(), has_rate_headers=False),
    "missing-scopes": NamedAnswer(403, "observed", lambda context: errors.missing_scopes([WRITE])),
    "missing-scopes-of-user": _error_object(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call.",
        errors=[{"message": "One or more scopes are required.", "context": {"requiredScopes": [WRITE]}}],
    ),
    "not-for-public-use": _error_object(
        403,
        "MISSING_SCOPES",
        "The scope needed for this API call isn't available for public use.",
        links={"support": _SUPPORT},
    ),
    "banned": _error_object(403, "BANNED", "This portal or app is blocked"),
    "missing-permissions": _error_object(403, "MISSING_PERMISSIONS", "The user does not have permission to do this"),
    "message-not-found": NamedAnswer(404, "assumed", lambda context: errors.message_not_found(context.message_id)),
    "channel-not-found": NamedAnswer(404, "observed", lambda context: errors.channel_not_found(context.channel_id)),
    "thread-not-found": _error_object(
        404,
        "OBJECT_NOT_FOUND",
        "Thread not found",
        "ConversationsResourceNotFoundError.THREAD_NOT_FOUND",
        context={"id": ["0"]},
    ),
    "unknown-address": NamedAnswer(404, "assumed", lambda context: errors.unknown_address(), has_rate_headers=False),
    "method-not-allowed": NamedAnswer(405, "assumed", lambda context: errors.method_not_allowed(context.request.method, ())),
    "method-not-allowed-page": _html_page(405, "Method Not Allowed", "observed"),
    "conflict": _error_object(409, "CONFLICT", "The object was changed by another request"),
    "already-exists": _error_object(409, "OBJECT_ALREADY_EXISTS", "The object already exists"),
    "uri-too-long": _html_page(414, "URI Too Long"),
    "unsupported-media-type": NamedAnswer(
        415, "observed", lambda context: errors.unsupported_media_type(), TOKEN_ADDRESS, has_rate_headers=False
    ),
    "locked": _error_object(423, "LOCKED", "Timed out trying to acquire a lock"),
    "ten-secondly": _rate_limit("TEN_SECONDLY_ROLLING", "observed"),
    "secondly": _rate_limit("SECONDLY", "observed"),
    "daily": _rate_limit("DAILY", "documented"),
    "rate-limits": _error_object(429, "RATE_LIMITS", "You have reached your secondly limit."),
    "migration": NamedAnswer(477, "documented", _migration, ANY_ADDRESS, has_rate_headers=False),
    "internal-error": _error_object(500, "INTERNAL_ERROR", _PROCESSING),
    "internal-server-error": _error_object(500, "INTERNAL_SERVER_ERROR", _PROCESSING),
    "bad-gateway": _html_page(502, "Bad Gateway"),
    "service-unavailable": _error_object(503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable"),
    "unavailable-page": _html_page(503, "Service Temporarily Unavailable"),
    "gateway-timeout": _html_page(504, "Gateway Timeout"),
    "server-down": _html_page(521, "Web server is down"),
    "connection-timeout": _html_page(522, "Connection timed out"),
    "unreachable": _html_page(523, "Origin is unreachable"),
    "no-response": _html_page(524, "A timeout occurred"),
    "tls-handshake-failed": _html_page(525, "SSL handshake failed"),
    "invalid-certificate": _html_page(526, "Invalid SSL certificate"),
    "bad-refresh-token": _oauth_error("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token"),
    "bad-hub": _oauth_error("BAD_HUB", "access_denied", "missing or unknown hub id"),
    "bad-hub-forbidden": _oauth_error("BAD_HUB", "access_denied", "missing or unknown hub id", 403, "observed"),
    "bad-client-id": _oauth_error("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id"),
    "bad-client-secret": _oauth_error("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret"),
    "bad-grant-type": _oauth_error("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type"),
    "bad-auth-code": _oauth_error("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code"),
    "bad-redirect-uri": _oauth_error("BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect URI"),
    "bad-scopes": _oauth_error("BAD_SCOPES", "invalid_scope", "missing or invalid scopes"),
    "bad-code-verifier": _oauth_error("BAD_CODE_VERIFIER", "invalid_grant", "missing or invalid code verifier"),
    "too-many-tokens": NamedAnswer(
        429, "observed", lambda context: errors.too_many_token_requests(), TOKEN_ADDRESS, has_rate_headers=False
    ),
}
