"""The report file: what is in it, and when."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped, unused-ignore]

from airflow_provider_hubchan.batch.row_reader import read_rows
from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.client.errors import BadInput, Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from airflow_provider_hubchan.report_file import ReportFile
from airflow_provider_hubchan.row_files import read_file

PROBLEM = Problem("HubSpot answered 404: no.", "404")


class Store(MemoryFileSystem):  # type: ignore[misc, unused-ignore]
    """An object store in memory, which can be busy."""

    busy = False

    def _open(self, *arguments: Any, **others: Any) -> Any:
        if self.busy:
            raise ConnectionError("503 Slow Down")
        return super()._open(*arguments, **others)


STORE = Store()


@pytest.fixture
def store() -> Store:
    attach("memory", fs=STORE)
    return STORE


def rejected(row: int) -> Outcome:
    return Outcome(Update(row, f"m-{row}", MessageStatus.SENT), "rejected", PROBLEM)


def ids(path: Path) -> list[str]:
    return [json.loads(line)["message_id"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_report_file_takes_what_was_not_updated(tmp_path: Path) -> None:
    """One JSON object a line; fed back, skipped rows stay skipped and the others are updates again."""
    path = tmp_path / "report.jsonl"
    problem = Problem("HubSpot answered 404: no.", "404")
    with ReportFile(str(path)) as file:
        file.begin()
        file.write(Outcome(Update(1, "a", MessageStatus.SENT), "updated"), 1)
        file.write(Outcome(Update(2, "ü/b", MessageStatus.FAILED, "gone"), "rejected", problem), 1)
        file.write(Outcome(Update(3, "c", MessageStatus.READ), "unresolved", problem), 1)
        file.write(Outcome(Update(4, "d", MessageStatus.SENT), "skipped", Problem("superseded by row 9", "superseded")), 1)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line["message_id"], line["outcome"]) for line in lines] == [
        ("ü/b", "rejected"),
        ("c", "unresolved"),
        ("d", "skipped"),
    ]
    again = list(read_rows(numbered(read_file(str(path)))))
    assert again[:2] == [Update(1, "ü/b", MessageStatus.FAILED, "gone"), Update(2, "c", MessageStatus.READ)]
    assert isinstance(again[2], Outcome)


def test_the_file_holds_whole_lines_up_to_the_last_checkpoint(tmp_path: Path) -> None:
    """Whoever is killed a moment later leaves what was written until then, at its place, and no part file."""
    path = tmp_path / "report.jsonl"
    path.write_text('{"message_id": "of yesterday"}\n')
    with ReportFile(str(path)) as file:
        file.begin()
        file.write(rejected(1), 1)
        assert ids(path) == ["of yesterday"]
        file.flush()
        file.write(rejected(2), 1)
        assert ids(path) == ["m-1"]
        file.flush()
        assert ids(path) == ["m-1", "m-2"]
        file.write(rejected(3), 1)
        assert [each.name for each in tmp_path.iterdir()] == ["report.jsonl"]
    assert ids(path) == ["m-1", "m-2", "m-3"]


def test_a_file_that_is_read_from_is_replaced_only_at_the_end(tmp_path: Path) -> None:
    """A redrive of its own rows that is killed must find them again."""
    path = tmp_path / "left.jsonl"
    path.write_text('{"message_id": "all"}\n')
    with ReportFile(str(path), source=f"file://{path}") as file:
        file.begin()
        file.write(rejected(1), 1)
        file.flush()
        assert ids(path) == ["all"]
    assert ids(path) == ["all"]
    with ReportFile(f"{tmp_path}/../{tmp_path.name}/left.jsonl", source=str(path)) as file:
        file.begin()
        file.write(rejected(1), 1)
        file.complete()
    assert ids(path) == ["m-1"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_is_full_leaves_the_older_file(tmp_path: Path) -> None:
    """Half a report must not replace a whole one, least of all the rows themselves."""
    path = tmp_path / "left.jsonl"
    path.write_text('{"message_id": "all"}\n')
    with ReportFile(str(path), source=str(path)) as file:
        file.begin()
        file.complete()
        file.write(rejected(1), 1)
        file.error = OSError("No space left on device")
    assert ids(path) == ["all"]
    assert len(list(tmp_path.iterdir())) == 1


def test_who_is_broken_off_before_the_old_lines_are_kept_leaves_the_older_file(tmp_path: Path) -> None:
    """Its dead letters are nowhere else."""
    path = tmp_path / "left.jsonl"
    path.write_text('{"message_id": "m-1"}\n{"message_id": "m-2"}\n')
    with ReportFile(str(path)) as file:
        file.keep(next(file.earlier()))
        file.flush()
    assert ids(path) == ["m-1", "m-2"]


def test_an_upload_that_fails_in_between_costs_no_line(store: Any) -> None:
    """The store is busy for a while; the next upload has every line."""
    file = ReportFile("memory://reports/busy.jsonl")
    with file:
        file.begin()
        file._uploaded -= 1000.0
        store.busy = True
        file.write(rejected(1), 1)
        file.flush()
        store.busy = False
        file.write(rejected(2), 1)
    assert file.error is None
    assert len(store.cat("/reports/busy.jsonl").splitlines()) == 2


def test_lines_of_an_earlier_try_are_carried_over(tmp_path: Path) -> None:
    """They are read as far as they are whole, before the file is replaced, and kept as they are."""
    path = tmp_path / "report.jsonl"
    path.write_text('{"message_id": "m-1", "try": 1}\n[1]\n{"message_id": "m-2", "tr')
    with ReportFile(str(path)) as file:
        for line in file.earlier():
            file.keep(line)
        file.begin()
        file.write(rejected(3), 2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["message_id"], line["try"]) for line in lines] == [("m-1", 1), ("m-3", 2)]


def test_an_object_store_gets_the_file_as_a_whole(store: Any) -> None:
    """Nothing is there before the end but what was there, and then all of it."""
    store.pipe("/reports/r.jsonl", b'{"message_id": "old"}\n')
    with ReportFile("memory://reports/r.jsonl") as file:
        file.begin()
        assert [line["message_id"] for line in file.earlier()] == ["old"]
        file.write(rejected(1), 1)
        file.flush()
        assert b"old" in store.cat("/reports/r.jsonl")
    assert json.loads(store.cat("/reports/r.jsonl"))["message_id"] == "m-1"


def test_a_place_that_cannot_be_written_fails_before_anything_is_sent(tmp_path: Path) -> None:
    """A folder that is not there is an error at once."""
    with pytest.raises(FileNotFoundError), ReportFile(f"{tmp_path}/nowhere/report.jsonl"):
        pass


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a socket", "a link to a folder"])
def test_what_is_no_file_is_refused_before_anything_is_sent(tmp_path: Path, kind: str) -> None:
    """A pipe would block until somebody reads it, and a folder would fail at the end."""
    path = tmp_path / "report.jsonl"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to(tmp_path)
    text = f"report_file {str(path)!r} is {kind.removeprefix('a link to ')}: give the name of a file"
    with pytest.raises(BadInput, match=f"^{re.escape(text)}$"), ReportFile(str(path)):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["report.jsonl"]


@pytest.mark.parametrize("uri", ["memory://report-folder/day", "memory://report-folder/day/"])
def test_a_folder_of_an_object_store_is_refused(store: Any, uri: str) -> None:
    """An object of its name would stand beside it, where nobody looks."""
    store.pipe("/report-folder/day/r.jsonl", b"{}")
    with pytest.raises(BadInput, match="is a folder: give the name of a file"), ReportFile(uri):
        pass


def test_a_report_file_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same file by either name, as the one that rows come from, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "left.jsonl"
    path.write_text('{"message_id": "all"}\n')
    with ReportFile("~/left.jsonl", source=str(path)) as file:
        file.begin()
        file.write(rejected(1), 1)
    assert ids(path) == ["all"]
    with ReportFile(str(path), source="~/left.jsonl") as file:
        file.begin()
        file.write(rejected(1), 1)
        assert not file.may_replace_file
    with ReportFile("~/left.jsonl") as file:
        file.begin()
        file.write(rejected(1), 1)
    assert ids(path) == ["m-1"]


def test_a_device_is_written_to_as_it_is() -> None:
    """And never replaced by a file; a full one raises nothing."""
    with ReportFile("/dev/null") as file:
        file.begin()
        file.write(rejected(1), 1)
    assert file.error is None
    file = ReportFile("/dev/full")
    with file:
        file.begin()
        file.write(rejected(1), 1)
    assert "No space left" in str(file.error)
    assert Path("/dev/full").is_char_device()
