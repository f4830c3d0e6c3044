"""Rows in, updates out. Every row is read before anything is sent, and a row that cannot be sent is named."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

from airflow_provider_hubchan.batch.row_json import original_json, to_json
from airflow_provider_hubchan.batch.rows import (
    LINE_KEY,
    LINE_KEYS,
    ORIGINAL_KEY,
    REPORT_KEYS,
    ROW_KEYS,
    SENDABLE_KEY,
    Columns,
    Delivered,
    Resolved,
    Statuses,
    column_faults,
    is_absent,
    is_encodable,
    parse_json_text,
)
from airflow_provider_hubchan.client.error_texts import readable, shorten, shorten_all
from airflow_provider_hubchan.client.errors import BadRow, BadRows, Problem
from airflow_provider_hubchan.client.models import WRITABLE, MessageStatus, Outcome, StatusName, Update

#: What is wrong with a row: a reason, and a label that is equal for equal causes.
Fault: TypeAlias = tuple[str, str]
#: Sets of keys that a reader remembers.
_MAX_SHAPES = 1000
#: Characters of an id: HubSpot's have some tens, and an id is part of an address.
MAX_ID = 1000
_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f]")
#: Before the reason that a row had in a report file.
_EARLIER = "in an earlier report: "
_NOT_PARSED = "its line could not be read: write the keys of the row instead of it. "


def read_rows(rows: Iterable[tuple[int, object]], **arguments: Any) -> Iterator[Update | Outcome | BadRow]:
    """Read numbered rows; arguments as of `RowReader`."""
    return RowReader(**arguments).read(rows)


def read_update(message_id: str, status: StatusName, error_message: str | None) -> Update:
    """Read a single update.

    :raises BadRows: if it cannot be sent; an error message beside another status than FAILED would be lost.
    """
    reader = RowReader()
    row = {"message_id": message_id, "status": status, "error_message": error_message}
    (entry,) = reader.read([(1, row)])
    if reader.reasons_left_out:
        entry = BadRow(1, f"error_message is only for FAILED, and status is {str(status)!r}")
    if isinstance(entry, BadRow):
        raise BadRows([entry], 1)
    assert isinstance(entry, Update)
    return entry


class RowReader:
    """Reads the rows of a batch.

    A row is an id (a string or an int), or a dict with ``message_id``, ``status`` and ``error_message`` (a number, too: a
    code); other keys go into the report file. A row that a report file has as *skipped* needs nothing and comes back as that
    outcome, so that a report file can be fed back whole; so does a `Resolved` one, and one whose status is not final.

    :param status: for rows that have none of their own.
    :param error_message: for FAILED rows that have none of their own.
    :param channel_id: the channel of the batch; a row that names another one is bad.
    :param columns: our names (``message_id``, ``status``, ``error_message``, ``channel_id``) to those of the rows, as they
        stand or with dots into nested objects and numbers into lists; None for what the rows do not have.
    :param statuses: a gateway's words to statuses, compared without case and surrounding space; None: not final.
    :ivar reasons_left_out: error messages that stood beside another status than FAILED, so far.
    """

    def __init__(
        self,
        *,
        status: str | None = None,
        error_message: str | None = None,
        channel_id: str | None = None,
        columns: Columns | None = None,
        statuses: Statuses | None = None,
    ) -> None:
        self._status, self._channel_id, self._columns = status, channel_id, columns or {}
        # native rendering makes an int of "30003"
        self._error_message = None if error_message is None else str(error_message).strip()
        self._words = None if statuses is None else {_word(word): MessageStatus.parse(to) for word, to in statuses.items()}
        self._id_name = self._columns.get("message_id") or "message_id"
        self._shapes: dict[tuple[object, ...], _Shape] = {}
        self.reasons_left_out = 0

    def read(self, rows: Iterable[tuple[int, object]]) -> Iterator[Update | Outcome | BadRow]:
        """Read numbered rows: one entry for each, in order.

        :param rows: pairs of number and row; a `BadRow` in place of a row is a line that could not be parsed.
        """
        for number, row in rows:
            try:
                yield row if isinstance(row, BadRow) else self._read(number, row)
            except Exception as error:  # an object of the user's own, of which any method may fail
                reason = f"it cannot be read ({type(error).__name__}: {readable(str(error), 200)})"
                yield BadRow(number, reason, "not readable", original=to_json({LINE_KEY: shorten(row)}))

    def _read(self, number: int, row: object) -> Update | Outcome | BadRow:
        delivery = None
        if isinstance(row, Delivered | Resolved):
            delivery, row = row, row.row
        # An id stands under the name that ids have in other rows, so that a report file with it can be fed back.
        fields: Mapping[Any, Any] = row if isinstance(row, Mapping) else {self._id_name: row}
        keys = tuple(fields)
        if (shape := self._shapes.get(keys)) is None:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            shape = self._shapes[keys] = _Shape.of(keys, self._columns)
        if shape.is_reported and delivery is None:
            return self._read_reported(number, fields)
        return self._read_fields(number, fields, shape, delivery)

    def _read_reported(self, number: int, fields: Mapping[Any, Any]) -> Update | Outcome | BadRow:
        """Read a line of a report file. A row that could be sent stands there with our names and our statuses, any other one as
        it came.
        """
        own = {key: value for key, value in fields.items() if key not in LINE_KEYS}
        moved = fields.get(ORIGINAL_KEY)
        moved = parse_json_text(moved) if isinstance(moved, str) else moved  # the file was a CSV file in between
        moved = moved if isinstance(moved, dict) else {}
        if not _is_sendable(fields.get(SENDABLE_KEY)):
            if {key for key, value in own.items() if not is_absent(value)} == {LINE_KEY}:
                reason = _NOT_PARSED + str(fields["reason"]).removeprefix(_NOT_PARSED)
                return BadRow(number, readable(reason), "not parsed", original=original_json({LINE_KEY: own[LINE_KEY]}))
            return self._read(number, own | moved)
        is_skipped = fields["outcome"] == "skipped"
        # A row that was not final has no status in the file, and does not get the task's.
        status = None if is_skipped else self._status
        plain = RowReader(status=status, error_message=self._error_message, channel_id=self._channel_id)
        shape = _Shape.of(tuple(own), {}, is_ours=True)
        entry = plain._read_fields(number, own, shape, needs_status=not is_skipped, moved=moved)
        self.reasons_left_out += plain.reasons_left_out
        if not is_skipped or not isinstance(entry, Update):
            return entry
        reason = readable(_EARLIER + str(fields["reason"]).removeprefix(_EARLIER))
        return Outcome(entry, "skipped", Problem(reason, "in an earlier report"))

    def _read_fields(
        self,
        number: int,
        fields: Mapping[Any, Any],
        shape: _Shape,
        delivery: Delivered | Resolved | None = None,
        *,
        needs_status: bool = True,
        moved: Mapping[str, Any] | None = None,
    ) -> Update | Outcome | BadRow:
        """:param moved: what the row had under names that a report file needs."""
        faults = list(shape.faults)
        message_id = self._read_message_id(_value(fields, shape.message_id), fields, shape, faults)
        word = _value(fields, shape.status)
        status, is_final = self._read_status(word, delivery, needs_status, faults)
        reason = _value(fields, shape.error_message)
        error_message, is_left_out = None, False
        if status is not None and status.is_failure:
            error_message = self._read_error_message(reason, delivery, faults)
        elif status is not None:
            is_left_out = not is_absent(reason)
        self._check_channel(_value(fields, shape.channel_id), faults)

        rest = {name: fields[key] for name, key in shape.rest}
        if shape.status == "status" and not (isinstance(word, str) and word == status) and not is_absent(word):
            rest["status"] = word  # as it came; it was translated
        if shape.error_message == "error_message" and error_message is None and not is_absent(reason):
            rest["error_message"] = reason
        rest_text = _rest_text({**rest, **(moved or {})}, faults)
        if faults:
            reason, label = (", ".join(dict.fromkeys(texts)) for texts in zip(*faults, strict=True))
            return BadRow(number, readable(reason), label, readable(message_id, 200), original_json(fields))
        self.reasons_left_out += is_left_out
        update = Update(number, message_id, status, error_message, rest_text)
        if isinstance(delivery, Resolved):
            return Outcome(update, delivery.result, delivery.problem)
        return update if is_final else Outcome(update, "skipped", Problem(f"status {shorten(word)} is not final", "not final"))

    def _read_message_id(self, value: object, fields: Mapping[Any, Any], shape: _Shape, faults: list[Fault]) -> str:
        name, kind = self._name("message_id"), type(value).__name__
        if message_id := value.strip() if isinstance(value, str) else integer_text(value):
            if fault := id_fault(message_id):
                faults.append((f"{name} {fault}", "bad message_id"))
        elif isinstance(value, str):
            faults.append((f"{name} is blank", "no message_id"))
        elif is_absent(value):
            keys = f" (the keys are {shorten_all(fields, 5)})" if fields and shape.message_id is None else ""
            faults.append((f"{name} is missing{keys}", "no message_id"))
        elif isinstance(value, tuple | list):
            how = "give a dict for each row, as dict(zip(names, row)) makes it"
            faults.append((f"{name} is a {kind}, not a string: {how}", "no dict"))
        else:
            faults.append((f"{name} is a {kind}, not a string", "bad message_id"))
        return message_id or ""

    def _read_status(
        self, value: object, delivery: Delivered | Resolved | None, needs_status: bool, faults: list[Fault]
    ) -> tuple[MessageStatus | None, bool]:
        """The status, and whether it is final."""
        if delivery is not None:
            if not is_absent(value):
                reason = f"status is {shorten(value)}, but delivery_task_id is to tell the status: leave one of them out"
                faults.append((reason, "two statuses"))
            return (MessageStatus.parse(delivery.status) if isinstance(delivery, Delivered) else None), True
        if is_absent(value):
            if self._status is not None:
                return _parse_status(self._status, "the task's argument status", faults), True
            if needs_status:  # who feeds a row back that was not sent has to say its status
                faults.append((f"{self._name('status')} is missing, in the row and as the task's argument", "no status"))
            return None, True
        if self._words is None:
            return _parse_status(value, self._name("status"), faults), True
        word = _word(value)
        if word not in self._words:
            name = self._name("status")
            reason = f"{name} is {shorten(value)}, which is not in statuses: add it there"
            faults.append((reason, f"unknown status {shorten(value)}"))
            return None, True
        status = self._words[word]
        return status, status is not None

    def _read_error_message(self, value: object, delivery: Delivered | Resolved | None, faults: list[Fault]) -> str | None:
        """Why the delivery failed: the row's own reason, else the one that is given for all."""
        if is_absent(value):
            text = delivery.error_message if isinstance(delivery, Delivered) else self._error_message
        elif isinstance(value, float):  # a column of codes in which some are missing, as pandas has it
            text = str(int(value) if value.is_integer() else value)
        else:
            text = str(value).strip() if isinstance(value, str | Decimal) else integer_text(value)
            if not text:
                faults.append((f"{self._name('error_message')} is a {type(value).__name__}, not a string", "bad error_message"))
        if text and not is_encodable(text):
            faults.append(("error_message holds half a character (a lone surrogate)", "half a character"))
        return text or None

    def _check_channel(self, value: object, faults: list[Fault]) -> None:
        if value is None or self._channel_id is None or is_absent(value):
            return
        if str(value).strip() != self._channel_id:
            reason = f"{self._name('channel_id')} is {shorten(value)}, but this batch goes to channel {self._channel_id!r}"
            faults.append((reason, "another channel"))

    def _name(self, ours: str) -> str:
        """What a row calls one of our names."""
        theirs = self._columns.get(ours)
        return f"{ours} ({theirs})" if theirs and theirs != ours else ours


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where rows with the same keys have what.

    :param message_id, status, error_message, channel_id: a key; or the keys and indexes that lead into nested objects; or None.
    :param rest: the other keys, each with its name in a report file.
    """

    message_id: str | tuple[str, ...] | None
    status: str | tuple[str, ...] | None
    error_message: str | tuple[str, ...] | None
    channel_id: str | tuple[str, ...] | None
    rest: tuple[tuple[str, object], ...]
    faults: tuple[Fault, ...]
    is_reported: bool

    @classmethod
    def of(cls, keys: tuple[object, ...], columns: Columns, *, is_ours: bool = False) -> _Shape:
        """:param is_ours: True for a line of a report file, whose other keys may have any names."""

        def path(ours: str) -> str | tuple[str, ...] | None:
            theirs = columns.get(ours, ours)
            if theirs is None or theirs in keys:
                return theirs
            return tuple(theirs.split(".")) if "." in theirs else None

        faults = [] if is_ours else column_faults(keys, columns)
        taken = {ours for ours in ROW_KEYS if path(ours) == ours}
        return cls(
            message_id=path("message_id"),
            status=path("status"),
            error_message=path("error_message"),
            channel_id=path("channel_id"),
            rest=tuple((str(key), key) for key in keys if key not in taken),
            faults=tuple((fault, "misspelled key") for fault in faults),
            is_reported=REPORT_KEYS.issubset(keys),
        )


def _rest_text(rest: Mapping[str, Any], faults: list[Fault]) -> str | None:
    """What else a row holds, as JSON; None for nothing."""
    if not rest or faults:
        return None
    try:
        return to_json(rest)
    except Exception as error:  # too deep, a key that is no string, an object that has no text
        faults.append((f"it holds what cannot be written as JSON ({readable(str(error), 200)})", "not JSON"))
        return None


def _value(fields: Mapping[Any, Any], path: str | tuple[str, ...] | None) -> Any:
    """What a row has at a place, None if there is no such place."""
    if path is None:
        return None
    if isinstance(path, str):
        return fields[path]
    value: Any = fields
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isdecimal() and len(part) < 10 and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def id_fault(message_id: str) -> str | None:
    """Why a text is no id of a message, None if it can be one.

    :param message_id: not empty, without space around it.
    """
    if len(message_id) > MAX_ID:
        return f"is longer than {MAX_ID:,} characters"
    if not message_id.isprintable() and _CONTROL_CHARACTERS.search(message_id):
        return f"{shorten(message_id)} holds a control character"
    if not is_encodable(message_id):
        return f"{shorten(message_id)} holds half a character (a lone surrogate)"
    if message_id[0] in "{[" and isinstance(parse_json_text(message_id), dict | list):
        return f"{shorten(message_id)} is JSON text: give what it stands for, as json.loads makes it"
    return None


def _is_sendable(value: object) -> bool:
    """False for a line of a report file that says so, also if a spreadsheet or a data frame has written it again."""
    return is_absent(value) or str(value).strip().casefold() not in ("false", "0", "0.0")


def _parse_status(value: object, name: str, faults: list[Fault]) -> MessageStatus | None:
    value = value.value if isinstance(value, Enum) and not isinstance(value, MessageStatus) else value
    status = MessageStatus.parse(value.strip() if isinstance(value, str) else value)
    if status is MessageStatus.RECEIVED:
        faults.append((f"{name} is 'RECEIVED', which only HubSpot sets, on incoming messages", "status RECEIVED"))
    elif status not in WRITABLE:
        reason = f"{name} is {shorten(value)}, not one of {', '.join(WRITABLE)}"
        faults.append((reason, f"unknown status {shorten(value)}"))
    return status


def _word(value: object) -> str | None:
    """A gateway's word as it is compared; None for what is no word."""
    if isinstance(value, Enum):  # as the gateway's own package has it
        value = value.value
    if isinstance(value, float) and value.is_integer():  # a column in which some are missing, as pandas has it
        value = int(value)
    if isinstance(value, str | bool):
        return str(value).strip().casefold()
    return integer_text(value) or None


def integer_text(value: object) -> str:
    """The digits of an integer of any kind, empty for anything else."""
    if isinstance(value, bool):
        return ""
    try:
        return str(operator.index(value))  # type: ignore[arg-type]  # what has no index is told by the error
    except Exception:  # no integer, one of more digits than Python writes, or an object of the user's whose method fails
        return ""
