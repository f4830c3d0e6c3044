"""HubSpot's contract, written down from its side: a call in, an answer out.

Each rule carries its mark. *documented*: on HubSpot's pages. *specified*: in its OpenAPI files. *observed*: seen in real
replies. *assumed*: nobody says; the nearest sibling was taken as the model.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow_provider_hubchan.emulator.clock import iso
from airflow_provider_hubchan.emulator.oauth import bearer, grant, introspect, token_endpoint
from airflow_provider_hubchan.emulator.shapes import VERSIONS, Answer, Call, Refused, custom_channels_path, error
from airflow_provider_hubchan.emulator.world import READ, WRITE, AccessToken, App, World

WRITABLE = ("FAILED", "READ", "SENT")


def answer(world: World, call: Call) -> Answer:
    """Answer a call."""
    try:
        match call.segments:
            case ("oauth", version, "token") if version in VERSIONS:
                return token_endpoint(world, call, grant)
            case ("oauth", version, "token", "introspect") if version in VERSIONS:
                return token_endpoint(world, call, introspect)
            case ("account-info", version, "details") if version in VERSIONS:
                return _counted(world, call, _details, ("oauth",))
        rest = custom_channels_path(call.segments)
        match call.method, rest:
            case "GET", (_, "messages", _):
                return _counted(world, call, _get_message, (READ,))
            case "PATCH", (_, "messages", _):
                return _counted(world, call, _patch_message, (WRITE,))
            case "GET", (_, "channel-accounts"):
                return _counted(world, call, _channel_accounts, (READ, WRITE))
            case _, (_, "messages", _) | (_, "channel-accounts"):
                return error(405, f"Method {call.method} is not allowed here", "METHOD_NOT_ALLOWED")  # shape assumed
        return Answer(404, {"message": "resource not found"})  # assumed: an unknown address is not in the error shape
    except Refused as refused:
        return refused.answer


def rate_headers(world: World, app: App) -> dict[str, str]:
    """On every normal reply (documented); the deprecated Secondly pair is still sent (observed); no daily ones for OAuth."""
    window = world.quota(app)
    return {
        "X-HubSpot-RateLimit-Max": str(window.limit),
        "X-HubSpot-RateLimit-Remaining": str(window.remaining),
        "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(window.seconds * 1000)),
        "X-HubSpot-RateLimit-Secondly": str(window.limit // 10),
        "X-HubSpot-RateLimit-Secondly-Remaining": str(min(window.remaining, window.limit // 10)),
    }


def _counted(world: World, call: Call, handle: Callable[[World, Call, AccessToken], Answer], scopes: tuple[str, ...]) -> Answer:
    """Check the bearer token, count the call against the quotas, check the scopes (any of *scopes* will do), answer it."""
    token = bearer(world, call)
    app = token.app
    spared = world.daily_spares_account_info and call.segments[0] == "account-info"
    if policy := world.refusal(app, spared=spared):
        reply = Answer(429, _too_many(policy, app))
    elif not set(scopes) & set(token.scopes):
        reply = error(
            403,
            "This app hasn't been granted all required scopes to make this call. Read more about required scopes here.",
            "MISSING_SCOPES",
            errors=[{"message": "One or more scopes are required.", "context": {"requiredGranularScopes": list(scopes)}}],
            links={"scopes": "https://developers.hubspot.com/scopes"},
        )  # observed
    else:
        try:
            reply = handle(world, call, token)
        except Refused as refused:
            reply = refused.answer
    reply.headers |= rate_headers(world, app)
    return reply


def _too_many(policy: str, app: App) -> dict[str, Any]:
    """A 429 of the window (observed) or of the day (documented): no category, and no Retry-After beside it."""
    body = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
    }
    if policy == "DAILY":
        return body | {"requestId": str(uuid.uuid4())}
    return body | {"groupName": f"publicapi:oauth-app-api-calls-ten-secondly:{app.portal_id}:{app.app_id}"}


def _channel(world: World, call: Call, token: AccessToken) -> str:
    """The channel of the path. One that another app owns looks as if it did not exist (observed on POST messages)."""
    channel_id = (custom_channels_path(call.segments) or ("",))[0]
    if world.channels.get(channel_id) is not token.app:
        sub_category = "ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST"
        context = {"channelId": [channel_id]}
        raise Refused(error(404, f"Channel {channel_id} not found", "OBJECT_NOT_FOUND", sub_category, context=context))
    return channel_id


def _get_message(world: World, call: Call, token: AccessToken) -> Answer:
    channel_id, message_id = _channel(world, call, token), call.segments[-1]
    message = world.messages.get((channel_id, message_id))
    if message is None:  # assumed, after the thread's 404, which was observed
        sub_category = "ConversationsResourceNotFoundError.MESSAGE_NOT_FOUND"
        raise Refused(error(404, "Message not found", "OBJECT_NOT_FOUND", sub_category, context={"id": [message_id]}))
    return Answer(200, message.as_json())


def _patch_message(world: World, call: Call, token: AccessToken) -> Answer:
    """Success is 200 with the whole message (specified). Any status may follow any other (assumed)."""
    try:
        asked = json.loads(call.body)
        if not isinstance(asked, dict):
            raise ValueError("Cannot deserialize value")
    except ValueError as fault:
        return error(400, f"Invalid input JSON on line 1, column 1: {fault}", "VALIDATION_ERROR")  # form observed
    status, error_message = asked.get("statusType"), asked.get("errorMessage")
    if status not in WRITABLE:  # assumed: the form of a mistyped value
        text = f"Invalid input JSON on line 1, column 1: statusType must be one of {list(WRITABLE)}"
        return error(400, text, "VALIDATION_ERROR", context={"statusType": [str(status)]})
    if error_message is not None and not isinstance(error_message, str):
        return error(400, "Invalid input JSON on line 1, column 1: errorMessage must be a string", "VALIDATION_ERROR")
    _get_message(world, call, token)
    message = world.messages[_channel(world, call, token), call.segments[-1]]
    message.status, message.error_message, message.updated_at = status, error_message, world.clock.now()
    return Answer(200, message.as_json())


def _channel_accounts(world: World, call: Call, token: AccessToken) -> Answer:
    channel_id = _channel(world, call, token)
    account = {
        "id": "1400200300",
        "channelId": channel_id,
        "inboxId": "5500660077",
        "name": "Parcel updates",
        "active": True,
        "authorized": True,
        "archived": False,
        "createdAt": iso(0.0),
        "deliveryIdentifier": {"type": "HS_PHONE_NUMBER", "value": "+15550199"},
    }
    return Answer(200, {"results": [account], "total": 1})


def _details(world: World, call: Call, token: AccessToken) -> Answer:
    local = world.calendar.local(world.clock.now())
    details = {
        "portalId": token.app.portal_id,
        "accountType": "STANDARD",
        "timeZone": world.calendar.time_zone,
        "utcOffset": local.isoformat()[-6:],  # assumed: of now, so summer time shows
        "utcOffsetMilliseconds": (local.utcoffset() or timedelta()) // timedelta(milliseconds=1),
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }
    return Answer(200, details)
