"""The accounts of a channel: where a portal has connected it."""

from __future__ import annotations

from typing import get_args

from typing_extensions import NotRequired, TypedDict

from airflow_provider_hubchan.emulator.api.channels import channel_of
from airflow_provider_hubchan.emulator.api.errors import account_not_found, error
from airflow_provider_hubchan.emulator.api.http import ApiError, Request, Response
from airflow_provider_hubchan.emulator.api.message_payload import DeliveryIdentifier, DeliveryType
from airflow_provider_hubchan.emulator.api.query import flag, numeric_id, page, values
from airflow_provider_hubchan.emulator.api.schema import Schema, Text
from airflow_provider_hubchan.emulator.model.records import AccessToken, ChannelAccount
from airflow_provider_hubchan.emulator.model.world import World

SORT_FIELDS = ("id", "name", "createdAt", "inboxId")


class AccountCreate(TypedDict):
    """``PublicChannelAccountEgg`` (specified)."""

    authorized: bool
    inboxId: Text
    name: Text
    deliveryIdentifier: NotRequired[DeliveryIdentifier]


class AccountUpdate(TypedDict, total=False):
    """``PublicChannelAccountUpdateRequest`` (specified)."""

    authorized: bool
    name: Text


ACCOUNT_CREATE, ACCOUNT_UPDATE = Schema(AccountCreate), Schema(AccountUpdate)


def list_accounts(world: World, request: Request, token: AccessToken) -> Response:
    """200 with a page of the accounts in the token's portal: the archived ones or the others, with any of the identifiers."""
    archived = flag(request, "archived")
    types = values(request, "deliveryIdentifierType", get_args(DeliveryType))
    identifiers = values(request, "deliveryIdentifierValue")
    accounts = [
        account.as_json()
        for account in accounts_of(world, request, token)
        if (account.archived_at is not None) is archived
        and (not types or (account.delivery_identifier or {}).get("type") in types)
        and (not identifiers or (account.delivery_identifier or {}).get("value") in identifiers)
    ]
    return page(request, accounts, SORT_FIELDS)


def create(world: World, request: Request, token: AccessToken) -> Response:
    """201 with an account in the token's portal. Any inbox is taken to exist (assumed)."""
    channel, payload = channel_of(world, request, token.install.app), ACCOUNT_CREATE.read(request.body)
    account = world.add_account(
        channel,
        token.install.portal,
        inbox_id=payload["inboxId"],
        name=payload["name"],
        authorized=payload["authorized"],
        delivery_identifier=payload.get("deliveryIdentifier"),
    )
    return Response(201, account.as_json())


def get(world: World, request: Request, token: AccessToken) -> Response:
    """200 with the account, if it is archived as ``archived`` says."""
    archived = flag(request, "archived")
    return Response(200, _account(world, request, token, archived).as_json())


def patch(world: World, request: Request, token: AccessToken) -> Response:
    """200 with the account. Its inbox cannot be changed, and an update without a field that can is refused (observed)."""
    account, update = _account(world, request, token), ACCOUNT_UPDATE.read(request.body)
    if not update:
        sub_category = "CustomChannelsError.EMPTY_UPDATE_REQUEST_BODY"
        return error(400, "The update has no field that can be changed", "VALIDATION_ERROR", sub_category)
    account.name, account.authorized = update.get("name", account.name), update.get("authorized", account.authorized)
    return Response(200, account.as_json())


def accounts_of(world: World, request: Request, token: AccessToken) -> list[ChannelAccount]:
    """All accounts of the path's channel in the token's portal.

    :raises ApiError: see `channel_of`.
    """
    channel, portal = channel_of(world, request, token.install.app), token.install.portal
    return [account for account in world.accounts.values() if account.channel is channel and account.portal is portal]


def _account(world: World, request: Request, token: AccessToken, archived: bool = False) -> ChannelAccount:
    accounts = accounts_of(world, request, token)
    account_id = numeric_id("channelAccountId", request.ids["channelAccountId"], 64)
    for account in accounts:
        if account.id == account_id and (account.archived_at is not None) is archived:
            return account
    raise ApiError(account_not_found(account_id))
