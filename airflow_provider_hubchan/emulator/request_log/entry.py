"""One request that the emulator received, and how it was answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.faults.fault import Fault, fault_spec
from airflow_provider_hubchan.emulator.model.clock import iso
from airflow_provider_hubchan.emulator.model.records import Install
from airflow_provider_hubchan.emulator.request_log import masking


class Caller(NamedTuple):
    """Whose token or credentials a request had.

    :param portal_id: None for credentials that no token was granted to.
    """

    client_id: str
    portal_id: int | None


@dataclass(slots=True, repr=False)
class Entry:
    """One request. There are very many: bodies are kept as bytes, and everything else is computed when it is read.

    The raw *request_body*, *query*, *path* and *response_body* may hold secrets, which the properties and texts leave out.

    :param at: when it came: seconds since the epoch by the emulator's clock.
    :param path: as it stood on the wire, still percent-encoded.
    :param install: the app and portal of its bearer token, None if it had no known one.
    :param status: of the answer, None if there was none, or not yet.
    :param response_body: the body of the answer, whole, even if half of it was sent.
    :param fault: the fault that hit it, None if none did.
    :param others_in_flight: other requests about the same message that were not answered yet.
    """

    at: float
    method: str
    path: str
    query: str = ""
    request_body: bytes = b""
    install: Install | None = None
    status: int | None = None
    response_body: bytes = b""
    fault: Fault | None = None
    others_in_flight: int = 0

    def __repr__(self) -> str:
        return f"<{self.as_line()}>"

    @property
    def message(self) -> tuple[str, str] | None:
        """Channel id and message id, if the request is about one message."""
        return Request(self.method, self.path).message

    @property
    def message_id(self) -> str | None:
        """The id of the message that the request is about, None if it is about none."""
        message = self.message
        return message[1] if message else None

    @property
    def body(self) -> Any:
        """The body of the request without its secrets: JSON, a form, or text; None if it is empty."""
        return masking.masked_body(self.request_body, masking.SECRETS_OF_REQUESTS)

    @property
    def reply(self) -> Any:
        """The body of the answer without its secrets: JSON or text; None if it is empty."""
        return masking.masked_body(self.response_body)

    @property
    def caller(self) -> Caller | None:
        """Who called: by the bearer token, or at the token address by the form. None if neither is known."""
        if self.install:
            return Caller(self.install.app.client_id, self.install.portal.id)
        client_id = masking.parse_form(self.request_body).get("client_id")
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
            "path": masking.masked_path(self.path),
            "query": masking.masked_query(self.query),
            "channel_id": channel_id,
            "message_id": message_id,
            "body": self.body,
            "status": self.status,
            "reply": self.reply,
            "fault": self.fault and fault_spec(self.fault),
            "others_in_flight": self.others_in_flight,
        }

    def as_line(self) -> str:
        """The entry in one printable line: time of day in UTC, request, answer. The reply is shown from status 300 on."""
        shown = self.as_json()
        parts = [shown["at"][11:23], self.method, shown["path"] + (f"?{shown['query']}" if self.query else "")]
        parts += [shortened(shown["body"])] if self.request_body else []
        parts += ["->", "no answer" if self.status is None else str(self.status)]
        parts += [shortened(shown["reply"])] if self.response_body and (self.status or 0) >= 300 else []
        parts += [f"(fault: {shortened(shown['fault'])})"] if self.fault else []
        return one_line(" ".join(parts))


def one_line(text: str) -> str:
    """A text with escapes for its line breaks, control characters and half characters, so that it forges no line of a log."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def shortened(value: Any, length: int = 160) -> str:
    """A text, or the JSON of anything else, cut to so many characters."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= length else f"{text[:length]}…"
