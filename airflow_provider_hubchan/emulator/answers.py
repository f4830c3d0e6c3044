"""Answers that have a name: what HubSpot is known to say when it does not do what was asked.

The mark is that of status and category, policy or error; where only these are known, the words are ours (assumed). Pages of
gateways stand for whatever is there.
"""

from __future__ import annotations

from airflow_provider_hubchan.emulator import refusals
from airflow_provider_hubchan.emulator.named import (
    EVERYTHING,
    TOKENS,
    Named,
    expired,
    limited,
    migrating,
    of_token,
    page,
    said,
)
from airflow_provider_hubchan.emulator.records import WRITE
from airflow_provider_hubchan.emulator.shapes import Answer, method_not_allowed

SUPPORT = "https://help.hubspot.com/"
PROCESSING = "There was an error processing the request."

ANSWERS: dict[str, Named] = {
    "validation-error": said(400, "VALIDATION_ERROR", "Invalid input", errors=[{"message": "Invalid input", "in": "body"}]),
    "invalid-json": Named(400, "observed", lambda asked: refusals.invalid_json("it cannot be read")),
    "bad-request": said(400, "BAD_REQUEST", "The request was not understood"),
    "empty-update": said(400, "VALIDATION_ERROR", "The update is empty", "CustomChannelsError.EMPTY_UPDATE_REQUEST_BODY"),
    "sender-not-found": said(400, "VALIDATION_ERROR", "Sender not found", "ConversationsApiError.SENDER_AGENT_NOT_FOUND"),
    "invalid-capability": said(
        400, "VALIDATION_ERROR", "Invalid capability values", "CustomChannelsError.INVALID_CHANNEL_CAPABILITY_VALUES"
    ),
    "expired-token": Named(401, "observed", expired, counted=False),
    "invalid-token": Named(401, "observed", lambda asked: refusals.unauthenticated(), counted=False),
    "missing-scopes": Named(403, "observed", lambda asked: refusals.missing_scopes([WRITE])),
    "missing-scopes-of-user": said(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call.",
        errors=[{"message": "One or more scopes are required.", "context": {"requiredScopes": [WRITE]}}],
    ),
    "not-for-public-use": said(
        403, "MISSING_SCOPES", "The scope needed for this API call isn't available for public use.", links={"support": SUPPORT}
    ),
    "banned": said(403, "BANNED", "This portal or app is blocked"),
    "missing-permissions": said(403, "MISSING_PERMISSIONS", "The user does not have permission to do this"),
    "message-not-found": Named(404, "assumed", lambda asked: refusals.message_not_found(asked.part(1))),
    "channel-not-found": Named(404, "observed", lambda asked: refusals.channel_not_found(asked.part(0))),
    "thread-not-found": said(
        404,
        "OBJECT_NOT_FOUND",
        "Thread not found",
        "ConversationsResourceNotFoundError.THREAD_NOT_FOUND",
        context={"id": ["0"]},
    ),
    "unknown-address": Named(404, "assumed", lambda asked: Answer(404, {"message": "resource not found"}), counted=False),
    "method-not-allowed": Named(405, "assumed", lambda asked: method_not_allowed(asked.call.method, ())),
    "method-not-allowed-page": page(405, "Method Not Allowed", "observed"),
    "conflict": said(409, "CONFLICT", "The object was changed by another request"),
    "already-exists": said(409, "OBJECT_ALREADY_EXISTS", "The object already exists"),
    "uri-too-long": page(414, "URI Too Long"),
    "unsupported-media-type": Named(415, "observed", lambda asked: refusals.not_a_form(), TOKENS, counted=False),
    "locked": said(423, "LOCKED", "Timed out trying to acquire a lock"),
    "ten-secondly": limited("TEN_SECONDLY_ROLLING", "observed"),
    "secondly": limited("SECONDLY", "observed"),
    "daily": limited("DAILY", "documented"),
    "rate-limits": said(429, "RATE_LIMITS", "You have reached your secondly limit."),
    "migration": Named(477, "documented", migrating, EVERYTHING, counted=False),
    "internal-error": said(500, "INTERNAL_ERROR", PROCESSING),
    "internal-server-error": said(500, "INTERNAL_SERVER_ERROR", PROCESSING),
    "bad-gateway": page(502, "Bad Gateway"),
    "service-unavailable": said(503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable"),
    "unavailable-page": page(503, "Service Temporarily Unavailable"),
    "gateway-timeout": page(504, "Gateway Timeout"),
    "server-down": page(521, "Web server is down"),
    "connection-timeout": page(522, "Connection timed out"),
    "unreachable": page(523, "Origin is unreachable"),
    "no-response": page(524, "A timeout occurred"),
    "tls-handshake-failed": page(525, "SSL handshake failed"),
    "invalid-certificate": page(526, "Invalid SSL certificate"),
    "bad-refresh-token": of_token("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token"),
    "bad-hub": of_token("BAD_HUB", "access_denied", "missing or unknown hub id"),
    "bad-hub-forbidden": of_token("BAD_HUB", "access_denied", "missing or unknown hub id", 403, "observed"),
    "bad-client-id": of_token("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id"),
    "bad-client-secret": of_token("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret"),
    "bad-grant-type": of_token("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type"),
    "bad-auth-code": of_token("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code"),
    "bad-redirect-uri": of_token("BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect URI"),
    "bad-scopes": of_token("BAD_SCOPES", "invalid_scope", "missing or invalid scopes"),
    "bad-code-verifier": of_token("BAD_CODE_VERIFIER", "invalid_grant", "missing or invalid code verifier"),
    "too-many-tokens": Named(429, "observed", lambda asked: refusals.too_many_tokens(), TOKENS, counted=False),
}
