"""JSON Lines and JSON arrays: the same rows, and the same bad ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.client.errors import BadInput, BadRow
from airflow_provider_hubchan.file_formats import MAX_CHARACTERS
from airflow_provider_hubchan.row_files import read_file


def rows(path: Path, content: str | bytes) -> list[tuple[int, Any]]:
    file = path / "rows.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_file(str(file)).pairs)


def refusal(path: Path, content: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        rows(path, content)
    text = str(caught.value)
    assert len(text) <= 1500
    assert text.isprintable()
    return text.split(" cannot be read, so nothing was sent: ", maxsplit=1)[1].removesuffix(".")


def as_lines(elements: list[bytes]) -> bytes:
    return b"".join(element + b"\n" for element in elements)


def as_array(elements: list[bytes]) -> bytes:
    return b"[" + b",".join(elements) + b"]"


def as_pretty_array(elements: list[bytes]) -> bytes:
    return b"[\r\n  " + b"\r\n  ,\t".join(elements) + b"\n]\n\n"


WAYS = pytest.mark.parametrize("write", [as_lines, as_array, as_pretty_array])
Way = Callable[[list[bytes]], bytes]


@WAYS
def test_values_are_as_python_reads_them(tmp_path: Path, write: Way) -> None:
    """Integers of any size, escapes of half characters, NaN: what may be sent of them is decided later."""
    elements = [
        b'{"n": 123456789012345678901234567890, "x": [1.5, {"y": "]},[\\"\\\\"}]}',
        b'"\\ud800"',
        b"NaN",
        b"1e3",
        b"17",
        b"null",
    ]
    (first, *ids, nan, number, integer, null) = (row for _, row in rows(tmp_path, write(elements)))
    assert first == {"n": 123456789012345678901234567890, "x": [1.5, {"y": ']},["\\'}]}
    assert ids == ["\ud800"]
    assert math.isnan(nan)
    assert (number, integer, null) == (1000.0, 17, None)


@WAYS
@pytest.mark.parametrize(
    ("text", "reason", "label"),
    [
        pytest.param(b'{"status": "FAILED", "status": "SENT"}', "'status' is there twice", "a key twice", id="a key twice"),
        pytest.param(b'{"x": [{"a": 1, "b": 1, "a": 1, "b": 2}]}', "'a', 'b' is there twice", "a key twice", id="inside"),
        pytest.param(
            b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply", "nested too deeply", id="deep"
        ),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "it is nested too deeply", "nested too deeply", id="objects"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "it holds an integer of too many digits", "too many digits", id="digits"),
        pytest.param(b"9" * 5000, "it holds an integer of too many digits", "too many digits", id="an id of digits"),
        pytest.param(b'{"a": "\xff"}', "it is not UTF-8: write the file in UTF-8", "not UTF-8", id="not UTF-8"),
        pytest.param(b'{"a": 1, "a": "\xff"}', "it is not UTF-8: write the file in UTF-8", "not UTF-8", id="twice in Latin-1"),
    ],
)
def test_a_row_that_cannot_be_read_keeps_its_text_and_the_others_are_read(
    tmp_path: Path, write: Way, text: bytes, reason: str, label: str
) -> None:
    """Wherever it is in the file."""
    found = rows(tmp_path, write([text, b'"b"', text, b'{"message_id": "d"}', text]))
    original = json.dumps({"line": text.decode(errors="surrogateescape").encode(errors="backslashreplace").decode()})
    assert found == [
        (1, BadRow(1, reason, label, original=original)),
        (2, "b"),
        (3, BadRow(3, reason, label, original=original)),
        (4, {"message_id": "d"}),
        (5, BadRow(5, reason, label, original=original)),
    ]


@pytest.mark.parametrize("write", [as_array, as_pretty_array])
def test_an_element_that_is_a_list_is_a_bad_row(tmp_path: Path, write: Way) -> None:
    """As a table of tuples is written."""
    reason, label = "it is a JSON array; write one object on each line", "a JSON array"
    assert rows(tmp_path, write([b'["a", "SENT"]', b'"b"'])) == [
        (1, BadRow(1, reason, label, original=json.dumps({"line": '["a", "SENT"]'}))),
        (2, "b"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param('{"message_id": ', "it is not JSON (Expecting value, at character 15)", id="half an object"),
        pytest.param(
            '{"message_id": "b', "it is not JSON (Unterminated string starting at, at character 16)", id="half a text"
        ),
        pytest.param("message_id,status", "it is not JSON (Expecting value, at character 1)", id="CSV"),
        pytest.param('{"a": 1} {"a": 2}', "it is not JSON (more follows after character 8)", id="two objects"),
        pytest.param('{"a": 1},', "it is not JSON (more follows after character 8)", id="a comma"),
        pytest.param('"b\x01"', "it is not JSON (Invalid control character at, at character 3)", id="a control character"),
        pytest.param("[1]", "it is a JSON array; write one object on each line", id="an array"),
    ],
)
def test_a_broken_line_is_a_bad_row(tmp_path: Path, line: str, reason: str) -> None:
    """Its label is the same whatever the position is."""
    label = "a JSON array" if "array" in reason else "not JSON"
    assert rows(tmp_path, f'"a"\n{line}\r\n"c"\n') == [
        (1, "a"),
        (2, BadRow(2, reason, label, original=json.dumps({"line": line}))),
        (3, "c"),
    ]


def test_half_a_line_at_the_end_says_that_the_file_ends(tmp_path: Path) -> None:
    """The last line of a file that was cut off, and of one that was not."""
    (_, bad) = rows(tmp_path, '"a"\n{"message_id": "b", "sta')
    assert bad[1].reason.endswith("starting at, at character 21), and the file ends in it: was it written to its end?")
    assert (bad[1].label, bad[1].original) == ("not JSON", json.dumps({"line": '{"message_id": "b", "sta'}))
    assert rows(tmp_path, '"a"\n"b"') == [(1, "a"), (2, "b")]


def test_a_byte_order_mark_between_lines_is_blank(tmp_path: Path) -> None:
    """Files that were put one after the other."""
    assert rows(tmp_path, '\ufeff"a"\n\ufeff"b"\n\ufeff') == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("first", ["{", "{ ", '{"message_id": "a",', '{ "rows": ['])
def test_an_object_over_several_lines_is_refused(tmp_path: Path, first: str) -> None:
    """Every line of it would be a bad row of its own."""
    rest = '{"a": 1}]}' if "[" in first else '"status": "SENT"}'
    if "[" in first:
        rest = f"  1, {rest}"
    expected = "it is a JSON object over several lines: write one object on each line (jq -c . does it)"
    assert refusal(tmp_path, f"\n{first}\n\n  {rest}\n") == expected


@pytest.mark.parametrize("second", ['"b"', "17", '{"message_id": "b"}', "{broken", ""])
def test_a_broken_first_line_alone_is_a_bad_row(tmp_path: Path, second: str) -> None:
    """The next line is a row of its own."""
    (first, *others) = rows(tmp_path, f'{{"message_id": "a",\n{second}\n"c"\n')
    assert first[1].label == "not JSON"
    assert others[-1] == (3, "c")
    assert len(others) == (2 if second else 1)


@pytest.mark.parametrize("content", ["[]", " [ ] ", "[\n]\n", "\ufeff[]"], ids=["bare", "spaces", "lines", "a BOM"])
def test_an_empty_array_has_no_rows(tmp_path: Path, content: str) -> None:
    """As an empty file."""
    assert rows(tmp_path, content) == []


NOT_JSON = "of its JSON array is not JSON"
LONG = '"' + "x" * (MAX_CHARACTERS + 100_000) + '"'


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        pytest.param("[", f"element 1 {NOT_JSON} (Expecting value)", id="a bracket"),
        pytest.param('["a"', f"element 1 {NOT_JSON} (no comma or bracket after it)", id="no end"),
        pytest.param('["a",', f"element 2 {NOT_JSON} (Expecting value)", id="a comma at the end"),
        pytest.param('["a",]', f"element 2 {NOT_JSON} (Expecting value)", id="a comma too many"),
        pytest.param('["a", {"b": 1', f"element 2 {NOT_JSON} (Expecting ',' delimiter)", id="half an object"),
        pytest.param('["a", {"b": "', f"element 2 {NOT_JSON} (Unterminated string", id="half a text"),
        pytest.param('["a" "b"]', f"element 1 {NOT_JSON} (no comma or bracket after it)", id="no comma"),
        pytest.param('["a"}', f"element 1 {NOT_JSON} (no comma or bracket after it)", id="another bracket"),
        pytest.param('[{"a": 1, "a": 2}', f"element 1 {NOT_JSON} (no comma or bracket after it)", id="no end after a bad row"),
        pytest.param('[{"a": 1, "a": 2} x]', f"element 1 {NOT_JSON} (no comma or bracket", id="no comma after a bad row"),
        pytest.param('[{"b": {"a": 1, "a": 2}, "c": "', f"element 1 {NOT_JSON} (no end)", id="half a bad row"),
        pytest.param("[" + "[" * 100_000, f"element 1 {NOT_JSON} (no end)", id="brackets alone"),
        pytest.param("[" + "9" * 5000, f"element 1 {NOT_JSON} (no end)", id="digits alone"),
        pytest.param(f"[1, {LONG}, 2]", f"element 2 {NOT_JSON} (Unterminated string starting at), is longer than", id="long"),
        pytest.param('["a"]\n["b"]\n', "its lines are JSON arrays: write one object on each line", id="lines of arrays"),
        pytest.param('["a"]\n"b"\n', "more follows after the end of its JSON array: write one object", id="a line after it"),
        pytest.param('["a"]]', "more follows after the end of its JSON array: ", id="a bracket too many"),
    ],
)
def test_an_array_that_is_broken_is_refused(tmp_path: Path, content: str, begins: str) -> None:
    """What comes after is not known, so nothing may be sent."""
    assert refusal(tmp_path, content).startswith(begins)


@pytest.mark.parametrize(
    "element", ['{"a": "x]\\"\\\\", "n": -12.5e+3}', '{"k": 1, "k": 2}', "-12.5e+3", "1234567", '"\\ud83d\\ude00"']
)
@pytest.mark.parametrize("count", [1, 7])
def test_an_element_may_lie_across_the_end_of_what_was_read(tmp_path: Path, element: str, count: int) -> None:
    """At each of its characters; numbers, too, which could end anywhere."""
    whole = rows(tmp_path, f"[{element}]")[0][1]
    for at in range(len(element) + 3):
        padding = " " * (65536 - 2 - at)
        found = [row for _, row in rows(tmp_path, f"[{padding}{', '.join([element] * count)}]")]
        if isinstance(whole, BadRow):
            assert [row.original for row in found] == [whole.original] * count
        else:
            assert found == [whole] * count


@pytest.mark.slow
def test_a_long_array_takes_the_memory_of_its_elements(tmp_path: Path) -> None:
    """Read with elements of very different length, as a stream."""
    import tracemalloc

    file = tmp_path / "rows.json"
    with file.open("w") as out:
        out.write("[")
        for number in range(2000):
            out.write("," * (number > 0) + json.dumps({"message_id": str(number), "raw": "x" * (10_000 + number % 7 * 5_000)}))
        out.write("]")
    tracemalloc.start()
    assert sum(1 for _ in read_file(str(file)).pairs) == 2000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.stat().st_size > 45_000_000
    assert peak < 4_000_000
