"""Reads the query and the path of a call, and cuts lists into pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error

#: Objects on a page if the caller does not say (assumed, after HubSpot's other lists).
PAGE = 100
INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def whole_number(text: str, bits: int) -> int | None:
    """A whole number of so many bits, or None."""
    if not INTEGER.fullmatch(text) or len(text) > bits:
        return None
    value = int(text)
    return value if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None


def identifier(name: str, text: str, bits: int) -> str:
    """An id of the path, as it stands in bodies.

    :raises Refused: 400, it is no number of so many bits (specified; the answer is assumed).
    """
    value = whole_number(text, bits)
    if value is None:
        raise _unfit(name, f"must be a whole number of {bits} bits", text)
    return str(value)


def flag(call: Call, name: str) -> bool:
    """True or false, which it is if nothing is said (specified).

    :raises Refused: 400, it is neither.
    """
    said = call.parameters.get(name, ["false"])[-1].lower()
    if said not in ("true", "false"):
        raise _unfit(name, "must be true or false", said)
    return said == "true"


def several(call: Call, name: str, among: Sequence[str] = ()) -> list[str]:
    """All values of a parameter, which may be written with brackets behind its name.

    :raises Refused: 400, one is not *among* what it can be.
    """
    said = call.parameters.get(name, []) + call.parameters.get(f"{name}[]", [])
    for each in said:
        if among and each not in among:
            raise _unfit(name, f"must be one of {', '.join(among)}", each)
    return said


def page(call: Call, found: Sequence[dict[str, Any]], sorts: Sequence[str]) -> Answer:
    """A page of a list, with the cursor of the next one; ``total`` is of all pages (specified).

    The cursor is the id of the last object; a minus before a name of *sorts* turns the order round (both assumed).

    :raises Refused: 400, a parameter cannot be.
    """
    for name in reversed(several(call, "sort", [*sorts, *(f"-{name}" for name in sorts)])):
        by = name.removeprefix("-")
        found = sorted(found, key=lambda each: _rank(each[by]), reverse=name != by)
    begin, length = 0, _length(call)
    if after := call.parameters.get("after", [""])[-1]:
        ids = [each["id"] for each in found]
        if after not in ids:
            raise _unfit("after", "must be the cursor of a page before", after)
        begin = ids.index(after) + 1
    results = found[begin : begin + length]
    said: dict[str, Any] = {"results": results, "total": len(found)}
    if begin + length < len(found):
        said["paging"] = {"next": {"after": results[-1]["id"]}}
    return Answer(200, said)


def _length(call: Call) -> int:
    for name in ("limit", "defaultPageLength"):
        if name in call.parameters:
            said = call.parameters[name][-1]
            length = whole_number(said, 32)
            if length is None or length < 1:
                raise _unfit(name, "must be a whole number of 32 bits, and at least 1", said)
            return length
    return PAGE


def _rank(value: str) -> tuple[int, str]:
    """Ids by their number, everything else by its letters: no id has more than 64 bits."""
    return (int(value), "") if value.isdecimal() and len(value) < 20 else (0, value)


def _unfit(name: str, why: str, value: str) -> Refused:
    """400 for a parameter; its text is assumed."""
    return Refused(error(400, f"{name} {why}", "VALIDATION_ERROR", context={name: [value]}))
