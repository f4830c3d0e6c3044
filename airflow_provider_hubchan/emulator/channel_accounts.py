"""The accounts of a channel: where a portal has connected it."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.records import AccessToken, Channel
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error
from airflow_provider_hubchan.emulator.world import World


def channel_of(world: World, call: Call, token: AccessToken) -> Channel:
    """The channel of the path. One that another app owns looks as if it did not exist (observed on POST messages)."""
    _, (channel_id, *_) = call.channels_path or ("", ("",))
    channel = world.channels.get(channel_id)
    if channel is None or channel.app is not token.install.app:
        sub_category = "ChannelIntegrationMessagePublishError.CHANNEL_DOES_NOT_EXIST"
        context = {"channelId": [channel_id]}
        raise Refused(error(404, f"Channel {channel_id} not found", "OBJECT_NOT_FOUND", sub_category, context=context))
    return channel


def page(world: World, call: Call, token: AccessToken) -> Answer:
    """The accounts of a channel in the portal of the token."""
    channel, portal = channel_of(world, call, token), token.install.portal
    found = [each for each in world.accounts.values() if each.channel is channel and each.portal is portal]
    return Answer(200, {"results": [each.as_json() for each in found], "total": len(found)})
