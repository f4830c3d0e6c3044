"""Going through all messages for the page at ``/``: how many have each status, and which threads changed last."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from airflow_provider_hubchan.emulator.records import Message
from airflow_provider_hubchan.emulator.world import World

T = TypeVar("T")

STATUSES = ("SENT", "READ", "FAILED", "RECEIVED")
#: Threads that are shown at most.
THREADS = 200
#: Share of the time that going through all messages may take: of a million it takes most of a second.
SHARE = 0.05


@dataclass(frozen=True)
class Wanted:
    """Which threads are asked for.

    :param status: those with a message of this status; empty for any.
    :param search: those with this text in their number or in the id of a message; empty for any.
    """

    status: str = ""
    search: str = ""

    @classmethod
    def asked(cls, said: dict[str, str]) -> Wanted:
        """What a query asks for.

        :raises ValueError: it has other names, or a status that there is none of.
        """
        faults = [f"there is no {name}; there are status, search" for name in sorted(said.keys() - {"status", "search"})]
        status = said.get("status", "")
        if status and status not in STATUSES:
            faults.append(f"status is {status!r}, not one of {', '.join(STATUSES)}")
        if faults:
            raise ValueError("; ".join(faults))
        return cls(status, said.get("search", "").strip())

    def fits(self, message: Message) -> bool:
        """True if the message's thread is to be shown because of it."""
        return (not self.status or message.status == self.status) and (
            not self.search or self.search.lower() in message.id.lower() or self.search in str(message.thread)
        )


@dataclass
class Survey:
    """What was found.

    :param seen: how many messages there were.
    :param threads: the messages of each thread, oldest first.
    :param fitting: how many threads are wanted.
    :param recent: those of them that changed last, the latest at the end.
    """

    seen: int
    threads: dict[int, list[Message]]
    fitting: int
    recent: dict[int, None]


def survey(world: World, wanted: Wanted) -> Survey:
    """Go through all messages."""
    messages = list(world.messages.values())  # at once: others may add some meanwhile
    threads: dict[int, list[Message]] = {}
    for message in messages:
        threads.setdefault(message.thread, []).append(message)
    changed = {
        number: max(message.updated_at for message in within)
        for number, within in threads.items()
        if wanted == Wanted() or any(map(wanted.fits, within))
    }
    latest = heapq.nlargest(THREADS, changed, key=changed.__getitem__)
    return Survey(len(messages), threads, len(changed), dict.fromkeys(reversed(latest)))


class Costly(Generic[T]):
    """Something that is worked out anew only as often as its cost allows.

    :param work: works it out; perhaps in another thread.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.renew()

    def due(self, now: float) -> bool:
        """True if it may be worked out again.

        :param now: of ``time.perf_counter``.
        """
        return now >= self._good_until

    def renew(self) -> None:
        """Work it out."""
        began = time.perf_counter()
        self.value = self._work()
        ended = time.perf_counter()
        self._good_until = ended + (ended - began) / SHARE
