"""Every request that the local HubSpot received, and what it answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from airflow_provider_hubchan.emulator.bodies import decoded
from airflow_provider_hubchan.emulator.clock import iso
from airflow_provider_hubchan.emulator.faults import Fault
from airflow_provider_hubchan.emulator.shapes import Answer, Call

#: Form fields that are kept out of the ledger.
SECRET_FIELDS = frozenset({"client_secret", "refresh_token", "token"})


@dataclass
class Entry:
    """One request.

    :param at: the emulator's time when it came.
    :param status: what was answered, None if nothing was.
    :param fault: the scripted fault that spoiled it.
    :param others_in_flight: other requests about the same message that were not answered yet.
    """

    at: float
    call: Call
    status: int | None = None
    fault: Fault | None = None
    others_in_flight: int = 0

    def answered(self, answer: Answer) -> Answer:
        """Note the answer, and hand it on."""
        self.status = answer.status
        return answer

    @property
    def message_id(self) -> str | None:
        """The message that it is about."""
        return self.call.message[1] if self.call.message else None

    @property
    def body(self) -> Any:
        """What was sent: JSON, or a form without its secrets."""
        try:
            return decoded(self.call.body) if self.call.body else None
        except ValueError:
            form = parse_qsl(self.call.body.decode(errors="replace"))
            return urlencode([(name, "***" if name in SECRET_FIELDS else value) for name, value in form])

    def as_json(self) -> dict[str, Any]:
        """The entry as plain data."""
        channel_id, message_id = self.call.message or (None, None)
        return {
            "at": iso(self.at),
            "method": self.call.method,
            "path": self.call.path,
            "channel_id": channel_id,
            "message_id": message_id,
            "body": self.body,
            "status": self.status,
            "fault": self.fault is not None,
            "others_in_flight": self.others_in_flight,
        }


class Ledger:
    """All entries, in the order the requests came."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Write one down."""
        self.entries.append(entry)

    def clear(self) -> None:
        """Forget all."""
        self.entries.clear()

    def chosen(self, method: str | None = None, message_id: str | None = None, status: int | None = None) -> list[Entry]:
        """Requests with this method, about this message, answered with this status; None for any."""
        return [
            entry
            for entry in self.entries
            if (method is None or entry.call.method == method)
            and (status is None or entry.status == status)
            and (message_id is None or entry.message_id == message_id)
        ]

    def patches(self, message_id: str | None = None, status: int | None = None) -> list[Entry]:
        """PATCHes of messages: of one message, or answered with *status*, or all."""
        return [entry for entry in self.chosen("PATCH", message_id, status) if entry.call.message]

    def updates(self) -> Counter[str]:
        """How many PATCHes of each message were answered 2xx."""
        done = (entry for entry in self.patches() if entry.status and 200 <= entry.status < 300)
        return Counter(str(entry.message_id) for entry in done)

    def grants(self) -> list[Entry]:
        """Requests for an access token."""
        return [entry for entry in self.entries if entry.call.path.endswith("/token")]
