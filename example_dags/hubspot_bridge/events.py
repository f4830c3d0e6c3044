"""HubSpot's event that an agent has replied, as the message of the outbox."""

from __future__ import annotations

import json
import math
import re
from datetime import timezone
from typing import Any

from dateutil.parser import isoparse  # type: ignore[import-untyped]

from hubspot_bridge.outbox import Message

AGENT_REPLIED = "OUTGOING_CHANNEL_MESSAGE_CREATED"


def parse(body: bytes) -> Message | None:
    """The message of an event; None for an event of another type (of channel accounts, or one that comes in future).

    :raises ValueError: it is no event in HubSpot's format.
    :raises OverflowError: its date is after the last day of the year 9999.
    :raises RecursionError: it is nested too deep.
    """
    event = json.loads(body, parse_float=_finite, parse_constant=_finite)
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise ValueError("a JSON object with a type is needed")
    if event["type"] != AGENT_REPLIED:
        return None
    message = _member(event, "message", dict)
    identifiers = [_member(each, "deliveryIdentifier", dict) for each in _member(message, "recipients", list)]
    if not re.fullmatch("[!-~]{1,255}", message_id := _member(message, "id", str)):
        raise ValueError("message.id does not fit into a header, a URL and 255 characters")
    created_at = isoparse(_member(message, "createdAt", str))
    return Message(
        message_id=message_id,
        channel_id=_member(message, "channelId", str),
        channel_account_id=_member(message, "channelAccountId", str),
        thread_ids=tuple(map(str, _member(event, "channelIntegrationThreadIds", list, []))),
        recipients=tuple(_member(each, "value", str) for each in identifiers),
        text=_member(message, "text", str, ""),
        attachments=tuple(each for each in _member(message, "attachments", list, []) if isinstance(each, dict)),
        created_at=created_at.replace(tzinfo=created_at.tzinfo or timezone.utc).timestamp(),
    )


def _member(source: Any, name: str, kind: type, default: Any = None) -> Any:
    """A member of a JSON object.

    :param default: what it is if it is null or not there; None: it has to be there, and a text must not be empty.
    :raises ValueError: it is not there, or of another type.
    """
    value = source.get(name) if isinstance(source, dict) else None
    value = default if value is None else value
    if not isinstance(value, kind) or (value == "" and default is None):
        raise ValueError(f"{name} is missing, or not of the type {kind.__name__}")
    return value


def _finite(number: str) -> float:
    """NaN and Infinity are no JSON, and 1e400 is Infinity: PostgreSQL does not take them."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is no number of JSON")
    return value
