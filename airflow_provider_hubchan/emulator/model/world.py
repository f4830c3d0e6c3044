"""Everything that the emulator holds, as one object, which its documented interface calls the world. No HTTP here."""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from airflow_provider_hubchan.emulator.model.clock import Calendar, Clock
from airflow_provider_hubchan.emulator.model.records import (
    CUSTOMERS,
    READ,
    WRITE,
    AccessToken,
    App,
    Channel,
    ChannelAccount,
    Install,
    Message,
    Portal,
    StagingToken,
)
from airflow_provider_hubchan.emulator.model.settings import Settings
from airflow_provider_hubchan.emulator.model.stale_reads import StaleReads
from airflow_provider_hubchan.emulator.model.thread_index import ThreadIndex
from airflow_provider_hubchan.emulator.model.webhook_url import check_webhook_url

#: Seconds that an access token lives (documented: ``expires_in`` 1800).
TOKEN_LIFE = 1800.0
#: Messages of one thread, as they are seeded.
PER_THREAD = 3
#: The first ids of channels, of channel accounts and of threads.
FIRST_CHANNEL, FIRST_ACCOUNT, FIRST_THREAD = 100_200, 1_400_200_300, 7_700_880_000
#: Threads that are made by an ``integrationThreadId`` have numbers from here on.
FIRST_INTEGRATION_THREAD = 7_800_000_000
#: Whom an agent writes to if nobody else is named.
DEMO_CUSTOMER = "+15550123"
DEMO_CHANNEL: dict[str, Any] = {"name": "Parcel SMS", "capabilities": {}}
#: Which tokens of an app in a portal `World.revoke` can end.
REVOCABLE = ("access", "refresh", "both")
#: Held while a number is given: a test, a control call and HubSpot's API may make messages at the same time.
_SERIAL = threading.Lock()


class World:
    """Portals, apps, tokens, channels and messages: at first one portal with one app that owns one channel.

    :param settings: the settings to use, or None to make them of *chosen*.
    :param chosen: fields of `Settings`.
    :ivar posted: by channel account and ``integrationIdempotencyId``, the id of the message that was posted with it.
    :ivar integration_threads: by number of a thread, the ``integrationThreadId`` that it was made with.
    """

    def __init__(self, settings: Settings | None = None, **chosen: Any) -> None:
        self.settings = settings or Settings(**chosen)
        self.clock = Clock()
        self.developer_key = "hubchan-demo-developer-key"
        self.portals: dict[int, Portal] = {}
        self.apps: dict[str, App] = {}
        self.installs: list[Install] = []
        self.tokens: dict[str, AccessToken] = {}
        self.channels: dict[str, Channel] = {}
        self.accounts: dict[str, ChannelAccount] = {}
        self.staging: dict[str, StagingToken] = {}
        self.messages: dict[tuple[str, str], Message] = {}
        self.posted: dict[tuple[str, str], str] = {}
        self.integration_threads: dict[int, str] = {}
        self.thread_index = ThreadIndex()
        self.stale_reads = StaleReads()
        self.serial = 0
        portal = self.add_portal(62515, self.settings.time_zone)
        app = self.add_app("hubchan-demo-client-id", "hubchan-demo-client-secret", app_id=300400)
        self.add_install(app, portal, refresh_token="hubchan-demo-refresh-token")
        self.add_channel(self.settings.channel_id)

    @property
    def install(self) -> Install:
        """The first app in the first portal."""
        return self.installs[0]

    @property
    def channel_id(self) -> str:
        """The id of the first channel."""
        return next(iter(self.channels))

    def add_portal(self, portal_id: int, time_zone: str | None = None) -> Portal:
        """Add a portal; its time zone is that of the settings unless another is given."""
        self.portals[portal_id] = portal = Portal(portal_id, Calendar(time_zone or self.settings.time_zone))
        return portal

    def add_app(self, client_id: str, client_secret: str = "", *, app_id: int | None = None, private: bool = False) -> App:
        """Add an app. Nobody can use it before it is installed, see `add_install`."""
        number = 300_400 + self.next_id() if app_id is None else app_id
        self.apps[client_id] = app = App(client_id, client_secret or f"secret-of-{client_id}", number, private)
        return app

    def add_install(
        self, app: App, portal: Portal, *, refresh_token: str | None = None, scopes: Iterable[str] = ("oauth", READ, WRITE)
    ) -> Install:
        """Install an app in a portal."""
        install = Install(app, portal, refresh_token or f"refresh-{app.client_id}-{portal.id}", tuple(scopes))
        self.installs.append(install)
        return install

    def add_channel(self, channel_id: str, app: App | None = None, about: dict[str, Any] | None = None) -> Channel:
        """Add a channel of an app, by default the first, and connect it in every portal that the app is installed in."""
        owner = app or self.install.app
        self.channels[channel_id] = channel = Channel(channel_id, owner, self.clock.now(), about or dict(DEMO_CHANNEL))
        for install in self.installs:
            if install.app is owner:
                self.add_account(channel, install.portal)
        return channel

    def register(self, app: App, about: dict[str, Any]) -> Channel:
        """Add a channel that no portal has connected yet, with an id that was never given before."""
        number = next(number for number in iter(self.next_id, None) if str(FIRST_CHANNEL + number) not in self.channels)
        channel = Channel(str(FIRST_CHANNEL + number), app, self.clock.now(), about)
        self.channels[channel.id] = channel
        return channel

    def remove(self, channel: Channel) -> None:
        """Remove a channel, its accounts, its staging tokens and its messages."""
        del self.channels[channel.id]
        self.accounts = {key: account for key, account in self.accounts.items() if account.channel is not channel}
        self.staging = {token: staged for token, staged in self.staging.items() if staged.channel is not channel}
        self.messages = {key: message for key, message in self.messages.items() if message.account.channel is not channel}
        self.posted = {key: message_id for key, message_id in self.posted.items() if key[0] in self.accounts}

    def add_staging_token(self, channel: Channel | None = None, portal: Portal | None = None) -> StagingToken:
        """A person begins to connect a channel in a portal, by default the first of each."""
        channel, portal = channel or self.channels[self.channel_id], portal or self.install.portal
        staged = StagingToken(f"staged-{self.next_id()}", channel, portal, 550_066, self.clock.now())
        self.staging[staged.token] = staged
        return staged

    def add_account(self, channel: Channel, portal: Portal, **fields: Any) -> ChannelAccount:
        """Connect a channel in a portal.

        :param fields: of `ChannelAccount`, which otherwise are those of the demo.
        """
        account_id = str(FIRST_ACCOUNT + self.next_id())
        fields = {"inbox_id": "5500660077", "name": "Parcel updates"} | fields
        fields.setdefault("delivery_identifier", {"type": "HS_PHONE_NUMBER", "value": "+15550199"})
        account = ChannelAccount(account_id, channel, portal, created_at=self.clock.now(), **fields)
        self.accounts[account_id] = account
        return account

    def account_of(self, channel_id: str, portal: Portal | None = None) -> ChannelAccount:
        """The first account of a channel, an active one if it has any, in *portal*, or in any portal if it is None.

        :raises ValueError: the channel has no such account, or does not exist.
        """
        accounts = [
            account
            for account in self.accounts.values()
            if account.channel.id == channel_id and (portal is None or account.portal is portal)
        ]
        if accounts:
            return next((account for account in accounts if account.active), accounts[0])
        raise ValueError(f"there is no channel {channel_id} with an account; there are {', '.join(self.channels) or 'none'}")

    def seed(self, ids: Iterable[str], channel_id: str | None = None, portal: Portal | None = None) -> None:
        """Have an agent send messages with these ids, three in each thread, on a channel, by default the first.

        :raises ValueError: there is no such channel.
        """
        channel, now = channel_id or self.channel_id, self.clock.now()
        account = self.account_of(channel, portal)
        for number, message_id in enumerate(ids, len(self.messages)):
            self.messages[channel, message_id] = Message(message_id, account, FIRST_THREAD + number // PER_THREAD, now, now)

    def set_webhook(self, url: str | None, channel_id: str | None = None) -> None:
        """Have the events of a channel, by default the first, sent to a URL; None ends that.

        :raises ValueError: it is not an http or https URL, leads to another machine, or there is no such channel.
        """
        channel = self.channels.get(channel_id or self.channel_id)
        if channel is None:
            raise ValueError(f"there is no channel {channel_id}; there are {', '.join(self.channels) or 'none'}")
        about = {name: value for name, value in channel.about.items() if name != "webhookUrl"}
        if url is not None:
            check_webhook_url(url, self.settings.webhook_via, self.settings.webhook_hosts)
            about["webhookUrl"] = url
        channel.about = about

    def webhook_url(self, channel: Channel) -> str | None:
        """The ``webhookUrl`` of a channel, None if it has none, or was removed."""
        return channel.about.get("webhookUrl") or None if self.channels.get(channel.id) is channel else None

    def add_reply(
        self, text: str, *, to: str = DEMO_CUSTOMER, thread: int | None = None, channel_id: str | None = None
    ) -> Message:
        """Have an agent write a message: in the latest thread with a customer, or in a new one if there is none.

        :param to: address of the customer: a phone number, an email address, or any other text.
        :param thread: number of a thread, in the place of *to*.
        :param channel_id: of the channel, by default the first; a thread has its own.
        :raises ValueError: there is no such thread or channel, its account is archived or not authorized, or the text is empty.
        """
        if not text.strip() or not to.strip():
            raise ValueError("a reply needs a text, and an address in to")
        account = self.account_of(channel_id or self.channel_id) if thread is None else None
        latest = (
            self.thread_index.latest(self.messages, thread or 0)
            if account is None
            else self.thread_index.latest_with(self.messages, account.id, to)
        )
        if latest is not None:
            account, number, customer = latest.account, latest.thread, latest.customer
        elif account is None:
            raise ValueError(f"there is no thread {thread}")
        else:
            number = self.thread_of(account, self.new_integration_thread_id())
            name = CUSTOMERS[number % len(CUSTOMERS)]
            customer = {"deliveryIdentifier": {"type": _delivery_type(to), "value": to}, "name": name}
        if not account.active:
            why = "not authorized" if account.archived_at is None else "archived"
            raise ValueError(f"the channel account {account.id} is {why}: nobody can write from it")
        content, now = {"direction": "OUTGOING", "text": text, "recipients": [customer]}, self.clock.now()
        # At random: a receiver that has outlived an earlier emulator would take a number of before for a repeated webhook.
        message = Message(uuid.uuid4().hex, account, number, now, now, content=content)
        self.messages[account.channel.id, message.id] = message
        return message

    def thread_of(self, account: ChannelAccount, integration_thread_id: str) -> int:
        """The number of the thread of all messages that come to an account with this thread id: always the same."""
        digest = blake2b(f"{account.id}/{integration_thread_id}".encode("utf-8", "surrogatepass"), digest_size=6).digest()
        number = FIRST_INTEGRATION_THREAD + int.from_bytes(digest, "big")
        self.integration_threads[number] = integration_thread_id
        return number

    def integration_thread_id(self, thread: int) -> str:
        """The ``integrationThreadId`` of a thread; one that HubSpot has made, if nobody gave it any."""
        return self.integration_threads.get(thread, f"hubspot-{thread}")

    def new_integration_thread_id(self) -> str:
        """A thread id that HubSpot makes itself (documented: it does so if the integration gives none; the form is assumed)."""
        return f"hubspot-{self.next_id()}"

    def issue(
        self,
        install: Install | None = None,
        *,
        life: float = TOKEN_LIFE,
        scopes: Iterable[str] | None = None,
        value: str | None = None,
    ) -> str:
        """Make a bearer token for an app in a portal, by default the first of each.

        :param life: seconds until it expires.
        :param scopes: its scopes, None for those of the install.
        :param value: the token, None for a random one.
        :return: the token.
        """
        install = install or self.install
        value = value or f"emu-{self.next_id()}-{secrets.token_urlsafe(24)}"
        self.tokens[value] = AccessToken(install, self.clock.now() + life, install.scopes if scopes is None else tuple(scopes))
        return value

    def install_of(self, authorization: str) -> Install | None:
        """The app in a portal that the bearer token of an ``Authorization`` header was issued to, None for an unknown token."""
        token = self.tokens.get(authorization.partition(" ")[2])
        return token.install if token else None

    def revoke(self, install: Install, which: str = "refresh") -> None:
        """End tokens of an app in a portal.

        :param which: one of `REVOCABLE`. HubSpot's own revocation lets access tokens live on (documented).
        """
        install.revoked |= which != "access"
        if which != "refresh":
            self.tokens = {value: token for value, token in list(self.tokens.items()) if token.install is not install}

    def before_midnight(self, seconds: float) -> None:
        """Move the clock forward until the next midnight of the first portal is *seconds* away.

        :param seconds: more than 0, at most 86,400.
        :raises ValueError: *seconds* is outside that range.
        """
        now = self.clock.now()
        self.clock.advance(self.install.portal.calendar.before_midnight(now, seconds) - now)

    def next_id(self) -> int:
        """A number that was never given before; from any thread."""
        with _SERIAL:
            self.serial += 1
            return self.serial

    def next_message_id(self) -> str:
        """An id for a message that is posted: 32 hexadecimal digits (observed)."""
        return f"{self.next_id():032x}"

    def counts(self) -> dict[str, int]:
        """How many messages have each status."""
        statuses = map(attrgetter("status"), list(self.messages.values()))  # a list: another thread may add messages meanwhile
        return dict(Counter(statuses))


def _delivery_type(address: str) -> str:
    """What kind of address it is, as HubSpot names them (specified)."""
    if re.fullmatch(r"\+\d+", address):
        return "HS_PHONE_NUMBER"
    return "HS_EMAIL_ADDRESS" if "@" in address else "CHANNEL_SPECIFIC_OPAQUE_ID"
