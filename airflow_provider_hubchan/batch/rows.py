"""What rows a batch may be given: ids, dicts, a mapping of id to status, rows whose delivery tells their status."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_provider_hubchan.batch.json_objects import DuplicateKeyError, unique_keys
from airflow_provider_hubchan.client.error_texts import readable, shorten
from airflow_provider_hubchan.client.errors import BadInput, BadRow, Problem
from airflow_provider_hubchan.client.models import Result, StatusName

#: The keys of a row, and what a report file adds to them. A row that has all of the latter comes from a report file.
ROW_KEYS = frozenset({"message_id", "status", "error_message"})
REPORT_KEYS = frozenset({"row", "outcome", "reason", "category", "correlation_id", "try", "time"})
#: Beside them in a report file: false for a row that could not be sent, which stands there as it came.
SENDABLE_KEY = "sendable"
#: Beside them, too: which task instance wrote the line.
TASK_KEY = "task_instance"
#: The key under which a report file puts what the row itself had under names that the file needs.
ORIGINAL_KEY = "as_it_came"
#: All keys of a line that are not the row's.
LINE_KEYS = REPORT_KEYS | {SENDABLE_KEY, TASK_KEY, ORIGINAL_KEY}
#: The key under which a report file puts a line that could not be parsed.
LINE_KEY = "line"

#: Names that are almost ours, HubSpot's own among them, without case and punctuation: their values would be lost in silence.
_ALMOST_OURS = {
    "messageid": "message_id",
    "status": "status",
    "statustype": "status",
    "errormessage": "error_message",
    "channelid": "channel_id",
}
_PUNCTUATION = re.compile(r"[\W_]+")
#: How many such names are told.
_MAX_NAMED = 5
#: Keys that a dict may have to be looked at as a row by mistake, instead of a mapping of id to status.
_MAX_KEYS = 100

Columns: TypeAlias = Mapping[str, "str | None"]
Statuses: TypeAlias = Mapping[str, "str | None"]


class NumberedRows:
    """Rows that bring their own numbers, as the lines of a file do.

    :param pairs: number and row.
    """

    def __init__(self, pairs: Iterable[tuple[int, object]]) -> None:
        self.pairs = pairs


@dataclass(frozen=True, slots=True)
class Delivered:
    """A row whose status its delivery tells; it has none of its own.

    :param row: an id or a dict, as other rows are.
    :param error_message: for FAILED, if the row has none.
    """

    row: object
    status: StatusName
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A row that is not to be sent: its outcome is known before the batch begins.

    :param row: an id or a dict, as other rows are; it has no status.
    """

    row: object
    result: Result
    problem: Problem


def numbered(rows: object, columns: Columns | None = None) -> Iterable[tuple[int, object]]:
    """Number the rows of a batch from 1. A set is sorted, so that a retry has them in the same order.

    :param rows: ids, dicts, a mapping of id to status, or `NumberedRows`, which keep their numbers.
    :param columns: our names to those of the rows.
    :raises BadInput: if *rows* is none of these.
    """
    if isinstance(rows, NumberedRows):
        return rows.pairs
    if isinstance(rows, list | tuple):
        return enumerate(rows, 1)
    if isinstance(rows, Mapping):
        if columns or not ROW_KEYS.isdisjoint(rows) or (len(rows) <= _MAX_KEYS and column_faults(rows)):
            raise BadInput(
                "messages is one dict with the keys of a row, not a mapping of id to status: give a list of such dicts, [row]. "
                "If the task is mapped over the rows, leave expand() out and give the whole list as messages."
            )
        return enumerate(({"message_id": key, "status": value} for key, value in rows.items()), 1)
    if isinstance(rows, set | frozenset):
        return enumerate(sorted(rows, key=str), 1)
    if (reason := why_no_rows(rows)) or not isinstance(rows, Iterable):
        raise BadInput(f"messages is a {type(rows).__name__}, {reason}")
    return enumerate(rows, 1)


def why_no_rows(rows: object) -> str | None:
    """Why a value is no list of rows or ids, and what to pass instead; None if it is one."""
    if inspect.isawaitable(rows):
        if inspect.iscoroutine(rows):
            rows.close()  # else Python warns that nobody has awaited it
        return "not a list of rows: await what makes them, or run it with asyncio.run(...)."
    if isinstance(rows, AsyncIterable):
        return "not a list of rows: collect what it yields, [row async for row in rows], inside asyncio.run(...)."
    for method, how in (("to_dicts", "to_dicts()"), ("to_pylist", "to_pylist()"), ("to_dict", 'to_dict("records")')):
        if hasattr(rows, method):
            how = how if hasattr(rows, "columns") or hasattr(rows, "column_names") else "tolist()"
            return f"whose iteration does not give rows: pass the rows as a list, df.{how}."
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        return (
            "not a list of ids or dicts, nor a mapping of id to status. If it is templated, pass the task's output instead "
            "(messages=map_codes()), let the template end with | tojson, or set render_template_as_native_obj=True on the DAG. "
            "The place of a file is messages_file."
        )
    return None


def bad_line(number: int, line: str, reason: str, label: str) -> BadRow:
    """A line of a file that could not be parsed; the report file will have its text.

    :param number: of the line, from 1.
    :param line: its text; what is not UTF-8 as lone surrogates.
    :param reason: what is wrong with it; it may quote what it holds.
    :param label: the same in two or three words.
    """
    text = line.rstrip("\r\n").encode(errors="backslashreplace").decode()
    return BadRow(number, readable(reason), label, original=json.dumps({LINE_KEY: text}))


def column_faults(names: Iterable[object], columns: Columns | None = None) -> list[str]:
    """What is wrong with the names of a row's keys or a file's columns: those that are almost ours, so that their values would
    be lost in silence. Each of the first five with what to write instead.

    :param names: of the keys or columns.
    :param columns: our names to the user's: where a name of ours is there, the user has said what is what.
    """
    faults = list[str]()
    for name in names:
        ours = _ALMOST_OURS.get(_PUNCTUATION.sub("", str(name)).casefold())
        if ours and name != ours and ours not in (columns or {}) and len(faults) < _MAX_NAMED:
            # A row without an id cannot be sent, so of that no user can say that the rows have none.
            none = "" if ours == "message_id" else ", with None instead of the name if it is something else"
            faults.append(
                f"{shorten(name)} is almost {ours!r}: name it so, or write columns={{{ours!r}: {shorten(name)}}}{none}"
            )
    return faults


def parse_json_text(value: Any, name: str = "messages") -> Any:
    """What JSON text stands for, anything else as it is: a template renders to text unless the DAG renders native objects.

    :param name: of the argument that has the value.
    :raises BadInput: an object of the text has a key twice.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value, object_pairs_hook=unique_keys)
        except DuplicateKeyError as error:
            raise BadInput(
                f"{name} is JSON text that has {error.keys} twice in one object: which value counts is not known, so let the "
                "template or task that makes it write each key once."
            ) from error
        except (ValueError, RecursionError):
            pass  # a list in Python's notation; the error about text says what to do
    return value


def is_encodable(text: str) -> bool:
    """False for a lone surrogate, half a character: JSON can escape it, UTF-8 cannot encode it, so it could not be sent."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def is_absent(value: object) -> bool:
    """True for what stands for no value: None, blank text, NaN of any kind, pandas' NA and NaT."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    try:
        return bool(value != value)  # NaN differs from itself
    except Exception:  # pandas' NA, an array: their truth is ambiguous
        return type(value).__name__ == "NAType"
