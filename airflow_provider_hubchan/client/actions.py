"""The words in which a story and its driver talk.

A *story* is a generator: it decides. It yields one of the steps below, a *driver* performs it and sends the answer back:

    story yields      driver does                                         and sends back
    Request           waits for the pace (if ``paced``), sends it          Reply, or Lost if there was none
    Wait              sleeps; for ``everyone``: holds the whole account    None
    NeedToken         hands out the account's token, fetched if needed     str
    Halt              ends the batch: no story sends anything more         None

After a halt or a stop the driver throws `Stopped` into a story instead of performing its next step. A story returns its
result. Nothing here does I/O, and there is nothing here that a driver could decide.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_hubchan.client.errors import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    :param method: ``GET``, ``PATCH`` or ``POST``.
    :param url: absolute and percent-encoded; a driver must not touch it.
    :param body: the bytes to send; empty for none. May hold secrets.
    :param content_type: of the body.
    :param token: the bearer token, None for calls that need none.
    :param paced: True if HubSpot counts it against the account's quota.
    """

    method: str
    url: str
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    token: str | None = field(default=None, repr=False)
    paced: bool = True

    def headers(self) -> dict[str, str]:
        """The headers to send, with the token if there is one."""
        headers = {"Accept": "application/json"}
        if self.body:
            headers["Content-Type"] = self.content_type
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete HTTP response.

    :param headers: any mapping whose look-up ignores case.
    :param sent: when the request left, in seconds of the driver's monotonic clock.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    """No complete response came. HubSpot may or may not have seen the request.

    :param why: one of the four texts in errors.py.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for *seconds*; for *everyone*: no story of the account sends anything (None: the pace knows how long)."""

    seconds: float | None
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class NeedToken:
    """Ask for a bearer token.

    :param refused: one that HubSpot has just answered with 401; None if any token will do.
    :param because: what HubSpot said to it.
    """

    refused: str | None = field(default=None, repr=False)
    because: Problem | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """End the batch: what follows would fare no better.

    :param problem: why, for the rows that are left.
    :param permanent: True if trying again cannot help until a person changes something.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    :param refused_at: HubSpot's time of the reply, in seconds since the epoch, if it refuses for the rest of the day.
    :param until: what is waited for, in words that a duration follows.
    """

    problem: Problem
    permanent: bool
    retry_after: float | None = None
    refused_at: float | None = None
    until: str = "HubSpot asks to be left alone for"


#: The halt of a person or of Airflow who wants the batch to end, and of a deadline that has passed.
STOPPED = Halt(Problem("stopped before there was an answer.", "stopped"), permanent=False)
OUT_OF_TIME = Halt(Problem("the time was over before there was an answer.", "out of time"), permanent=False)


class Stopped(Exception):
    """Thrown into a story in place of an answer: the batch has ended. The row is left *unresolved*."""

    def __init__(self, halt: Halt) -> None:
        self.halt = halt
        super().__init__(halt.problem.reason)


Step = Request | Wait | NeedToken | Halt
Story = Generator[Step, Any, T]
