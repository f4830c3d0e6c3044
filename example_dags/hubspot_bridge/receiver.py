"""The receiver: HubSpot's webhooks and the gateway's status callbacks go into the outbox; Airflow does the rest.

    uvicorn --factory hubspot_bridge.receiver:from_environment --app-dir example_dags --port 8700

HubSpot signs the address that *it* calls. Behind a proxy the receiver sees another one, ``http://10.0.0.7:8700/hubspot`` and
not ``https://hooks.example.com/hubspot``, and a signature that is checked against that is always wrong. So it is checked
against ``WEBHOOK_URL``: the channel's webhookUrl, character for character. ``X-Forwarded-Host`` would do only as long as
nobody but the proxy can set it. The other settings are in ``settings.py``.

That these webhooks are signed is what implementers see; HubSpot's guide to custom channels does not promise it.

HubSpot gets 200 when the message is committed, and not before: a receiver that is killed loses nothing that it has confirmed.
What HubSpot sends twice is stored once. Whether it sends again what was not confirmed, HubSpot does not say; so run two of
these behind the proxy, they share the outbox.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hubspot_bridge.delivery import word_of
from hubspot_bridge.events import parse
from hubspot_bridge.outbox import Outbox
from hubspot_bridge.settings import open_outbox, open_signals, setting
from hubspot_bridge.signals import RECEIPTS, REPLIES
from hubspot_bridge.signatures import is_from_hubspot, is_ours

log = logging.getLogger(__name__)

MAX_BODY = 1_000_000  # bytes; whoever is not HubSpot must not fill the memory before the signature is checked


def create_app(
    outbox: Outbox,
    *,
    client_secret: str,
    webhook_url: str,
    callback_secret: str,
    signal: Callable[[str], None] = lambda channel: None,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The web application.

    :param webhook_url: the channel's webhookUrl.
    :param signal: called with a channel of `hubspot_bridge.signals` after a commit; it must neither wait nor fail.
    :param clock: seconds since 1970.
    """

    async def webhook(request: Request) -> Response:
        body = await read(request)
        timestamp, signature = (request.headers.get(f"X-HubSpot-{name}") for name in ("Request-Timestamp", "Signature-v3"))
        if not is_from_hubspot(
            client_secret, request.method, webhook_url, body, timestamp=timestamp, signature=signature, now=clock()
        ):
            raise HTTPException(401, "not signed by HubSpot for this address within the last five minutes")
        try:
            message = parse(body)
        except (ValueError, OverflowError, RecursionError) as error:
            raise HTTPException(400, f"not an event of a custom channel: {error}") from error
        if message:
            await run_in_threadpool(outbox.add, message)
            signal(REPLIES)  # after the commit, or the DAG looks too early
        return PlainTextResponse("stored" if message else "ignored")

    async def receipt(request: Request) -> Response:
        message_id, signature = (request.query_params.get(name, "") for name in ("client_ref", "signature"))
        if not is_ours(callback_secret, message_id, signature):
            raise HTTPException(401, "not a callback URL of ours")
        form = dict(parse_qsl((await read(request)).decode(errors="replace")))
        word, reason = word_of(form, "MessageStatus", "ErrorCode", "ErrorMessage")
        try:
            is_known = await run_in_threadpool(outbox.note_word, message_id, word, reason)
        except KeyError:
            raise HTTPException(400, f"unknown MessageStatus: {word!r}") from None
        if not is_known:
            raise HTTPException(404, "no such message")
        if outbox.statuses[word] not in (None, "SENT"):  # most replies are delivered, which HubSpot shows from the start
            signal(RECEIPTS)
        return PlainTextResponse("noted")

    return Starlette(
        routes=[Route("/hubspot", webhook, methods=["POST"]), Route("/receipts", receipt, methods=["POST"])],
        exception_handlers={HTTPException: refused, ClientDisconnect: refused, SQLAlchemyError: not_stored},
    )


def from_environment() -> Starlette:
    """The web application with the settings of the environment, for uvicorn."""
    logging.getLogger("uvicorn.access").addFilter(without_query)
    return create_app(
        open_outbox(),
        client_secret=setting("HUBSPOT_CLIENT_SECRET"),
        webhook_url=setting("WEBHOOK_URL"),
        callback_secret=setting("CALLBACK_SECRET"),
        signal=open_signals(),
    )


async def read(request: Request) -> bytes:
    """The body as it came."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"longer than {MAX_BODY} bytes")
    return bytes(body)


async def refused(request: Request, error: Exception) -> Response:
    """What is wrong with a request, to the sender and, as HubSpot shows it to nobody, into the log."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (400, "it broke off")
    log.warning("%s answered %d: %s", request.url.path, status, detail)
    return PlainTextResponse(detail, status)


async def not_stored(request: Request, error: Exception) -> Response:
    """The sender has to keep it, and to send it again."""
    reason = " ".join(str(getattr(error, "orig", None) or error).split())
    log.error("%s answered 503: is the database of OUTBOX_URL there, and has its disk room? %s", request.url.path, reason)
    return PlainTextResponse("not stored: send it again", 503)


def without_query(line: logging.LogRecord) -> bool:
    """Shorten a line of uvicorn's access log: whoever reads the query of a callback could send such a callback."""
    line.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in line.args or ())
    return True
