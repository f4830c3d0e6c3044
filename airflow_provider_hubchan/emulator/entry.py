"""One request that the local HubSpot received, and what it answered."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator import masking
from airflow_provider_hubchan.emulator.clock import iso
from airflow_provider_hubchan.emulator.faults import Fault
from airflow_provider_hubchan.emulator.records import Install
from airflow_provider_hubchan.emulator.shapes import Call


class Caller(NamedTuple):
    """Whose token or credentials a request had.

    :param portal_id: None if they were of no portal: no token was granted.
    """

    client_id: str
    portal_id: int | None


@dataclass(slots=True, repr=False)
class Entry:
    """One request. There are very many: bodies stay as they came, and everything else is worked out when it is asked for.

    :param at: the emulator's time when it came, seconds since the epoch.
    :param path: as it stood on the wire, still percent-encoded.
    :param sent: the body of the request. It may hold secrets, as may *query*, *path* and *said*: to be shown they are masked.
    :param install: whose bearer token it had, None for no good one.
    :param status: what was answered, None if nothing was, or not yet.
    :param said: the body of the answer, whole, even if half of it was sent.
    :param fault: the scripted fault that spoiled it.
    :param others_in_flight: other requests about the same message that were not answered yet.
    """

    at: float
    method: str
    path: str
    query: str = ""
    sent: bytes = b""
    install: Install | None = None
    status: int | None = None
    said: bytes = b""
    fault: Fault | None = None
    others_in_flight: int = 0

    def __repr__(self) -> str:
        return f"<{self.as_line()}>"

    @property
    def message(self) -> tuple[str, str] | None:
        """Channel id and message id, if it is about one message."""
        return Call(self.method, self.path).message

    @property
    def message_id(self) -> str | None:
        """The message that it is about."""
        about = self.message
        return about[1] if about else None

    @property
    def body(self) -> Any:
        """What was sent, without its secrets: JSON, a form, or text; None for nothing."""
        return masking.shown_body(self.sent, masking.SECRETS_OF_REQUESTS)

    @property
    def reply(self) -> Any:
        """What was answered, without its secrets."""
        return masking.shown_body(self.said)

    @property
    def caller(self) -> Caller | None:
        """Who asked: by the bearer token, or at the token address by the form. None if neither is known."""
        if self.install:
            return Caller(self.install.app.client_id, self.install.portal.id)
        client_id = masking.form_of(self.sent).get("client_id")
        if client_id is None:
            return None
        reply = self.reply
        return Caller(client_id, reply.get("hub_id") if isinstance(reply, dict) else None)

    def as_json(self) -> dict[str, Any]:
        """The entry as plain data, without secrets."""
        channel_id, message_id = self.message or (None, None)
        caller = self.caller
        return {
            "at": iso(self.at),
            "caller": caller and caller._asdict(),
            "method": self.method,
            "path": masking.shown_path(self.path),
            "query": masking.shown_query(self.query),
            "channel_id": channel_id,
            "message_id": message_id,
            "body": self.body,
            "status": self.status,
            "reply": self.reply,
            "fault": self.fault and _told(self.fault),
            "others_in_flight": self.others_in_flight,
        }

    def as_line(self) -> str:
        """The entry in one line for people: time of day in UTC, request, answer. A body that was taken is left out."""
        said = self.as_json()
        parts = [said["at"][11:23], self.method, said["path"] + (f"?{said['query']}" if self.query else "")]
        parts += [_short(said["body"])] if self.sent else []
        parts += ["->", "no answer" if self.status is None else str(self.status)]
        parts += [_short(said["reply"])] if self.said and (self.status or 0) >= 300 else []
        parts += [f"(fault: {_short(said['fault'])})"] if self.fault else []
        return " ".join(parts)


def _told(fault: Fault) -> dict[str, Any]:
    """What the script said of a fault; how often it may still come is left out, because that changes."""
    told = {}
    for each in dataclasses.fields(fault):
        default = each.default_factory() if callable(each.default_factory) else each.default
        if each.name != "times" and getattr(fault, each.name) != default:
            told[each.name] = getattr(fault, each.name)
    return told


def _short(value: Any, most: int = 160) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}…"
