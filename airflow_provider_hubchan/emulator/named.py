"""How an answer that has a name is made."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator import quota, refusals
from airflow_provider_hubchan.emulator.records import Install
from airflow_provider_hubchan.emulator.shapes import Answer, Call, error
from airflow_provider_hubchan.emulator.world import World

TOKENS = "/oauth/"
EVERYTHING = "/"
#: Seconds of a migration's Retry-After, if it has no end of its own (documented: up to 24 hours).
MIGRATION = 86_400.0


class Occasion(NamedTuple):
    """What an answer may speak of.

    :param left: seconds until the fault is over, None if it has no end.
    """

    world: World
    call: Call
    left: float | None

    @property
    def install(self) -> Install:
        """The caller's app and portal, or the first."""
        return self.world.install_of(self.call.headers.get("authorization", "")) or self.world.install

    def part(self, which: int) -> str:
        """Channel id (0) or message id (1) of the call."""
        return self.call.message[which] if self.call.message else "0"


class Named(NamedTuple):
    """One of them.

    :param path: part of the path of the calls that it belongs to, None for the custom-channels API.
    :param counted: True if the reply has the rate headers.
    """

    status: int
    mark: str
    make: Callable[[Occasion], Answer]
    path: str | None = None
    counted: bool = True


def said(status: int, category: str, text: str, sub: str | None = None, *, mark: str = "observed", **more: Any) -> Named:
    """HubSpot's error object."""
    return Named(status, mark, lambda asked: error(status, text, category, sub, **more))


def of_token(name: str, oauth: str, text: str, status: int = 400, mark: str = "documented") -> Named:
    """What the token address says."""
    return Named(status, mark, lambda asked: refusals.oauth_error(name, oauth, text, status), TOKENS, counted=False)


def page(status: int, text: str, mark: str = "documented") -> Named:
    """HTML of what stands before HubSpot; the page itself is assumed."""
    body = f"<html>\n<head><title>{status} {text}</title></head>\n<body><h1>{status} {text}</h1></body>\n</html>\n"
    return Named(status, mark, lambda asked: Answer(status, body), counted=False)


def limited(policy: str, mark: str) -> Named:
    """A 429 of a policy."""
    return Named(429, mark, lambda asked: _nothing_left(asked, quota.too_many(policy, asked.install)))


def _nothing_left(asked: Occasion, reply: Answer) -> Answer:
    """The window (observed on a burst 429) or the day is used up, whatever was counted."""
    policy = reply.body["policyName"]
    if policy == "SECONDLY":
        del reply.body["groupName"]  # it names the group of ten seconds
    reply.headers |= quota.rate_headers(asked.world, asked.install)
    of_window = ("X-HubSpot-RateLimit-Remaining", "X-HubSpot-RateLimit-Secondly-Remaining")
    used_up = ("X-HubSpot-RateLimit-Daily-Remaining",) if policy == "DAILY" else of_window
    reply.headers |= {name: "0" for name in used_up if name in reply.headers}
    return reply


def expired(asked: Occasion) -> Answer:
    """As if the token had ended a second ago."""
    now = asked.world.clock.now()
    return refusals.expired(now - 1, now)


def migrating(asked: Occasion) -> Answer:
    """Retry-After tells when the fault is over (documented); the body is assumed."""
    seconds = MIGRATION if asked.left is None else max(1.0, asked.left)
    text = "This account is being moved between data centers."
    body = {"status": "error", "message": text, "correlationId": str(uuid.uuid4())}
    return Answer(477, body, {"Retry-After": str(math.ceil(seconds))})
