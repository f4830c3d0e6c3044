"""What HubSpot sends to the ``webhookUrl`` of a channel when an agent has written: one JSON object, signed by the app's secret.

That custom channels sign at all is observed, in three independent receivers, and not documented; how it is done is documented
for HubSpot's other webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.model.clock import iso
from airflow_provider_hubchan.emulator.model.records import Channel, Message
from airflow_provider_hubchan.emulator.model.webhook_url import split_url

MESSAGE_CREATED = "OUTGOING_CHANNEL_MESSAGE_CREATED"
SIGNATURE, TIMESTAMP = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"
#: Characters that are decoded in a URI before it is signed (documented); no others are.
_DECODED = {f"%{ord(each):02X}": each for each in ":/?@!$'()*,;"}
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)
#: Fields of a message that the event has (documented in the 2024 guide); those that the message has not are left out.
_FIELDS = (
    *("id", "type", "channelId", "channelAccountId", "conversationsThreadId", "createdAt", "createdBy"),
    *("senders", "recipients", "text", "richText", "direction", "inReplyToId", "truncationStatus", "attachments"),
)


@dataclass
class WebhookRequest(Request):
    """The request that HubSpot sends for a message, without its signature, which is made anew for each try.

    :param message_key: channel id and message id.
    :param url: the channel's ``webhookUrl``, which is signed.
    """

    message_key: tuple[str, str] = ("", "")
    portal_id: int = 0
    url: str = ""

    @property
    def message(self) -> tuple[str, str]:
        """Channel id and message id."""
        return self.message_key


def message_created(message: Message, integration_thread_id: str) -> dict[str, Any]:
    """The event of an agent's message, as it was when it was made: the same each time that it is asked for.

    :param integration_thread_id: of its thread.
    """
    account, shown = message.account, message.as_json()
    # observed: the visitor's actor is "V-" and the id of a contact; which contact it is, is assumed
    actor = f"V-{message.thread % 10_000_000}"
    fields = {name: shown[name] for name in _FIELDS if name in shown} | {
        "senders": [_sender(sender, account.delivery_identifier) for sender in shown["senders"]],
        "recipients": [{"actorId": actor, **recipient} for recipient in shown["recipients"]],
        "status": "SENT",  # documented: from the start, and a text, not the object of the API
    }
    return {
        "type": MESSAGE_CREATED,
        "portalId": str(account.portal.id),
        "channelId": account.channel.id,
        "eventTimestamp": iso(message.created_at),
        "eventId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{account.channel.id}/{message.id}".encode(errors="replace").decode())),
        "channelIntegrationThreadIds": [integration_thread_id],
        "message": fields,
    }


def webhook_request(message: Message, integration_thread_id: str, url: str) -> WebhookRequest:
    """The request for a message.

    :param url: the channel's ``webhookUrl``.
    """
    body = json.dumps(message_created(message, integration_thread_id)).encode()
    key, parts = (message.account.channel.id, message.id), split_url(url)  # it may be any text (specified)
    path, query = (parts.path, parts.query) if parts else ("", "")
    return WebhookRequest("POST", path, {}, body, query, key, message.account.portal.id, url)


def signed_headers(channel: Channel, request: WebhookRequest, at: float, *, secret: str | None = None) -> dict[str, str]:
    """The headers that prove that HubSpot has sent a request.

    :param at: seconds since the epoch.
    :param secret: to sign with, None for the client secret of the channel's app.
    """
    timestamp = str(round(at * 1000))
    key = channel.app.client_secret if secret is None else secret
    return {TIMESTAMP: timestamp, SIGNATURE: signature(key, request.method, request.url, request.body, timestamp)}


def signature(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """``X-HubSpot-Signature-v3`` (documented): HMAC-SHA256 over method, URI, body and timestamp, in Base64.

    :param timestamp: milliseconds since the epoch.
    """
    uri = _ESCAPE.sub(lambda escape: _DECODED[escape[0].upper()], url)
    signed = method.encode() + uri.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def _sender(sender: dict[str, Any], of_account: dict[str, str] | None) -> dict[str, Any]:
    """A sender with the address of the channel account that it writes from (documented that it has one; whose is assumed)."""
    return sender if of_account is None else {"deliveryIdentifier": of_account, **sender}
