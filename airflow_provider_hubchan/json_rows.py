"""Rows in JSON: one on each line, or the elements of one array.

Both are decoded by the standard library, so that a row is the same in either, be it with ``NaN``, integers of any size or
escapes of half characters. ijson 3.6 (yajl) does not read the first two, replaces the third by ``?``, and takes a gigabyte of
memory for a row that is nested 20,000 levels deep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import TextIO

from airflow_provider_hubchan.batch.json_objects import DuplicateKeyError, unique_keys
from airflow_provider_hubchan.batch.rows import bad_line, is_encodable
from airflow_provider_hubchan.file_formats import (
    BLANK,
    CUT_OFF,
    MAX_CHARACTERS,
    FormatError,
)

_AS_LINES = "write one object on each line (jq -c . does it)"
_NOT_BLANK = re.compile(f"[^{BLANK}]")
#: A whole string, a bracket, or the quote of a string that is not whole.
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]', re.DOTALL)
_END_OF_SCALAR = re.compile(r"[\s,\]]")


_decode = json.JSONDecoder(object_pairs_hook=unique_keys).raw_decode


def read_json_lines(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, object]]:
    """The rows of a JSON Lines file: what each line holds, or a `BadRow` for one that cannot be read. Blank lines are left out.

    :param lines: numbers and texts.
    """
    for number, line in lines:
        content = line.strip(BLANK)
        if not content:
            continue
        try:
            row, end = _decode(content)
        except (ValueError, RecursionError) as error:
            reason, label = _problem(error, content)
            is_cut_off = label == "not JSON" and not line.endswith("\n")
            yield number, bad_line(number, line, reason + CUT_OFF * is_cut_off, label)
            continue
        if end != len(content):
            yield number, bad_line(number, line, f"it is not JSON (more follows after character {end:,})", "not JSON")
        else:
            yield number, _checked(number, line, row)


def check_first_lines(first: str, second: str) -> None:
    """Look whether the file is one object over several lines, of which every line would be a bad row.

    :param first: the first line that is not blank.
    :param second: the next such line, an empty text if there is none.
    :raises FormatError: if it is.
    """
    first, second = first.strip(BLANK), second.strip(BLANK)
    if not first.startswith("{") or _is_json(first):
        return
    if first == "{" or (second and not second.startswith(("{", "[")) and not _is_json(second)):
        raise FormatError(f"it is a JSON object over several lines: {_AS_LINES}")


def is_json(line: str, names: Collection[str]) -> bool:
    """Whether the first line of a file that its name does not tell is JSON, not the names of CSV columns.

    :param names: columns that a CSV file must have: one of them in quotes is no id.
    """
    content = line.strip(BLANK)
    if content.startswith('"'):
        return _is_json(content) and content[1:-1].strip() not in names
    return content.startswith(("{", "["))


def read_json_array(file: TextIO) -> Iterator[tuple[int, object]]:
    """The elements of a JSON array as rows, numbered from 1, in the memory of one element.

    :raises FormatError: it is not JSON, or it ends in the middle: what comes after is not known.
    """
    return _ArrayReader(file).rows()


class _ArrayReader:
    """Reads a JSON array element by element: what is in the buffer is decoded, and if that does not do, more is read."""

    CHUNK = 1 << 16

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer, self._at = "", 0
        self._number = 0  # of the element that is being read

    def rows(self) -> Iterator[tuple[int, object]]:
        self._next_character()  # the bracket
        self._at += 1
        separator = ","
        if self._next_character() == "]":
            separator = "]"
            self._at += 1
        while separator == ",":
            self._number += 1
            yield self._number, self._element()
            separator = self._next_character()
            if separator not in (",", "]"):
                raise FormatError(self._not_json("no comma or bracket after it"))
            self._at += 1
        if following := self._next_character():
            if following == "[":
                raise FormatError(f"its lines are JSON arrays: {_AS_LINES}")
            raise FormatError(f"more follows after the end of its JSON array: {_AS_LINES}")

    def _element(self) -> object:
        """Decode the next element, and go behind it."""
        self._next_character()
        while True:
            try:
                row, end = _decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                self._need_more(error.msg)
            except (ValueError, RecursionError) as error:
                text = self._skip()
                return bad_line(self._number, text, *_problem(error, text))
            else:
                behind = _NOT_BLANK.search(self._buffer, end)
                if behind and behind[0] in ",]":
                    text, self._at = self._buffer[self._at : end], end
                    return _checked(self._number, text, row)
                self._need_more("no comma or bracket after it")  # a number may go on behind the buffer

    def _skip(self) -> str:
        """Go behind an element that the decoder cannot take.

        :returns: its text.
        """
        while (end := self._end_of_element()) is None:
            self._need_more("no end")
        text, self._at = self._buffer[self._at : end], end
        return text

    def _end_of_element(self) -> int | None:
        if self._buffer[self._at] not in "[{":
            end = _END_OF_SCALAR.search(self._buffer, self._at)
            return end.start() if end else None
        depth = 0
        for match in _BRACKETS.finditer(self._buffer, self._at):
            bracket = match[0]
            if bracket == '"':
                return None
            depth += (bracket in "[{") - (bracket in "]}")
            if depth == 0:
                return match.end()
        return None

    def _next_character(self) -> str:
        """Go to the next character that is not blank.

        :returns: it, an empty text at the end of the file.
        """
        while True:
            if match := _NOT_BLANK.search(self._buffer, self._at):
                self._at = match.start()
                return match[0]
            self._at = len(self._buffer)
            if not self._read_more():
                return ""

    def _need_more(self, why: str) -> None:
        """:param why: what is wrong with the element if nothing more comes."""
        if len(self._buffer) - self._at > MAX_CHARACTERS or not self._read_more():
            raise FormatError(self._not_json(why))

    def _not_json(self, why: str) -> str:
        return (
            f"element {self._number:,} of its JSON array is not JSON ({why}), is longer than {MAX_CHARACTERS:,} characters, "
            "or the file ends in it: was it written to its end?"
        )

    def _read_more(self) -> bool:
        """Read as much again as is left, so that a long element is not decoded at every chunk of it."""
        self._buffer, self._at = self._buffer[self._at :], 0
        left = len(self._buffer)
        more = self._file.read(min(max(self.CHUNK, left), MAX_CHARACTERS - left + self.CHUNK))
        self._buffer += more
        return bool(more)


def _checked(number: int, text: str, row: object) -> object:
    if isinstance(row, list):
        return bad_line(number, text, "it is a JSON array; write one object on each line", "a JSON array")
    if not is_encodable(text):
        return bad_line(number, text, "it is not UTF-8: write the file in UTF-8", "not UTF-8")
    return row


def _problem(error: Exception, text: str) -> tuple[str, str]:
    """Why a row could not be decoded: the reason and its label."""
    if not is_encodable(text):
        return "it is not UTF-8: write the file in UTF-8", "not UTF-8"
    if isinstance(error, DuplicateKeyError):
        return str(error), "a key twice"
    if isinstance(error, RecursionError):
        return "it is nested too deeply", "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg}, at character {error.pos + 1:,})", "not JSON"
    return "it holds an integer of too many digits", "too many digits"


def _is_json(content: str) -> bool:
    try:
        return _decode(content)[1] == len(content)
    except (ValueError, RecursionError) as error:
        return not isinstance(error, json.JSONDecodeError)
