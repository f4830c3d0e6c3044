"""Every request that the local HubSpot received, and what it answered: the newest are kept, all are counted."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator.entry import Entry
from airflow_provider_hubchan.emulator.ledger_text import lines
from airflow_provider_hubchan.emulator.shapes import Answer, Call
from airflow_provider_hubchan.emulator.world import World


class Ledger:
    """Entries in the order the requests came, at most `Settings.ledger` of them; who looks at it may be another thread.

    :ivar received: requests, whether they are kept or not.
    :ivar patched: PATCHes of messages among them.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._entries: deque[Entry] = deque()
        self._updates: dict[str, int] = {}
        self.received = self.patched = 0

    def begin(self, call: Call, world: World) -> Entry:
        """Write a request down. The oldest entry goes if there are too many."""
        install = world.install_of(call.headers.get("authorization", ""))
        entry = Entry(world.clock.now(), sys.intern(call.method), call.path, call.query, call.body, install)
        entries, most = self._entries, world.settings.ledger
        entries.append(entry)
        while len(entries) > most:
            entries.popleft()
        self.received += 1
        if call.method == "PATCH" and call.message:
            self.patched += 1
        return entry

    def answered(self, entry: Entry, call: Call, answer: Answer) -> Answer:
        """Note the answer before it is sent, so that who has it finds it here; and hand it on."""
        entry.status, entry.said = answer.status, answer.content()
        if 200 <= answer.status < 300 and call.method == "PATCH" and call.message:
            message_id = call.message[1]
            self._updates[message_id] = self._updates.get(message_id, 0) + 1
        return answer

    @property
    def entries(self) -> list[Entry]:
        """All that are kept."""
        return list(self._entries)

    def newest(self) -> Iterator[Entry]:
        """From the newest one back; for the server's own thread, which adds them."""
        return reversed(self._entries)

    @property
    def dropped(self) -> int:
        """How many are not kept any more."""
        return self.received - len(self._entries)

    def chosen(
        self,
        method: str | None = None,
        message_id: str | None = None,
        status: int | None = None,
        path: str | None = None,
        caller: str | int | None = None,
        since: float | None = None,
        until: float | None = None,
        fault: bool | None = None,
        last: int | None = None,
    ) -> list[Entry]:
        """Entries with all of this; None for any.

        :param path: a part of it.
        :param caller: a client id or a portal id.
        :param since: seconds since the epoch, by the emulator's clock; from then on.
        :param until: before then.
        :param fault: whether a scripted fault spoiled it.
        :param last: only the newest of them, so many.
        """
        fitting = (
            entry
            for entry in reversed(self.entries)
            if (method is None or entry.method == method)
            and (status is None or entry.status == status)
            and (path is None or path in entry.path)
            and (since is None or entry.at >= since)
            and (until is None or entry.at < until)
            and (fault is None or (entry.fault is not None) is fault)
            # A path that holds no such text needs no closer look, unless it is encoded.
            and (message_id is None or ((message_id in entry.path or "%" in entry.path) and entry.message_id == message_id))
            and (caller is None or str(caller) in map(str, entry.caller or ()))
        )
        return list(islice(fitting, last))[::-1]

    def patches(self, message_id: str | None = None, status: int | None = None) -> list[Entry]:
        """PATCHes of messages: of one message, or answered with *status*, or all."""
        return [entry for entry in self.chosen("PATCH", message_id, status) if entry.message]

    def updates(self) -> Counter[str]:
        """How many PATCHes of each message were answered 2xx, those that are not kept any more among them."""
        return Counter(self._updates)

    def grants(self) -> list[Entry]:
        """Requests for an access token."""
        return [entry for entry in self.chosen(path="/token") if entry.path.endswith("/token")]

    def assert_each_once(self, ids: Iterable[str]) -> None:
        """Each of these messages was updated exactly once, and no other was: PATCHes answered 2xx are counted.

        :raises AssertionError: it is not so; every message that is to blame is named, up to ten of a kind.
        """
        updates, wanted = self.updates(), dict.fromkeys(ids)
        kinds = {
            "never updated": [each for each in wanted if not updates[each]],
            "updated more than once": [f"{each} ({updates[each]} times)" for each in wanted if updates[each] > 1],
            "updated, but not asked for": [each for each in updates if each not in wanted],
        }
        told = [f"{_listed(names)}: {kind}" for kind, names in kinds.items() if names]
        if told:
            raise AssertionError("; ".join(told))

    def write(self, path: str | Path, **asked: Any) -> int:
        """Write a file of JSON Lines, as `Entry.as_json` has them.

        :param asked: see `chosen`; all if there is nothing.
        :return: how many lines.
        """
        entries = self.chosen(**asked)
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(lines(entries))
        return len(entries)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
