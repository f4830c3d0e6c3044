"""A call, an answer, and the two shapes that everything shares: HubSpot's error object and its addresses."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

VERSIONS = ("v3", "2025-09", "2026-03", "2026-09")


@dataclass
class Call:
    """One request.

    :param path: as it stood on the wire, still percent-encoded, without the query.
    :param headers: with lower-case names.
    :param query: as it stood on the wire, after the question mark.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path, split at its slashes and then decoded: an id may hold a slash."""
        parts = self.path.strip("/").split("/")
        return tuple(map(unquote, parts)) if "%" in self.path else tuple(parts)

    @cached_property
    def channels_path(self) -> tuple[str, tuple[str, ...]] | None:
        """Version, and what follows it in a custom-channels path.

        Only ``v3`` stands before the name, and it does not where all channels are meant (specified).
        """
        match self.segments:
            case ("conversations", "v3", "custom-channels", _, *_):
                return "v3", self.segments[3:]
            case ("conversations", "custom-channels", "v3"):
                return "v3", ()
            case ("conversations", "custom-channels", version, *_) if version in VERSIONS[1:]:
                return version, self.segments[3:]
        return None

    @property
    def version(self) -> str:
        """The version of HubSpot's API, wherever it stands in the path."""
        return self.channels_path[0] if self.channels_path else self.segments[1]

    @cached_property
    def message(self) -> tuple[str, str] | None:
        """Channel id and message id, if the call is about one message."""
        match self.channels_path:
            case (_, (channel_id, "messages", message_id)):
                return channel_id, message_id
        return None

    @cached_property
    def parameters(self) -> dict[str, list[str]]:
        """The query."""
        return parse_qs(self.query, keep_blank_values=True)


@dataclass
class Answer:
    """One response; *body* is sent as JSON, or as HTML if it is a text."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    _content: bytes | None = field(default=None, repr=False, compare=False)

    def content(self) -> bytes:
        """The body as bytes; made once, for the wire and for the ledger."""
        if self._content is None:
            body = self.body
            self._content = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        return self._content


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


def method_not_allowed(method: str, allowed: Iterable[str]) -> Answer:
    """405; its shape is assumed."""
    said = error(405, f"Method {method} is not allowed here", "METHOD_NOT_ALLOWED")
    said.headers["Allow"] = ", ".join(allowed)
    return said
