"""Rows in CSV: a line of column names, then records of as many cells."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice

from airflow_provider_hubchan.batch.rows import bad_line, column_faults, is_encodable
from airflow_provider_hubchan.client.error_texts import count_of, shorten, shorten_all
from airflow_provider_hubchan.client.errors import BadRow
from airflow_provider_hubchan.file_formats import (
    BLANK,
    CUT_OFF,
    MAX_CHARACTERS,
    FormatError,
)

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
#: Lines of one record, and of the column names: in what has more, a quote is open.
MAX_RECORD_LINES, MAX_HEADER_LINES = 10_000, 20
#: Excel's first line that names the delimiter.
_SEP = re.compile(r'"?sep=([^\w"\r\n])"?', re.IGNORECASE)


def read_csv(lines: Iterator[tuple[int, str]], columns: Mapping[str, str | None] | None) -> Iterator[tuple[int, object]]:
    """The rows of a CSV file as dicts, a blank cell as None, or a `BadRow` for a record that is broken. Blank records are left
    out. A record bears the number of its last line.

    :param lines: numbers and texts.
    :param columns: our names to the file's: columns that it must have.
    :raises FormatError: the columns are not those that are needed, or a quote is not closed.
    """
    # Process-wide, so it is only ever raised; Python's own limit is 131,072.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CHARACTERS))
    delimiter, names = _read_header(lines, columns or {})
    names = _with_unnamed(names)
    source = _RecordLines(lines)
    records = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        try:
            for cells in records:
                text = "".join(cells)
                if len(cells) == len(names) and text.isascii() and "\0" not in text and text and not text.isspace():
                    yield source.number, dict(zip(names, [cell or None for cell in cells], strict=True))
                elif row := _read_unusual(source, names, cells, text):
                    yield source.number, row
                source.record.clear()
            return
        except csv.Error as error:
            source.check_quotes(error)
            reason = f"it is not CSV ({str(error).split(' - ', maxsplit=1)[0]})"
            yield source.number, source.bad_record(reason, "not CSV")
            source.record.clear()


def _read_unusual(source: _RecordLines, names: list[str], cells: list[str], text: str) -> dict[str, str | None] | BadRow | None:
    """The row of a record that is not plain ASCII of the right length, None for a blank one."""
    if not text or text.isspace():
        return None
    if not is_encodable(text):
        return source.bad_record("it is not UTF-8: write the file in UTF-8", "not UTF-8")
    if "\0" in text:
        return source.bad_record("it holds a NUL character: the file is damaged, or binary", "a NUL character")
    if len(cells) != len(names):
        cut_off = "" if source.record[-1].endswith("\n") else CUT_OFF
        reason = f"it has {count_of(len(cells), 'cell')} for {count_of(len(names), 'column')}{cut_off}"
        return source.bad_record(reason, "wrong number of cells")
    return dict(zip(names, [cell or None for cell in cells], strict=True))


class _RecordLines:
    """The lines of a CSV file for `csv.reader`; `record` has those of the record that is being read."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self.number = 0
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        record = self.record
        for number, line in self._lines:
            if len(record) >= MAX_RECORD_LINES:
                self.check_quotes(None)
            self.number = number
            record.append(line.removeprefix("\ufeff"))
            yield record[-1]

    def bad_record(self, reason: str, label: str) -> BadRow:
        return bad_line(self.number, "".join(self.record), reason, label)

    def check_quotes(self, error: csv.Error | None) -> None:
        """:raises FormatError: the record spans lines: rows may be inside of a quote that was not closed where it should."""
        if len(self.record) > 1:
            reason = f" ({error})" if error else ""
            first = self.number - len(self.record) + 1
            raise FormatError(
                f"a quote that opens in line {first:,} is not closed by line {self.number:,}{reason}: close it, or "
                "write two for one that is part of the text"
            )


def _read_header(lines: Iterator[tuple[int, str]], columns: Mapping[str, str | None]) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns without surrounding space.

    :raises FormatError: with all that is wrong with the names.
    """
    first = next(lines)
    delimiters: Collection[str] = DELIMITERS
    if match := _SEP.fullmatch(first[1].strip(" \r\n")):
        delimiters = match[1]
    else:
        lines = chain([first], lines)
    needed = needed_columns(columns)
    header: list[str] = []
    best: tuple[int, int, str, list[str]] = (-1, 0, "", [])
    for _, line in islice(lines, MAX_HEADER_LINES):  # a name may be quoted and span lines
        if not header and not line.strip(BLANK):
            continue
        header.append(line.removeprefix("\ufeff"))
        for delimiter in delimiters:
            names = _parse_names(header, delimiter)
            found = sum(name in names for name in needed)
            if (found, len(names)) > best[:2]:
                best = (found, len(names), delimiter, names)
        if best[0] == len(needed):
            break
    _, _, delimiter, names = best
    if faults := _header_faults(delimiter, names, needed, columns):
        raise FormatError("; ".join(faults))
    return delimiter, names


def needed_columns(columns: Mapping[str, str | None]) -> list[str]:
    """The columns that a CSV file must have: those that *columns* names, and ``message_id`` if it is not among ours.

    :param columns: our names to the file's, None for what it does not have.
    """
    return [name for name in columns.values() if name is not None] + ([] if "message_id" in columns else ["message_id"])


def _parse_names(header: list[str], delimiter: str) -> list[str]:
    """The column names under a delimiter, none if the text is not CSV with it."""
    try:
        return [name.strip() for name in next(csv.reader(header, delimiter=delimiter, strict=True), [])]
    except csv.Error:
        return []


def _header_faults(delimiter: str, names: list[str], needed: list[str], columns: Mapping[str, str | None]) -> list[str]:
    if not names:
        return ["its first line is not CSV: write a line of column names first"]
    if not is_encodable("".join(names)):
        return ["its column names are not UTF-8: write the file in UTF-8"]
    faults = []
    if twice := [name for name, count in Counter(names).items() if name and count > 1]:
        faults.append(f"column {shorten_all(twice, 5)} is there twice: rename one, or leave it out")
    faults += column_faults(names, columns)
    if missing := [name for name in dict.fromkeys(needed) if name not in names]:
        faults.append(_missing_fault(missing, delimiter, names, columns))
    return faults


def _missing_fault(missing: list[str], delimiter: str, names: list[str], columns: Mapping[str, str | None]) -> str:
    ours = [name for name, theirs in columns.items() if theirs in missing] or ["message_id"]
    what_next = f"write what the file calls it in columns={{{', '.join(f'{shorten(name)}: …' for name in ours[:5])}}}"
    if len(names) > 1:
        there = f"the columns are {shorten_all(names)}, separated by {DELIMITERS.get(delimiter, repr(delimiter))}"
    else:
        *others, last = DELIMITERS.values()
        there = f"the only column is {shorten_all(names)}"
        what_next += f", and if the file has more columns, separate them by {', '.join(others)} or {last}"
    return f"there is no column {shorten_all(missing, 5)} ({there}): {what_next}"


def _with_unnamed(names: list[str]) -> list[str]:
    """The names, with one for each column that has none (the index of a DataFrame, a comma at the end): cells are not lost."""
    unique = [name or f"column_{number}" for number, name in enumerate(names, 1)]
    return [each if name or each not in names else f"{each}_unnamed" for name, each in zip(names, unique, strict=True)]
