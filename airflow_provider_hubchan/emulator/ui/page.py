"""The page at ``/``: what an agent would see of the messages, beside the quota, kept up to date by server-sent events.

GET    /
GET    /_emulator/page/...              its style and its script
GET    /_emulator/events                ?status=FAILED&search=...: what it shows, and from then on what changes of it
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.ui.threads import ThreadFilter
from airflow_provider_hubchan.emulator.ui.view import View

Handler = Callable[[HubspotBackend, Request], Awaitable[Response]]

FILES = Path(__file__).parent
#: Seconds between two snapshots, and after how many of them an event is sent even if nothing has changed.
INTERVAL, HEARTBEAT = 0.25, 4
#: The browser loads and runs only this page's own files, whatever a message says.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"
HEADERS = {"Content-Security-Policy": f"{POLICY}; form-action 'none'; frame-ancestors 'none'", "Cache-Control": "no-cache"}
#: Parts of a snapshot of which only the members that have changed are sent.
SENT_BY_MEMBER = {"threads", "buckets"}


def _file(name: str) -> Handler:
    async def handler(backend: HubspotBackend, request: Request) -> Response:
        return FileResponse(FILES / name, headers=HEADERS)

    return handler


async def _no_icon(backend: HubspotBackend, request: Request) -> Response:
    return Response(status_code=204)


async def _events(backend: HubspotBackend, request: Request) -> Response:
    thread_filter = ThreadFilter.parse(dict(request.query_params))
    return StreamingResponse(events(backend, thread_filter), media_type="text/event-stream", headers=HEADERS)


#: Method, path and handler of every call of the page. A handler raises ``ValueError`` for a request that is wrong.
PAGE_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", _file("page.html")),
    ("GET", "/favicon.ico", _no_icon),  # the browser asks for it where it shows JSON: not a call of HubSpot's API
    ("GET", "/_emulator/page/page.css", _file("page.css")),
    ("GET", "/_emulator/page/page.js", _file("page.js")),
    ("GET", "/_emulator/events", _events),
)


async def events(backend: HubspotBackend, thread_filter: ThreadFilter) -> AsyncIterator[str]:
    """Server-sent events without end: the first has everything, each later one what has changed."""
    yield "retry: 1000\n\n"
    while True:
        view = await asyncio.to_thread(View, backend, thread_filter)
        before: dict[str, Any] = {}
        for number in count():
            now = view.snapshot()
            changed = changes(before, now)
            if changed or number % HEARTBEAT == 0:
                always = {"full": not before, "clock": view.clock()}
                yield f"data: {json.dumps({**changed, **always}, separators=(',', ':'))}\n\n"
            before = now
            await asyncio.sleep(INTERVAL)
            await asyncio.to_thread(view.renew, time.perf_counter())
            if view.is_outdated():
                break


def changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What has changed between two snapshots. Members that are gone are left out: nothing that is shown refers to them."""
    changed = {name: value for name, value in now.items() if name not in before or before[name] != value}
    for name in SENT_BY_MEMBER & changed.keys():
        members = before.get(name, {})
        changed[name] = {key: value for key, value in now[name].items() if members.get(key) != value}
    return {name: value for name, value in changed.items() if value != {} or name not in SENT_BY_MEMBER}
