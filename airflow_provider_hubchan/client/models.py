"""What client and batch share: the account, a message's status, an update and its outcome, a token, a quota."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal, get_args

from airflow_provider_hubchan.client.errors import BadRow, Problem

#: Seconds for connecting and for each read.
TIMEOUT = 10.0
#: A whole call ends after so many times its timeout, however slowly the bytes come: connecting, the handshake and the reply
#: have one each.
TOTAL_TIMEOUTS = 3
#: Characters of an access token or a refresh token at most: HubSpot's have up to 300.
MAX_TOKEN = 4096

API_VERSIONS = ("2026-03", "2026-09", "v3")


def is_sendable_token(token: str) -> bool:
    """True if *token* can stand in an HTTP header. It is checked first, because an error of the HTTP library would quote it."""
    return token.isascii() and token.isprintable() and " " not in token and 0 < len(token) <= MAX_TOKEN


@dataclass(frozen=True, slots=True)
class Account:
    """One HubSpot account as one app sees it: what an Airflow connection says.

    :param base_url: scheme and host, without a slash at the end.
    :param client_id: of the OAuth app that owns the channel; with *client_secret* and *refresh_token*, or None.
    :param client_secret: of the same app.
    :param refresh_token: from installing the app in the account; access tokens are fetched with it.
    :param access_token: a ready bearer token instead of the three.
    :param api_version: one of `API_VERSIONS`.
    :param channel_id: the channel for tasks that name none.
    :param requests_per_10s: the share of the account's quota that may be used, None for what HubSpot's headers say.
    :param timeout: seconds for connecting and for each read; see *total_timeout*.
    """

    base_url: str = "https://api.hubapi.com"
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    api_version: str = API_VERSIONS[0]
    channel_id: str | None = None
    requests_per_10s: float | None = None
    timeout: float = TIMEOUT

    @property
    def total_timeout(self) -> float:
        """Seconds after which a call ends, whatever the other side does."""
        return TOTAL_TIMEOUTS * self.timeout

    @property
    def login(self) -> Account:
        """The account without what is a connection's own: equal for all who log in alike."""
        return replace(self, channel_id=None, requests_per_10s=None, timeout=TIMEOUT)

    def secrets(self) -> tuple[str, ...]:
        """Every secret of the account: none of them may appear in a log, an error or a report."""
        return tuple(filter(None, (self.client_secret, self.refresh_token, self.access_token)))

    @property
    def private_app_warning(self) -> str | None:
        """Why the access token will probably be refused (HubSpot docs, custom channels guide); None if nothing speaks
        against it.
        """
        if not (self.access_token or "").startswith("pat-"):
            return None
        return (
            "the access token begins with pat-: it belongs to a private app or is a service key, and HubSpot does not "
            "support custom channels for private apps. Use the OAuth app that owns the channel: its client ID, client "
            "secret and refresh token"
        )


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what came with it.

    :param renew_at: from when on another one is to be fetched, in seconds of the driver's monotonic clock; infinite if HubSpot
        did not say how long the token lives.
    :param expires_at: when it ends, likewise.
    :param refresh_token: the one to fetch the next token with, None for the connection's.
    :param portal: id of the account that it is for, None if HubSpot did not say.
    """

    value: str = field(repr=False)
    renew_at: float = math.inf
    expires_at: float = math.inf
    refresh_token: str | None = field(default=None, repr=False)
    portal: int | None = None

    def secrets(self) -> tuple[str, ...]:
        """What nobody may read of it."""
        return (self.value, self.refresh_token) if self.refresh_token else (self.value,)


class MessageStatus(str, Enum):
    """The status of a message on a custom channel (HubSpot's ``statusType``), and what this provider knows of it.

    ``code``
        one character, different for each status: a snapshot of many messages has one for each.
    ``rank``
        of several updates for one message, one with a higher rank wins, whatever their order: a message that was read was
        delivered. Among equals the last one wins.
    ``writable``
        True if an update may set it (HubSpot's OpenAPI file, PublicChannelIntegrationMessageUpdateRequest). RECEIVED is the
        status of incoming messages.
    ``is_failure``
        True if the message was not delivered; only then an update may carry an error message.
    """

    # fmt: off
    #                     code  rank  writable  is_failure
    SENT =     "SENT",     "S", 0,    True,     False
    FAILED =   "FAILED",   "F", 0,    True,     True
    READ =     "READ",     "R", 1,    True,     False
    RECEIVED = "RECEIVED", "N", 0,    False,    False
    # fmt: on

    code: str
    rank: int
    writable: bool
    is_failure: bool

    def __new__(cls, value: str, code: str, rank: int, writable: bool, is_failure: bool) -> MessageStatus:
        """Make a member; a status without a code of its own is an error here, not a message that a snapshot loses."""
        if len(code) != 1 or any(code == other.code for other in cls.__members__.values()):
            raise ValueError(f"{value} needs a code of one character that no other status has, not {code!r}")
        status = str.__new__(cls, value)
        status._value_ = value
        status.code, status.rank, status.writable, status.is_failure = code, rank, writable, is_failure
        return status

    def __str__(self) -> str:
        return str.__str__(self)

    @classmethod
    def parse(cls, value: object) -> MessageStatus | None:
        """The status of that name; None if there is none, as for one that HubSpot may add."""
        return _BY_NAME.get(value) if isinstance(value, str) else None

    def supersedes(self, status: MessageStatus) -> bool:
        """True if a message that has this status needs no update to *status*."""
        return self is status or self.rank > status.rank


_BY_NAME = {status.value: status for status in MessageStatus}
#: The names of `WRITABLE`, for type checkers.
StatusName = Literal["SENT", "FAILED", "READ"]
#: What an update may set.
WRITABLE = tuple(status for status in MessageStatus if status.writable)
#: The names of the statuses that say a message was delivered, and of those that say it was not.
DELIVERED_STATUSES = tuple(status.value for status in WRITABLE if not status.is_failure)
FAILURE_STATUSES = tuple(status.value for status in WRITABLE if status.is_failure)

Result = Literal["updated", "skipped", "rejected", "unresolved"]
RESULTS: tuple[Result, ...] = get_args(Result)


@dataclass(frozen=True, slots=True)
class Update:
    """One update to send: one message, one status.

    :param row: number of the row that it comes from, from 1; in a file the number of its line.
    :param message_id: HubSpot's id of the message, not blank.
    :param status: the status to set; None only for a row that is not to be sent.
    :param error_message: why the delivery failed; only for FAILED, never blank.
    :param rest: what else the row held, as the text of a JSON object; None for nothing. It goes into the report file.
    """

    row: int
    message_id: str
    status: MessageStatus | None
    error_message: str | None = None
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row.

    :param update: what the row says; a `BadRow` for one that cannot be sent.
    :param problem: why it is not *updated*; None if it is.
    :param warning: what is odd about HubSpot's answer, though it accepted the update; None for nothing.
    """

    update: Update | BadRow
    result: Result
    problem: Problem | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests are allowed in a window of time.

    :param limit: requests allowed in the window.
    :param window: its length in seconds.
    :param remaining: requests left in it, None if HubSpot does not say.
    """

    limit: int
    window: float
    remaining: int | None = None
