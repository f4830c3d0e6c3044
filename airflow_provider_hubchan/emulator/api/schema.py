"""Reads the JSON body of a request against a schema, and names everything that is wrong with it at once.

A schema is a ``TypedDict`` that pydantic holds the body against: fields of another type are refused, also null (specified);
fields that no file of HubSpot knows are dropped (assumed).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import PlainValidator, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from airflow_provider_hubchan.emulator.api.errors import invalid_json
from airflow_provider_hubchan.emulator.api.http import ApiError, Response

Payload = TypeVar("Payload")

#: Levels of lists and objects that a body may have (assumed). Python can write no more than about a thousand.
DEEPEST = 200
#: A time of RFC 3339, which the files call ``date-time``: day, time, fraction, offset.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _checked(is_allowed: Callable[[Any], bool], requirement: str) -> PlainValidator:
    def check(value: Any) -> Any:
        if not is_allowed(value):
            raise PydanticCustomError("invalid_value", requirement)
        return value

    return PlainValidator(check)


def _is_int64(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_double(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1.8e308 < value < 1.8e308


def parse_time(value: Any) -> float:
    """A time of RFC 3339 as seconds since the epoch, to the millisecond.

    :raises PydanticCustomError: it is not one, or Python has no such time: the 30th of February, or before the year 1.
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found:
        day, time, fraction, offset = found.groups()
        offset = "+00:00" if offset in "Zz" else offset
        try:
            parsed = datetime.fromisoformat(f"{day}T{time}.{(fraction or '')[:3]:0<3}{offset}")
            return parsed.astimezone(timezone.utc).timestamp()
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("invalid_value", "must be a time like 2026-03-30T12:00:00Z")


#: A string. Pydantic's own refuses half a surrogate pair, which JSON can hold.
Text = Annotated[str, _checked(lambda value: isinstance(value, str), "must be a string")]
Int64 = Annotated[int, _checked(_is_int64, "must be a whole number of 64 bits")]
#: A number that a double can hold; an integer stays one.
Number = Annotated[float, _checked(_is_double, "must be a number")]
#: An object with any fields.
Object = Annotated[dict[str, Any], _checked(lambda value: isinstance(value, dict), "must be an object")]
#: Seconds since the epoch, from a time of RFC 3339.
Time = Annotated[float, PlainValidator(parse_time)]

#: What a value must be, by pydantic's name of the error.
_REQUIREMENTS = {
    "missing": "is required",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "model_attributes_type": "must be an object",
    "string_unicode": "must be one of the specified values",  # half a surrogate pair in the place of a constant
    "union_tag_not_found": "is required",
}


class Schema(Generic[Payload]):
    """A schema that bodies are read against.

    :param payload: a ``TypedDict``.
    """

    def __init__(self, payload: type[Payload]) -> None:
        self._adapter = TypeAdapter(payload)

    def read(self, body: bytes) -> Payload:
        """The payload of a body.

        :raises ApiError: 400. It names every field that is wrong, and begins as was observed for broken JSON and for mistyped
            fields.
        """
        try:
            value = decode(body)
        except json.JSONDecodeError as error:
            raise ApiError(invalid_json("it cannot be read", error.lineno, error.colno)) from error
        except ValueError as error:
            raise ApiError(invalid_json(f"it cannot be read: {error}")) from error
        try:
            return self._adapter.validate_python(value, strict=True)
        except ValidationError as error:
            problems = [_problem(details) for details in error.errors(include_url=False)]
            raise ApiError(_validation_error(problems)) from error


class _Problem(NamedTuple):
    """One thing that is wrong with a body.

    :param field: its place, like ``attachments[0].type``.
    :param requirement: what it must be.
    """

    field: str
    requirement: str
    is_missing: bool


def _problem(details: ErrorDetails) -> _Problem:
    kind, context, location = details["type"], details.get("ctx", {}), [*details["loc"]]
    requirement = _REQUIREMENTS.get(kind, details["msg"])
    if kind in ("literal_error", "union_tag_invalid"):
        choices = re.findall(r"'([^']*)'", context.get("expected_tags") or context["expected"])
        requirement = f"must be one of {', '.join(choices)}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        location.append(context["discriminator"].strip("'"))
    return _Problem(_field(location), requirement, kind in ("missing", "union_tag_not_found"))


def _field(location: list[int | str]) -> str:
    """A place as text. Pydantic puts the ``type`` of an attachment, in upper case, behind its number; no field has any."""
    field = ""
    for part in location:
        if isinstance(part, int):
            field += f"[{part}]"
        elif not part.isupper():
            field += f".{part}" if field else part
    return field or "the body"


def _validation_error(problems: list[_Problem]) -> Response:
    """Everything that is wrong, as text and as entries of ``errors``, whose shape is specified; their contents are assumed."""
    missing = [problem.field for problem in problems if problem.is_missing]
    reasons = [f"{problem.field} {problem.requirement}" for problem in problems if not problem.is_missing]
    if missing:
        reasons.append(f"some required fields are not set: {', '.join(missing)}")
    response = invalid_json("; ".join(reasons))
    response.body["errors"] = [
        {
            "message": f"{problem.field} {problem.requirement}",
            "in": problem.field,
            "code": "REQUIRED_FIELD" if problem.is_missing else "INVALID_VALUE",
        }
        for problem in problems
    ]
    return response


def decode(body: bytes) -> Any:
    """JSON as its standard has it. Python would also take NaN and numbers that are infinite.

    :raises ValueError: it is not JSON, or has more than `DEEPEST` levels.
    """
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(body) > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    return _DECODER.decode(body.decode("utf-8"))


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for token in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', body, re.DOTALL):
        if len(token) == 1:
            depth += 1 if token in b"[{" else -1
            deepest = max(deepest, depth)
    return deepest


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


_DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)
