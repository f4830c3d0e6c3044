"""Files of rows, read as streams, wherever Airflow's object storage reaches."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain

from airflow.sdk import ObjectStoragePath

from airflow_provider_hubchan.batch.rows import Columns, NumberedRows, is_encodable
from airflow_provider_hubchan.client.errors import BadRow

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


def read_file(uri: str, columns: Columns | None = None) -> NumberedRows:
    """The rows of a JSON Lines or CSV file, numbered by its lines.

    The suffix tells which it is, else the first byte: JSON begins with ``{`` or ``"``. A JSON line is an object or an id;
    a CSV file begins with a line of column names, among them ``message_id``. Both are UTF-8; blank lines are left out.

    :param uri: a local path, or ``s3://``, ``gs://`` … where that provider is installed.
    :raises FileNotFoundError: when the first row is read.
    """
    return NumberedRows(_rows(uri))


def _rows(uri: str) -> Iterator[tuple[int, object]]:
    path = ObjectStoragePath(uri)
    if not path.exists():
        raise FileNotFoundError(f"messages_file {uri!r} does not exist: has the task that writes it run?")
    with path.open("rb") as file:  # type: ignore[no-untyped-call]
        lines = enumerate(file, 1)
        first = next(((number, line) for number, line in lines if line.strip()), None)
        if first is None:
            return
        begins = first[1].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        suffix = path.suffix.lower()
        is_csv = suffix == ".csv" or (suffix not in JSON_SUFFIXES and begins not in (b"{", b'"', b"["))
        yield from (_csv if is_csv else _json_lines)(chain([first], lines))


def _json_lines(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, object]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            row = BadRow(number, "it is not UTF-8")
        except ValueError as error:
            row = BadRow(number, f"it is not JSON ({error})")
        if isinstance(row, list):
            row = BadRow(number, "it is a JSON array; write one object on each line")
        yield number, row


def _csv(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, object]]:
    """A record that spans lines bears the number of its last one."""
    line_number = 0

    def text() -> Iterator[str]:
        nonlocal line_number
        for number, line in lines:
            line_number = number
            yield line.decode("utf-8-sig", "surrogateescape")  # not UTF-8: the record is refused below

    records = csv.reader(text(), strict=True)
    try:
        names = [name.strip() for name in next(records)]
        if "message_id" not in names:
            columns = ", ".join(map(repr, names))
            yield (
                line_number,
                BadRow(line_number, f"there is no column message_id (the columns are {columns}, separated by commas)"),
            )
            return
        for cells in records:
            if not any(cell.strip() for cell in cells):
                continue
            elif not is_encodable("".join(cells)):
                yield line_number, BadRow(line_number, "it is not UTF-8")
            elif len(cells) != len(names):
                yield line_number, BadRow(line_number, f"it has {len(cells)} cells for {len(names)} columns")
            else:
                yield line_number, dict(zip(names, (cell or None for cell in cells), strict=True))
    except csv.Error as error:
        yield line_number, BadRow(line_number, f"it is not CSV ({error}); the lines after it were not read")
