"""What was written, but cannot be read yet."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.records import Message


class Lagging:
    """Messages as readers still see them (nobody says that a read follows every write).

    :ivar until: by channel and message id: seconds since the epoch until when, and what is seen until then.
    """

    def __init__(self) -> None:
        self.until: dict[tuple[str, str], tuple[float, Message]] = {}

    def put(self, before: Message, until: float) -> None:
        """Have readers see a message as it was *before*."""
        self.until[before.account.channel.id, before.id] = (until, before)

    def as_read(self, message: Message, now: float) -> Message:
        """The message as a reader sees it."""
        key = (message.account.channel.id, message.id)
        until, before = self.until.get(key, (now, message))
        if until > now:
            return before
        self.until.pop(key, None)
        return message
