"""Channels: an app registers them with its developer key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import NotRequired, TypedDict

from airflow_provider_hubchan.emulator.api.errors import channel_not_found, error
from airflow_provider_hubchan.emulator.api.http import ApiError, Request, Response
from airflow_provider_hubchan.emulator.api.query import numeric_id, page
from airflow_provider_hubchan.emulator.api.schema import Object, Schema, Text
from airflow_provider_hubchan.emulator.model.records import App, Channel
from airflow_provider_hubchan.emulator.model.webhook_url import invalid_url, refusal
from airflow_provider_hubchan.emulator.model.world import World

SORT_FIELDS = ("id", "name", "createdAt")


class ChannelCreate(TypedDict):
    """``PublicChannelIntegrationChannelCreate`` (specified)."""

    name: Text
    capabilities: Object
    channelAccountConnectionRedirectUrl: NotRequired[Text]
    channelDescription: NotRequired[Text]
    channelLogoUrl: NotRequired[Text]
    webhookUrl: NotRequired[Text]


class ChannelPatch(TypedDict):
    """``PublicChannelIntegrationChannelPatch``, which requires every field (specified); a null removes one (assumed)."""

    name: Text
    capabilities: Object
    channelAccountConnectionRedirectUrl: Text | None
    channelDescription: Text | None
    channelLogoUrl: Text | None
    webhookUrl: Text | None


class PartialChannelPatch(TypedDict, total=False):
    """The same with any of its fields (assumed)."""

    name: Text
    capabilities: Object
    channelAccountConnectionRedirectUrl: Text | None
    channelDescription: Text | None
    channelLogoUrl: Text | None
    webhookUrl: Text | None


CHANNEL_CREATE, CHANNEL_PATCH, PARTIAL_CHANNEL_PATCH = Schema(ChannelCreate), Schema(ChannelPatch), Schema(PartialChannelPatch)


def channel_of(world: World, request: Request, app: App) -> Channel:
    """The channel of the path.

    :raises ApiError: 400, its id is not an integer of 32 bits; 404, there is none, or another app owns it (observed on POST
        messages).
    """
    channel_id = request.ids["channelId"]
    channel = world.channels.get(channel_id) or world.channels.get(numeric_id("channelId", channel_id, 32))
    if channel is None or channel.app is not app:
        raise ApiError(channel_not_found(channel_id))
    return channel


def list_channels(world: World, request: Request, app: App) -> Response:
    """200 with a page of the app's channels."""
    return page(request, [channel.as_json() for channel in world.channels.values() if channel.app is app], SORT_FIELDS)


def create(world: World, request: Request, app: App) -> Response:
    """201 with a channel that no portal has connected yet."""
    about = dict(CHANNEL_CREATE.read(request.body))
    _check_webhook(world, about)
    return Response(201, world.register(app, about).as_json())


def get(world: World, request: Request, app: App) -> Response:
    """200 with the channel."""
    return Response(200, channel_of(world, request, app).as_json())


def patch(world: World, request: Request, app: App) -> Response:
    """200 with the channel; fields that were null are gone."""
    channel = channel_of(world, request, app)
    partial = world.settings.channel_patches == "partial"
    changes = dict(PARTIAL_CHANNEL_PATCH.read(request.body) if partial else CHANNEL_PATCH.read(request.body))
    _check_webhook(world, changes)
    channel.about = {name: value for name, value in (channel.about | changes).items() if value is not None}
    return Response(200, channel.as_json())


def _check_webhook(world: World, about: Mapping[str, Any]) -> None:
    """Refuse a ``webhookUrl`` that leads to another machine, which HubSpot would take: a rule of the emulator's own.

    :raises ApiError: 400 that says so, and what to do. Text that is not a URL is taken (specified), and nothing is sent to it.
    """
    url, settings = about.get("webhookUrl"), world.settings
    if url and not invalid_url(url) and (reason := refusal(url, settings.webhook_via, settings.webhook_hosts)):
        text = f"Not HubSpot's answer: {reason}"
        raise ApiError(
            error(400, text, "VALIDATION_ERROR", "EmulatorError.WEBHOOK_HOST_REFUSED", context={"webhookUrl": [url]})
        )


def delete(world: World, request: Request, app: App) -> Response:
    """204. The channel's accounts, staging tokens and messages are gone, too (assumed)."""
    world.remove(channel_of(world, request, app))
    return Response(204)
