"""Finds the thread of a customer, and the latest message of a thread, without going through all messages each time."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from airflow_provider_hubchan.emulator.model.records import Message


class ThreadIndex:
    """Computed from the messages and never saved. It may be used by several threads.

    Each look-up takes up only the messages that came since the last one: with a million of them the first takes a second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin({})

    def _begin(self, messages: Mapping[tuple[str, str], Message]) -> None:
        self._messages, self._count = messages, 0
        self._latest: dict[int, Message] = {}
        self._of_customer: dict[tuple[str, str], int] = {}

    def latest(self, messages: Mapping[tuple[str, str], Message], number: int) -> Message | None:
        """The latest message of the thread with this number."""
        with self._lock:
            self._take_up(messages)
            return self._latest.get(number)

    def latest_with(self, messages: Mapping[tuple[str, str], Message], account_id: str, address: str) -> Message | None:
        """The latest message of the latest thread that an account has with the customer at this address."""
        with self._lock:
            self._take_up(messages)
            number = self._of_customer.get((account_id, address))
            return None if number is None else self._latest[number]

    def _take_up(self, messages: Mapping[tuple[str, str], Message]) -> None:
        current = list(messages.values())  # a list: another thread may add messages meanwhile
        if messages is not self._messages or len(current) < self._count:  # some were removed
            self._begin(messages)
        for message in current[self._count :]:
            self._latest[message.thread] = message
            address = message.customer["deliveryIdentifier"]["value"]
            self._of_customer[message.account.id, address] = message.thread
        self._count = len(current)
