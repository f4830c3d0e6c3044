"""The rate limits: which request counts against which of them, which is refused, and what the headers say."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_hubchan.emulator.api.errors import too_many_token_requests
from airflow_provider_hubchan.emulator.api.http import Response
from airflow_provider_hubchan.emulator.model.records import App, Install
from airflow_provider_hubchan.emulator.model.settings import PLANS
from airflow_provider_hubchan.emulator.model.world import World

#: The limit that the rate headers name where there is none: every reply of HubSpot has them.
NO_LIMIT = 1_000_000


def window_limit(world: World) -> int:
    """Requests per window of an app in a portal."""
    limit = world.settings.limit
    return (PLANS[world.settings.plan][0] if limit is None else limit) or NO_LIMIT


def daily_limit(world: World) -> int:
    """Requests per day of a portal, 0 for no limit."""
    limit = world.settings.daily
    return PLANS[world.settings.plan][1] if limit is None else limit


def count_request(world: World, install: Install, *, exempt_from_day: bool = False) -> str | None:
    """Count a request, or name the policy that refuses it. Where both refuse, the window does (assumed).

    :param exempt_from_day: True if the request is answered even when the day is used up; until then it counts, too.
    :return: None, ``TEN_SECONDLY_ROLLING`` or ``DAILY``.
    """
    now, day, limit = world.clock.now(), install.portal.day, daily_limit(world)
    if not _has_room(world, install, now):
        if world.settings.refused_count:
            install.window.count(now)
        return "TEN_SECONDLY_ROLLING"
    used = install.portal.used_today(now)
    if limit and used >= limit and not exempt_from_day:
        return "DAILY"
    install.window.count(now)
    day.count(install.app.private)
    return None


def remaining(world: World, install: Install) -> int:
    """Requests that the window has room for."""
    _has_room(world, install, world.clock.now())
    return max(0, window_limit(world) - len(install.window.times))


def rate_headers(world: World, install: Install) -> dict[str, str]:
    """The rate headers of every normal reply (documented).

    The deprecated Secondly pair is still sent (observed), and replies to tokens of OAuth have none of the day (documented).
    """
    limit, left = window_limit(world), remaining(world, install)
    headers = {
        "X-HubSpot-RateLimit-Max": str(limit),
        "X-HubSpot-RateLimit-Remaining": str(left),
        "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(world.settings.window * 1000)),
        "X-HubSpot-RateLimit-Secondly": str(limit // 10),
        "X-HubSpot-RateLimit-Secondly-Remaining": str(min(left, limit // 10)),
    }
    if install.app.private and (per_day := daily_limit(world)):
        headers["X-HubSpot-RateLimit-Daily"] = str(per_day)
        headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, per_day - install.portal.used_today(world.clock.now())))
    return headers


def rate_limited(policy: str, install: Install) -> Response:
    """429 of the window (observed) or of the day (documented): it has neither a category nor a ``Retry-After`` header.

    :param policy: what `count_request` returns, or ``SECONDLY``.
    """
    body: dict[str, Any] = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
    }
    if policy == "DAILY":
        return Response(429, body | {"requestId": str(uuid.uuid4())})
    # The group of a private app was observed; that of an app with OAuth is assumed after it.
    kind = "private_app" if install.app.private else "oauth-app"
    group = f"publicapi:{kind}-api-calls-ten-secondly:{install.portal.id}:{install.app.app_id}"
    return Response(429, body | {"groupName": group})


def count_token_request(world: World, app: App) -> Response | None:
    """Count a request to the token address, or answer it with 429.

    The token address has a limit of its own (observed); its size, and that it is one for each app, are assumed.
    """
    limit, now = world.settings.token_limit, world.clock.now()
    if limit and not app.asked_for_tokens.has_room(now, limit, 1.0):
        return too_many_token_requests()
    app.asked_for_tokens.count(now)
    return None


def _has_room(world: World, install: Install, now: float) -> bool:
    limit, settings = window_limit(world), world.settings
    return install.window.has_room(now, limit, settings.window, settings.foreign * limit)
