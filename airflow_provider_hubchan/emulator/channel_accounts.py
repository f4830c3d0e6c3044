"""The accounts of a channel: where a portal has connected it."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.bodies import read
from airflow_provider_hubchan.emulator.channels import channel_of
from airflow_provider_hubchan.emulator.eggs import DELIVERY_IDENTIFIER, DELIVERY_TYPES
from airflow_provider_hubchan.emulator.queries import flag, identifier, page, several
from airflow_provider_hubchan.emulator.readers import flag as true_or_false
from airflow_provider_hubchan.emulator.readers import record, text
from airflow_provider_hubchan.emulator.records import AccessToken, ChannelAccount
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error
from airflow_provider_hubchan.emulator.world import World

SORTS = ("id", "name", "createdAt", "inboxId")
#: ``PublicChannelAccountEgg`` and ``PublicChannelAccountUpdateRequest`` (specified).
CREATE = record({"deliveryIdentifier": DELIVERY_IDENTIFIER}, authorized=true_or_false, inboxId=text, name=text)
PATCH = record({"authorized": true_or_false, "name": text})


def list_accounts(world: World, call: Call, token: AccessToken) -> Answer:
    """The accounts in the portal of the token, either the archived ones or the others, with any of the identifiers."""
    archived = flag(call, "archived")
    types, values = several(call, "deliveryIdentifierType", DELIVERY_TYPES), several(call, "deliveryIdentifierValue")
    found = [
        account.as_json()
        for account in accounts_of(world, call, token)
        if (account.archived_at is not None) is archived
        and (not types or (account.delivery_identifier or {}).get("type") in types)
        and (not values or (account.delivery_identifier or {}).get("value") in values)
    ]
    return page(call, found, SORTS)


def create(world: World, call: Call, token: AccessToken) -> Answer:
    """An account of the token's portal. Every inbox is taken for one that there is (assumed)."""
    channel, said = channel_of(world, call, token.install.app), read(call.body, CREATE)
    account = world.add_account(
        channel,
        token.install.portal,
        inbox_id=said["inboxId"],
        name=said["name"],
        authorized=said["authorized"],
        delivery_identifier=said.get("deliveryIdentifier"),
    )
    return Answer(201, account.as_json())


def get(world: World, call: Call, token: AccessToken) -> Answer:
    """The account, if it is archived or not, whichever was asked for."""
    archived = flag(call, "archived")
    return Answer(200, _account(world, call, token, archived).as_json())


def patch(world: World, call: Call, token: AccessToken) -> Answer:
    """Name, and whether it is authorized; its inbox stays. A PATCH of neither is refused (observed)."""
    account, said = _account(world, call, token), read(call.body, PATCH)
    if not said:
        sub_category = "CustomChannelsError.EMPTY_UPDATE_REQUEST_BODY"
        return error(400, "The update has no field that can be changed", "VALIDATION_ERROR", sub_category)
    account.name, account.authorized = said.get("name", account.name), said.get("authorized", account.authorized)
    return Answer(200, account.as_json())


def accounts_of(world: World, call: Call, token: AccessToken) -> list[ChannelAccount]:
    """All accounts of the path's channel in the token's portal."""
    channel, portal = channel_of(world, call, token.install.app), token.install.portal
    return [each for each in world.accounts.values() if each.channel is channel and each.portal is portal]


def _account(world: World, call: Call, token: AccessToken, archived: bool = False) -> ChannelAccount:
    number = call.segments[-1]
    accounts = accounts_of(world, call, token)
    asked = identifier("channelAccountId", number, 64)
    for account in accounts:
        if account.id == asked and (account.archived_at is not None) is archived:
            return account
    raise Refused(not_found(asked))


def not_found(account_id: str) -> Answer:
    """404 of a channel account, after that of a channel (assumed)."""
    sub_category = "ChannelIntegrationMessagePublishError.CHANNEL_ACCOUNT_DOES_NOT_EXIST"
    context = {"channelAccountId": [account_id]}
    return error(404, f"Channel account {account_id} not found", "OBJECT_NOT_FOUND", sub_category, context=context)
