from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_hubchan.batch.rows import numbered, read_rows
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.errors import BadRows
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from airflow_provider_hubchan.row_files import read_file

Write = Callable[..., str]


@pytest.fixture
def file(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def updates(uri: str) -> list[Update | Outcome]:
    with UpdateStore(read_rows(numbered(read_file(uri)), status="SENT")) as store:
        return [*store.updates(), *store.not_sent()]


JSON_LINES = '{"message_id": "a", "status": "READ"}\n\n"b"\n7\n'
CSV = 'status,message_id,error_message,to\nFAILED,a,"gone,\nreally",+1555\n\n,b,,\n'


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json", "rows", "rows.txt"])
@pytest.mark.parametrize("prefix", ["", "\ufeff", "\n\n"])
def test_json_lines_are_read_by_suffix_or_first_byte(file: Write, name: str, prefix: str) -> None:
    """Objects and ids, blank lines left out, each row with the number of its line."""
    blank = prefix.count("\n")
    assert updates(file(name, prefix + JSON_LINES)) == [
        Update(1 + blank, "a", MessageStatus.READ),
        Update(3 + blank, "b", MessageStatus.SENT),
        Update(4 + blank, "7", MessageStatus.SENT),
    ]


@pytest.mark.parametrize("name", ["rows.csv", "rows", "rows.txt", "ROWS.CSV"])
@pytest.mark.parametrize("prefix", ["", "\ufeff"])
def test_csv_is_read_by_suffix_or_first_byte(file: Write, name: str, prefix: str) -> None:
    """Columns by name, quoted cells over several lines, empty cells as not there."""
    assert updates(file(name, prefix + CSV)) == [
        Update(3, "a", MessageStatus.FAILED, "gone,\nreally", '{"to": "+1555"}'),
        Update(5, "b", MessageStatus.SENT, None, '{"to": null}'),
    ]


def test_a_file_is_addressed_by_uri(file: Write) -> None:
    """A path and a URI are the same file."""
    path = file("rows.csv", CSV)
    assert updates(f"file://{path}") == updates(path)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_has_no_rows(file: Write, content: str) -> None:
    """Nothing is not an error here; the operator warns of it."""
    assert updates(file("rows.jsonl", content)) == []
    assert updates(file("rows.csv", content)) == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        pytest.param("r.jsonl", '"a"\n{"message_id": \n', "row 2: it is not JSON (Expecting value: line", id="broken JSON"),
        pytest.param("r.jsonl", b'"a"\n"\xff"\n', "row 2: it is not UTF-8", id="not UTF-8"),
        pytest.param("r.json", '["a", "b"]\n', "row 1: it is a JSON array; write one object on each line", id="an array"),
        pytest.param("r.jsonl", '"a"\nnull\n', "row 2: message_id is missing", id="null"),
        pytest.param(
            "r.csv", "id,status\na,READ\n", "there is no column message_id (the columns are 'id', 'status'", id="column"
        ),
        pytest.param(
            "r.csv", "message_id;status\na;READ\n", "the columns are 'message_id;status', separated by", id="semicolons"
        ),
        pytest.param("r.csv", "message_id\na\nb,READ\n", "row 3: it has 2 cells for 1 columns", id="too many cells"),
        pytest.param("r.csv", "message_id,status\na,READ\nb\n", "row 3: it has 1 cells for 2 columns", id="a line cut off"),
        pytest.param(
            "r.csv", b"message_id,to\n\xff,\nb\n", "row 2: it is not UTF-8; row 3: it has 1 cells", id="all bad lines of a CSV"
        ),
        pytest.param("r.csv", 'message_id\n"a\n', "row 2: it is not CSV", id="an open quote"),
        pytest.param("r.csv", b"message_id\n\xff\n", "row 2: it is not UTF-8", id="CSV that is not UTF-8"),
        pytest.param(
            "r.csv", "message_id,status\n,READ\nb,sent\n", "row 2: message_id is missing; row 3: status is 'sent'", id="two"
        ),
    ],
)
def test_a_bad_line_is_named_with_its_number(file: Write, name: str, content: str | bytes, fault: str) -> None:
    """What cannot be parsed and what cannot be sent are named alike, in one error."""
    with pytest.raises(BadRows) as caught:
        updates(file(name, content))
    assert fault in str(caught.value)


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    """The error names the file and asks the likely question."""
    with pytest.raises(FileNotFoundError, match=r"nowhere.jsonl' does not exist: has the task that writes it run\?"):
        updates(f"{tmp_path}/nowhere.jsonl")
