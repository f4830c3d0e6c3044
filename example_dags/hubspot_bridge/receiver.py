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

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from airflow_provider_hubchan.gateways import TWILIO
from hubspot_bridge.delivery import word_of
from hubspot_bridge.outbox import Message, Outbox
from hubspot_bridge.settings import open_outbox, open_signals, setting
from hubspot_bridge.signals import RECEIPTS, REPLIES
from hubspot_bridge.signatures import is_from_hubspot, is_ours

MAX_BODY = 1_000_000  # bytes; whoever is not HubSpot must not fill the memory before the signature is checked
AGENT_REPLIED = "OUTGOING_CHANNEL_MESSAGE_CREATED"


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
        except (ValueError, RecursionError) as error:
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
        if word not in TWILIO:
            raise HTTPException(400, f"unknown MessageStatus: {word!r}")
        if not await run_in_threadpool(outbox.note_word, message_id, word, reason):
            raise HTTPException(404, "no such message")
        if TWILIO[word] not in (None, "SENT"):  # most replies are delivered, which HubSpot shows from the start
            signal(RECEIPTS)
        return PlainTextResponse("noted")

    return Starlette(routes=[Route("/hubspot", webhook, methods=["POST"]), Route("/receipts", receipt, methods=["POST"])])


def from_environment() -> Starlette:
    """The web application with the settings of the environment, for uvicorn."""
    return create_app(
        open_outbox(),
        client_secret=setting("HUBSPOT_CLIENT_SECRET"),
        webhook_url=setting("WEBHOOK_URL"),
        callback_secret=setting("CALLBACK_SECRET"),
        signal=open_signals(),
    )


async def read(request: Request) -> bytes:
    """The body as it came."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"longer than {MAX_BODY} bytes")
    return body


def parse(body: bytes) -> Message | None:
    """The message of an event; None for an event of another type (of channel accounts, or one that comes in future).

    :raises ValueError: it is no event in HubSpot's format.
    """
    event = json.loads(body)
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise ValueError("a JSON object with a type is needed")
    if event["type"] != AGENT_REPLIED:
        return None
    message = member(event, "message", dict)
    identifiers = [member(each, "deliveryIdentifier", dict) for each in member(message, "recipients", list)]
    return Message(
        message_id=member(message, "id", str),
        channel_id=member(message, "channelId", str),
        channel_account_id=member(message, "channelAccountId", str),
        thread_ids=tuple(map(str, member(event, "channelIntegrationThreadIds", list, []))),
        recipients=tuple(member(each, "value", str) for each in identifiers),
        # Half of an emoji and NUL are JSON, but no text that a database takes.
        text=str(message.get("text") or "").encode("utf-8", "replace").decode().replace("\0", ""),
        attachments=tuple(each for each in member(message, "attachments", list, []) if isinstance(each, dict)),
        created_at=member(message, "createdAt", str),
    )


def member(source: Any, name: str, kind: type, default: Any = None) -> Any:
    """A member of a JSON object.

    :param default: what it is if it is null or not there; None: it has to be.
    :raises ValueError: it is not there, or an empty text, or of another type.
    """
    value = source.get(name) if isinstance(source, dict) else None
    value = default if value is None else value
    if not isinstance(value, kind) or (kind is str and not value):
        raise ValueError(f"{name} is missing, or not of the type {kind.__name__}")
    return value
