"""Rows as JSON, for the report file: whatever they hold, what is written is JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_hubchan.batch.rows import is_absent
from airflow_provider_hubchan.client.error_texts import shorten


def to_json(fields: Mapping[str, Any]) -> str:
    """A row as the text of a JSON object. What JSON does not have becomes null if it stands for no value, as NaN does, so that
    it does so when the text is read again; else text, as the infinities.

    :raises Exception: if it cannot be written, of any kind: it may hold objects of the user's own classes.
    """
    try:
        return _ENCODE(fields)
    except ValueError:
        return _ENCODE(_with_finite_numbers(fields))


def _text_or_none(value: object) -> str | None:
    return None if is_absent(value) else str(value)


_ENCODE = json.JSONEncoder(default=_text_or_none, allow_nan=False).encode


def _with_finite_numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else json.dumps(value)
    if isinstance(value, Mapping):
        return {key: _with_finite_numbers(each) for key, each in value.items()}
    return [_with_finite_numbers(each) for each in value] if isinstance(value, list | tuple) else value


def original_json(fields: Mapping[Any, Any]) -> str:
    """A row as it came, as JSON; of a value that cannot be written so, a short text."""
    try:
        return to_json({str(key): value for key, value in fields.items()})
    except Exception:
        written = {}
        for key, value in fields.items():
            try:
                written[str(key)] = json.loads(to_json({"": value}))[""]
            except Exception:
                written[str(key)] = shorten(value)
        return _ENCODE(written)
