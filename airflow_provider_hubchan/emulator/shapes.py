"""A call, an answer, and the two shapes that everything shares: HubSpot's error object and its addresses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSIONS = ("v3", "2025-09", "2026-03", "2026-09")


@dataclass(frozen=True)
class Call:
    """One request.

    :param segments: the path, split at its slashes and then decoded: an id may hold a slash.
    :param headers: with lower-case names.
    """

    method: str
    segments: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> tuple[str, str] | None:
        """Channel id and message id, if the call is about one message."""
        match custom_channels_path(self.segments):
            case (channel_id, "messages", message_id):
                return channel_id, message_id
        return None


@dataclass
class Answer:
    """One response; *body* is sent as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Ends the handling of a call with an error answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.status)


def error(status: int, message: str, category: str, sub_category: str | None = None, **more: Any) -> Answer:
    """HubSpot's error object (specified; ``status: error`` is not in the schema, but observed)."""
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category, **more}
    if sub_category:
        body["subCategory"] = sub_category
    return Answer(status, body, {"X-HubSpot-Correlation-Id": body["correlationId"]})


def custom_channels_path(segments: tuple[str, ...]) -> tuple[str, ...] | None:
    """What follows the version in a custom-channels path; only ``v3`` stands before ``custom-channels`` (specified)."""
    match segments:
        case ("conversations", "v3", "custom-channels", *rest):
            return tuple(rest)
        case ("conversations", "custom-channels", version, *rest) if version in VERSIONS[1:]:
            return tuple(rest)
    return None
