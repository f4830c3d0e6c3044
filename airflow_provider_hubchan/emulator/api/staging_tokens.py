"""Staging tokens: what is known of a channel account before a person has connected it."""

from __future__ import annotations

from typing_extensions import TypedDict

from airflow_provider_hubchan.emulator.api.channels import channel_of
from airflow_provider_hubchan.emulator.api.errors import staging_token_not_found
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.api.message_payload import DeliveryIdentifier
from airflow_provider_hubchan.emulator.api.schema import Schema, Text
from airflow_provider_hubchan.emulator.model.records import AccessToken
from airflow_provider_hubchan.emulator.model.world import World


class StagingTokenUpdate(TypedDict, total=False):
    """``PublicChannelAccountStagingTokenUpdateRequest``, the same in every version (specified)."""

    accountName: Text
    deliveryIdentifier: DeliveryIdentifier


STAGING_TOKEN_UPDATE = Schema(StagingTokenUpdate)


def patch(world: World, request: Request, token: AccessToken) -> Response:
    """200 with the staging token. One of another channel or portal is answered with the 404 of an unknown one (assumed)."""
    channel, update = channel_of(world, request, token.install.app), STAGING_TOKEN_UPDATE.read(request.body)
    staged = world.staging.get(request.ids["accountToken"])
    if staged is None or staged.channel is not channel or staged.portal is not token.install.portal:
        return staging_token_not_found(request.ids["accountToken"])
    if "accountName" in update:
        staged.account_name = update["accountName"]
    if "deliveryIdentifier" in update:
        identifier = update["deliveryIdentifier"]
        staged.delivery_identifier = {"type": identifier["type"], "value": identifier["value"]}
    return Response(200, staged.as_json())
