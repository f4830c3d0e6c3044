"""Rows in, updates out: what may be sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from reprlib import repr as shown
from typing import Literal, cast, get_args

from airflow_provider_hubchan.client.errors import BadInput, BadRow, BadRows, Problem

#: What may be written (HubSpot's OpenAPI file, PublicChannelIntegrationMessageUpdateRequest). RECEIVED only comes back.
Status = Literal["SENT", "FAILED", "READ"]
STATUSES: tuple[Status, ...] = get_args(Status)

Result = Literal["updated", "skipped", "rejected", "unresolved"]
RESULTS: tuple[Result, ...] = get_args(Result)

#: HubSpot's own names for our keys: a row that uses them would lose its value in silence.
_HUBSPOT_NAMES = {"messageId": "message_id", "statusType": "status", "errorMessage": "error_message"}


@dataclass(frozen=True, slots=True)
class Update:
    """What we are asked to do for one message.

    :param row: where it came from, counted from 1; in a file the number of its line.
    :param message_id: HubSpot's id of the message, not blank.
    :param error_message: why the delivery failed; only for FAILED, never blank.
    :param rest: what else the row held, as a JSON object; None for nothing. It goes into the report file.
    """

    row: int
    message_id: str
    status: Status
    error_message: str | None = None
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one update.

    :param problem: why it is not *updated*; None if it is.
    """

    update: Update
    result: Result
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """A row that is not to be sent, whatever it says: its outcome is known before the batch begins.

    :param row: an id or a dict, as others are; it may do without a status.
    """

    row: object
    result: Result
    problem: Problem


#: What a row says for itself, and what a report file adds to it. A row that has all of the latter comes from one.
ROW_KEYS = frozenset({"message_id", "status", "error_message"})
REPORT_KEYS = frozenset({"row", "outcome", "reason", "category", "correlation_id", "try", "time"})
#: Where a report file puts what the row had under these keys itself.
ITS_OWN = "as_it_came"


class Numbered:
    """Rows that bring their own numbers, as the lines of a file do: pairs of number and row."""

    def __init__(self, pairs: Iterable[tuple[int, object]]) -> None:
        self.pairs = pairs


def numbered(rows: object) -> Iterable[tuple[int, object]]:
    """Number the rows of a batch from 1: ids, dicts, or a mapping of id to status.

    :raises BadInput: if *rows* is none of these.
    """
    if isinstance(rows, Numbered):
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


def read(
    rows: Iterable[tuple[int, object]],
    *,
    status: str | None = None,
    error_message: str | None = None,
    channel_id: str | None = None,
) -> Iterator[Update | Outcome | BadRow]:
    """Read numbered rows: one entry for each, in order.

    A row is an id (a string or an int), or a dict with ``message_id``, ``status`` and ``error_message`` (as an int, too: a
    code); other keys are left alone. A row that a report file marks as *skipped* needs nothing and comes back as that
    outcome, so that a report file can be fed back whole; so does a `Settled` one.

    :param rows: pairs of number and row; a `BadRow` in place of a row is a line that could not be parsed.
    :param status: for rows that carry none of their own.
    :param error_message: for FAILED rows that carry none of their own.
    :param channel_id: the channel of the batch; a row that names another one is bad.
    """
    error_message = None if error_message is None else str(error_message).strip()  # native rendering makes numbers of "30003"
    for number, row in rows:
        yield _read_row(number, row, status, error_message, channel_id)


def read_one(message_id: str, status: Status, error_message: str | None) -> Update:
    """Read a single update.

    :raises BadRows: if it cannot be sent.
    """
    (entry,) = read(numbered([{"message_id": message_id, "status": status, "error_message": error_message}]))
    if isinstance(entry, BadRow):
        raise BadRows([entry], 1)
    assert isinstance(entry, Update)
    return entry


def _read_row(
    number: int, row: object, status: str | None, error_message: str | None, channel_id: str | None
) -> Update | Outcome | BadRow:
    if isinstance(row, BadRow):
        return row
    settled = row if isinstance(row, Settled) else None
    row = settled.row if settled else row
    fields = row if isinstance(row, Mapping) else {"message_id": row}
    from_a_report = fields.keys() >= REPORT_KEYS
    if from_a_report and fields["outcome"] == "skipped":
        reason = str(fields["reason"]).encode(errors="replace").decode()
        settled = Settled(row, "skipped", Problem(f"in an earlier report: {reason}", "settled earlier"))
    faults = [
        f"key {theirs!r} is HubSpot's name, write {ours!r}" for theirs, ours in _HUBSPOT_NAMES.items() if theirs in fields
    ]

    given = fields.get("message_id")
    message_id = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if given is None:
        faults.append("message_id is missing")
    elif isinstance(given, str) and not message_id:
        faults.append("message_id is blank")
    elif not message_id:
        faults.append(f"message_id is a {type(given).__name__}, not a string")
    elif not is_text(message_id):
        faults.append(f"message_id {shown(message_id)} holds half a character (a lone surrogate)")

    chosen = fields.get("status") or status
    if settled and not chosen:
        chosen = ""  # in its letter, too: who feeds an unresolved one back has to say which it is
    elif chosen is None:
        faults.append("status is missing, in the row and as the task's argument")
    elif chosen == "RECEIVED":
        faults.append("status is 'RECEIVED', which only HubSpot sets, on incoming messages")
    elif chosen not in STATUSES:
        faults.append(f"status is {shown(chosen)}, not one of {', '.join(STATUSES)}")

    given_text = fields.get("error_message")
    text = str(given_text).strip() if isinstance(given_text, str | int) and not isinstance(given_text, bool) else None
    if given_text is not None and text is None:
        faults.append(f"error_message is a {type(given_text).__name__}, not a string")
    elif text and chosen in STATUSES and chosen != "FAILED":
        faults.append(f"error_message is only for FAILED, and status is {chosen!r}")
    text = text or (error_message if chosen == "FAILED" else None) or None
    if text and not is_text(text):
        faults.append("error_message holds half a character (a lone surrogate)")

    other = fields.get("channel_id")
    if other is not None and channel_id is not None and str(other) != channel_id:
        faults.append(f"channel_id is {shown(other)}, but this batch goes to channel {channel_id!r}")

    if faults:
        return BadRow(number, ", ".join(faults))
    known = ROW_KEYS | REPORT_KEYS if from_a_report else ROW_KEYS
    rest = {str(key): value for key, value in fields.items() if key not in known}
    if from_a_report and isinstance(its_own := rest.get(ITS_OWN), dict):
        del rest[ITS_OWN]
        rest |= its_own
    try:
        as_it_came = json.dumps(rest, default=str) if rest else None
    except (TypeError, ValueError) as fault:
        return BadRow(number, f"it holds what cannot be written as JSON ({fault})")
    update = Update(number, message_id, cast(Status, chosen), text, as_it_came)
    return Outcome(update, settled.result, settled.problem) if settled else update


def is_text(text: str) -> bool:
    """False for half a character, which JSON can spell and UTF-8 cannot: it could not be sent."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
