"""The control prefix: seed, script, move the clock, and look, over HTTP. Everything is JSON.

GET    /_emulator/health
GET    /_emulator/connection            an Airflow connection to this HubSpot
POST   /_emulator/messages              {"ids": [...], "channel_id": optional}
GET    /_emulator/messages              {"counts": {status: number}, "messages": {id: status}}
GET    /_emulator/faults                all faults, how often each has struck, and what is left of it
POST   /_emulator/faults                one fault or a list of them, see faults.py
DELETE /_emulator/faults                all, or with /_emulator/faults/<id> one
GET    /_emulator/answers               the names that a fault can answer with
POST   /_emulator/tokens                {"scopes": optional, "life": seconds, "value": optional}: a ready bearer token
POST   /_emulator/revoke                the app's refresh token is no good any more
GET    /_emulator/clock                 {"now": seconds since the epoch, "speed": number}
POST   /_emulator/clock                 {"advance": seconds}, or {"before_midnight": seconds}: to so long before the day ends,
                                        or {"speed": number}: 0 stops it
GET    /_emulator/settings
POST   /_emulator/settings              {name: value, ...}
GET    /_emulator/state                 everything but the ledger, as one JSON object
PUT    /_emulator/state                 such an object
GET    /_emulator/ledger                the requests that are kept, or those that fit ?method=PATCH&..., see ledger_text.py
GET    /_emulator/ledger.jsonl          the same as JSON Lines
GET    /_emulator/patches               {"by_message": {id: number answered 2xx}, "total": number of all}
POST   /_emulator/reset
"""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from airflow_provider_hubchan.emulator.ledger_text import array, filters, lines
from airflow_provider_hubchan.emulator.local import LocalHubspot
from airflow_provider_hubchan.emulator.page import page_routes
from airflow_provider_hubchan.emulator.steer import asked, steering

JSON_LINES = "application/jsonl"
TOKEN = ("scopes", "life", "value")


def control_app(hubspot: LocalHubspot) -> Starlette:
    """The routes above, for one HubSpot."""

    async def health(request: Request) -> dict[str, Any]:
        return {"ok": True}

    async def connection(request: Request) -> dict[str, Any]:
        return hubspot.connection()

    async def seed(request: Request) -> dict[str, Any]:
        said = await asked(request)
        if not isinstance(said.get("ids"), list):
            raise ValueError("ids must be a list of message ids")
        hubspot.world.seed(map(str, said["ids"]), said.get("channel_id"))
        return {"messages": len(hubspot.world.messages)}

    async def messages(request: Request) -> dict[str, Any]:
        world = hubspot.world
        return {"counts": world.counts(), "messages": {each.id: each.status for each in list(world.messages.values())}}

    async def issue(request: Request) -> dict[str, Any]:
        return {"access_token": hubspot.world.issue(**_token(await asked(request)))}

    async def revoke(request: Request) -> dict[str, Any]:
        hubspot.world.revoke(hubspot.world.install)
        return {}

    async def ledger(request: Request) -> Response:
        asked = filters(request.query_params)
        entries = await run_in_threadpool(hubspot.ledger.chosen, **asked)  # there may be 200,000: others are served meanwhile
        dropped = {"X-Ledger-Dropped": str(hubspot.ledger.dropped)}
        accepted = request.headers.get("accept", "")
        if request.url.path.endswith(".jsonl") or "jsonl" in accepted or "ndjson" in accepted:
            return StreamingResponse(lines(entries), headers=dropped, media_type=JSON_LINES)
        return StreamingResponse(array(entries), headers=dropped, media_type="application/json")

    async def patches(request: Request) -> dict[str, Any]:
        return {"by_message": hubspot.ledger.updates(), "total": hubspot.ledger.patched}

    async def reset(request: Request) -> dict[str, Any]:
        hubspot.reset()
        return {}

    def route(method: str, path: str, handle: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                said = await handle(request)
                if isinstance(said, Response):
                    return said
                text = json.dumps(said)  # in ASCII: a body may hold half a surrogate pair
                return Response(text, media_type="application/json")
            except (ValueError, TypeError) as fault:
                return JSONResponse({"error": str(fault)}, status_code=400)

        return Route(f"/_emulator/{path}", endpoint, methods=[method])

    return Starlette(
        routes=[
            *page_routes(hubspot),
            route("GET", "health", health),
            route("GET", "connection", connection),
            route("POST", "messages", seed),
            route("GET", "messages", messages),
            route("POST", "tokens", issue),
            route("POST", "revoke", revoke),
            route("GET", "ledger", ledger),
            route("GET", "ledger.jsonl", ledger),
            route("GET", "patches", patches),
            route("POST", "reset", reset),
            *(route(*each) for each in steering(hubspot)),
        ]
    )


def _token(said: dict[str, Any]) -> dict[str, Any]:
    """What a token is asked to be.

    :raises ValueError: everything that it cannot be.
    """
    scopes, life, value = said.get("scopes", []), said.get("life", 0), said.get("value", "")
    faults = [f"a token has no {name}; it has {', '.join(TOKEN)}" for name in said if name not in TOKEN]
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        faults.append(f"scopes must be a list of texts, not {scopes!r}")
    if not isinstance(life, int | float) or isinstance(life, bool) or not 0 <= life < math.inf:
        faults.append(f"life must be a number of seconds, at least 0, not {life!r}")
    if not isinstance(value, str):
        faults.append(f"value must be a text, not {value!r}")
    if faults:
        raise ValueError("; ".join(faults))
    return said
