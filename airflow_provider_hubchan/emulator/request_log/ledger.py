"""The requests that the emulator received, and how it answered them: the newest are kept, all are counted. Apart from them the
webhooks that it has sent.

The documented interface calls this the ledger. It can be searched in Python, or with the texts of a query, and be written down
as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.request_log.delivery import Delivery
from airflow_provider_hubchan.emulator.request_log.entry import Entry, one_line, shortened

#: Entries that are written down at a time.
CHUNK = 500
_BOOLEANS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class Ledger:
    """Entries in the order of their requests, at most `Settings.ledger` of them. It may be read from another thread.

    :ivar received: requests in all, whether they are kept or not.
    :ivar patched: PATCH requests for messages among them.
    :ivar sent: webhooks that were sent, each try of them, whether they are kept or not; no other count has them.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove all entries and set the counts to 0."""
        self._entries: deque[Entry] = deque()
        self._deliveries: deque[Delivery] = deque()
        self._updates: dict[str, int] = {}
        self.received = self.patched = self.sent = 0

    def begin(self, request: Request, world: World) -> Entry:
        """Add an entry for a request that is not answered yet. If there are too many, the oldest are removed."""
        install = world.install_of(request.authorization)
        entry = Entry(world.clock.now(), sys.intern(request.method), request.path, request.query, request.body, install)
        self._entries.append(entry)
        while len(self._entries) > world.settings.ledger:
            self._entries.popleft()
        self.received += 1
        if request.method == "PATCH" and request.message:
            self.patched += 1
        return entry

    def answered(self, entry: Entry, request: Request, response: Response) -> Response:
        """Note the response before it is sent, so that whoever has received it finds it here; it is returned."""
        entry.status, entry.response_body = response.status, response.content()
        if 200 <= response.status < 300 and request.method == "PATCH" and request.message:
            message_id = request.message[1]
            self._updates[message_id] = self._updates.get(message_id, 0) + 1
        return response

    @property
    def entries(self) -> list[Entry]:
        """All entries that are kept, the oldest first."""
        return list(self._entries)

    def newest(self) -> Iterator[Entry]:
        """The entries that are kept, the newest first; only for the server's own thread, which adds them."""
        return reversed(self._entries)

    @property
    def dropped(self) -> int:
        """How many requests are not kept any more."""
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
        """The entries that all of this is true of, the oldest first; None stands for any.

        :param path: part of the path.
        :param caller: a client id or a portal id.
        :param since: seconds since the epoch by the emulator's clock; from then on.
        :param until: seconds since the epoch by the emulator's clock; before then.
        :param fault: whether a fault hit the request.
        :param last: only the newest of them, so many.
        """
        matching = (
            entry
            for entry in reversed(self.entries)
            if (method is None or entry.method == method)
            and (status is None or entry.status == status)
            and (path is None or path in entry.path)
            and (since is None or entry.at >= since)
            and (until is None or entry.at < until)
            and (fault is None or (entry.fault is not None) is fault)
            # The id is looked for in the path first, which is cheap; an encoded path may hold it in another spelling.
            and (message_id is None or ((message_id in entry.path or "%" in entry.path) and entry.message_id == message_id))
            and (caller is None or str(caller) in map(str, entry.caller or ()))
        )
        return list(islice(matching, last))[::-1]

    def patches(self, message_id: str | None = None, status: int | None = None) -> list[Entry]:
        """PATCH requests for messages: for one message, or answered with *status*, or all."""
        return [entry for entry in self.chosen("PATCH", message_id, status) if entry.message]

    def begin_delivery(self, delivery: Delivery, limit: int) -> Delivery:
        """Add a webhook that is not answered yet; it is returned. If there are too many, the oldest are removed.

        :param limit: how many are kept.
        """
        self._deliveries.append(delivery)
        while len(self._deliveries) > limit:
            self._deliveries.popleft()
        self.sent += 1
        return delivery

    def deliveries(self, message_id: str | None = None, status: int | None = None, last: int | None = None) -> list[Delivery]:
        """Webhooks that were sent, each try of them, the oldest first: for one message, or answered with *status*, or all.

        :param last: only the newest of them, so many.
        """
        matching = (
            delivery
            for delivery in reversed(list(self._deliveries))
            if (message_id is None or delivery.message_id == message_id) and (status is None or delivery.status == status)
        )
        return list(islice(matching, last))[::-1]

    def updates(self) -> Counter[str]:
        """How many PATCH requests for each message were answered with 2xx, also those that are not kept any more."""
        return Counter(self._updates)

    def grants(self) -> list[Entry]:
        """Requests for an access token."""
        return [entry for entry in self.chosen(path="/token") if entry.path.endswith("/token")]

    def assert_each_once(self, ids: Iterable[str]) -> None:
        """Assert that each of these messages was updated exactly once, and no other: PATCH requests answered 2xx are counted.

        :raises AssertionError: names the messages for which it is not true, up to ten of each kind.
        """
        updates, expected = self.updates(), dict.fromkeys(ids)
        kinds = {
            "never updated": [message_id for message_id in expected if not updates[message_id]],
            "updated more than once": [
                f"{message_id} ({updates[message_id]} times)" for message_id in expected if updates[message_id] > 1
            ],
            "updated, but not asked for": [message_id for message_id in updates if message_id not in expected],
        }
        problems = [f"{_listed(names)}: {kind}" for kind, names in kinds.items() if names]
        if problems:
            raise AssertionError("; ".join(problems))

    def write(self, path: str | Path, **conditions: Any) -> int:
        """Write entries to a file as JSON Lines, see `Entry.as_json`.

        :param conditions: arguments of `chosen`; without any, all entries are written.
        :return: how many lines were written.
        """
        entries = self.chosen(**conditions)
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(json_lines(entries))
        return len(entries)


def json_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Entries as JSON Lines, `CHUNK` of them at a time."""
    for start in range(0, len(entries), CHUNK):
        yield "".join(json.dumps(entry.as_json()) + "\n" for entry in entries[start : start + CHUNK])


def json_array(entries: Sequence[Entry | Delivery]) -> Iterator[str]:
    """Entries as a JSON array, `CHUNK` of them at a time."""
    yield "["
    for start in range(0, len(entries), CHUNK):
        yield (",\n" if start else "") + ",\n".join(json.dumps(entry.as_json()) for entry in entries[start : start + CHUNK])
    yield "]"


def parse_conditions(query: Mapping[str, str], names: Iterable[str] | None = None) -> dict[str, Any]:
    """Arguments of `Ledger.chosen` from texts: times as ISO 8601 or seconds since the epoch, *fault* as yes or no.

    :param names: those that may be given, None for all; `DELIVERY_CONDITIONS` for `Ledger.deliveries`.
    :raises ValueError: names everything that is wrong.
    """
    problems, conditions = [], {}
    names = list(CONDITIONS if names is None else names)
    if unknown := sorted(query.keys() - set(names)):
        problems.append(f"the ledger has no {', '.join(unknown)}; it has {', '.join(names)}")
    for name, parse in CONDITIONS.items():
        try:
            if name in query:
                conditions[name] = parse(query[name])
        except ValueError as error:
            problems.append(f"{name} must be {error}, not {query[name]!r}")
    if problems:
        raise ValueError("; ".join(problems))
    return conditions


def _parse_number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a number")
    return int(text)


def _parse_boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError("yes or no")
    return _BOOLEANS[text.lower()]


def _parse_time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise ValueError("a time like 2026-07-15T16:00:00Z, or seconds since the epoch") from error
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


#: The conditions of a query, and how the text of each is parsed.
CONDITIONS: dict[str, Callable[[str], Any]] = {
    "method": str,
    "message_id": str,
    "status": _parse_number,
    "path": str,
    "caller": str,
    "since": _parse_time,
    "until": _parse_time,
    "fault": _parse_boolean,
    "last": _parse_number,
}
#: Those of a query for webhooks.
DELIVERY_CONDITIONS = ("message_id", "status", "last")


def _listed(names: list[str]) -> str:
    return ", ".join(one_line(shortened(name)) for name in names[:10]) + (
        f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    )
