"""CSV: delimiters, column names, and records that are broken."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.client.errors import BadInput, BadRow
from airflow_provider_hubchan.csv_rows import MAX_RECORD_LINES
from airflow_provider_hubchan.file_formats import SAMPLE_BYTES
from airflow_provider_hubchan.row_files import read_file


def rows(path: Path, content: str | bytes, columns: dict[str, str | None] | None = None) -> list[tuple[int, Any]]:
    file = path / "rows.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_file(str(file), columns).pairs)


def refusal(path: Path, content: str | bytes, columns: dict[str, str | None] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        rows(path, content, columns)
    text = str(caught.value)
    assert len(text) <= 1500
    assert text.isprintable()
    return text.split(" cannot be read, so nothing was sent: ", maxsplit=1)[1].removesuffix(".")


def bad(number: int, reason: str, label: str, line: str) -> tuple[int, BadRow]:
    return number, BadRow(number, reason, label, original=json.dumps({"line": line}))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["bare", "quoted"])
def test_the_delimiter_is_the_one_under_which_the_columns_are_found(tmp_path: Path, delimiter: str, quote: str) -> None:
    """Other delimiters may be in names and cells, in any number."""
    names, cells = ["a ref", "x;y|z\t,", "status"], ["a", "1,2;3|4\t5", "SENT"]
    quoted = [f'"{text}"' if delimiter in text else f"{quote}{text}{quote}" for text in (*names, *cells)]
    content = f"{delimiter.join(quoted[:3])}\n{delimiter.join(quoted[3:])}\n"
    expected = [(2, dict(zip([name.strip() for name in names], cells, strict=True)))]
    assert rows(tmp_path, content, {"message_id": "a ref", "status": "status"}) == expected


@pytest.mark.parametrize("sep", ["sep=;", "SEP=;", '"sep=;"', "sep=;\r"])
def test_the_first_line_of_excel_names_the_delimiter(tmp_path: Path, sep: str) -> None:
    """It is no line of names, but a line that counts."""
    assert rows(tmp_path, f"{sep}\n\nmessage_id;to\na;b,c\n") == [(4, {"message_id": "a", "to": "b,c"})]
    assert rows(tmp_path, "sep=\t\nmessage_id\tto\na\tb\n") == [(3, {"message_id": "a", "to": "b"})]
    assert rows(tmp_path, "sep=~\nmessage_id~to\na~b\n") == [(3, {"message_id": "a", "to": "b"})]
    assert refusal(tmp_path, "sep=;\n") == "its first line is not CSV: write a line of column names first"


def test_one_column_is_enough(tmp_path: Path) -> None:
    """No delimiter is in the file at all."""
    assert rows(tmp_path, "message_id\na;b\n") == [(2, {"message_id": "a;b"})]


def test_names_are_stripped_and_may_span_lines(tmp_path: Path) -> None:
    """Space around a name is no part of it; a quoted name may hold a line break."""
    content = ' message_id ;"the\nstatus"; to\na;SENT;\n'
    assert rows(tmp_path, content, {"status": "the\nstatus"}) == [(3, {"message_id": "a", "the\nstatus": "SENT", "to": None})]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        pytest.param(",message_id,status", ["column_1", "message_id", "status"], id="the index of a DataFrame"),
        pytest.param("message_id,status,,", ["message_id", "status", "column_3", "column_4"], id="commas at the end"),
        pytest.param("message_id,column_3, ", ["message_id", "column_3", "column_3_unnamed"], id="a name that is taken"),
    ],
)
def test_a_column_without_a_name_loses_no_cell(tmp_path: Path, header: str, names: list[str]) -> None:
    """It gets a name by its place; blank names are not one name twice."""
    cells = [f"cell {number}" for number in range(len(names))]
    assert rows(tmp_path, f"{header}\n{','.join(cells)}\n") == [(2, dict(zip(names, cells, strict=True)))]


@pytest.mark.parametrize(
    ("content", "columns", "texts"),
    [
        pytest.param("message_id,status,to,status\n", None, ["column 'status' is there twice: rename one"], id="a name twice"),
        pytest.param("message_id;to; to;x;x\n", None, ["column 'to', 'x' is there twice"], id="names twice after stripping"),
        pytest.param(
            "message_id,Status\n", None, ["'Status' is almost 'status'", "columns={'status': 'Status'}"], id="an almost name"
        ),
        pytest.param('message_id, "status"\n', None, ["is almost 'status'"], id="quotes after a space"),
        pytest.param(
            "id;status\n",
            None,
            [
                "there is no column 'message_id' (the columns are 'id', 'status', separated by semicolons): write what the "
                "file calls it in columns={'message_id': …}"
            ],
            id="no message_id",
        ),
        pytest.param(
            "message_id^status\n",
            None,
            [
                "there is no column 'message_id' (the only column is 'message_id^status'): write what the file calls it in "
                "columns={'message_id': …}, and if the file has more columns, separate them by commas, semicolons, tabs or "
                "vertical bars"
            ],
            id="another delimiter",
        ),
        pytest.param(
            "ref,state\n",
            {"message_id": "client_ref", "status": "state", "error_message": "why"},
            [
                "there is no column 'client_ref', 'why' (the columns are 'ref', 'state', separated by commas): write what "
                "the file calls it in columns={'message_id': …, 'error_message': …}"
            ],
            id="columns that are not there",
        ),
        pytest.param("message_id,data\n", {"status": "data.state"}, ["there is no column 'data.state'"], id="a path"),
        pytest.param("message_id\n", {"status": "message_id "}, ["there is no column 'message_id '"], id="space in columns"),
        pytest.param(
            "Message-ID,to,to\n",
            {"status": "state"},
            ["'to' is there twice", "is almost 'message_id'", "no column 'state', 'message_id'"],
            id="all at once",
        ),
        pytest.param(b"message_id,gr\xfc\xdfe\n", None, ["its column names are not UTF-8: write the file"], id="Latin-1"),
        pytest.param(
            '"message_id\n', None, ["its first line is not CSV: write a line of column names first"], id="an open quote"
        ),
    ],
)
def test_what_is_wrong_with_the_columns_is_said_once(
    tmp_path: Path, content: str | bytes, columns: dict[str, str | None] | None, texts: list[str]
) -> None:
    """In one error, before any row, with the columns that there are."""
    rest = b"a,b,c,d,e\n" * 3
    text = refusal(tmp_path, (content.encode() if isinstance(content, str) else content) + rest, columns)
    assert [each for each in texts if each not in text] == []


def test_columns_that_are_named_or_absent_are_not_missing(tmp_path: Path) -> None:
    """None says that the rows have none; a name of ours that is mapped needs no column of its own."""
    columns = {"message_id": "ref", "status": "Status", "error_message": None}
    assert rows(tmp_path, "ref,Status\na,SENT\n", columns) == [(2, {"ref": "a", "Status": "SENT"})]


def test_a_text_about_many_long_columns_is_short(tmp_path: Path) -> None:
    """Whatever the names hold, and however many are wrong."""
    names = [f"\x1b\u202e{'x' * 1000} {number}" for number in range(300)]
    columns: dict[str, str | None] = {f"c{number}": f"y{number}" * 100 for number in range(100)}
    text = refusal(tmp_path, ",".join((*names, *names, *("message" + "-" * each + "id" for each in range(2, 60)))), columns)
    assert "and 295 more is there twice" in text


def test_blank_cells_are_absent_and_blank_records_left_out(tmp_path: Path) -> None:
    """A record of delimiters and space alone has no row."""
    assert rows(tmp_path, "message_id,to\na,\n\n , \n,\nb,ü\n") == [
        (2, {"message_id": "a", "to": None}),
        (6, {"message_id": "b", "to": "ü"}),
    ]


CELLS = "wrong number of cells"


def test_a_bad_record_keeps_its_text_and_the_others_are_read(tmp_path: Path) -> None:
    """All of its lines as they came; its number is that of the last one."""
    content = b'message_id,to\na\nb,"x\ny",z\r\nc,\xff\nd,"x"y\ne,1\rf,2\nh,\n\xc3\xbc,1,2\ni'
    found = rows(tmp_path, content)
    assert [number for number, _ in found] == [2, 4, 5, 6, 7, 8, 9, 10]
    assert found[:3] == [
        bad(2, "it has 1 cell for 2 columns", CELLS, "a"),
        bad(4, "it has 3 cells for 2 columns", CELLS, 'b,"x\ny",z'),
        bad(5, "it is not UTF-8: write the file in UTF-8", "not UTF-8", "c,\\udcff"),
    ]
    assert found[3] == bad(6, "it is not CSV (',' expected after '\"')", "not CSV", 'd,"x"y')
    assert found[4] == bad(7, "it is not CSV (new-line character seen in unquoted field)", "not CSV", "e,1\rf,2")
    assert found[5:] == [
        (8, {"message_id": "h", "to": None}),
        bad(9, "it has 3 cells for 2 columns", CELLS, "ü,1,2"),
        bad(10, "it has 1 cell for 2 columns, and the file ends in it: was it written to its end?", CELLS, "i"),
    ]


def test_a_nul_character_late_in_a_file_is_a_bad_row(tmp_path: Path) -> None:
    """Among the first bytes it would make the file a binary one. Before Python 3.11 csv itself refuses the record."""
    content = "message_id,to\n" + "a,b\n" * SAMPLE_BYTES + "c,\0\nd,e\n"
    (*_, nul, last) = rows(tmp_path, content)
    assert isinstance(nul[1], BadRow)
    assert "NUL" in nul[1].reason
    assert nul[1].original == json.dumps({"line": "c,\0"})
    assert last[1] == {"message_id": "d", "to": "e"}


def test_half_a_character_in_utf_16_is_a_bad_row(tmp_path: Path) -> None:
    """It could not be sent either."""
    content = "message_id\n".encode("utf-16") + b"\x00\xd8\n\x00" + "b\n".encode("utf-16-le")
    assert rows(tmp_path, content) == [
        bad(2, "it is not UTF-8: write the file in UTF-8", "not UTF-8", "\\ud800"),
        (3, {"message_id": "b"}),
    ]


def test_a_quote_that_opens_in_the_last_line_is_a_bad_row(tmp_path: Path) -> None:
    """No other row can be inside of it: the file was cut off."""
    found = rows(tmp_path, 'message_id,to\na,b\nc,"d')
    assert found == [(2, {"message_id": "a", "to": "b"}), bad(3, "it is not CSV (unexpected end of data)", "not CSV", 'c,"d')]


@pytest.mark.parametrize(
    ("lines", "begins"),
    [
        pytest.param(
            ['a,"b', "c,d", "e,f"], "a quote that opens in line 2 is not closed by line 4 (unexpected end", id="the end"
        ),
        pytest.param(
            ['a,"b', "c,d", 'e,"f"'], "a quote that opens in line 2 is not closed by line 4 (',' expected", id="a quote"
        ),
        pytest.param(
            ['a,"b', *["c,d"] * (MAX_RECORD_LINES + 5)],
            "a quote that opens in line 2 is not closed by line 10,001: ",
            id="long",
        ),
    ],
)
def test_a_quote_that_hides_rows_is_refused(tmp_path: Path, lines: list[str], begins: str) -> None:
    """Rows may be inside of it, and none may be lost."""
    assert refusal(tmp_path, "message_id,to\n" + "\n".join(lines) + "\n").startswith(begins)


def test_long_cells_are_read_whatever_the_limit_of_the_process_is(tmp_path: Path) -> None:
    """Python's own limit is 131,072 characters; another one that was set higher stays."""
    before = csv.field_size_limit(1000)
    try:
        assert rows(tmp_path, f'message_id,raw\na,"{"x" * 500_000}\n{"y" * 500_000}"\n')[0][1]["raw"].endswith("y")
        csv.field_size_limit(99_000_000)
        rows(tmp_path, "message_id\na\n")
        assert csv.field_size_limit() == 99_000_000
    finally:
        csv.field_size_limit(before)
