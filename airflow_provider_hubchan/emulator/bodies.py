"""Reads the body of a call: what is known of it is taken over, and everything that is wrong is named at once."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from airflow_provider_hubchan.emulator.readers import Reader, Wrong
from airflow_provider_hubchan.emulator.refusals import invalid_json
from airflow_provider_hubchan.emulator.shapes import Answer, Refused

#: Levels of lists and objects in a body (assumed). Python can write no more than about a thousand.
DEEPEST = 200


def read(body: bytes, reader: Reader) -> Any:
    """What a body says.

    :raises Refused: 400. It names every field, and begins as was observed for broken JSON and for mistyped fields.
    """
    try:
        value = decoded(body)
    except json.JSONDecodeError as fault:
        raise Refused(invalid_json("it cannot be read", fault.lineno, fault.colno)) from fault
    except ValueError as fault:
        raise Refused(invalid_json(f"it cannot be read: {fault}")) from fault
    wrong = list[Wrong]()
    said = reader(value, "", wrong)
    if wrong:
        raise Refused(_refusal(wrong))
    return said


def decoded(body: bytes) -> Any:
    """JSON as its standard has it: Python would read NaN, too, and numbers that are infinite.

    :raises ValueError: it is none, or it is nested too deep.
    """
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(body) > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    return DECODER.decode(body.decode("utf-8"))


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for each in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', body, re.DOTALL):
        if len(each) == 1:
            depth += 1 if each in b"[{" else -1
            deepest = max(deepest, depth)
    return deepest


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)


def _refusal(wrong: list[Wrong]) -> Answer:
    """All that is wrong, in words and as entries of ``errors``, whose shape is specified; what stands in them is assumed."""
    missing = [each.where for each in wrong if each.missing]
    why = [f"{each.where} {each.why}" for each in wrong if not each.missing]
    if missing:
        why.append(f"some required fields are not set: {', '.join(missing)}")
    said = invalid_json("; ".join(why))
    said.body["errors"] = [
        {
            "message": f"{each.where} {each.why}",
            "in": each.where,
            "code": "REQUIRED_FIELD" if each.missing else "INVALID_VALUE",
        }
        for each in wrong
    ]
    return said
