"""What counts against which quota, who is refused, and what the replies say of it."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_hubchan.emulator.records import App, Install
from airflow_provider_hubchan.emulator.refusals import too_many_tokens
from airflow_provider_hubchan.emulator.settings import PLANS
from airflow_provider_hubchan.emulator.shapes import Answer
from airflow_provider_hubchan.emulator.world import World

#: The rate headers must say something even if there is no limit, as they do in every reply of HubSpot.
NO_LIMIT = 1_000_000


def limit(world: World) -> int:
    """Requests per window."""
    chosen = world.settings.limit
    return (PLANS[world.settings.plan][0] if chosen is None else chosen) or NO_LIMIT


def daily(world: World) -> int:
    """Requests per day of an account, 0 for any number."""
    chosen = world.settings.daily
    return PLANS[world.settings.plan][1] if chosen is None else chosen


def refusal(world: World, install: Install, *, spared: bool = False) -> str | None:
    """Count a call, or name the policy that refuses it. Where both would refuse, the window does (assumed).

    :param spared: True if the call may be made on a day that is used up; until then it counts like any other.
    """
    now, day, most = world.clock.now(), install.portal.day, daily(world)
    if not _has_room(world, install, now):
        if world.settings.refused_count:
            install.window.count(now)
        return "TEN_SECONDLY_ROLLING"
    used = install.portal.used_today(now)
    if most and used >= most and not spared:
        return "DAILY"
    install.window.count(now)
    day.count(install.app.private)
    return None


def remaining(world: World, install: Install) -> int:
    """Calls that the window has room for."""
    _has_room(world, install, world.clock.now())
    return max(0, limit(world) - len(install.window.times))


def rate_headers(world: World, install: Install) -> dict[str, str]:
    """On every normal reply (documented); the deprecated Secondly pair is still sent (observed); no daily ones for OAuth."""
    most, left = limit(world), remaining(world, install)
    said = {
        "X-HubSpot-RateLimit-Max": str(most),
        "X-HubSpot-RateLimit-Remaining": str(left),
        "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(world.settings.window * 1000)),
        "X-HubSpot-RateLimit-Secondly": str(most // 10),
        "X-HubSpot-RateLimit-Secondly-Remaining": str(min(left, most // 10)),
    }
    if install.app.private and (per_day := daily(world)):
        said["X-HubSpot-RateLimit-Daily"] = str(per_day)
        said["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, per_day - install.portal.used_today(world.clock.now())))
    return said


def too_many(policy: str, install: Install) -> Answer:
    """A 429 of the window (observed) or of the day (documented): no category, and no Retry-After beside it."""
    body: dict[str, Any] = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
    }
    if policy == "DAILY":
        return Answer(429, body | {"requestId": str(uuid.uuid4())})
    # The group of a private app was observed; that of OAuth's apps is assumed after it.
    kind = "private_app" if install.app.private else "oauth-app"
    group = f"publicapi:{kind}-api-calls-ten-secondly:{install.portal.id}:{install.app.app_id}"
    return Answer(429, body | {"groupName": group})


def token_refusal(world: World, app: App) -> Answer | None:
    """The token address has a limiter of its own (observed); its size, and that it is of the app, are assumed."""
    most, now = world.settings.token_limit, world.clock.now()
    if most and not app.asked_for_tokens.has_room(now, most, 1.0):
        return too_many_tokens()
    app.asked_for_tokens.count(now)
    return None


def _has_room(world: World, install: Install, now: float) -> bool:
    most, settings = limit(world), world.settings
    return install.window.has_room(now, most, settings.window, settings.foreign * most)
