"""One try to send a webhook, and how its receiver answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_hubchan.emulator.faults.fault import Fault, fault_spec
from airflow_provider_hubchan.emulator.model.clock import iso
from airflow_provider_hubchan.emulator.request_log import masking
from airflow_provider_hubchan.emulator.request_log.entry import one_line, shortened


@dataclass(slots=True, repr=False)
class Delivery:
    """One try to send a webhook. The raw *url* and *sent_to* may hold a secret, which the texts leave out.

    :param at: when it was sent: seconds since the epoch by the emulator's clock.
    :param url: the channel's ``webhookUrl``, which is signed.
    :param sent_to: the URL that it was sent to; another one with the setting ``webhook_via``.
    :param request_body: the event.
    :param attempt: 1 for the first try of an event.
    :param fault: the fault that hit it, None if none did.
    :param status: of the receiver's answer, None if there was none, or not yet.
    :param milliseconds: until it was answered or given up, None while it is under way.
    :param error: why there is no answer, None if there is one, or not yet.
    :param response_body: the beginning of the answer's body.
    """

    at: float
    channel_id: str
    message_id: str
    url: str
    sent_to: str
    request_body: bytes
    attempt: int = 1
    fault: Fault | None = None
    status: int | None = None
    milliseconds: float | None = None
    error: str | None = None
    response_body: bytes = b""

    def __repr__(self) -> str:
        return f"<{self.as_line()}>"

    @property
    def body(self) -> Any:
        """The event."""
        return masking.masked_body(self.request_body, frozenset())

    @property
    def accepted(self) -> bool:
        """True if the receiver has answered 2xx."""
        return self.status is not None and 200 <= self.status < 300

    def as_json(self) -> dict[str, Any]:
        """The delivery as plain data, without secrets."""
        return {
            "at": iso(self.at),
            "channel_id": self.channel_id,
            "message_id": self.message_id,
            "url": masking.masked_url(self.url),
            "sent_to": masking.masked_url(self.sent_to),
            "body": self.body,
            "attempt": self.attempt,
            "status": self.status,
            "milliseconds": self.milliseconds,
            "error": self.error,
            "reply": masking.masked_body(self.response_body),
            "fault": self.fault and fault_spec(self.fault),
        }

    def as_line(self) -> str:
        """The delivery in one printable line: time of day in UTC, message, URL, answer. Bodies are shown from status 300 on."""
        parts = [iso(self.at)[11:23], "webhook of", self.message_id, "to", masking.masked_url(self.sent_to)]
        parts += [f"(try {self.attempt})"] if self.attempt > 1 else []
        parts += ["->", self.error or ("no answer yet" if self.status is None else str(self.status))]
        parts += (
            [shortened(masking.masked_body(self.response_body))] if (self.status or 0) >= 300 and self.response_body else []
        )
        parts += [f"(fault: {shortened(fault_spec(self.fault))})"] if self.fault else []
        return one_line(" ".join(parts))
