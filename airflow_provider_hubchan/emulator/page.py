"""The page at ``/``: what an agent would see of the messages, beside the quota, kept up to date by server-sent events.

GET    /
GET    /_emulator/page/...              its style and its script
GET    /_emulator/events                ?status=FAILED&search=...: what it shows, and from then on what changes of it
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from airflow_provider_hubchan.emulator.local import LocalHubspot
from airflow_provider_hubchan.emulator.survey import Wanted
from airflow_provider_hubchan.emulator.view import View

HERE = Path(__file__).parent
#: Seconds between two looks, and after how many looks a sign of life is sent even if nothing has changed.
LOOK, QUIET = 0.25, 4
#: Nothing but this page's own files can be loaded or run, whatever a message says.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"
HEADERS = {"Content-Security-Policy": f"{POLICY}; form-action 'none'; frame-ancestors 'none'", "Cache-Control": "no-cache"}
#: Parts of what is shown of which only the members that changed are sent.
IN_PIECES = {"threads", "beats"}


def page_routes(hubspot: LocalHubspot) -> list[Route]:
    """The routes above, for one HubSpot."""

    def file(path: str, name: str) -> Route:
        async def endpoint(request: Request) -> FileResponse:
            return FileResponse(HERE / name, headers=HEADERS)

        return Route(path, endpoint)

    async def events(request: Request) -> Response:
        try:
            wanted = Wanted.asked(dict(request.query_params))
        except ValueError as fault:
            return JSONResponse({"error": str(fault)}, status_code=400)
        return StreamingResponse(told(hubspot, wanted), media_type="text/event-stream", headers=HEADERS)

    return [
        file("/", "page.html"),
        file("/_emulator/page/page.css", "page.css"),
        file("/_emulator/page/page.js", "page.js"),
        Route("/_emulator/events", events),
    ]


async def told(hubspot: LocalHubspot, wanted: Wanted) -> AsyncIterator[str]:
    """Events without end: the first has everything, each later one only what is different."""
    yield "retry: 1000\n\n"
    while True:
        view = await asyncio.to_thread(View, hubspot, wanted)
        known: dict[str, Any] = {}
        for looks in count():
            seen = view.look()
            changed = changes(known, seen)
            if changed or looks % QUIET == 0:
                about = {"anew": not known, "clock": view.clock()}
                yield f"data: {json.dumps({**changed, **about}, separators=(',', ':'))}\n\n"
            known = seen
            await asyncio.sleep(LOOK)
            await asyncio.to_thread(view.renew, time.perf_counter())
            if view.outdated():
                break


def changes(known: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """What is different; what went away is not told: nothing that is shown refers to it any more."""
    changed = {name: value for name, value in seen.items() if name not in known or known[name] != value}
    for name in IN_PIECES & changed.keys():
        before = known.get(name, {})
        changed[name] = {key: value for key, value in seen[name].items() if before.get(key) != value}
    return {name: value for name, value in changed.items() if value != {} or name not in IN_PIECES}
