"""Channels: an app registers them with its developer key, and finds them by the id in the path."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.bodies import read
from airflow_provider_hubchan.emulator.queries import identifier, page
from airflow_provider_hubchan.emulator.readers import Reader, mapping, nullable, record, text
from airflow_provider_hubchan.emulator.records import App, Channel
from airflow_provider_hubchan.emulator.refusals import channel_not_found
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused
from airflow_provider_hubchan.emulator.world import World

SORTS = ("id", "name", "createdAt")
ADDRESSES = ("channelAccountConnectionRedirectUrl", "channelDescription", "channelLogoUrl", "webhookUrl")
#: ``PublicChannelIntegrationChannelCreate`` (specified).
CREATE = record(dict.fromkeys(ADDRESSES, text), name=text, capabilities=mapping)
_FIELDS: dict[str, Reader] = {"name": text, "capabilities": mapping, **{name: nullable(text) for name in ADDRESSES}}
#: ``PublicChannelIntegrationChannelPatch`` requires all fields (specified), or what is to be changed is enough (assumed).
PATCHES = {"whole": record(**_FIELDS), "partial": record(_FIELDS)}


def channel_of(world: World, call: Call, app: App) -> Channel:
    """The channel of the path. One that another app owns looks as if it did not exist (observed on POST messages)."""
    _, (said, *_) = call.channels_path or ("", ("",))
    channel = world.channels.get(said) or world.channels.get(identifier("channelId", said, 32))
    if channel is None or channel.app is not app:
        raise Refused(channel_not_found(said))
    return channel


def list_channels(world: World, call: Call, app: App) -> Answer:
    """The channels of an app."""
    return page(call, [each.as_json() for each in world.channels.values() if each.app is app], SORTS)


def create(world: World, call: Call, app: App) -> Answer:
    """A channel that no portal has connected yet."""
    return Answer(201, world.register(app, read(call.body, CREATE)).as_json())


def get(world: World, call: Call, app: App) -> Answer:
    return Answer(200, channel_of(world, call, app).as_json())


def patch(world: World, call: Call, app: App) -> Answer:
    """Other fields; a null takes one away (assumed)."""
    channel, said = channel_of(world, call, app), read(call.body, PATCHES[world.settings.channel_patches])
    channel.about = {name: value for name, value in (channel.about | said).items() if value is not None}
    return Answer(200, channel.as_json())


def delete(world: World, call: Call, app: App) -> Answer:
    """204. The channel's accounts and messages are gone with it (assumed)."""
    world.remove(channel_of(world, call, app))
    return Answer(204)
