"""HubSpot's own Python SDK, unchanged, at the local HubSpot over HTTP: what it does here, it does there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import hubspot_sdk
import pytest
from hubspot_sdk.resources.conversations.custom_channels import CustomChannelsResource
from hubspot_sdk.types.conversations.channel_integration_participant_param import ChannelIntegrationParticipantParam

from airflow_provider_hubchan.emulator import Emulator

CHANNEL = 100200
CARLA: ChannelIntegrationParticipantParam = {
    "delivery_identifier": {"type": "HS_PHONE_NUMBER", "value": "+15550123"},
    "name": "Carla Customer",
}


@pytest.fixture
def hubspot() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.world.seed(["m-1", "m-2"])
        yield emulator


@pytest.fixture
def client(hubspot: Emulator) -> Iterator[hubspot_sdk.HubSpot]:
    """With a token and a developer key; a reply that is not what the SDK's types say is an error, and nothing is retried."""
    with hubspot_sdk.HubSpot(
        access_token=hubspot.world.issue(),
        developer_api_key=hubspot.world.developer_key,
        default_query={"appId": hubspot.world.install.app.app_id},
        base_url=hubspot.url,
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


@pytest.fixture
def channels(client: hubspot_sdk.HubSpot) -> CustomChannelsResource:
    return client.conversations.custom_channels


def post(channels: CustomChannelsResource, account_id: str, **more: Any) -> Any:
    return channels.messages.create(
        CHANNEL,
        attachments=[{"type": "FILE", "file_id": "77"}],
        channel_account_id=account_id,
        message_direction="INCOMING",
        recipients=[CARLA],
        senders=[CARLA],
        text="Where is my parcel?",
        timestamp=datetime(2026, 3, 30, 12, tzinfo=timezone.utc),
        **more,
    )


def test_messages_are_posted_updated_and_read(hubspot: Emulator, channels: CustomChannelsResource) -> None:
    """The three calls that the SDK has for messages."""
    posted = post(channels, hubspot.world.account_of(str(CHANNEL)).id)
    assert (posted.direction, posted.status.status_type, posted.text) == ("INCOMING", "RECEIVED", "Where is my parcel?")
    assert posted.created_at == datetime(2026, 3, 30, 12, tzinfo=timezone.utc)
    assert [attachment.type for attachment in posted.attachments] == ["FILE"]
    failed = channels.messages.update("m-1", channel_id=CHANNEL, status_type="FAILED", error_message="30003")
    assert failed.status is not None
    assert failed.status.failure_details is not None
    assert failed.status.failure_details.error_message == "30003"
    assert channels.messages.get("m-1", channel_id=CHANNEL) == failed
    assert channels.messages.get(posted.id, channel_id=CHANNEL) == posted


def test_channel_accounts_are_made_changed_and_paged(hubspot: Emulator, channels: CustomChannelsResource) -> None:
    """The SDK asks for page after page until it has all accounts; a staging token is filled in."""
    made = [channels.channel_accounts.create(CHANNEL, authorized=True, inbox_id="5", name=f"Depot {n}") for n in range(4)]
    names = [account.name for account in channels.channel_accounts.list(CHANNEL, limit=2)]
    assert names == ["Parcel updates", "Depot 0", "Depot 1", "Depot 2", "Depot 3"]
    changed = channels.channel_accounts.update(int(made[0].id), channel_id=CHANNEL, authorized=False)
    assert (changed.id, changed.authorized, changed.active) == (made[0].id, False, False)
    assert channels.get(int(made[0].id), channel_id=CHANNEL) == changed
    staged = hubspot.world.add_staging_token()
    filled = channels.channel_accounts.update_staging_token(staged.token, channel_id=CHANNEL, account_name="Depot 5")
    assert (filled.account_token, filled.account_name) == (staged.token, "Depot 5")


def test_channels_are_registered_and_deleted(channels: CustomChannelsResource, hubspot: Emulator) -> None:
    """With the developer key."""
    hubspot.choose(webhook_hosts="any")
    made = channels.create(name="Parcel chat", capabilities={"allowOutgoingMessages": {}})
    address = "https://bridge.example/"
    changed = channels.update(
        int(made.id),
        name="Parcel talk",
        capabilities={},
        channel_account_connection_redirect_url=address,
        channel_description="Talk",
        channel_logo_url=address,
        webhook_url=address,
    )
    assert (changed.id, changed.name, changed.webhook_url) == (made.id, "Parcel talk", address)
    assert [channel.name for channel in channels.list(limit=1, sort=["-name"])] == ["Parcel talk", "Parcel SMS"]
    channels.delete(int(made.id))
    assert [channel.name for channel in channels.list()] == ["Parcel SMS"]


def test_account_information_is_read(hubspot: Emulator, client: hubspot_sdk.HubSpot) -> None:
    """Both calls that the SDK has for it."""
    assert client.account.get().portal_id == hubspot.world.install.portal.id
    assert [usage.current_usage for usage in client.account.get_daily_private_apps_usage().results] == [0]


def test_its_errors_come_out_as_its_own(hubspot: Emulator, channels: CustomChannelsResource) -> None:
    """404, 400, 409, 401 and 429 are the SDK's classes, with HubSpot's error object as the body."""
    account_id = hubspot.world.account_of(str(CHANNEL)).id

    def body_of(kind: type[hubspot_sdk.APIStatusError], call: Any) -> dict[str, Any]:
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value.body, dict)
        return caught.value.body

    lost = body_of(hubspot_sdk.NotFoundError, lambda: channels.messages.get("m-9", channel_id=CHANNEL))
    assert (lost["category"], lost["context"]) == ("OBJECT_NOT_FOUND", {"id": ["m-9"]})
    wrong: Any = "RECEIVED"
    bad = body_of(hubspot_sdk.BadRequestError, lambda: channels.messages.update("m-1", channel_id=CHANNEL, status_type=wrong))
    assert (bad["category"], bad["errors"][0]["in"]) == ("VALIDATION_ERROR", "statusType")
    post(channels, account_id, integration_idempotency_id="i-1")
    again = body_of(hubspot_sdk.ConflictError, lambda: post(channels, account_id, integration_idempotency_id="i-1"))
    assert again["category"] == "CONFLICT"
    hubspot.world.settings.change(limit=1)
    much = body_of(hubspot_sdk.RateLimitError, lambda: channels.messages.get("m-1", channel_id=CHANNEL))
    assert much["policyName"] == "TEN_SECONDLY_ROLLING"
    hubspot.world.clock.advance(1801)
    late = body_of(hubspot_sdk.AuthenticationError, lambda: channels.messages.get("m-1", channel_id=CHANNEL))
    assert late["category"] == "EXPIRED_AUTHENTICATION"
