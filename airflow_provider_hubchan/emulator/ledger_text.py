"""The ledger in texts: asked for with words, written down as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_provider_hubchan.emulator.entry import Entry

#: Entries that are written down at a time.
PAGE = 500
YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def filters(said: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `Ledger.chosen`, from texts: times as ISO 8601 or seconds since the epoch, *fault* as yes or no.

    :raises ValueError: names everything that cannot be.
    """
    wrong, chosen = [], {}
    if unknown := sorted(said.keys() - READERS):
        wrong.append(f"the ledger has no {', '.join(unknown)}; it has {', '.join(READERS)}")
    for name, read in READERS.items():
        try:
            if name in said:
                chosen[name] = read(said[name])
        except ValueError as fault:
            wrong.append(f"{name} must be {fault}, not {said[name]!r}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return chosen


def lines(entries: list[Entry]) -> Iterator[str]:
    """JSON Lines, a few hundred at a time."""
    for first in range(0, len(entries), PAGE):
        yield "".join(json.dumps(entry.as_json()) + "\n" for entry in entries[first : first + PAGE])


def array(entries: list[Entry]) -> Iterator[str]:
    """A JSON array, a few hundred items at a time."""
    yield "["
    for first in range(0, len(entries), PAGE):
        yield (",\n" if first else "") + ",\n".join(json.dumps(entry.as_json()) for entry in entries[first : first + PAGE])
    yield "]"


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a number")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in YES_OR_NO:
        raise ValueError("yes or no")
    return YES_OR_NO[text.lower()]


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as fault:
        raise ValueError("a time like 2026-07-15T16:00:00Z, or seconds since the epoch") from fault
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


#: What the ledger can be asked for, and how each text is read.
READERS: dict[str, Callable[[str], Any]] = {
    "method": str,
    "message_id": str,
    "status": _number,
    "path": str,
    "caller": str,
    "since": _time,
    "until": _time,
    "fault": _yes_or_no,
    "last": _number,
}
