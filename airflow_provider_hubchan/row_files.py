"""Files of rows, read as streams, wherever Airflow's object storage reaches."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TextIO, cast

from airflow_provider_hubchan.batch.rows import NumberedRows
from airflow_provider_hubchan.client.error_texts import MAX_TEXT, readable, shorten
from airflow_provider_hubchan.client.errors import BadInput
from airflow_provider_hubchan.csv_rows import needed_columns, read_csv
from airflow_provider_hubchan.file_formats import (
    BLANK,
    GZIP,
    MAX_CHARACTERS,
    SAMPLE_BYTES,
    FormatError,
    check_text,
    text_encoding,
    too_long,
)
from airflow_provider_hubchan.json_rows import check_first_lines, is_json, read_json_array, read_json_lines
from airflow_provider_hubchan.object_storage import MAX_URI, special_kind, storage_path

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
CSV_SUFFIXES = (".csv", ".tsv")


def read_file(uri: str, columns: Mapping[str, str | None] | None = None) -> NumberedRows:
    """The rows of a JSON Lines or CSV file, numbered by its lines, or of a JSON array, numbered by its elements.

    The suffix tells which it is, else the first line: JSON begins with ``{``, ``[`` or an id in quotes, which is none of the
    needed columns. A JSON line is an object or an id; a CSV file begins with a line of column names, separated by commas,
    semicolons, tabs or vertical bars. Text is UTF-8, or UTF-16 with a byte order mark; gzip is read by its first bytes,
    whatever the name. Blank lines are left out. A line that cannot be read is a `BadRow` in place of its row, with the line's
    text.

    :param uri: a local path, ``~`` expanded, or ``s3://``, ``gs://`` … where that provider is installed.
    :param columns: our names to the file's: a CSV file must have these columns, and ``message_id`` if it is not among ours. A
        name that is None is not needed.
    :raises FileNotFoundError: when the first row is read.
    :raises BadInput: when a row is read: this is no file with rows, or what comes after cannot be told.
    :raises Exception: when a row is read: whatever the storage raises, its text shortened. Another try may help.
    """
    return NumberedRows(_rows(uri, columns))


def _rows(uri: str, columns: Mapping[str, str | None] | None) -> Iterator[tuple[int, object]]:
    reason = ""
    try:
        if "\0" in uri:
            raise FormatError("its name holds a NUL character: look at the template or task that makes it")
        path = storage_path(uri)
        if not path.exists():
            raise FileNotFoundError(f"messages_file {shorten(uri, MAX_URI)} does not exist: has the task that writes it run?")
        if kind := special_kind(path):
            raise FormatError(f"it is {kind}: give the name of a file")
        with path.open("rb") as file:  # type: ignore[no-untyped-call]
            yield from _read(_unzipped(file), path.name, columns)
    except FormatError as error:
        reason = str(error)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        reason = "its gzip stream is damaged, or ends in the middle: let the task that writes it run again"
    except UnicodeDecodeError:
        reason = "its UTF-16 ends in the middle of a character: let the task that writes it run again"
    except Exception as error:  # a storage may raise anything
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            reason = "its name is too long: look at the template or task that makes it"
        elif len(str(error)) > MAX_TEXT:
            raise _shortened(error).with_traceback(error.__traceback__) from None
        else:
            raise
    if reason:
        raise BadInput(f"messages_file {shorten(uri, MAX_URI)} cannot be read, so nothing was sent: {reason}.")


def _shortened(error: Exception) -> OSError:
    """An error of a storage with a text that a log can hold; of the same class if it has an error number."""
    text = readable(f"{type(error).__name__}: {error}", MAX_TEXT - 100)
    return OSError(error.errno, text) if isinstance(error, OSError) and error.errno else OSError(text)


def _read(file: io.BufferedReader, name: str, columns: Mapping[str, str | None] | None) -> Iterator[tuple[int, object]]:
    sample = file.peek(SAMPLE_BYTES)
    encoding = text_encoding(sample)
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    beginning = sample.decode(encoding, "replace").lstrip(BLANK)
    check_text(beginning, suffix)
    if sample.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
    # What is not UTF-8 becomes a lone surrogate: its row is bad, the others are read.
    errors = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
    text = io.TextIOWrapper(file, encoding, errors, newline="\n")
    if suffix not in CSV_SUFFIXES and beginning.startswith("["):
        yield from read_json_array(text)
        return
    lines = _lines(text)
    first = _next_line(lines)
    if not first:
        return
    if suffix in CSV_SUFFIXES or (suffix not in JSON_SUFFIXES and not is_json(first[0][1], needed_columns(columns or {}))):
        yield from read_csv(chain(first, lines), columns)
        return
    second = _next_line(lines)
    check_first_lines(first[0][1], second[0][1] if second else "")
    yield from read_json_lines(chain(first, second, lines))


def _lines(text: TextIO) -> Iterator[tuple[int, str]]:
    """The lines of a text, numbered from 1.

    :raises FormatError: a line is longer than `MAX_CHARACTERS`.
    """
    for number, line in enumerate(iter(partial(text.readline, MAX_CHARACTERS + 1), ""), 1):
        if len(line) > MAX_CHARACTERS:
            raise too_long(number)
        yield number, line


def _next_line(lines: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """The next line that is not blank, none at the end of the file."""
    return next(([(number, line)] for number, line in lines if line.strip(BLANK)), [])


def _unzipped(file: BinaryIO) -> io.BufferedReader:
    """What a file holds, decompressed if it begins as gzip does.

    :raises FormatError: what it holds is gzip again.
    """
    plain = _buffered(file)
    if not plain.peek(SAMPLE_BYTES).startswith(GZIP):
        return plain
    unzipped = _buffered(gzip.GzipFile(fileobj=plain, mode="rb"))
    if unzipped.peek(SAMPLE_BYTES).startswith(GZIP):
        raise FormatError("it is compressed twice: compress it once")
    return unzipped


def _buffered(file: Any) -> io.BufferedReader:
    return io.BufferedReader(cast(io.RawIOBase, _FullReads(file)), SAMPLE_BYTES)


class _FullReads(io.RawIOBase):
    """A file of any storage as one of Python's own. It reads until a buffer is full: a store or gzip may return less at a time,
    and then the first bytes would not tell what the file is.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        filled = 0
        while filled < len(buffer) and (content := self._file.read(len(buffer) - filled)):
            buffer[filled : filled + len(content)] = content
            filled += len(content)
        return filled
