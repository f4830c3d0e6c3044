"""The bodies of HubSpot's refusals, each written down once: the contract answers with them, and faults can."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from airflow_provider_hubchan.emulator.clock import iso
from airflow_provider_hubchan.emulator.shapes import Answer, error


def invalid_json(why: str, line: int = 1, column: int = 1) -> Answer:
    """400 for a body that cannot be read, or holds a value of another type (text observed)."""
    return error(400, f"Invalid input JSON on line {line}, column {column}: {why}", "VALIDATION_ERROR")


def unauthenticated() -> Answer:
    """401 for a token that is missing or unknown (observed)."""
    text = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    return error(401, text, "INVALID_AUTHENTICATION")


def expired(expires_at: float, now: float) -> Answer:
    """401 for a token that has lived out its time; the key has a space (observed)."""
    text = f"The OAuth token used to make this call expired {now - expires_at:.0f} second(s) ago."
    return error(401, text, "EXPIRED_AUTHENTICATION", context={"expire time": [iso(expires_at)]})


def missing_scopes(scopes: Iterable[str]) -> Answer:
    """403 for a token that lacks the scopes (observed)."""
    return error(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here.",
        "MISSING_SCOPES",
        errors=[
            {"message": "One or more scopes are required.", "context": {"requiredGranularScopes": list(scopes)}},
        ],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def channel_not_found(channel_id: str) -> Answer:
    """404 for a channel that is not there, or that another app owns (observed on POST messages)."""
    sub_category = "ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST"
    context = {"channelId": [channel_id]}
    return error(404, f"Channel {channel_id} not found", "OBJECT_NOT_FOUND", sub_category, context=context)


def message_not_found(message_id: str) -> Answer:
    """404 for a message (assumed, after the thread's, which was observed)."""
    sub_category = "ConversationsResourceNotFoundError.MESSAGE_NOT_FOUND"
    return error(404, "Message not found", "OBJECT_NOT_FOUND", sub_category, context={"id": [message_id]})


def oauth_error(status: str, oauth: str, text: str, code: int = 400) -> Answer:
    """A refusal of the token address, with both the older and the standard fields (documented)."""
    correlation_id = str(uuid.uuid4())
    body = {"status": status, "message": text, "correlationId": correlation_id, "error": oauth, "error_description": text}
    return Answer(code, body)


def not_a_form() -> Answer:
    """415 for JSON at the token address (observed)."""
    return Answer(415, {"status": "error", "message": "Unsupported Media Type", "correlationId": str(uuid.uuid4())})


def too_many_tokens() -> Answer:
    """429 of the token address's own limiter (observed)."""
    body = {"status": "error", "message": "You have reached your rate limit.", "errorType": "RATE_LIMIT"}
    return Answer(429, body | {"correlationId": str(uuid.uuid4()), "policyName": "SECONDLY"})
