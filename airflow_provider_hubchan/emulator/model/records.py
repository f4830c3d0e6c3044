"""The records of the model: portals, apps, installs, tokens, channels, their accounts, and messages.

Every field is part of the saved state, by its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from airflow_provider_hubchan.emulator.model.clock import Calendar, iso
from airflow_provider_hubchan.emulator.model.limits import DailyQuota, RollingWindow

#: Scopes of the custom-channels API (specified).
WRITE = "conversations.custom_channels.write"
READ = "conversations.custom_channels.read"
#: The statuses that a PATCH may write, and all that a message may have (specified).
WritableStatus: TypeAlias = Literal["FAILED", "READ", "SENT"]
WRITABLE: tuple[str, ...] = get_args(WritableStatus)
STATUSES = (*WRITABLE, "RECEIVED")
#: The user who has installed the app, and who sends the messages of an agent.
USER_ID = 1201
AGENT = {"actorId": f"A-{USER_ID}", "name": "Ada Agent"}
AGENTS_TEXT = "Your parcel is on its way."
CUSTOMERS = ("Carla Customer", "Chidi Client", "Bo Buyer", "Greta Guest", "Pia Patron", "Sam Subscriber", "Uma User")


@dataclass
class Portal:
    """An account of a customer of HubSpot, which its API calls a portal.

    :param day: the calls of its current day.
    """

    id: int
    calendar: Calendar
    day: DailyQuota = field(default_factory=DailyQuota)

    def used_today(self, now: float) -> int:
        """Calls of the day that it is at *now*, seconds since the epoch, in the portal's time zone."""
        return self.day.used_on(self.calendar.local(now).date())


@dataclass
class App:
    """An app.

    :param private: True for a private app: its tokens are not from OAuth, and its replies have the daily rate headers.
    :param asked_for_tokens: its requests for tokens.
    """

    client_id: str
    client_secret: str
    app_id: int
    private: bool = False
    asked_for_tokens: RollingWindow = field(default_factory=RollingWindow)


@dataclass
class Install:
    """An app in a portal.

    :param revoked: True once its refresh token is not accepted any more.
    :param window: the latest calls of this app in this portal, which have a rate limit of their own (documented).
    """

    app: App
    portal: Portal
    refresh_token: str
    scopes: tuple[str, ...]
    revoked: bool = False
    window: RollingWindow = field(default_factory=RollingWindow)


@dataclass
class AccessToken:
    """A bearer token.

    :param expires_at: seconds since the epoch.
    """

    install: Install
    expires_at: float
    scopes: tuple[str, ...]


@dataclass
class Channel:
    """A custom channel, which an app has registered.

    :param about: the other fields of ``PublicChannelIntegrationChannel``: name, capabilities, URLs.
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
    """A channel as a portal has connected it.

    :param delivery_identifier: ``{"type": ..., "value": ...}``, None if it has none.
    :param archived_at: seconds since the epoch, None while it is not archived.
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

    @property
    def active(self) -> bool:
        """True if messages can be sent from it."""
        return self.authorized and self.archived_at is None

    def as_json(self) -> dict[str, Any]:
        """``PublicChannelAccount`` (specified)."""
        fields = {
            "id": self.id,
            "channelId": self.channel.id,
            "inboxId": self.inbox_id,
            "name": self.name,
            "active": self.active,
            "authorized": self.authorized,
            "archived": self.archived_at is not None,
            "createdAt": iso(self.created_at),
        }
        if self.archived_at is not None:
            fields["archivedAt"] = iso(self.archived_at)
        if self.delivery_identifier:
            fields["deliveryIdentifier"] = self.delivery_identifier
        return fields


@dataclass
class StagingToken:
    """A channel account that a person has begun to connect."""

    token: str
    channel: Channel
    portal: Portal
    inbox_id: int
    created_at: float
    account_name: str | None = None
    delivery_identifier: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """``PublicChannelAccountStagingToken`` (specified)."""
        fields = {
            "accountToken": self.token,
            "createdAt": iso(self.created_at),
            "genericChannelId": int(self.channel.id),
            "inboxId": self.inbox_id,
            "userId": USER_ID,
        }
        optional = {"accountName": self.account_name, "deliveryIdentifier": self.delivery_identifier}
        return fields | {name: value for name, value in optional.items() if value is not None}


@dataclass(slots=True)
class Message:
    """One message. An agent's is SENT from the start (documented in the 2024 guide).

    :param thread: number of its thread, which also decides the customer.
    :param content: what else was posted, in the form in which it is read back; None for what an agent has sent.
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
        """Whom it is from or to: ``{"deliveryIdentifier": {...}, "name": ...}``; the thread decides if it does not say."""
        people = (self.content or {}).get("senders" if self.incoming else "recipients")
        if people:
            identifier = people[0]["deliveryIdentifier"]
            return {"deliveryIdentifier": identifier, "name": people[0].get("name") or identifier["value"]}
        phone = {"type": "HS_PHONE_NUMBER", "value": f"+1555{self.thread % 10_000_000:07d}"}
        return {"deliveryIdentifier": phone, "name": CUSTOMERS[self.thread % len(CUSTOMERS)]}

    def as_json(self, with_status: bool = True) -> dict[str, Any]:
        """``PublicConversationsMessage`` (specified), in which the status is optional."""
        fields = {
            "id": self.id,
            "type": "MESSAGE",
            "direction": "OUTGOING",
            "channelId": self.account.channel.id,
            "channelAccountId": self.account.id,
            "conversationsThreadId": str(self.thread),
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at),
            "createdBy": AGENT["actorId"],
            "client": {"clientType": "HUBSPOT"},
            "senders": [AGENT],
            "recipients": [self.customer],
            "text": AGENTS_TEXT,
            "attachments": [],
            "truncationStatus": "NOT_TRUNCATED",
            "archived": False,
        }
        if self.content:
            fields |= self.content
        return fields | {"status": self._status()} if with_status else fields

    def _status(self) -> dict[str, Any]:
        if self.status != "FAILED":
            return {"statusType": self.status}
        details: dict[str, Any] = {"errorMessageTokens": {}}
        if self.error_message:  # assumed: what was written is read back here
            details["errorMessage"] = self.error_message
        return {"statusType": self.status, "failureDetails": details}
