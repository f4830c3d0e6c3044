"""Reads that do not show the latest write yet."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.model.records import Message


class StaleReads:
    """Earlier versions of messages that GET still answers with (HubSpot does not document that a read follows every write).

    :ivar until: by channel id and message id: until when (seconds since the epoch, by the emulator's clock), and the earlier
        version that is read until then.
    """

    def __init__(self) -> None:
        self.until: dict[tuple[str, str], tuple[float, Message]] = {}

    def put(self, earlier: Message, until: float) -> None:
        """Have GET answer with *earlier* until then, in seconds since the epoch."""
        self.until[earlier.account.channel.id, earlier.id] = (until, earlier)

    def as_read(self, message: Message, now: float) -> Message:
        """The version of *message* that a GET answers with at *now*, seconds since the epoch."""
        key = (message.account.channel.id, message.id)
        until, earlier = self.until.get(key, (now, message))
        if until > now:
            return earlier
        self.until.pop(key, None)
        return message
