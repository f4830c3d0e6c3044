"""The threads that the page shows: which changed last, found by going through all messages."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from airflow_provider_hubchan.emulator.model.records import STATUSES, Message
from airflow_provider_hubchan.emulator.model.world import World

T = TypeVar("T")

#: Threads that are shown at most.
MAX_THREADS = 200
#: Share of the time that going through all messages may take; with a million of them it takes most of a second.
MAX_LOAD = 0.05


@dataclass(frozen=True)
class ThreadFilter:
    """Which threads are shown.

    :param status: those with a message of this status; empty for any.
    :param search: those with this text in their number or in the id of a message; empty for any.
    """

    status: str = ""
    search: str = ""

    @classmethod
    def parse(cls, query: dict[str, str]) -> ThreadFilter:
        """Read a query with the optional parameters ``status`` and ``search``.

        :raises ValueError: names other parameters, and a status that does not exist.
        """
        problems = [f"there is no {name}; there are status, search" for name in sorted(query.keys() - {"status", "search"})]
        status = query.get("status", "")
        if status and status not in STATUSES:
            problems.append(f"status is {status!r}, not one of {', '.join(STATUSES)}")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(status, query.get("search", "").strip())

    def matches(self, message: Message) -> bool:
        """True if the message's thread is shown because of it."""
        return (not self.status or message.status == self.status) and (
            not self.search or self.search.lower() in message.id.lower() or self.search in str(message.thread)
        )


@dataclass
class ThreadList:
    """All messages by thread, and the threads that match a filter.

    :param message_count: how many messages there were.
    :param threads: the messages of each thread, the oldest first.
    :param matching: how many threads match.
    :param recent: the numbers of those of them that changed last, the latest at the end.
    """

    message_count: int
    threads: dict[int, list[Message]]
    matching: int
    recent: dict[int, None]


def find_threads(world: World, thread_filter: ThreadFilter) -> ThreadList:
    """Go through all messages."""
    messages = list(world.messages.values())  # a list: another thread may add messages meanwhile
    threads: dict[int, list[Message]] = {}
    for message in messages:
        threads.setdefault(message.thread, []).append(message)
    changed_at = {
        number: max(message.updated_at for message in of_thread)
        for number, of_thread in threads.items()
        if thread_filter == ThreadFilter() or any(map(thread_filter.matches, of_thread))
    }
    latest = heapq.nlargest(MAX_THREADS, changed_at, key=changed_at.__getitem__)
    return ThreadList(len(messages), threads, len(changed_at), dict.fromkeys(reversed(latest)))


class Throttled(Generic[T]):
    """A value that is computed again only so often that it takes `MAX_LOAD` of the time at most.

    :param compute: computes it; may run in another thread.
    :ivar value: the latest value.
    """

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self.renew()

    def is_due(self, now: float) -> bool:
        """True if it may be computed again.

        :param now: of ``time.perf_counter``.
        """
        return now >= self._due_at

    def renew(self) -> None:
        """Compute it again."""
        began = time.perf_counter()
        self.value = self._compute()
        ended = time.perf_counter()
        self._due_at = ended + (ended - began) / MAX_LOAD
