"""Files of rows: where they are, what they are by name and by their first bytes, and which are refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped, unused-ignore]

from airflow_provider_hubchan.client.errors import BadInput, BadRow
from airflow_provider_hubchan.file_formats import MAX_CHARACTERS, SAMPLE_BYTES, SIGNATURES
from airflow_provider_hubchan.row_files import read_file

Write = Callable[..., str]


@pytest.fixture
def file(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def rows(uri: str) -> list[tuple[int, Any]]:
    return list(read_file(uri).pairs)


def refusal(uri: str) -> str:
    """Why a file is refused, after the same beginning; short, and without what a log cannot hold."""
    with pytest.raises(BadInput) as caught:
        rows(uri)
    text = str(caught.value)
    assert len(text) <= 1500
    assert text.isprintable()
    assert text.encode()
    beginning = f"messages_file {uri!r} cannot be read, so nothing was sent: "
    assert text.startswith(beginning)
    return text.removeprefix(beginning).removesuffix(".")


CR = "x\ry" * SAMPLE_BYTES
JSON_LINES = '{"message_id": "a", "status": "READ"}\n\n"b"\n7\n'
JSON_ROWS = [(1, {"message_id": "a", "status": "READ"}), (3, "b"), (4, 7)]
CSV = 'status,message_id,error_message,to\nFAILED,a,"gone,\nreally",ü\n\n,b,,\n'
CSV_ROWS = [
    (3, {"status": "FAILED", "message_id": "a", "error_message": "gone,\nreally", "to": "ü"}),
    (5, {"status": None, "message_id": "b", "error_message": None, "to": None}),
]
ARRAY = '[\n  {"message_id": "a",\n   "status": "READ"},\n  "b",\n  7\n]\n'
ARRAY_ROWS = [(1, {"message_id": "a", "status": "READ"}), (2, "b"), (3, 7)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json", "ROWS.JSON", "rows", "rows.txt", "rows.gz"])
@pytest.mark.parametrize(
    "prefix", ["", "\ufeff", "\n\n", "\ufeff\r\n \n"], ids=["nothing", "a BOM", "blanks", "a BOM and blanks"]
)
def test_json_is_read_by_suffix_or_first_line(file: Write, name: str, prefix: str) -> None:
    """Objects and ids, blank lines left out, each row with the number of its line, or of its element in an array."""
    blank = prefix.count("\n")
    assert rows(file(name, prefix + JSON_LINES)) == [(number + blank, row) for number, row in JSON_ROWS]
    assert rows(file(name, prefix + ARRAY)) == ARRAY_ROWS


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows", "rows.txt", "ROWS.CSV", "rows.csv.gz"])
@pytest.mark.parametrize("prefix", ["", "\ufeff", "\n"], ids=["nothing", "a BOM", "a blank line"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["bare", "quoted"])
def test_csv_is_read_by_suffix_or_first_line(file: Write, name: str, prefix: str, quote: str) -> None:
    """Columns by name, be the names in quotes or not, quoted cells over several lines, empty cells as None."""
    content = prefix + CSV.replace("status,", f"{quote}status{quote},")
    assert rows(file(name, content)) == [(number + prefix.count("\n"), row) for number, row in CSV_ROWS]


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.gz"])
@pytest.mark.parametrize(
    ("first", "columns"),
    [
        pytest.param('"message_id"', None, id="message_id"),
        pytest.param('\ufeff" message_id "\r', None, id="space around it"),
        pytest.param('"client ref"', {"message_id": "client ref", "status": None}, id="a name in columns"),
        pytest.param('"state"', {"message_id": "state", "status": "state"}, id="a name for two"),
    ],
)
def test_one_quoted_column_name_is_csv(file: Write, name: str, first: str, columns: dict[str, str | None] | None) -> None:
    """It would be an id in JSON otherwise, and the cells after it, too."""
    pairs = list(read_file(file(name, f'{first}\n"m-1"\n'), columns).pairs)
    assert [(number, list(row.values())) for number, row in pairs if isinstance(row, dict)] == [(2, ["m-1"])]


@pytest.mark.parametrize(("name", "first"), [("rows.jsonl", "message_id"), ("rows.txt", "m-0"), ("rows.txt", "status")])
def test_one_quoted_text_that_is_no_needed_column_is_an_id(file: Write, name: str, first: str) -> None:
    """And whatever a file with a suffix of JSON begins with."""
    assert rows(file(name, f'"{first}"\n"m-1"\n')) == [(1, first), (2, "m-1")]


def test_lines_end_as_windows_ends_them(file: Write) -> None:
    """A carriage return before the line feed belongs to neither the row nor its text."""
    assert rows(file("rows.jsonl", JSON_LINES.replace("\n", "\r\n"))) == JSON_ROWS
    assert rows(file("rows.csv", "message_id,to\r\na,\r\nb\r\n")) == [
        (2, {"message_id": "a", "to": None}),
        (3, BadRow(3, "it has 1 cell for 2 columns", "wrong number of cells", original='{"line": "b"}')),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('message_id,"a\rb"', [], id="a column name and no row"),
        pytest.param('"a\rb",message_id\r', [], id="a column name and a carriage return"),
        pytest.param('message_id,to\na,"x\ry\rz\r"\n', [(2, {"message_id": "a", "to": "x\ry\rz\r"})], id="a cell"),
        pytest.param('message_id;to\na;"x ""\r"" \r\r"\n', [(2, {"message_id": "a", "to": 'x "\r" \r\r'})], id="quotes in it"),
        pytest.param(f'message_id\n"{CR}"\n', [(2, {"message_id": CR})], id="a cell longer than the first bytes"),
        pytest.param("message_id\r\r\na\r\r\n", [(2, {"message_id": "a"})], id="two before each line feed"),
        pytest.param("[\r1,\r2\r]\n", [(1, 1), (2, 2)], id="a JSON array"),
    ],
)
def test_a_carriage_return_that_ends_no_line_is_read(file: Write, content: str, expected: object) -> None:
    """However many there are in quotes or before a line feed."""
    assert rows(file("rows", content)) == expected


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x1c", "\x85"], ids=["U+2028", "VT", "FF", "FS", "NEL"])
def test_only_a_line_feed_ends_a_line(file: Write, separator: str) -> None:
    """What else Python takes for a line end is part of a value."""
    assert rows(file("rows.csv", f"message_id,to\na,x{separator}y\n")) == [(2, {"message_id": "a", "to": f"x{separator}y"})]
    content = json.dumps({"message_id": "a", "to": "x\u2028y"}, ensure_ascii=False)
    assert rows(file("rows.jsonl", content)) == [(1, {"message_id": "a", "to": "x\u2028y"})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
@pytest.mark.parametrize("members", [0, 1, 3], ids=["plain", "gzip", "three gzip members"])
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("rows.csv", CSV, CSV_ROWS, id="CSV"),
        pytest.param("rows.jsonl", JSON_LINES, JSON_ROWS, id="JSON Lines"),
        pytest.param("rows.json", ARRAY, ARRAY_ROWS, id="a JSON array"),
        pytest.param("rows", ARRAY, ARRAY_ROWS, id="no suffix"),
    ],
)
def test_encodings_and_gzip_are_told_by_the_first_bytes(
    file: Write, name: str, content: str, expected: object, members: int, encoding: str
) -> None:
    """Whatever the name says: object stores decompress on the way, and gateways leave suffixes out."""
    text = "\ufeff".encode("utf-16-be") + content.encode("utf-16-be") if "be" in encoding else content.encode(encoding)
    cut = max(1, len(text) // max(members, 1))
    parts = [text[at : at + cut] for at in range(0, len(text), cut)]
    whole = b"".join(map(gzip.compress, parts)) if members else text
    assert rows(file(name, whole)) == expected
    assert rows(file(f"{name}.gz", whole)) == expected
    assert rows(file(f"{name}.GZ", whole)) == expected


def test_gzip_of_one_byte_a_member_is_known_by_what_is_in_it(file: Write) -> None:
    """The first bytes of what is compressed are those of several members."""
    zipped = b"".join(gzip.compress(bytes([byte])) for byte in b'"a"\n')
    assert rows(file("rows.bin", zipped)) == [(1, "a")]
    assert "Parquet" in refusal(file("rows.gz", b"".join(gzip.compress(bytes([byte])) for byte in b"PAR1\x15\x04\x15\0")))


@pytest.mark.parametrize("kept", [1, 2, 5, -1, -8, -12], ids=lambda kept: f"cut at {kept}")
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl.gz"])
def test_gzip_that_was_cut_off_is_refused(file: Write, name: str, kept: int) -> None:
    """Rows behind the cut would be lost."""
    content = gzip.compress(b"message_id\na\n" if "csv" in name else b'"a"\n')
    if kept == 1:
        content, kept = content + content, len(content) + 15
    elif kept in (2, 5):
        kept += 4
    assert refusal(file(name, content[:kept])).startswith("its gzip stream is damaged, or ends in the middle: ")


def test_gzip_that_is_damaged_late_is_refused(file: Write) -> None:
    """After rows have been read: a byte that differs, or something that is not gzip behind it."""
    content = gzip.compress(b"".join(b'"%d"\n' % number for number in range(100_000)), mtime=0)
    half = len(content) // 2
    for damaged in (content[:half] + bytes([content[half] ^ 255]) + content[half + 1 :], content + b"trailing"):
        assert refusal(file("rows.jsonl.gz", damaged)).startswith("its gzip stream is damaged")


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "message_id\na\n")
    return content.getvalue()


def _tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("rows.csv"))
    return content.getvalue()


def _sqlite(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE rows (id)")
    connection.commit()
    connection.close()
    return path.read_bytes()


TEXT = b"message_id,status\na,SENT\n"
REFUSED: dict[str, tuple[bytes, str]] = {
    "gzip in gzip": (gzip.compress(gzip.compress(TEXT)), "it is compressed twice: "),
    "UTF-32 LE": (b"\xff\xfe\0\0" + TEXT.decode().encode("utf-32-le"), "it is UTF-32: write the file in UTF-8"),
    "UTF-32 BE": (b"\0\0\xfe\xff" + TEXT.decode().encode("utf-32-be"), "it is UTF-32: "),
    "UTF-16 LE without a BOM": (
        TEXT.decode().encode("utf-16-le"),
        "it is UTF-16 without a byte order mark: write the file in UTF-8",
    ),
    "UTF-16 BE without a BOM": (TEXT.decode().encode("utf-16-be"), "it is UTF-16 without a byte order mark: "),
    "UTF-16 that is cut off": (TEXT.decode().encode("utf-16")[:-1], "its UTF-16 ends in the middle of a character: "),
    "xlsx": (_zip("[Content_Types].xml", "xl/workbook.xml"), 'it is an Excel workbook (.xlsx): save it as "CSV UTF-8"'),
    "ods": (_zip("mimetype").replace(b"message_id", b"opendocument"), "it is an OpenDocument spreadsheet: save it as"),
    "ZIP": (_zip("rows.csv"), "it is a ZIP archive: unpack it"),
    "an empty ZIP": (_zip(), "it is a ZIP archive: "),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20), "it is an old Excel workbook (.xls): save it as"),
    "Parquet": (b"PAR1\x15\x04\x15\0", "it is a Parquet file: write the rows as CSV or JSON Lines"),
    "Avro": (b"Obj\x01\x04\x16avro.schema", "it is an Avro file: "),
    "ORC": (b"ORC\x0a\x03\0\0", "it is an ORC file: "),
    "Arrow": (b"ARROW1\0\0\xff\xff", "it is an Arrow or Feather file: "),
    "SQLite": (b"", "it is an SQLite database: "),
    "pickle": (pickle.dumps([{"message_id": "a"}]), "it is a Python pickle: "),
    "bzip2": (bz2.compress(TEXT), "it is compressed with bzip2: unpack it"),
    "xz": (lzma.compress(TEXT), "it is compressed with xz: "),
    "Zstandard": (b"\x28\xb5\x2f\xfd\x04\x58\x41", "it is compressed with Zstandard: "),
    "LZ4": (b"\x04\x22\x4d\x18\x64\x40", "it is compressed with LZ4: "),
    "Snappy": (b"\xff\x06\0\0sNaPpY\0", "it is compressed with Snappy: "),
    "compress": (b"\x1f\x9d\x90\x6d", "it is compressed with compress: "),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "it is a 7z archive: "),
    "RAR": (b"Rar!\x1a\x07\x01\0", "it is a RAR archive: "),
    "tar": (_tar(), "it is a tar archive: "),
    "tar.gz": (gzip.compress(_tar()), "it is a tar archive: "),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "it is a PDF document: ask for the rows as CSV"),
    "RTF": (b"{\\rtf1\\ansi message_id}", "it is an RTF document: save it as"),
    "PGP": (b"-----BEGIN PGP MESSAGE-----\n\nhQEM", "it is encrypted: decrypt it in the task that fetches it"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "it is a binary file: write the rows as"),
    "HTML": (b"<!DOCTYPE html>\n<html><body>Log in", "it is an HTML page: the download got a page"),
    "HTML after a comment": (b"\r\n <!-- x -->\n<HTML lang='en'>", "it is an HTML page: "),
    "HTML with a BOM": (b"\xef\xbb\xbf<html>", "it is an HTML page: "),
    "HTML in UTF-16": ("<html>".encode("utf-16"), "it is an HTML page: "),
    "HTML in gzip": (gzip.compress(b"<html>"), "it is an HTML page: "),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied", "it is XML: an error of the store or gateway"),
    "XML without a declaration": (b"<Error><Code>NoSuchKey", "it is XML: "),
    "CR-only lines": (b"message_id,status\ra,SENT\rb,READ\r", "its lines end with a carriage return alone: "),
    "CR-only lines in UTF-16": ("message_id\ra\rb\r".encode("utf-16"), "its lines end with a carriage return alone: "),
    "CR-only lines with a LF at the end": (
        b"message_id,status\ra,SENT\rb,READ\r\n",
        "its lines end with a carriage return alone: ",
    ),
    "CR-only lines, the last with LF": (b"message_id\ra\n", "its lines end with a carriage return alone: "),
    "CR-only lines, the last with CRLF": (b"message_id\ra\r\n", "its lines end with a carriage return alone: "),
    "CR-only lines with quotes": (b'"message_id","to"\r"a","b"\r', "its lines end with a carriage return alone: "),
    "mostly CR-only lines": (b"message_id\na\rb\rc\r" * 9, "its lines end with a carriage return alone: "),
    "CR-only JSON Lines with a LF": (b'"a"\r"b"\n', "its lines end with a carriage return alone: "),
    "CR-only JSON Lines": (b'"a"\r"b"\r', "its lines end with a carriage return alone: "),
}


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows", "rows.csv.gz"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_text_with_rows_is_refused_in_one_sentence(file: Write, tmp_path: Path, name: str, kind: str) -> None:
    """It says what the file is and what to do, under whatever name it comes."""
    content, sentence = REFUSED[kind]
    assert refusal(file(name, content or _sqlite(tmp_path / "database"))).startswith(sentence)


def test_every_signature_has_a_file_that_it_refuses(tmp_path: Path) -> None:
    """A format that is added to the table is added to the test above."""
    sentences = {sentence for _, sentence in REFUSED.values()}
    assert not [text for text in SIGNATURES.values() if not any(map(text.startswith, sentences))]


@pytest.mark.parametrize("first", ["ORC_id", "PAR1", "order", "7z", "Object", "x<y", "BZh", "PK", "%", "-----"])
def test_a_column_that_is_named_like_a_format_is_a_column(file: Write, first: str) -> None:
    """A signature that is plain text counts only where the file is not."""
    assert rows(file("rows.csv", f"{first},message_id\nx,a\n")) == [(2, {first: "x", "message_id": "a"})]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(ARRAY, "it is a JSON array, and its name ends with .csv: name it .json", id="a pretty-printed array"),
        pytest.param('["a","b"]', "it is a JSON array, and its name ends with .csv: ", id="a minified array"),
        pytest.param("[]", "it is a JSON array, and its name ends with .csv: ", id="an empty array"),
        pytest.param("\n" + JSON_LINES, "it is JSON, and its name ends with .csv: name it .jsonl", id="JSON Lines"),
        pytest.param('{\n "rows": []}', "it is JSON, and its name ends with .csv: ", id="a JSON object"),
    ],
)
@pytest.mark.parametrize("encode", [str.encode, lambda text: gzip.compress(text.encode())], ids=["plain", "gzip"])
def test_json_that_is_named_csv_is_refused(file: Write, content: str, sentence: str, encode: Callable[[str], bytes]) -> None:
    """It would be a header of braces."""
    assert refusal(file("rows.csv", encode(content))).startswith(sentence)


def test_columns_in_brackets_are_no_json(file: Write) -> None:
    """As SQL Server names them."""
    uri = file("rows.csv", "[message_id],[status]\na,SENT\n")
    assert list(read_file(uri, {"message_id": "[message_id]", "status": "[status]"}).pairs) == [
        (2, {"[message_id]": "a", "[status]": "SENT"})
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe", gzip.compress(b"")],
    ids=["nothing", "blanks", "a BOM", "a BOM of UTF-16", "gzip"],
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows", "rows.gz"])
def test_an_empty_file_has_no_rows(file: Write, name: str, content: bytes) -> None:
    """It is not an error here; the operator warns of it."""
    assert rows(file(name, content)) == []


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_a_line_end_at_the_end_of_the_first_bytes_is_whole(file: Write, name: str) -> None:
    """The sample ends between carriage return and line feed."""
    header = b"message_id" if "csv" in name else b'{"message_id": "a"}'
    first = header + b" " * (SAMPLE_BYTES - 1 - len(header))
    content = first + b"\r\n" + (b"a\r\n" if "csv" in name else b'"b"\r\n')
    assert len(rows(file(name, content))) == (1 if "csv" in name else 2)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
@pytest.mark.parametrize("at", [0, 1, 2], ids=["the first line", "the second line", "a later line"])
def test_a_line_without_end_is_refused(file: Write, name: str, at: int) -> None:
    """It is not read into memory; the others name themselves."""
    lines = ["message_id", "a", "b"] if "csv" in name else ['{"a": 1}', '{"a": 1}', '{"a": 1}']
    lines[at] = f'{"" if "csv" in name else "{"}"' + "x" * (MAX_CHARACTERS + 10) + '": 1}'
    assert refusal(file(name, "\n".join(lines))).startswith(
        f"line {at + 1} is longer than 10,000,000 characters: write one row"
    )


def test_a_file_is_addressed_by_uri(file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, a URI and a path in the home directory are the same file."""
    path = file("rows.csv", CSV)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rows(path) == rows(f"file://{path}") == rows("~/rows.csv") == CSV_ROWS


def test_a_file_of_an_object_store_is_read(file: Write) -> None:
    """By its own name and first bytes; what is a folder there is refused."""
    store = MemoryFileSystem()
    attach("memory", fs=store)
    store.pipe("/reports/day/rows.csv.gz", gzip.compress(CSV.encode()))
    assert rows("memory://reports/day/rows.csv.gz") == CSV_ROWS
    assert refusal("memory://reports/day") == "it is a folder: give the name of a file"


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a device", "a link to a pipe"])
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path, kind: str) -> None:
    """A pipe would block until somebody writes to it."""
    path = tmp_path / "rows.csv"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path = Path("/dev/null")
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    assert refusal(str(path)) == f"it is {kind.removeprefix('a link to ')}: give the name of a file"


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    """The error names the file and asks the likely question."""
    with pytest.raises(FileNotFoundError, match=r"nowhere.jsonl' does not exist: has the task that writes it run\?"):
        rows(f"{tmp_path}/nowhere.jsonl")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("x" * 300, "its name is too long: ", id="too long a name"),
        pytest.param("a/" * 5000, "its name is too long: ", id="too long a path"),
        pytest.param("a\0b", "its name holds a NUL character: ", id="a NUL character"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    """Another try would not find it either."""
    with pytest.raises(BadInput) as caught:
        rows(f"{tmp_path}/{name}")
    assert f"cannot be read, so nothing was sent: {reason}look at the template or task" in str(caught.value)
    assert len(str(caught.value)) < 1500
    assert str(caught.value).isprintable()


class FailingStore(MemoryFileSystem):  # type: ignore[misc, unused-ignore]
    """A store that fails when a file is opened, or after a part of it has been read."""

    cachable = False
    error: Exception
    is_late = False

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if not self.is_late:
            raise self.error
        file, error = super()._open(path, mode, **options), self.error

        class Failing(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell():
                    raise error
                return super().read(min(size or 0, 10))

        return Failing(file.read())


#: One for all tests: Airflow keeps the first that is attached.
STORE = FailingStore()


@pytest.fixture
def store() -> FailingStore:
    attach("memory", "failing", fs=STORE)
    MemoryFileSystem().pipe("/reports/rows.jsonl", b'"a"\n' * SAMPLE_BYTES)
    return STORE


LATE = pytest.mark.parametrize("is_late", [False, True], ids=["when it is opened", "in the middle"])


@LATE
@pytest.mark.parametrize(
    "error", [PermissionError(13, "denied", "rows"), TimeoutError("late"), RuntimeError("broken")], ids=repr
)
def test_what_a_store_raises_passes(store: FailingStore, error: Exception, is_late: bool) -> None:
    """Another try may help, and Airflow has its own rules for some."""
    store.error, store.is_late = error, is_late
    with pytest.raises(type(error)) as caught:
        rows("memory://failing@reports/rows.jsonl")
    assert caught.value is error


@LATE
@pytest.mark.parametrize(
    ("error", "kind", "begins"),
    [
        pytest.param(
            PermissionError(13, "x" * 5000), PermissionError, "[Errno 13] PermissionError: [Errno 13] xx", id="a text"
        ),
        pytest.param(
            PermissionError(13, "denied", "\U0010ffff" * 4000), PermissionError, "[Errno 13] PermissionError: ", id="a name"
        ),
        pytest.param(RuntimeError("\x1b" + "x" * 5000), OSError, "RuntimeError:  xxx", id="of another kind"),
    ],
)
def test_what_a_store_raises_is_shortened(
    store: FailingStore, error: Exception, kind: type[Exception], begins: str, is_late: bool
) -> None:
    """A page of a proxy would fill the log; the number of the error stays."""
    store.error, store.is_late = error, is_late
    with pytest.raises(kind) as caught:
        rows("memory://failing@reports/rows.jsonl")
    assert str(caught.value).startswith(begins)
    assert len(str(caught.value)) <= 1500
    assert str(caught.value).isprintable()


def test_a_long_name_is_shortened(tmp_path: Path) -> None:
    """Templates render to anything."""
    with pytest.raises(FileNotFoundError) as caught:
        rows(f"{tmp_path}/" + "a/\x1b" * 1000)
    assert len(str(caught.value)) < 1500
    assert str(caught.value).isprintable()
