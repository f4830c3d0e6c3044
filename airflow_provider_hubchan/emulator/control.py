"""The control prefix: seed, script, move the clock, and look, over HTTP. Everything is JSON.

GET    /_emulator/health
GET    /_emulator/connection            an Airflow connection to this HubSpot
POST   /_emulator/messages              {"ids": [...], "channel_id": optional}
GET    /_emulator/messages              {"counts": {status: number}, "messages": {id: status}}
POST   /_emulator/faults                one fault or a list of them, see faults.py
DELETE /_emulator/faults
POST   /_emulator/tokens                {"scopes": optional, "life": seconds, "value": optional}: a ready bearer token
POST   /_emulator/revoke                the app's refresh token is no good any more
POST   /_emulator/clock                 {"advance": seconds}
GET    /_emulator/ledger                every request received
POST   /_emulator/reset
"""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_hubchan.emulator.local import LocalHubspot


def control_app(hubspot: LocalHubspot) -> Starlette:
    """The routes above, for one HubSpot."""

    async def health(request: Request) -> dict[str, Any]:
        return {"ok": True}

    async def connection(request: Request) -> dict[str, Any]:
        return hubspot.connection()

    async def seed(request: Request) -> dict[str, Any]:
        asked = await _asked(request)
        if not isinstance(asked.get("ids"), list):
            raise ValueError("ids must be a list of message ids")
        hubspot.world.seed(map(str, asked["ids"]), asked.get("channel_id"))
        return {"messages": len(hubspot.world.messages)}

    async def messages(request: Request) -> dict[str, Any]:
        world = hubspot.world
        return {"counts": world.counts(), "messages": {each.id: each.status for each in world.messages.values()}}

    async def script(request: Request) -> dict[str, Any]:
        asked = await request.json()
        added = [hubspot.script.add(spec) for spec in (asked if isinstance(asked, list) else [asked])]
        return {"added": len(added)}

    async def unscript(request: Request) -> dict[str, Any]:
        hubspot.script.clear()
        return {}

    async def issue(request: Request) -> dict[str, Any]:
        asked = await _asked(request)
        return {"access_token": hubspot.world.issue(hubspot.world.app, **asked)}

    async def revoke(request: Request) -> dict[str, Any]:
        hubspot.world.app.revoked = True
        return {}

    async def clock(request: Request) -> dict[str, Any]:
        seconds = (await _asked(request)).get("advance")
        if not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError("advance must be a number of seconds, not negative")
        hubspot.world.clock.offset += seconds
        return {"now": hubspot.world.clock.now()}

    async def ledger(request: Request) -> list[dict[str, Any]]:
        return [entry.as_json() for entry in hubspot.ledger.entries]

    async def reset(request: Request) -> dict[str, Any]:
        hubspot.reset()
        return {}

    def route(method: str, path: str, handle: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return JSONResponse(await handle(request))
            except (ValueError, TypeError) as fault:
                return JSONResponse({"error": str(fault)}, status_code=400)

        return Route(f"/_emulator/{path}", endpoint, methods=[method])

    return Starlette(
        routes=[
            route("GET", "health", health),
            route("GET", "connection", connection),
            route("POST", "messages", seed),
            route("GET", "messages", messages),
            route("POST", "faults", script),
            route("DELETE", "faults", unscript),
            route("POST", "tokens", issue),
            route("POST", "revoke", revoke),
            route("POST", "clock", clock),
            route("GET", "ledger", ledger),
            route("POST", "reset", reset),
        ]
    )


async def _asked(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await request.body() or b"{}")
    except ValueError as fault:
        raise ValueError(f"the body is not JSON: {fault}") from fault
    if not isinstance(asked, dict):
        raise ValueError("the body must be a JSON object")
    return asked
