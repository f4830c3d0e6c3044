"""Messages: post one, read one, and update its status."""

from __future__ import annotations

from typing_extensions import NotRequired, TypedDict

from airflow_provider_hubchan.emulator.api.channel_accounts import accounts_of
from airflow_provider_hubchan.emulator.api.channels import channel_of
from airflow_provider_hubchan.emulator.api.errors import account_not_found, error, message_not_found
from airflow_provider_hubchan.emulator.api.http import ApiError, Request, Response
from airflow_provider_hubchan.emulator.api.message_payload import MESSAGE_PAYLOAD, MessagePayload, content_of
from airflow_provider_hubchan.emulator.api.schema import Schema, Text
from airflow_provider_hubchan.emulator.model.records import AccessToken, ChannelAccount, Message, WritableStatus
from airflow_provider_hubchan.emulator.model.settings import Settings
from airflow_provider_hubchan.emulator.model.world import World


class MessageUpdate(TypedDict):
    """``PublicChannelIntegrationMessageUpdateRequest`` (specified)."""

    statusType: WritableStatus
    errorMessage: NotRequired[Text]


MESSAGE_UPDATE = Schema(MessageUpdate)


def get(world: World, request: Request, token: AccessToken) -> Response:
    """200 with the message, or with an earlier version of it if that is still what is read."""
    message = world.stale_reads.as_read(_message(world, request, token), world.clock.now())
    return Response(200, message.as_json())


def patch(world: World, request: Request, token: AccessToken) -> Response:
    """200 with the whole message (specified)."""
    update = MESSAGE_UPDATE.read(request.body)
    status, error_message = update["statusType"], update.get("errorMessage")
    message = _message(world, request, token)
    if reason := _refusal(world.settings, message, status, error_message):
        return error(400, reason, "VALIDATION_ERROR", context={"id": [message.id]})
    message.status, message.error_message, message.updated_at = status, error_message, world.clock.now()
    return Response(200, message.as_json(world.settings.status_in_reply))


def post(world: World, request: Request, token: AccessToken) -> Response:
    """201 with the whole message (specified). A customer's is RECEIVED, any other SENT (documented for the inbox)."""
    accounts = {account.id: account for account in accounts_of(world, request, token)}
    payload = MESSAGE_PAYLOAD.read(request.body)
    account = accounts.get(payload["channelAccountId"])
    if account is None or account.archived_at is not None:
        return account_not_found(payload["channelAccountId"])
    if not account.authorized:
        context = {"channelAccountId": [account.id]}
        return error(400, "The channel account is not authorized", "VALIDATION_ERROR", context=context)  # assumed
    if payload["messageDirection"] == "OUTGOING" and world.settings.posts == "incoming":
        return error(400, "Only INCOMING messages can be posted", "VALIDATION_ERROR")  # as the guide of 2024 has it
    if duplicate := _duplicate(world, account, payload):
        return duplicate
    message = Message(
        id=world.next_message_id(),
        account=account,
        thread=world.thread_of(account, payload.get("integrationThreadId") or world.new_integration_thread_id()),
        created_at=payload["timestamp"],
        updated_at=world.clock.now(),
        status="RECEIVED" if payload["messageDirection"] == "INCOMING" else "SENT",
        content=content_of(payload, token.install.app.app_id),
    )
    world.messages[account.channel.id, message.id] = message
    if "integrationIdempotencyId" in payload:
        world.posted[account.id, payload["integrationIdempotencyId"]] = message.id
    return Response(201, message.as_json())


def _duplicate(world: World, account: ChannelAccount, payload: MessagePayload) -> Response | None:
    """The answer to a message whose ``integrationIdempotencyId`` the account has had already, None for any other message.

    That an account has one message at most with such an id is documented; what is answered is assumed.
    """
    if "integrationIdempotencyId" not in payload:
        return None
    idempotency_id = payload["integrationIdempotencyId"]
    message_id = world.posted.get((account.id, idempotency_id))
    if message_id is None:
        return None
    if world.settings.duplicates == "same":
        return Response(201, world.messages[account.channel.id, message_id].as_json())
    context = {"integrationIdempotencyId": [idempotency_id], "id": [message_id]}
    return error(409, "A message with this integrationIdempotencyId exists already", "CONFLICT", context=context)


def _message(world: World, request: Request, token: AccessToken) -> Message:
    channel, message_id = channel_of(world, request, token.install.app), request.ids["messageId"]
    message = world.messages.get((channel.id, message_id))
    if message is None or message.account.portal is not token.install.portal:
        raise ApiError(message_not_found(message_id))
    return message


def _refusal(settings: Settings, message: Message, status: str, error_message: str | None) -> str | None:
    """Why an update is refused, by rules that nobody documents: each is a setting (assumed, as are the texts and the 400)."""
    if settings.directions == "outgoing" and message.incoming:
        return "Only the status of an outgoing message can be updated"
    if settings.transitions == "forward" and message.status == "READ" and status != "READ":
        return f"A message that is READ cannot become {status}"
    if settings.repeats == "refused" and message.status == status:
        return f"The message is {status} already"
    if settings.error_message_with == "failed" and error_message is not None and status != "FAILED":
        return f"errorMessage cannot come with {status}"
    if error_message and 0 < settings.error_message_limit < len(error_message):
        return f"errorMessage has more than {settings.error_message_limit} characters"
    return None
