"""A minute of traffic that is the same each time: the emulator's clock stands, and is moved from call to call."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.model.clock import Clock

#: 2026-11-20T14:02:10Z, and the seed of everything that is left to chance.
BEGAN, SEED = 1_795_183_330.0, 20
REASONS = (
    "30003: Unreachable destination handset",
    "30005: Unknown destination handset",
    "30007: Carrier filtered the message",
    "Expired after 48 hours",
)
#: Calls per second, and for how many seconds.
PHASES = ((6, 8), (9.5, 14), (0, 6), (14, 12), (8, 14))


@contextmanager
def lively(port: int = 0) -> Iterator[Emulator]:
    """An emulator that has had it."""
    chance = random.Random(SEED)
    with Emulator(port=port, daily=250_000) as hubspot, requests.Session() as session:
        world = hubspot.world
        world.clock = Clock(lambda: 0.0, at=BEGAN)
        world.seed(f"{chance.getrandbits(64):016x}" for _ in range(600))
        world.install.portal.day.used_on(world.install.portal.calendar.local(BEGAN).date())
        world.install.portal.day.used = 91_807
        world.issue()
        session.headers["Authorization"] = f"Bearer {world.issue()}"
        ids = [message_id for _, message_id in world.messages]
        for rate, seconds in PHASES:
            for _ in range(round(rate * seconds)):
                world.clock.advance(1 / rate * chance.uniform(0.4, 1.6))
                _update(session, hubspot, chance, ids)
            world.clock.advance(0 if rate else seconds)
        hubspot.fault(method="PATCH", status=503, headers={"Retry-After": "2"}, times=3)
        yield hubspot


def _update(session: requests.Session, hubspot: Emulator, chance: random.Random, ids: list[str]) -> None:
    status = chance.choices(("READ", "SENT", "FAILED"), (5, 4, 1))[0]
    body = {"statusType": status}
    if status == "FAILED":
        body["errorMessage"] = chance.choice(REASONS)
    number = min(int(chance.gammavariate(1.2, 60)), len(ids) - 1)
    url = f"{hubspot.url}/conversations/custom-channels/2026-03/{hubspot.world.channel_id}/messages/{ids[number]}"
    session.patch(url, json=body, timeout=10)
