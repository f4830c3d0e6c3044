"""A stand-in for an SMS gateway, over real HTTP and with Twilio's words: to try the way there and back, and to break it.

    python -m hubspot_bridge.gateway --port 8800 --late 20

What becomes of a message is decided by words in its text, so that a test knows it and a person can choose:

    refuse     is not taken: 400 with an error code
    fail       is taken, and undelivered later: ErrorCode 30003
    read       is delivered, and read after that
    late       ends only after ``--late`` seconds, or when it is released
    silent     ends, but no callback says so: GET tells it

All others are delivered. The callbacks are forms as Twilio sends them (MessageSid, MessageStatus, ErrorCode, ErrorMessage). One
that is not answered with 2xx is repeated, five calls in all.

    POST /messages         hand over, with an Idempotency-Key: the same key gets the same message
    GET  /messages/{sid}   what has become of it
    POST /control          {"broken": true} answers everything above with 503 until {"broken": false}; {"failing": true}
                           takes messages, and each ends as undelivered; {"unanswered": 3} takes the next three
                           messages and answers 502; {"release": true} ends what is late
    GET  /control          which of them is so
    GET  /ledger           all messages with their words, to compare with
    GET  /                 a page that shows them, and breaks and repairs the gateway

It keeps everything in memory, and asks no program who it is: for loopback addresses. Pages of other origins change nothing:
what changes something needs a header for which a browser asks the gateway first, and it gives nobody leave.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import requests
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

INVALID_NUMBER = {"code": 21211, "message": "The 'To' number is not a valid phone number."}
UNREACHABLE = (30003, "Unreachable destination handset")
CALLS = 5  # of one callback, until it is answered

#: Names of this machine. Under another one, a page of somebody else whose name leads here would count as the gateway's own.
HOSTS = ("127.0.0.1", "localhost")
HERE = Path(__file__).parent
#: What the page consists of, by path; the first style is the local HubSpot's.
PAGE = {
    "/": HERE / "gateway.html",
    "/gateway.css": HERE / "gateway.css",
    "/gateway.js": HERE / "gateway.js",
    "/page.css": Path(str(files("airflow_provider_hubchan") / "emulator" / "ui" / "page.css")),
}
#: The browser loads and runs only these, whatever a message says, and shows them in no frame of another page.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'"
NO_LINKS: Mapping[str, str] = MappingProxyType({})


@dataclass
class Sent:
    """A message at the gateway.

    :param key: its idempotency key.
    :param posts: how often it was handed over; it is delivered once all the same.
    :param words: the words it has had; the last one is its status.
    :param callbacks: the words that a callback has brought, and that were answered with 2xx.
    """

    sid: str
    key: str
    to: str
    body: str
    callback: str
    posts: int = 1
    words: list[str] = field(default_factory=lambda: ["queued"])
    callbacks: list[str] = field(default_factory=list)
    error_code: int | None = None
    error_message: str | None = None

    @property
    def status(self) -> str:
        return self.words[-1]

    def asks_for(self, word: str) -> bool:
        """True if the text has this word; "ready" is not "read"."""
        return word in re.findall(r"\w+", self.body.lower())

    def public(self) -> dict[str, Any]:
        """The message as the API shows it."""
        names = ("sid", "to", "body", "error_code", "error_message")
        return {name: getattr(self, name) for name in names} | {"status": self.status}


class StandIn:
    """The gateway: an ASGI application in ``app``.

    :param late: seconds until a late message ends.
    :param pause: seconds between two calls of a callback that is not answered.
    :param links: addresses for the page, of the ``inbox`` where replies are written and of ``airflow``.
    """

    def __init__(self, late: float = 20.0, pause: float = 1.0, links: Mapping[str, str] = NO_LINKS) -> None:
        self._late, self._pause, self._links = late, pause, links
        self.messages: dict[str, Sent] = {}  # by idempotency key
        self.broken, self.failing, self.unanswered = False, False, 0
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.app = Starlette(
            routes=[
                Route("/messages", self._unless_broken(self._send), methods=["POST"]),
                Route("/messages/{sid}", self._unless_broken(self._look_up)),
                Route("/control", self._control, methods=["GET", "POST"]),
                Route("/ledger", self._ledger),
                Route("/links", self._show_links),
                *(Route(path, _page) for path in PAGE),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
        )

    def _unless_broken(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if self.broken:
                raise HTTPException(503, 'the gateway is broken, until POST /control {"broken": false}')
            return await endpoint(request)

        return answer

    async def _send(self, request: Request) -> Response:
        wanted, key = await request.json(), request.headers["Idempotency-Key"]
        if (sent := self.messages.get(key)) is not None:
            sent.posts += 1
        else:
            sent = Sent(f"SM{len(self.messages):032x}", key, wanted["to"], wanted["body"], wanted["status_callback"])
            self.messages[key] = sent
            if sent.asks_for("refuse"):
                sent.words = ["failed"]
                sent.error_code, sent.error_message = 21211, str(INVALID_NUMBER["message"])
            else:
                task = asyncio.create_task(self._deliver(sent))
                self._tasks.add(task)  # the loop itself keeps no reference
                task.add_done_callback(self._tasks.discard)
        if self.unanswered:
            self.unanswered -= 1
            raise HTTPException(502, "taken, but you do not know")
        if sent.status == "failed":
            return JSONResponse(INVALID_NUMBER, 400)
        return JSONResponse(sent.public(), 201 if sent.posts == 1 else 200)

    async def _look_up(self, request: Request) -> Response:
        found = [each for each in self.messages.values() if each.sid == request.path_params["sid"]]
        if not found:
            raise HTTPException(404)
        return JSONResponse(found[0].public())

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            kind = request.headers.get("content-type", "").partition(";")[0]
            if kind != "application/json":  # what a form can send, a page of any origin may send
                raise HTTPException(415, "send application/json")
            wanted = await request.json()
            self.broken = bool(wanted.get("broken", self.broken))
            self.failing = bool(wanted.get("failing", self.failing))
            self.unanswered = int(wanted.get("unanswered", self.unanswered))
            if wanted.get("release"):
                self._released.set()
                self._released = asyncio.Event()
        return JSONResponse({"broken": self.broken, "failing": self.failing, "unanswered": self.unanswered})

    async def _ledger(self, _: Request) -> Response:
        return JSONResponse([asdict(each) | {"status": each.status} for each in self.messages.values()])

    async def _show_links(self, _: Request) -> Response:
        return JSONResponse(dict(self._links))

    async def _deliver(self, sent: Sent) -> None:
        """Let the words follow each other, and call back with each."""
        await self._now_is(sent, "sent")
        if sent.asks_for("late"):
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._released.wait(), self._late)
        if self.failing or sent.asks_for("fail"):
            sent.error_code, sent.error_message = UNREACHABLE
            await self._now_is(sent, "undelivered")
            return
        await self._now_is(sent, "delivered")
        if sent.asks_for("read"):
            await self._now_is(sent, "read")

    async def _now_is(self, sent: Sent, word: str) -> None:
        sent.words.append(word)
        form = {"MessageSid": sent.sid, "MessageStatus": word}
        if sent.error_code:
            form |= {"ErrorCode": str(sent.error_code), "ErrorMessage": str(sent.error_message)}
        for number in range(0 if sent.asks_for("silent") else CALLS):
            if await run_in_threadpool(is_answered, sent.callback, form):
                sent.callbacks.append(word)
                return
            await asyncio.sleep(self._pause * 2**number)


async def _page(request: Request) -> Response:
    return FileResponse(PAGE[request.url.path], headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})


def is_answered(url: str, form: dict[str, str]) -> bool:
    """Call back once; True if the receiver has it."""
    try:
        return requests.post(url, data=form, timeout=5).ok
    except requests.RequestException:
        return False


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A stand-in for an SMS gateway.")
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--late", type=float, default=20.0, help="seconds until a late message ends")
    parser.add_argument("--inbox", help="where replies are written, http://127.0.0.1:8920: the page links to it")
    parser.add_argument("--airflow", help="where the DAGs run, http://127.0.0.1:8080: the page links to it")
    options = parser.parse_args()
    links = {name: url for name in ("inbox", "airflow") if (url := getattr(options, name))}
    app = StandIn(late=options.late, links=links).app
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
