"""What a flow asks of its driver, and what it gets back.

A *flow* is a generator that decides what to do and does no I/O itself, as httpx's ``auth_flow`` is. It yields an action; a
*driver* performs it and sends the result into the generator:

    the flow yields    the driver                                                and sends back
    Request            takes a permit (if ``uses_quota``), sends it once         Response, or NoResponse if none came
    Wait               sleeps; for the ``whole_account``: blocks its limiter      None
    NeedToken          hands out the account's access token, fetched if needed    str
    Abort              ends the batch: no flow sends anything more                None

After an abort the driver throws `Aborted` into a flow in place of its next action. A flow returns its result. Every rule is in
a flow; a driver has none.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.picklable_error import PicklableError

T = TypeVar("T")

#: Every way to get no response. Both drivers use these texts, and they are part of a problem's reason and label.
NO_CONNECTION = "no connection"
UNKNOWN_HOST = "the name service does not know the host"
NO_PROXY_CONNECTION = "no connection to the proxy"
PROXY_LOGIN = "the proxy asks for a login (407)"
PROXY_REFUSAL = "the proxy refused to connect"
BAD_PROXY = "the environment's proxy setting cannot be used"
NO_SOCKS = "the environment's proxy setting needs SOCKS, which is not available here"
READ_TIMEOUT = "no reply in time"
INCOMPLETE = "the connection was closed before the reply was complete"
UNREADABLE = "the reply cannot be read as HTTP"
TOO_LARGE = "the reply is larger than 1 MB"
UNTRUSTED_TLS = "no trustworthy TLS connection"
#: Parts of an error's text that mean that the other side is not who it should be, and not that a connection broke.
_UNTRUSTED_SIGNS = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "[X509")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    :param method: ``GET``, ``PATCH`` or ``POST``.
    :param url: absolute and percent-encoded; a driver must send it unchanged.
    :param body: the bytes to send; empty for none. May hold secrets.
    :param content_type: of the body.
    :param token: the bearer token, None for calls that need none.
    :param uses_quota: True if HubSpot counts the request against the account's quota.
    """

    method: str
    url: str
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    token: str | None = field(default=None, repr=False)
    uses_quota: bool = True

    def headers(self) -> dict[str, str]:
        """The headers to send, with the token if there is one."""
        headers = {"Accept": "application/json"}
        if self.body:
            headers["Content-Type"] = self.content_type
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


@dataclass(frozen=True, slots=True)
class Response:
    """One complete HTTP response.

    :param headers: any mapping whose look-up ignores case.
    :param sent_at: when the request was sent, in seconds of the driver's monotonic clock.
    :ivar payload: the JSON object in the body; None for an HTML page, an empty body, half a document, JSON of another kind, or
        JSON that is nested too deep.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: float = 0.0
    payload: dict[str, Any] | None = field(init=False, repr=False, compare=False)
    reason: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Read the body here, where the response is made: whatever its bytes do to a parser concerns this response alone."""
        object.__setattr__(self, "payload", _json_object(self.body))


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No complete response came. HubSpot may or may not have seen the request.

    :param reason: one of the constants above.
    """

    reason: str
    status: ClassVar[None] = None
    headers: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def of_tls_error(cls, error: Exception) -> NoResponse:
        """Tell a certificate that is not trusted from a TLS connection that broke, which may work the next time."""
        return cls(UNTRUSTED_TLS if any(sign in str(error) for sign in _UNTRUSTED_SIGNS) else INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait before the next action.

    :param seconds: how long; None if HubSpot did not say: then the account's rate limiter decides.
    :param whole_account: True if no flow of the account may send meanwhile.
    """

    seconds: float | None
    whole_account: bool = False


@dataclass(frozen=True, slots=True)
class NeedToken:
    """Ask for an access token.

    :param refused: a token that HubSpot has just answered with 401; None if any token will do.
    :param problem: HubSpot's answer to it.
    """

    refused: str | None = field(default=None, repr=False)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Abort:
    """End the batch: the rows that are left would fare no better.

    :param problem: why, for the rows that are left.
    :param permanent: True if trying again cannot help until a person changes something.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    :param refused_at: HubSpot's time of the response, in seconds since the epoch, if it refuses for the rest of the day.
    :param wait_reason: what is waited for, in words that a duration follows.
    """

    problem: Problem
    permanent: bool
    retry_after: float | None = None
    refused_at: float | None = None
    wait_reason: str = "HubSpot asks to wait for"


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


#: A person or Airflow ends the batch.
STOPPED = Abort(Problem("stopped before there was an answer.", "stopped"), permanent=False)
#: The time is over. Each names the argument that says how long it is.
OUT_OF_TIME_LABEL = "out of time"
OUT_OF_RUNTIME = Abort(Problem("max_runtime was over before there was an answer.", OUT_OF_TIME_LABEL), permanent=False)
DEADLINE_OVER = Abort(
    Problem("the callback's deadline was over before there was an answer.", OUT_OF_TIME_LABEL), permanent=False
)
SENSOR_TIMEOUT = Abort(Problem("the sensor's timeout was over before there was an answer.", OUT_OF_TIME_LABEL), permanent=False)
CONNECTION_TIMEOUT = Abort(
    Problem("the connection's timeout was over before there was an answer.", OUT_OF_TIME_LABEL), permanent=False
)


class Aborted(PicklableError):
    """Thrown into a flow in place of a result: the batch has ended, and the row is *unresolved*."""

    def __init__(self, abort: Abort) -> None:
        self.abort = abort
        super().__init__(abort.problem.reason)


Action = Request | Wait | NeedToken | Abort
Flow = Generator[Action, Any, T]
