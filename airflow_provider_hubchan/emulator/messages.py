"""Messages: read one, and update its status."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.emulator.channel_accounts import channel_of
from airflow_provider_hubchan.emulator.records import AccessToken, Message
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error, invalid_json
from airflow_provider_hubchan.emulator.world import World

WRITABLE = ("FAILED", "READ", "SENT")


def get(world: World, call: Call, token: AccessToken) -> Answer:
    """The message."""
    return Answer(200, _message(world, call, token).as_json())


def patch(world: World, call: Call, token: AccessToken) -> Answer:
    """Success is 200 with the whole message (specified)."""
    asked = call.json()
    status, error_message = asked.get("statusType"), asked.get("errorMessage")
    if status not in WRITABLE:  # assumed: the form of a mistyped value
        said = invalid_json(1, 1, f"statusType must be one of {list(WRITABLE)}")
        said.body["context"] = {"statusType": [str(status)]}
        return said
    if error_message is not None and not isinstance(error_message, str):
        return invalid_json(1, 1, "errorMessage must be a string")
    message = _message(world, call, token)
    if refused := _unknown_rule(world, message, status, error_message):
        return refused
    message.status, message.error_message, message.updated_at = status, error_message, world.clock.now()
    return Answer(200, message.as_json(world.settings.status_in_reply))


def _message(world: World, call: Call, token: AccessToken) -> Message:
    channel, message_id = channel_of(world, call, token), call.segments[-1]
    message = world.messages.get((channel.id, message_id))
    if message is None or message.account.portal is not token.install.portal:  # assumed, after the thread's 404: observed
        sub_category = "ConversationsResourceNotFoundError.MESSAGE_NOT_FOUND"
        raise Refused(error(404, "Message not found", "OBJECT_NOT_FOUND", sub_category, context={"id": [message_id]}))
    return message


def _unknown_rule(world: World, message: Message, status: str, error_message: Any) -> Answer | None:
    """What HubSpot may refuse, but nobody says so: each is a setting (assumed, as are text and 400)."""
    chosen = world.settings
    if chosen.directions == "outgoing" and message.incoming:
        why = "Only the status of an outgoing message can be updated"
    elif chosen.transitions == "forward" and message.status == "READ" and status != "READ":
        why = f"A message that is READ cannot become {status}"
    elif chosen.repeats == "refused" and message.status == status:
        why = f"The message is {status} already"
    elif chosen.error_message_with == "failed" and error_message is not None and status != "FAILED":
        why = f"errorMessage cannot come with {status}"
    elif error_message and 0 < chosen.error_message_limit < len(error_message):
        why = f"errorMessage has more than {chosen.error_message_limit} characters"
    else:
        return None
    return error(400, why, "VALIDATION_ERROR", context={"id": [message.id]})
