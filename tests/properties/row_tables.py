"""Tables of rows as gateways write them, and what is to become of each row, by a translation of its own."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import strategies as st

from airflow_provider_hubchan.batch.row_reader import RowReader
from airflow_provider_hubchan.client.errors import BadRow
from airflow_provider_hubchan.client.models import Outcome, Update
from airflow_provider_hubchan.row_files import read_file

#: ``("update", message_id, status, error_message)``, ``("not final", message_id)`` or ``("bad",)``.
Expected: TypeAlias = tuple[object, ...]
Entry: TypeAlias = "Update | Outcome | BadRow"


@dataclass(frozen=True)
class Arguments:
    """What a user writes to have a table read."""

    columns: Mapping[str, str | None] | None = None
    statuses: Mapping[str, str | None] | None = None
    status: str | None = None
    error_message: str | None = None

    def name(self, ours: str) -> str:
        """A column's name in the table."""
        return (self.columns or {}).get(ours) or ours

    def read(self, uri: str) -> list[Entry]:
        """The entries of a file."""
        return list(self.reader().read(read_file(uri, self.columns).pairs))

    def reader(self) -> RowReader:
        return RowReader(
            columns=self.columns, statuses=self.statuses, status=self.status, error_message=self.error_message, channel_id="7"
        )

    def expect(self, message_id: object, status: object, error_message: object) -> Expected:
        """What is to become of a row with these values, None for what it does not have."""
        if isinstance(message_id, int) and not isinstance(message_id, bool):
            message_id = str(message_id)
        if not isinstance(message_id, str) or not can_be_id(message_id.strip()):
            return ("bad",)
        if is_nothing(status):
            meaning = self.status
        elif self.statuses is None:
            meaning = status.strip() if isinstance(status, str) else "no word"
        else:
            meaning = self._translate(status)
        if meaning not in ("SENT", "FAILED", "READ", None) or (meaning is None and is_nothing(status)):
            return ("bad",)
        if meaning is None:
            return ("not final", message_id.strip())
        if meaning != "FAILED":
            return ("update", message_id.strip(), meaning, None)
        reason = _reason(error_message)
        if reason is BAD:
            return ("bad",)
        reason = reason or self.error_message
        return ("update", message_id.strip(), meaning, reason) if can_be_encoded(reason or "") else ("bad",)

    def _translate(self, word: object) -> str | None:
        assert self.statuses is not None
        if isinstance(word, float) and word.is_integer():
            word = int(word)
        if isinstance(word, str | int):
            for each, status in self.statuses.items():
                if each.casefold() == str(word).strip().casefold():
                    return status
        return "no word"


BAD = "\0bad"
OURS = Arguments(status="SENT")
THEIRS = Arguments(
    columns={"message_id": "client ref", "status": "Message Status", "error_message": "Error.Code"},
    statuses={"delivered": "SENT", "undelivered": "FAILED", "seen": "READ", "queued": None, "1": "SENT", "STRASSE": "READ"},
    error_message="no reason",
)
ARGUMENTS = st.sampled_from([OURS, THEIRS, Arguments(), Arguments(statuses=THEIRS.statuses, status="FAILED")])


def is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and math.isnan(value))


def can_be_id(text: str) -> bool:
    """No control characters, and no JSON text."""
    if not 0 < len(text) <= 1000 or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return False
    try:
        return not isinstance(json.loads(text), dict | list)
    except ValueError:
        return True


def can_be_encoded(text: str) -> bool:
    return not any(unicodedata.category(character) == "Cs" for character in text)


def _reason(value: object) -> str | None:
    if is_nothing(value):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return BAD
    return str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)


def outcome_of(entry: Entry) -> Expected:
    """What became of a row, as `Arguments.expect` writes it."""
    if isinstance(entry, BadRow):
        return ("bad",)
    if isinstance(entry, Outcome):
        assert entry.result == "skipped"
        assert entry.problem
        return (entry.problem.label, entry.update.message_id)
    return ("update", entry.message_id, entry.status and entry.status.value, entry.error_message)


def winners(expected: Sequence[Expected]) -> dict[object, Expected]:
    """By message, the update that counts: READ before the others, else the last."""
    best: dict[object, Expected] = {}
    for each in expected:
        if each[0] == "update" and (each[2] == "READ" or best.get(each[1], each)[2] != "READ"):
            best[each[1]] = each
    return best


# Values.

IDS = st.sampled_from(["m-1", "m-2", "m-3", " m-4 ", "17", "ü", "m-5"])
WORDS = st.sampled_from(
    [
        *("SENT", "FAILED", "READ", "sent", "RECEIVED", "NaN", "null", "None", "", " "),
        *("delivered", " Delivered ", "UNDELIVERED", "seen", "Queued", "1", "straße"),
    ]
)
#: No NUL, which makes a file a binary one, and no byte order mark, which is left out at the beginning of a line.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=12) | st.sampled_from(
    ['"', '""', "'", ",", ";", "\t", "|", "\n", "\r", "\r\n", "a\nb", '"x', 'x"', "30003", "0", "\u2028", "{}", "\x1a", "=1+1"]
)
HALF = st.sampled_from(["\ud800", "m-\udfff", "\udcff"])
CELLS = st.one_of(IDS, WORDS, TEXT)


# CSV.


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written as CSV, and that as a file."""

    delimiter: str = ","
    quoting: int = csv.QUOTE_MINIMAL
    line_end: str = "\n"
    has_last_line_end: bool = True
    encoding: str = "utf-8"
    is_gzip: bool = False

    def lines(self, table: Sequence[Sequence[str]]) -> list[str]:
        """Each record as text, with its line end."""
        written = []
        for cells in table:
            file = io.StringIO(newline="")
            writer = csv.writer(file, delimiter=self.delimiter, quoting=self.quoting)  # type: ignore[arg-type]
            writer.writerow(cells)  # with CR LF at its end, so that both are quoted in cells
            written.append(file.getvalue().removesuffix("\r\n") + self.line_end)
        if not self.has_last_line_end:
            written[-1] = written[-1].removesuffix(self.line_end)
        return written

    def write(self, lines: Sequence[str]) -> bytes:
        """A file of lines."""
        text = "".join(lines)
        content = (
            "\ufeff".encode(self.encoding) + text.encode(self.encoding)
            if "16-" in self.encoding
            else text.encode(self.encoding)
        )
        return gzip.compress(content, 1, mtime=0) if self.is_gzip else content


DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    has_last_line_end=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"]),
    is_gzip=st.sampled_from([False, False, True]),
)


@dataclass(frozen=True)
class CsvTable:
    """A table with a header, and how it is read."""

    header: list[str]
    rows: list[list[str]]
    arguments: Arguments

    def expected(self) -> list[Expected | None]:
        """What is to become of each row, None for a blank one, which is left out."""
        return [self._expect(cells) for cells in self.rows]

    def _expect(self, cells: list[str]) -> Expected | None:
        if not "".join(cells).strip():
            return None
        if len(cells) != len(self.header):
            return ("bad",)
        row = dict(zip(self.header, cells, strict=True))
        return self.arguments.expect(
            *(row.get(self.arguments.name(ours)) for ours in ("message_id", "status", "error_message"))
        )


@st.composite
def csv_tables(draw: st.DrawFn) -> CsvTable:
    """At least two columns, so that the header tells the delimiter; some rows have a cell too many or too few."""
    arguments = draw(ARGUMENTS)
    header = [arguments.name("message_id"), arguments.name("status")]
    if arguments.columns or draw(st.booleans()):
        header.append(arguments.name("error_message"))
    header += [f"c{number} {name}" for number, name in enumerate(draw(st.lists(NAMES, max_size=2)))]
    header = draw(st.permutations(header))
    by_column = {arguments.name("message_id"): IDS | TEXT, arguments.name("status"): WORDS | WORDS | TEXT}
    row = st.tuples(*(by_column.get(name, CELLS) for name in header)).map(list)
    odd_row = st.lists(CELLS, max_size=len(header) + 1)
    return CsvTable(header, draw(st.lists(row | row | row | odd_row, max_size=8)), arguments)


#: Other columns' names; a delimiter in one might be taken for that of the file.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff,;\t|"), max_size=6).map(str.strip)


# JSON.

#: Stands for an integer that Python does not read.
TOO_MANY_DIGITS = "an integer of 5,001 digits"
NUMBERS = st.integers() | st.floats(allow_infinity=False) | st.sampled_from([10**400, -0.0, 1e308, 30003.0])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, IDS, WORDS, TEXT, HALF, st.just(TOO_MANY_DIGITS))
VALUES = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT | HALF, each, max_size=3), max_leaves=6
)


def json_text(value: object, *, ascii_only: bool = True) -> str:
    """A value as JSON of one line, integers of any size among them."""
    if value == TOO_MANY_DIGITS:
        return "9" * 5001
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(key, ensure_ascii=ascii_only)}: {json_text(each, ascii_only=ascii_only)}"
            for key, each in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(json_text(each, ascii_only=ascii_only) for each in value)}]"
    return json.dumps(value, ensure_ascii=ascii_only)


@dataclass(frozen=True)
class JsonRow:
    """A row's text, and what is to become of it."""

    text: str
    expected: Expected
    is_json: bool = True


@dataclass(frozen=True)
class JsonTable:
    rows: list[JsonRow]
    arguments: Arguments = field(default_factory=Arguments)


NESTED = Arguments(
    columns={"message_id": "client_ref", "status": "data.state", "error_message": "errors.0.title"},
    statuses=THEIRS.statuses,
)


@st.composite
def json_tables(draw: st.DrawFn) -> JsonTable:
    """Ids, objects with our names or a gateway's, whatever else JSON has, and lines that are none."""
    arguments = draw(ARGUMENTS | st.just(NESTED))
    rows = [_json_row(draw, arguments) for _ in range(draw(st.integers(0, 6)))]
    return JsonTable(rows, arguments)


def _json_row(draw: st.DrawFn, arguments: Arguments) -> JsonRow:
    kind = draw(st.sampled_from(["object"] * 6 + ["any", "key twice", "deep", "no JSON"]))
    if kind == "deep":
        return JsonRow("[" * 30_000 + "]" * 30_000, ("bad",))
    if kind == "no JSON":
        texts = ['{"message_id": "m-1"', "m-1", "{'message_id': 'm-1'}", '"a" "b"', "nan"]
        return JsonRow(draw(st.sampled_from(texts)), ("bad",), is_json=False)
    if kind == "any":
        value = draw(VALUES.filter(lambda each: not isinstance(each, list)))
        row = value if isinstance(value, dict) else {arguments.name("message_id"): value}
        text = json_text(value)
        expected = _expect_object(arguments, row)
        return JsonRow(text, ("bad",) if "9" * 5001 in text else expected)
    others = VALUES | st.just(math.inf) | st.just([-math.inf])
    fields = draw(st.dictionaries(st.builds("c{} {}".format, st.integers(0, 9), TEXT | HALF), others, max_size=2))
    values = {
        "message_id": draw(IDS | IDS | VALUES),
        "status": draw(WORDS | WORDS | VALUES),
        "error_message": draw(CELLS | VALUES),
    }
    for ours in draw(st.permutations(sorted(values))):
        if draw(st.integers(0, 9)):
            fields |= _put(arguments, ours, values[ours])
    text = json_text(fields, ascii_only=False) if can_be_encoded(json_text(fields, ascii_only=False)) else json_text(fields)
    if kind == "key twice" and fields:
        key = json.dumps(draw(st.sampled_from(sorted(fields))))
        return JsonRow(f"{text[:-1]}, {key}: 1}}", ("bad",))
    return JsonRow(text, ("bad",) if "9" * 5001 in text else _expect_object(arguments, fields))


def _put(arguments: Arguments, ours: str, value: object) -> dict[str, object]:
    if arguments is not NESTED:
        return {arguments.name(ours): value}
    if ours == "status":
        return {"data": {"state": value}}
    return {"errors": [{"title": value}]} if ours == "error_message" else {"client_ref": value}


def _expect_object(arguments: Arguments, fields: Mapping[Any, Any]) -> Expected:
    if arguments is not NESTED:
        return arguments.expect(*(fields.get(arguments.name(ours)) for ours in ("message_id", "status", "error_message")))
    data, errors = fields.get("data", {}), fields.get("errors", [{}])
    return arguments.expect(fields.get("client_ref"), data.get("state"), errors[0].get("title"))
