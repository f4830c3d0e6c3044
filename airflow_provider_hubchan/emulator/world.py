"""What the local HubSpot knows: apps, tokens, channels, messages, its clock and how much quota is used. No HTTP here."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_hubchan.emulator.clock import Calendar, Clock, iso
from airflow_provider_hubchan.emulator.limits import DailyQuota, RollingWindow

WRITE = "conversations.custom_channels.write"
READ = "conversations.custom_channels.read"

#: Seconds that an access token lives (documented: ``expires_in`` 1800).
TOKEN_LIFE = 1800.0
#: ``limit=0`` means none; the rate headers must say something, as they do in every reply of HubSpot.
NO_LIMIT = 1_000_000


@dataclass
class App:
    """An OAuth app, installed in one account."""

    client_id: str
    client_secret: str
    refresh_token: str
    app_id: int
    portal_id: int
    scopes: tuple[str, ...] = ("oauth", READ, WRITE)
    revoked: bool = False


@dataclass
class AccessToken:
    """A bearer token: whose it is, and when it ends (seconds since the epoch)."""

    app: App
    expires_at: float
    scopes: tuple[str, ...]


@dataclass
class Message:
    """An outbound message. HubSpot calls it SENT as soon as the agent has sent it (documented in the 2024 guide)."""

    id: str
    channel_id: str
    created_at: float
    updated_at: float
    status: str = "SENT"
    error_message: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The whole message, in the shape of ``PublicConversationsMessage`` (specified)."""
        status: dict[str, Any] = {"statusType": self.status}
        if self.status == "FAILED":
            status["failureDetails"] = {"errorMessageTokens": {}}
            if self.error_message:  # assumed: what was written comes back here
                status["failureDetails"]["errorMessage"] = self.error_message
        return {
            "id": self.id,
            "type": "MESSAGE",
            "direction": "OUTGOING",
            "channelId": self.channel_id,
            "channelAccountId": "1400200300",
            "conversationsThreadId": "7700880099",
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at),
            "createdBy": "A-1201",
            "client": {"clientType": "HUBSPOT"},
            "senders": [{"actorId": "A-1201", "name": "Ada Agent"}],
            "recipients": [{"deliveryIdentifier": {"type": "HS_PHONE_NUMBER", "value": "+15550100"}, "name": "Carl Customer"}],
            "text": "Your parcel is on its way.",
            "attachments": [],
            "truncationStatus": "NOT_TRUNCATED",
            "archived": False,
            "status": status,
        }


class World:
    """One account with one app that owns one channel; more can be added.

    :param limit: requests per window for each app and account; 0 for as good as none.
    :param window: seconds of the rolling window.
    :param daily: requests per account and day; 0 for none: HubSpot documents no daily limit for OAuth apps.
    :param time_zone: of the account: its midnight ends the day.
    :param daily_spares_account_info: True to answer account-info calls when the day's requests are used up (assumed).
    """

    def __init__(
        self,
        *,
        channel_id: str = "100200",
        limit: int = 110,
        window: float = 10.0,
        daily: int = 0,
        time_zone: str = "US/Eastern",
        daily_spares_account_info: bool = True,
    ) -> None:
        self.clock, self.calendar = Clock(), Calendar(time_zone)
        self.limit, self.window = limit or NO_LIMIT, window
        self.daily, self.daily_spares_account_info = daily, daily_spares_account_info
        self.app = App("hubchan-demo-client-id", "hubchan-demo-client-secret", "hubchan-demo-refresh-token", 300400, 62515)
        self.apps = {self.app.client_id: self.app}
        self.tokens: dict[str, AccessToken] = {}
        self.channels = {channel_id: self.app}
        self.messages: dict[tuple[str, str], Message] = {}
        self.windows: dict[tuple[int, int], RollingWindow] = {}
        self.days: dict[int, DailyQuota] = {}
        self._serial = itertools.count(1)

    @property
    def channel_id(self) -> str:
        """The first channel."""
        return next(iter(self.channels))

    def seed(self, ids: Iterable[str], channel_id: str | None = None) -> None:
        """Have an agent send messages with these ids."""
        channel, now = channel_id or self.channel_id, self.clock.now()
        for message_id in ids:
            self.messages[channel, message_id] = Message(message_id, channel, now, now)

    def issue(
        self, app: App, *, life: float = TOKEN_LIFE, scopes: Iterable[str] | None = None, value: str | None = None
    ) -> str:
        """Make a bearer token for *app* that lives for *life* seconds."""
        value = value or f"emu-{next(self._serial)}-{secrets.token_urlsafe(24)}"
        self.tokens[value] = AccessToken(app, self.clock.now() + life, app.scopes if scopes is None else tuple(scopes))
        return value

    def quota(self, app: App) -> RollingWindow:
        """The window of an app in its account."""
        key = app.app_id, app.portal_id
        if key not in self.windows:
            self.windows[key] = RollingWindow(self.limit, self.window)
        return self.windows[key]

    def day(self, app: App) -> DailyQuota:
        """The day of an app's account."""
        return self.days.setdefault(app.portal_id, DailyQuota(self.daily))

    def refusal(self, app: App, *, spared: bool = False) -> str | None:
        """Count a call, or name the policy that refuses it; what is refused counts for neither (assumed).

        :param spared: True if the call may be made on a day that is used up; until then it counts like any other.
        """
        now = self.clock.now()
        window, day = self.quota(app), self.day(app)
        if not window.has_room(now):
            return "TEN_SECONDLY_ROLLING"
        if not day.has_room(self.calendar.local(now).date()) and not spared:
            return "DAILY"
        window.count(now)
        day.count()
        return None

    def before_midnight(self, seconds: float) -> None:
        """Move the clock forward until the account's next midnight is so many seconds away: more than 0, at most 86,400."""
        now = self.clock.now()
        self.clock.advance(self.calendar.before_midnight(now, seconds) - now)

    def counts(self) -> dict[str, int]:
        """How many messages have each status."""
        return dict(Counter(message.status for message in self.messages.values()))
