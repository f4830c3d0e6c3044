"""Staging tokens: what is known of a channel account before a person has connected it."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.bodies import read
from airflow_provider_hubchan.emulator.channels import channel_of
from airflow_provider_hubchan.emulator.eggs import DELIVERY_IDENTIFIER
from airflow_provider_hubchan.emulator.readers import Reader, record, text
from airflow_provider_hubchan.emulator.records import AccessToken
from airflow_provider_hubchan.emulator.shapes import Answer, Call, error
from airflow_provider_hubchan.emulator.world import World

_FIELDS: dict[str, Reader] = {"accountName": text, "deliveryIdentifier": DELIVERY_IDENTIFIER}
_SOME, _BOTH = record(_FIELDS), record(**_FIELDS)
#: ``PublicChannelAccountStagingTokenUpdateRequest`` of each version (specified).
PATCH = {"v3": _SOME, "2025-09": _BOTH, "2026-03": _SOME, "2026-09": _BOTH}


def patch(world: World, call: Call, token: AccessToken) -> Answer:
    """Name and identifier of the account to be. A token of another channel or portal is unknown (assumed, with its 404)."""
    channel, said = channel_of(world, call, token.install.app), read(call.body, PATCH[call.version])
    staged = world.staging.get(call.segments[-1])
    if staged is None or staged.channel is not channel or staged.portal is not token.install.portal:
        context = {"accountToken": [call.segments[-1]]}
        return error(404, "Channel account staging token not found", "OBJECT_NOT_FOUND", context=context)
    staged.account_name = said.get("accountName", staged.account_name)
    staged.delivery_identifier = said.get("deliveryIdentifier", staged.delivery_identifier)
    return Answer(200, staged.as_json())
