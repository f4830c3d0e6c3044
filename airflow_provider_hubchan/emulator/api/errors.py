"""HubSpot's error responses, each written down once: the operations answer with them, and faults can."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from airflow_provider_hubchan.emulator.api.http import Response
from airflow_provider_hubchan.emulator.model.clock import iso


def error(status: int, message: str, category: str, sub_category: str | None = None, **fields: Any) -> Response:
    """HubSpot's error object (specified; its ``status: error`` is not in the schema, but was observed).

    :param fields: more fields of the object: ``context``, ``errors``, ``links``.
    """
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category, **fields}
    if sub_category:
        body["subCategory"] = sub_category
    return Response(status, body, {"X-HubSpot-Correlation-Id": body["correlationId"]})


def invalid_json(reason: str, line: int = 1, column: int = 1) -> Response:
    """400 for a body that is not JSON, or that does not fit its schema (the beginning of the message was observed)."""
    return error(400, f"Invalid input JSON on line {line}, column {column}: {reason}", "VALIDATION_ERROR")


def invalid_parameter(name: str, requirement: str, value: str) -> Response:
    """400 for a parameter of the query, or an id in the path, that is not allowed (assumed).

    :param requirement: what it must be, like ``must be true or false``.
    """
    return error(400, f"{name} {requirement}", "VALIDATION_ERROR", context={name: [value]})


def unauthenticated() -> Response:
    """401 for a token that is missing or unknown (observed)."""
    message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    return error(401, message, "INVALID_AUTHENTICATION")


def expired_token(expires_at: float, now: float) -> Response:
    """401 for a token that has expired (observed, with the space in the key).

    :param expires_at: seconds since the epoch, as *now*.
    """
    message = f"The OAuth token used to make this call expired {now - expires_at:.0f} second(s) ago."
    return error(401, message, "EXPIRED_AUTHENTICATION", context={"expire time": [iso(expires_at)]})


def wrong_developer_key() -> Response:
    """401 for a developer key that is missing or unknown (observed)."""
    links = {"api key": "https://app.hubspot.com/l/api-key/"}
    return error(401, "The API key provided is invalid.", "INVALID_AUTHENTICATION", links=links)


def missing_scopes(scopes: Iterable[str]) -> Response:
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


def unknown_address() -> Response:
    """404 for an address that is none of HubSpot's, which is not in the shape of the error object (assumed)."""
    return Response(404, {"message": "resource not found"})


def body_too_large() -> Response:
    """413, as a gateway before HubSpot may answer (assumed)."""
    return Response(413, "<html><head><title>413 Request Entity Too Large</title></head></html>")


def channel_not_found(channel_id: str) -> Response:
    """404 for a channel that does not exist, or that another app owns (observed on POST messages)."""
    sub_category = "ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST"
    context = {"channelId": [channel_id]}
    return error(404, f"Channel {channel_id} not found", "OBJECT_NOT_FOUND", sub_category, context=context)


def account_not_found(account_id: str) -> Response:
    """404 for a channel account (assumed, after that of a channel)."""
    sub_category = "ChannelIntegrationMessagePublishError.CHANNEL_ACCOUNT_DOES_NOT_EXIST"
    context = {"channelAccountId": [account_id]}
    return error(404, f"Channel account {account_id} not found", "OBJECT_NOT_FOUND", sub_category, context=context)


def staging_token_not_found(token: str) -> Response:
    """404 for a staging token (assumed)."""
    context = {"accountToken": [token]}
    return error(404, "Channel account staging token not found", "OBJECT_NOT_FOUND", context=context)


def message_not_found(message_id: str) -> Response:
    """404 for a message (assumed, after that of a thread, which was observed)."""
    sub_category = "ConversationsResourceNotFoundError.MESSAGE_NOT_FOUND"
    return error(404, "Message not found", "OBJECT_NOT_FOUND", sub_category, context={"id": [message_id]})


def method_not_allowed(method: str, allowed: Iterable[str]) -> Response:
    """405 with the methods that are *allowed* (assumed)."""
    response = error(405, f"Method {method} is not allowed here", "METHOD_NOT_ALLOWED")
    response.headers["Allow"] = ", ".join(allowed)
    return response


def oauth_error(status: str, oauth: str, text: str, code: int = 400) -> Response:
    """An error of the token address, with both the older and the standard fields (documented).

    :param status: HubSpot's older name of the error, like ``BAD_CLIENT_ID``.
    :param oauth: the name of RFC 6749, like ``invalid_client``.
    :param code: the status of the response.
    """
    correlation_id = str(uuid.uuid4())
    body = {"status": status, "message": text, "correlationId": correlation_id, "error": oauth, "error_description": text}
    return Response(code, body)


def unsupported_media_type() -> Response:
    """415 for JSON at the token address (observed)."""
    return Response(415, {"status": "error", "message": "Unsupported Media Type", "correlationId": str(uuid.uuid4())})


def too_many_token_requests() -> Response:
    """429 of the limit that the token address has of its own (observed)."""
    body = {"status": "error", "message": "You have reached your rate limit.", "errorType": "RATE_LIMIT"}
    return Response(429, body | {"correlationId": str(uuid.uuid4()), "policyName": "SECONDLY"})
