"""Messages: post one, read one, and update its status."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.emulator.bodies import read
from airflow_provider_hubchan.emulator.channel_accounts import accounts_of, not_found
from airflow_provider_hubchan.emulator.channels import channel_of
from airflow_provider_hubchan.emulator.eggs import EGGS, content, thread_of
from airflow_provider_hubchan.emulator.readers import among, record, text
from airflow_provider_hubchan.emulator.records import AccessToken, ChannelAccount, Message
from airflow_provider_hubchan.emulator.refusals import message_not_found
from airflow_provider_hubchan.emulator.settings import Settings
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error
from airflow_provider_hubchan.emulator.world import World

WRITABLE = ("FAILED", "READ", "SENT")
#: ``PublicChannelIntegrationMessageUpdateRequest`` (specified).
PATCH = record({"errorMessage": text}, statusType=among(*WRITABLE))


def get(world: World, call: Call, token: AccessToken) -> Answer:
    """The message."""
    return Answer(200, world.lagging.as_read(_message(world, call, token), world.clock.now()).as_json())


def patch(world: World, call: Call, token: AccessToken) -> Answer:
    """Success is 200 with the whole message (specified)."""
    said = read(call.body, PATCH)
    status, error_message = said["statusType"], said.get("errorMessage")
    message = _message(world, call, token)
    if why := _refusal(world.settings, message, status, error_message):
        return error(400, why, "VALIDATION_ERROR", context={"id": [message.id]})
    message.status, message.error_message, message.updated_at = status, error_message, world.clock.now()
    return Answer(200, message.as_json(world.settings.status_in_reply))


def post(world: World, call: Call, token: AccessToken) -> Answer:
    """201 with the whole message (specified). A customer's is RECEIVED, any other SENT (documented for the inbox)."""
    accounts = {each.id: each for each in accounts_of(world, call, token)}
    egg = read(call.body, EGGS[call.version])
    account = accounts.get(egg["channelAccountId"])
    if account is None or account.archived_at is not None:
        return not_found(egg["channelAccountId"])
    if not account.authorized:
        context = {"channelAccountId": [account.id]}
        return error(400, "The channel account is not authorized", "VALIDATION_ERROR", context=context)  # assumed
    if egg["messageDirection"] == "OUTGOING" and world.settings.posts == "incoming":
        return error(400, "Only INCOMING messages can be posted", "VALIDATION_ERROR")  # as the guide of 2024 has it
    if known := _known(world, account, egg):
        return known
    message = Message(
        id=world.next_message_id(),
        account=account,
        thread=thread_of(account.id, egg.get("integrationThreadId") or f"no id {world.next_id()}"),
        created_at=egg["timestamp"],
        updated_at=world.clock.now(),
        status="RECEIVED" if egg["messageDirection"] == "INCOMING" else "SENT",
        content=content(egg, token.install.app.app_id),
    )
    world.messages[account.channel.id, message.id] = message
    if "integrationIdempotencyId" in egg:
        world.posted[account.id, egg["integrationIdempotencyId"]] = message.id
    return Answer(201, message.as_json())


def _known(world: World, account: ChannelAccount, egg: dict[str, Any]) -> Answer | None:
    """An account has one message at most with an ``integrationIdempotencyId`` (documented); the answers are assumed."""
    if "integrationIdempotencyId" not in egg:
        return None
    idempotency_id = egg["integrationIdempotencyId"]
    message_id = world.posted.get((account.id, idempotency_id))
    if message_id is None:
        return None
    if world.settings.duplicates == "same":
        return Answer(201, world.messages[account.channel.id, message_id].as_json())
    context = {"integrationIdempotencyId": [idempotency_id], "id": [message_id]}
    return error(409, "A message with this integrationIdempotencyId exists already", "CONFLICT", context=context)


def _message(world: World, call: Call, token: AccessToken) -> Message:
    channel, message_id = channel_of(world, call, token.install.app), call.segments[-1]
    message = world.messages.get((channel.id, message_id))
    if message is None or message.account.portal is not token.install.portal:
        raise Refused(message_not_found(message_id))
    return message


def _refusal(chosen: Settings, message: Message, status: str, error_message: str | None) -> str | None:
    """Why HubSpot may refuse, though nobody says so: each rule is a setting (assumed, as are texts and 400)."""
    if chosen.directions == "outgoing" and message.incoming:
        return "Only the status of an outgoing message can be updated"
    if chosen.transitions == "forward" and message.status == "READ" and status != "READ":
        return f"A message that is READ cannot become {status}"
    if chosen.repeats == "refused" and message.status == status:
        return f"The message is {status} already"
    if chosen.error_message_with == "failed" and error_message is not None and status != "FAILED":
        return f"errorMessage cannot come with {status}"
    if error_message and 0 < chosen.error_message_limit < len(error_message):
        return f"errorMessage has more than {chosen.error_message_limit} characters"
    return None
