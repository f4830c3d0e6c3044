"""Worlds whose clock stands still."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.model.world import World

#: 2026-07-15, noon in New York.
NOON = datetime(2026, 7, 15, 16, tzinfo=timezone.utc).timestamp()


def world_at(now: float = NOON, **arguments: Any) -> World:
    """A world whose clock stands still until it is moved."""
    world = World(**arguments)
    world.clock = Clock(lambda: 0.0, at=now)
    world.seed(["m-1"])
    return world
