"""What a file is by its first bytes: which encoding its text has, or why it holds no rows that could be read."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

#: How many bytes of a file tell what it is.
SAMPLE_BYTES = 1 << 16
#: Characters in one line, in one CSV cell and in one element of a JSON array: what is longer is not read into memory.
MAX_CHARACTERS = 10_000_000
#: After what is wrong with the last line, if no line end follows it.
CUT_OFF = ", and the file ends in it: was it written to its end?"
#: What stands between JSON values, and a byte order mark: it is in the middle of a file if files were put one after the other.
BLANK = " \t\r\n\ufeff"
GZIP = b"\x1f\x8b"

_CONVERT = "write the rows as CSV or JSON Lines"
_SAVE = 'save it as "CSV UTF-8"'
_UNPACK = "unpack it, or compress the CSV or JSON Lines file with gzip instead"
_UTF_8 = "write the file in UTF-8"
#: How files begin that hold no rows in text: what such a file is, and what to do; the first that fits counts. From the
#: formats' own specifications, and from https://en.wikipedia.org/wiki/List_of_file_signatures.
SIGNATURES: Mapping[bytes, str] = {
    rb"\xff\xfe\0\0|\0\0\xfe\xff": f"it is UTF-32: {_UTF_8}",
    rb"PK\x03\x04.*(\[Content_Types\]\.xml|xl/)": f"it is an Excel workbook (.xlsx): {_SAVE}",
    rb"PK\x03\x04.*opendocument": f"it is an OpenDocument spreadsheet: {_SAVE}",
    rb"PK(\x03\x04|\x05\x06|\x07\x08)": f"it is a ZIP archive: {_UNPACK}",
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"it is an old Excel workbook (.xls): {_SAVE}",
    rb"PAR[1E](?=.*\0)": f"it is a Parquet file: {_CONVERT}",
    rb"Obj\x01": f"it is an Avro file: {_CONVERT}",
    rb"ORC(?=.*\0)": f"it is an ORC file: {_CONVERT}",
    rb"ARROW1\0|FEA1(?=.*\0)": f"it is an Arrow or Feather file: {_CONVERT}",
    rb"SQLite format 3\0": f"it is an SQLite database: {_CONVERT}",
    rb"\x80[\x02-\x05][\x80-\x95(\]}]": f"it is a Python pickle: {_CONVERT}",
    rb"BZh[1-9](1AY&SY|\x17rE8P\x90)": f"it is compressed with bzip2: {_UNPACK}",
    rb"\xfd7zXZ\0": f"it is compressed with xz: {_UNPACK}",
    rb"[\x28\x50-\x5f](\xb5\x2f\xfd|\x2a\x4d\x18)": f"it is compressed with Zstandard: {_UNPACK}",
    rb"\x04\x22\x4d\x18": f"it is compressed with LZ4: {_UNPACK}",
    rb"\xff\x06\0\0sNaPpY": f"it is compressed with Snappy: {_UNPACK}",
    rb"\x1f[\x9d\xa0]": f"it is compressed with compress: {_UNPACK}",
    rb"7z\xbc\xaf\x27\x1c": f"it is a 7z archive: {_UNPACK}",
    rb"Rar!\x1a\x07": f"it is a RAR archive: {_UNPACK}",
    rb".{257}ustar": f"it is a tar archive: {_UNPACK}",
    rb"%PDF-": "it is a PDF document: ask for the rows as CSV",
    rb"\{\\rtf": f"it is an RTF document: {_SAVE}",
    rb"-----BEGIN PGP|-----BEGIN [A-Z ]*ENCRYPTED": "it is encrypted: decrypt it in the task that fetches it",
    rb"(?!\xff\xfe|\xfe\xff)((\0[\t-~]){2}|([\t-~]\0){2})": f"it is UTF-16 without a byte order mark: {_UTF_8}",
    rb"(?!\xff\xfe|\xfe\xff)[^\0]*\0": f"it is a binary file: {_CONVERT}",
    rb"\s*(?=<).*<(!doctype\s+)?(html|head|body)\b": (
        "it is an HTML page: the download got a page instead of the file, look at the task that fetches it"
    ),
    rb"\s*<([?!/]|[a-z])": (
        "it is XML: an error of the store or gateway that it comes from, or a format that is not read; look at the task that "
        "fetches it"
    ),
}
_PATTERNS = [(re.compile(pattern, re.DOTALL | re.IGNORECASE), text) for pattern, text in SIGNATURES.items()]
_JSON_ARRAY = re.compile(r'\s*\[\s*[\[{"\]\d-]')
#: A CSV cell in quotes, to the end of the text if it is not closed.
_QUOTED = re.compile(r'(?<![^,;\t|\r\n])"[^"]*(?:""[^"]*)*(?:"|\Z)')
#: A carriage return that is no part of CR LF, nor of CR CR LF.
_LONE_RETURN = re.compile(r"\r(?![\r\n])")
_JSON_OBJECT = re.compile(r'\s*\{\s*["}]')


class FormatError(ValueError):
    """A file as a whole that cannot be read; the text says what it is and what to do."""


def text_encoding(sample: bytes) -> str:
    """The encoding of a text file: UTF-8, or UTF-16 if a byte order mark says so.

    :param sample: the first `SAMPLE_BYTES` of it.
    :raises FormatError: it is no text file, or none with rows.
    """
    for pattern, text in _PATTERNS:
        if pattern.match(sample.removeprefix(codecs.BOM_UTF8)):
            raise FormatError(text)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text_encoding(sample.decode("utf-16", "replace").encode())  # an HTML page is one in UTF-16, too
        return "utf-16"
    return "utf-8"


def check_text(sample: str, suffix: str) -> None:
    """Look at the beginning of a text as far as its name or its line ends forbid to read it.

    :param sample: the first characters.
    :param suffix: of the file's name, in lower case, without that of a compression.
    :raises FormatError: it is JSON and is named CSV, or its lines end as no line does any more.
    """
    if suffix in (".csv", ".tsv"):
        if _JSON_ARRAY.match(sample):
            raise FormatError(f"it is a JSON array, and its name ends with {suffix}: name it .json")
        if _JSON_OBJECT.match(sample):
            raise FormatError(f"it is JSON, and its name ends with {suffix}: name it .jsonl, with one object on each line")
    if not _JSON_ARRAY.match(sample) and _has_cr_lines(sample):
        raise FormatError("its lines end with a carriage return alone: let them end with LF or CRLF")


def _has_cr_lines(sample: str) -> bool:
    """Whether the first line holds a carriage return outside of quotes, or the lines together more of them than line feeds. In
    cells in quotes there may be any number of them.
    """
    unquoted = _QUOTED.sub('""', sample.rstrip("\r"))  # it may end between CR and LF
    first_line = unquoted.partition("\n")[0].rstrip("\r")
    return bool(_LONE_RETURN.search(first_line)) or len(_LONE_RETURN.findall(unquoted)) > unquoted.count("\n")


def too_long(number: int) -> FormatError:
    """The error for a line above `MAX_CHARACTERS`."""
    return FormatError(f"line {number:,} is longer than {MAX_CHARACTERS:,} characters: write one row on each line")
