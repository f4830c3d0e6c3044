"""Parameters of the query, ids in the path, and the pages of a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow_provider_hubchan.emulator.api.errors import invalid_parameter
from airflow_provider_hubchan.emulator.api.http import ApiError, Request, Response

#: Objects on a page unless the request says otherwise (assumed, after HubSpot's other lists).
PAGE_LENGTH = 100
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def parse_int(text: str, bits: int) -> int | None:
    """An integer of so many bits, or None."""
    if not _INTEGER.fullmatch(text) or len(text) > bits:
        return None
    value = int(text)
    return value if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None


def numeric_id(name: str, text: str, bits: int) -> str:
    """An id of the path as it stands in bodies, without leading zeros.

    :raises ApiError: 400, it is not an integer of so many bits (specified; the answer is assumed).
    """
    value = parse_int(text, bits)
    if value is None:
        raise ApiError(invalid_parameter(name, f"must be a whole number of {bits} bits", text))
    return str(value)


def flag(request: Request, name: str) -> bool:
    """A boolean parameter, False by default (specified).

    :raises ApiError: 400, it is neither true nor false.
    """
    text = request.parameters.get(name, ["false"])[-1].lower()
    if text not in ("true", "false"):
        raise ApiError(invalid_parameter(name, "must be true or false", text))
    return text == "true"


def values(request: Request, name: str, choices: Sequence[str] = ()) -> list[str]:
    """All values of a parameter, which may be written with brackets behind its name.

    :param choices: the values that are allowed, empty for any.
    :raises ApiError: 400, a value is not one of *choices*.
    """
    texts = request.parameters.get(name, []) + request.parameters.get(f"{name}[]", [])
    for text in texts:
        if choices and text not in choices:
            raise ApiError(invalid_parameter(name, f"must be one of {', '.join(choices)}", text))
    return texts


def page(request: Request, objects: Sequence[dict[str, Any]], sort_fields: Sequence[str]) -> Response:
    """A page of a list, with the cursor of the next one; ``total`` counts the objects of all pages (specified).

    The cursor is the id of the last object, and a minus before a field reverses the order (both assumed).

    :param sort_fields: the fields that ``sort`` may name.
    :raises ApiError: 400, a parameter is not allowed.
    """
    for sort in reversed(values(request, "sort", [*sort_fields, *(f"-{field}" for field in sort_fields)])):
        field = sort.removeprefix("-")
        objects = sorted(objects, key=lambda each: _sort_key(each[field]), reverse=sort != field)
    start, length = 0, _page_length(request)
    if after := request.parameters.get("after", [""])[-1]:
        ids = [each["id"] for each in objects]
        if after not in ids:
            raise ApiError(invalid_parameter("after", "must be the cursor of a page before", after))
        start = ids.index(after) + 1
    results = objects[start : start + length]
    body: dict[str, Any] = {"results": results, "total": len(objects)}
    if start + length < len(objects):
        body["paging"] = {"next": {"after": results[-1]["id"]}}
    return Response(200, body)


def _page_length(request: Request) -> int:
    for name in ("limit", "defaultPageLength"):
        if name in request.parameters:
            text = request.parameters[name][-1]
            length = parse_int(text, 32)
            if length is None or length < 1:
                raise ApiError(invalid_parameter(name, "must be a whole number of 32 bits, and at least 1", text))
            return length
    return PAGE_LENGTH


def _sort_key(value: str) -> tuple[int, str]:
    """Ids are sorted as numbers, everything else as text. No id has more than 64 bits."""
    return (int(value), "") if value.isdecimal() and len(value) < 20 else (0, value)
