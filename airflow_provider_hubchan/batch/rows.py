"""Rows in, updates out. Every row is read before anything is sent, and a row that cannot be sent is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from reprlib import repr as shorten
from typing import Any

from airflow_provider_hubchan.client.errors import BadInput, BadRow, BadRows, Problem
from airflow_provider_hubchan.client.models import WRITABLE, MessageStatus, Outcome, Result, StatusName, Update

#: HubSpot's own names for our keys: a row that uses them would lose its value in silence.
_ALMOST_OURS = {
    "messageid": "message_id",
    "status": "status",
    "statustype": "status",
    "errormessage": "error_message",
}
_NOT_A_LETTER = re.compile(r"[^A-Za-z]+")
_HUBSPOT_NAMES = {"messageId": "message_id", "statusType": "status", "errorMessage": "error_message"}
#: The keys of a row, and what a report file adds to them. A row that has all of the latter comes from a report file.
ROW_KEYS = frozenset({"message_id", "status", "error_message"})
REPORT_KEYS = frozenset({"row", "outcome", "reason", "category", "correlation_id", "try", "time"})
#: The key under which a report file puts what the row itself had under `REPORT_KEYS`.
ORIGINAL_KEY = "as_it_came"
#: The key under which a report file puts a line that could not be parsed.
LINE_KEY = "line"


class NumberedRows:
    """Rows that bring their own numbers, as the lines of a file do.

    :param pairs: number and row.
    """

    def __init__(self, pairs: Iterable[tuple[int, object]]) -> None:
        self.pairs = pairs


@dataclass(frozen=True, slots=True)
class Resolved:
    """A row that is not to be sent: its outcome is known before the batch begins.

    :param row: an id or a dict, as other rows are; it need not have a status.
    """

    row: object
    result: Result
    problem: Problem


def numbered(rows: object) -> Iterable[tuple[int, object]]:
    """Number the rows of a batch from 1.

    :param rows: ids, dicts, a mapping of id to status, or `NumberedRows`, which keep their numbers.
    :raises BadInput: if *rows* is none of these.
    """
    if isinstance(rows, NumberedRows):
        return rows.pairs
    if isinstance(rows, Mapping):
        return enumerate(({"message_id": key, "status": value} for key, value in rows.items()), 1)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise BadInput(
            f"messages is a {type(rows).__name__}, not a list of ids or dicts, nor a mapping of id to status. If it is "
            "templated, pass the task's output instead (messages=map_codes()), or set render_template_as_native_obj=True "
            "on the DAG."
        )
    return enumerate(rows, 1)


def bad_line(number: int, line: str, reason: str, label: str) -> BadRow:
    """A line of a file that could not be parsed; the report file will have its text.

    :param number: of the line, from 1.
    :param line: its text; what is not UTF-8 as lone surrogates.
    :param reason: what is wrong with it.
    :param label: the same in two or three words.
    """
    text = line.rstrip("\r\n").encode(errors="backslashreplace").decode()
    return BadRow(number, reason, label, original=json.dumps({LINE_KEY: text}))


def column_faults(names: Iterable[str], columns: Mapping[str, str | None] | None) -> list[str]:
    """What is wrong with the names of a row's keys or a file's columns: those that are almost ours, so that their values would
    be lost in silence. Each with what to write instead.

    :param names: of the keys or columns.
    :param columns: our names to the user's: where a name of ours is there, the user has said what is what.
    """
    faults = []
    for name in names:
        ours = _ALMOST_OURS.get(_NOT_A_LETTER.sub("", str(name)).casefold())
        if ours and name != ours and ours not in (columns or {}):
            faults.append(f"{shorten(name)} is almost {ours!r}: name it so, or write columns={{{ours!r}: {shorten(name)}}}")
    return faults


def parse_json_text(value: Any) -> Any:
    """What JSON text stands for, anything else as it is: a template renders to text unless the DAG renders native objects."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            pass  # a list in Python's notation; the error about text says what to do
    return value


def read_rows(
    rows: Iterable[tuple[int, object]],
    *,
    status: str | None = None,
    error_message: str | None = None,
    channel_id: str | None = None,
) -> Iterator[Update | Outcome | BadRow]:
    """Read numbered rows: one entry for each, in order.

    A row is an id (a string or an int), or a dict with ``message_id``, ``status`` and ``error_message`` (an int, too: a code);
    other keys go into the report file. A row that a report file has as *skipped* needs nothing and comes back as that outcome,
    so that a report file can be fed back whole; so does a `Resolved` one.

    :param rows: pairs of number and row; a `BadRow` in place of a row is a line that could not be parsed.
    :param status: for rows that have none of their own.
    :param error_message: for FAILED rows that have none of their own.
    :param channel_id: the channel of the batch; a row that names another one is bad.
    """
    error_message = None if error_message is None else str(error_message).strip()  # native rendering makes an int of "30003"
    for number, row in rows:
        yield _RowReader(status, error_message, channel_id).read(number, row)


def read_update(message_id: str, status: StatusName, error_message: str | None) -> Update:
    """Read a single update.

    :raises BadRows: if it cannot be sent.
    """
    (entry,) = read_rows(numbered([{"message_id": message_id, "status": status, "error_message": error_message}]))
    if isinstance(entry, BadRow):
        raise BadRows([entry], 1)
    assert isinstance(entry, Update)
    return entry


def is_encodable(text: str) -> bool:
    """False for a lone surrogate, half a character: JSON can escape it, UTF-8 cannot encode it, so it could not be sent."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


class _RowReader:
    """Reads one row and collects its faults; arguments as of `read_rows`."""

    def __init__(self, status: str | None, error_message: str | None, channel_id: str | None) -> None:
        self._status, self._error_message, self._channel_id = status, error_message, channel_id
        self._faults: list[str] = []

    def read(self, number: int, row: object) -> Update | Outcome | BadRow:
        if isinstance(row, BadRow):
            return row
        resolved = row if isinstance(row, Resolved) else None
        row = resolved.row if resolved else row
        fields: Mapping[Any, Any] = row if isinstance(row, Mapping) else {"message_id": row}
        is_reported = fields.keys() >= REPORT_KEYS
        if is_reported and fields["outcome"] == "skipped":
            reason = str(fields["reason"]).encode(errors="replace").decode()
            resolved = Resolved(row, "skipped", Problem(f"in an earlier report: {reason}", "in an earlier report"))

        for name, ours in _HUBSPOT_NAMES.items():
            if name in fields:
                self._faults.append(f"key {name!r} is HubSpot's name, write {ours!r}")
        message_id = self._read_message_id(fields.get("message_id"))
        status = self._read_status(fields.get("status") or self._status, needed=resolved is None)
        error_message = self._read_error_message(fields.get("error_message"), status)
        self._check_channel(fields.get("channel_id"))
        if self._faults:
            return BadRow(number, ", ".join(self._faults))
        try:
            update = Update(number, message_id, status, error_message, _rest(fields, is_reported))
        except (TypeError, ValueError) as error:
            return BadRow(number, f"it holds what cannot be written as JSON ({error})")
        return Outcome(update, resolved.result, resolved.problem) if resolved else update

    def _read_message_id(self, value: object) -> str:
        message_id = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if value is None:
            self._faults.append("message_id is missing")
        elif isinstance(value, str) and not message_id:
            self._faults.append("message_id is blank")
        elif not message_id:
            self._faults.append(f"message_id is a {type(value).__name__}, not a string")
        elif not is_encodable(message_id):
            self._faults.append(f"message_id {shorten(message_id)} holds half a character (a lone surrogate)")
        return message_id

    def _read_status(self, value: object, needed: bool) -> MessageStatus | None:
        """:param needed: False for a row that is not sent. Who feeds it back from the report file has to say its status."""
        status = MessageStatus.parse(value)
        if not value and not needed:
            return None
        if value is None:
            self._faults.append("status is missing, in the row and as the task's argument")
        elif status is MessageStatus.RECEIVED:
            self._faults.append("status is 'RECEIVED', which only HubSpot sets, on incoming messages")
        elif status not in WRITABLE:
            self._faults.append(f"status is {shorten(value)}, not one of {', '.join(WRITABLE)}")
        return status

    def _read_error_message(self, value: object, status: MessageStatus | None) -> str | None:
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else None
        if value is not None and text is None:
            self._faults.append(f"error_message is a {type(value).__name__}, not a string")
        elif text and status in WRITABLE and not (status and status.is_failure):
            self._faults.append(f"error_message is only for FAILED, and status is {str(status)!r}")
        text = text or (self._error_message if status and status.is_failure else None) or None
        if text and not is_encodable(text):
            self._faults.append("error_message holds half a character (a lone surrogate)")
        return text

    def _check_channel(self, value: object) -> None:
        if value is not None and self._channel_id is not None and str(value) != self._channel_id:
            self._faults.append(f"channel_id is {shorten(value)}, but this batch goes to channel {self._channel_id!r}")


def _rest(fields: Mapping[Any, Any], is_reported: bool) -> str | None:
    """What else a row holds, as JSON; None for nothing. What a report file added is left out, what it moved is put back.

    :raises TypeError, ValueError: if it cannot be written as JSON.
    """
    keys = ROW_KEYS | REPORT_KEYS if is_reported else ROW_KEYS
    rest = {str(key): value for key, value in fields.items() if key not in keys}
    if is_reported and isinstance(original := rest.get(ORIGINAL_KEY), dict):
        del rest[ORIGINAL_KEY]
        rest |= original
    return json.dumps(rest, default=str) if rest else None
