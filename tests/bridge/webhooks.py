"""HubSpot's webhooks, as the reference has them: shape and signature are written here a second time, on purpose."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import requests
from hubspot_bridge.outbox import Message

SECRET = "the app's client secret"
CALLBACK_SECRET = "of the callbacks"
#: What HubSpot calls, and what only the proxy in front of the receiver knows.
PUBLIC = "https://hooks.example.com/crm/replies?channel=100200"
NOW = 1_800_000_000.0


def reply_event(message_id: str, text: str = "Hello", to: str = "+15550100", **message: Any) -> dict[str, Any]:
    """OUTGOING_CHANNEL_MESSAGE_CREATED."""
    return {
        "type": "OUTGOING_CHANNEL_MESSAGE_CREATED",
        "portalId": "62515",
        "channelId": "100200",
        "eventTimestamp": "2027-01-15T08:00:00.000Z",
        "eventId": f"event-of-{message_id}",
        "channelIntegrationThreadIds": ["chat-1"],
        "message": {
            "id": message_id,
            "channelId": "100200",
            "channelAccountId": "300",
            "conversationsThreadId": "7001",
            "createdAt": "2027-01-15T08:00:00.000Z",
            "createdBy": "A-17",
            "senders": [{"actorId": "A-17", "name": "Ada"}],
            "recipients": [{"deliveryIdentifier": {"type": "HS_PHONE_NUMBER", "value": to}, "name": "Grace"}],
            "text": text,
            "richText": f"<p>{text}</p>",
            "attachments": [],
            "direction": "OUTGOING",
            "status": "SENT",
            "truncationStatus": "NOT_TRUNCATED",
            **message,
        },
    }


def stored(message_id: str, text: str = "Hello", created_at: float = NOW) -> Message:
    """The message of such an event."""
    return Message(message_id, "100200", "300", ("chat-1",), ("+15550100",), text, (), created_at)


def signature(body: bytes, timestamp: str, uri: str = PUBLIC, secret: str = SECRET) -> str:
    """HubSpot's, version 3; the address has no escapes here."""
    digest = hmac.new(secret.encode(), b"POST" + uri.encode() + body + timestamp.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def signed(body: bytes, now: float = NOW, **how: str) -> dict[str, str]:
    """The headers of a webhook."""
    timestamp = str(int(now * 1000))
    return {
        "Content-Type": "application/json",
        "X-HubSpot-Request-Timestamp": timestamp,
        "X-HubSpot-Signature-v3": signature(body, timestamp, **how),
    }


def post(url: str, event: Any, now: float = NOW, session: Any = requests, **how: str) -> int:
    """Send a webhook, well signed, to the receiver's own address; its status."""
    body = json.dumps(event).encode()
    status: int = session.post(f"{url}/hubspot", data=body, headers=signed(body, now, **how), timeout=120).status_code
    return status
