"""What the local HubSpot keeps: portals, apps, tokens, channels, their accounts, and messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_hubchan.emulator.clock import Calendar, iso
from airflow_provider_hubchan.emulator.limits import DailyQuota, RollingWindow

WRITE = "conversations.custom_channels.write"
READ = "conversations.custom_channels.read"
CUSTOMERS = ("Carla Customer", "Chidi Client", "Bo Buyer", "Greta Guest", "Pia Patron", "Sam Subscriber", "Uma User")
AGENTS_TEXT = "Your parcel is on its way."
AGENT = {"actorId": "A-1201", "name": "Ada Agent"}


@dataclass
class Portal:
    """An account of HubSpot's customers."""

    id: int
    calendar: Calendar
    day: DailyQuota = field(default_factory=DailyQuota)

    def used_today(self, now: float) -> int:
        """How many calls the day has had that it is *now*, seconds since the epoch, by its calendar."""
        return self.day.used_on(self.calendar.local(now).date())


@dataclass
class App:
    """An app. *private*: its tokens are not OAuth's, and their replies tell of the day, too."""

    client_id: str
    client_secret: str
    app_id: int
    private: bool = False
    asked_for_tokens: RollingWindow = field(default_factory=RollingWindow)


@dataclass
class Install:
    """An app in a portal. The window is of the two together (documented)."""

    app: App
    portal: Portal
    refresh_token: str
    scopes: tuple[str, ...]
    revoked: bool = False
    window: RollingWindow = field(default_factory=RollingWindow)


@dataclass
class AccessToken:
    """A bearer token: whose it is, and when it ends (seconds since the epoch)."""

    install: Install
    expires_at: float
    scopes: tuple[str, ...]


@dataclass
class Channel:
    """A custom channel, which an app has registered.

    :param about: the rest of ``PublicChannelIntegrationChannel``: name, capabilities, addresses.
    """

    id: str
    app: App
    created_at: float
    about: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """``PublicChannelIntegrationChannel`` (specified)."""
        return {"id": self.id, "createdAt": iso(self.created_at), **self.about}


@dataclass
class ChannelAccount:
    """A channel as a portal uses it.

    :param delivery_identifier: ``{"type": ..., "value": ...}``.
    """

    id: str
    channel: Channel
    portal: Portal
    inbox_id: str
    name: str
    created_at: float
    authorized: bool = True
    archived_at: float | None = None
    delivery_identifier: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """``PublicChannelAccount`` (specified)."""
        said = {
            "id": self.id,
            "channelId": self.channel.id,
            "inboxId": self.inbox_id,
            "name": self.name,
            "active": self.authorized and self.archived_at is None,
            "authorized": self.authorized,
            "archived": self.archived_at is not None,
            "createdAt": iso(self.created_at),
        }
        if self.archived_at is not None:
            said["archivedAt"] = iso(self.archived_at)
        if self.delivery_identifier:
            said["deliveryIdentifier"] = self.delivery_identifier
        return said


@dataclass
class StagingToken:
    """A channel account that a person is about to connect."""

    token: str
    channel: Channel
    portal: Portal
    inbox_id: int
    created_at: float
    account_name: str | None = None
    delivery_identifier: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """``PublicChannelAccountStagingToken`` (specified)."""
        said = {
            "accountToken": self.token,
            "createdAt": iso(self.created_at),
            "genericChannelId": int(self.channel.id),
            "inboxId": self.inbox_id,
            "userId": 1201,
        }
        more = {"accountName": self.account_name, "deliveryIdentifier": self.delivery_identifier}
        return said | {name: value for name, value in more.items() if value is not None}


@dataclass(slots=True)
class Message:
    """One message. HubSpot calls an agent's SENT as soon as it is sent (documented in the 2024 guide).

    :param thread: number of its thread, from which follows the customer.
    :param content: what else was posted; None for what an agent has sent.
    """

    id: str
    account: ChannelAccount
    thread: int
    created_at: float
    updated_at: float
    status: str = "SENT"
    error_message: str | None = None
    content: dict[str, Any] | None = None

    @property
    def incoming(self) -> bool:
        """True if a customer wrote it."""
        return self.content is not None and self.content["direction"] == "INCOMING"

    @property
    def customer(self) -> dict[str, Any]:
        """The person of the thread."""
        number = {"type": "HS_PHONE_NUMBER", "value": f"+1555{self.thread % 10_000_000:07d}"}
        return {"deliveryIdentifier": number, "name": CUSTOMERS[self.thread % len(CUSTOMERS)]}

    def as_json(self, with_status: bool = True) -> dict[str, Any]:
        """``PublicConversationsMessage`` (specified), in which the status is optional."""
        said = {
            "id": self.id,
            "type": "MESSAGE",
            "direction": "OUTGOING",
            "channelId": self.account.channel.id,
            "channelAccountId": self.account.id,
            "conversationsThreadId": str(self.thread),
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at),
            "createdBy": "A-1201",
            "client": {"clientType": "HUBSPOT"},
            "senders": [AGENT],
            "recipients": [self.customer],
            "text": AGENTS_TEXT,
            "attachments": [],
            "truncationStatus": "NOT_TRUNCATED",
            "archived": False,
        }
        if self.content:
            said |= self.content
        return said | {"status": self._status()} if with_status else said

    def _status(self) -> dict[str, Any]:
        if self.status != "FAILED":
            return {"statusType": self.status}
        details: dict[str, Any] = {"errorMessageTokens": {}}
        if self.error_message:  # assumed: what was written comes back here
            details["errorMessage"] = self.error_message
        return {"statusType": self.status, "failureDetails": details}
