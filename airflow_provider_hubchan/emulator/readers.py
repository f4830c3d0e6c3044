"""What a field of a body may hold: readers for the kinds that HubSpot's files know.

A reader takes a value, where it stands, and the list of faults; it gives the value back as it is kept. Fields that no file
knows are passed over (assumed). A null is of no kind: the files allow it nowhere (specified).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, NamedTuple

#: A time of RFC 3339, which the files call ``date-time``: day, time, fraction, offset.
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Wrong(NamedTuple):
    """One thing that is wrong with a body, and where."""

    where: str
    why: str
    missing: bool = False


Reader = Callable[[Any, str, list[Wrong]], Any]
NONE: Mapping[str, Reader] = MappingProxyType({})


def text(value: Any, where: str, wrong: list[Wrong]) -> Any:
    """A string."""
    return _expect(isinstance(value, str), value, Wrong(where, "must be a string"), wrong)


def flag(value: Any, where: str, wrong: list[Wrong]) -> Any:
    """True or false."""
    return _expect(isinstance(value, bool), value, Wrong(where, "must be true or false"), wrong)


def number(value: Any, where: str, wrong: list[Wrong]) -> Any:
    """A number that a double can hold."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and -1.8e308 < value < 1.8e308
    return _expect(fits, value, Wrong(where, "must be a number"), wrong)


def whole(bits: int) -> Reader:
    """A whole number of so many bits."""

    def read_whole(value: Any, where: str, wrong: list[Wrong]) -> Any:
        fits = isinstance(value, int) and not isinstance(value, bool) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
        return _expect(fits, value, Wrong(where, f"must be a whole number of {bits} bits"), wrong)

    return read_whole


def among(*words: str) -> Reader:
    """One of these strings."""

    def read_word(value: Any, where: str, wrong: list[Wrong]) -> Any:
        return _expect(value in words, value, Wrong(where, f"must be one of {', '.join(words)}"), wrong)

    return read_word


def moment(value: Any, where: str, wrong: list[Wrong]) -> Any:
    """A time of RFC 3339, as seconds since the epoch, to the millisecond."""
    found = TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        if found:
            day, time, fraction, offset = found.groups()
            ahead = "+00:00" if offset in "Zz" else offset
            shown = datetime.fromisoformat(f"{day}T{time}.{(fraction or '')[:3]:0<3}{ahead}")
            return shown.astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):  # the 30th of February, or before the year 1
        pass
    return _expect(False, value, Wrong(where, "must be a time like 2026-03-30T12:00:00Z"), wrong)


def nullable(reader: Reader) -> Reader:
    """A null, or what *reader* reads."""
    return lambda value, where, wrong: None if value is None else reader(value, where, wrong)


def each(reader: Reader) -> Reader:
    """A list of what *reader* reads."""

    def read_list(value: Any, where: str, wrong: list[Wrong]) -> Any:
        if not isinstance(value, list):
            return _expect(False, value, Wrong(where, "must be a list"), wrong)
        return [reader(one, f"{where}[{number}]", wrong) for number, one in enumerate(value)]

    return read_list


def record(optional: Mapping[str, Reader] = NONE, /, **required: Reader) -> Reader:
    """An object with these fields."""
    fields = {**required, **optional}

    def read_record(value: Any, where: str, wrong: list[Wrong]) -> Any:
        if not isinstance(value, dict):
            return _expect(False, value, Wrong(where or "the body", "must be an object"), wrong)
        taken = {}
        for name, reader in fields.items():
            place = f"{where}.{name}" if where else name
            if name in value:
                taken[name] = reader(value[name], place, wrong)
            elif name in required:
                wrong.append(Wrong(place, "is required", missing=True))
        return taken

    return read_record


def tagged(**kinds: Reader) -> Reader:
    """An object whose ``type`` says which of these it is."""
    tag = record(type=among(*kinds))

    def read_tagged(value: Any, where: str, wrong: list[Wrong]) -> Any:
        before = len(wrong)
        taken = tag(value, where, wrong)
        return taken if len(wrong) > before else taken | kinds[taken["type"]](value, where, wrong)

    return read_tagged


def mapping(value: Any, where: str, wrong: list[Wrong]) -> Any:
    """An object with whatever fields."""
    return _expect(isinstance(value, dict), value, Wrong(where or "the body", "must be an object"), wrong)


def _expect(holds: bool, value: Any, otherwise: Wrong, wrong: list[Wrong]) -> Any:
    if not holds:
        wrong.append(otherwise)
    return value
