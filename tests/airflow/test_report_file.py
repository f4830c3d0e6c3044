"""The report file: what is in it, and when."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from airflow.sdk.io import attach
from fsspec import AbstractFileSystem  # type: ignore[import-untyped, unused-ignore]
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped, unused-ignore]
from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped, unused-ignore]

from airflow_provider_hubchan.batch.row_reader import read_rows
from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.client.errors import BadInput, Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from airflow_provider_hubchan.object_storage import is_planted
from airflow_provider_hubchan.report_file import ReportFile
from airflow_provider_hubchan.row_files import read_file

PROBLEM = Problem("HubSpot answered 404: no.", "404")


class Store(MemoryFileSystem):  # type: ignore[misc, unused-ignore]
    """An object store in memory, which can be busy.

    :ivar uploads: what was uploaded, in order.
    :ivar on_upload: called at each upload.
    """

    busy = False
    uploads: ClassVar[list[bytes]] = []
    on_upload: Callable[[], None] = staticmethod(lambda: None)

    def _open(self, path: str, mode: str = "rb", **others: Any) -> Any:
        if self.busy:
            raise ConnectionError("503 Slow Down")
        file = super()._open(path, mode, **others)
        if mode == "wb":
            close = file.close

            def close_and_note() -> None:
                self.uploads.append(self.cat(path))
                self.on_upload()
                file.close = close  # who reads it gets this very object

            file.close = close_and_note
        return file


class BucketFile(AbstractBufferedFile):  # type: ignore[misc, unused-ignore]
    """An upload that is there once it is closed, as those of S3 and Google Cloud Storage are."""

    def write(self, content: bytes) -> int:
        if self.fs.error:
            raise self.fs.error
        return int(super().write(content))

    def _upload_chunk(self, final: bool = False) -> bool:
        if final:
            self.fs.objects[self.path] = self.buffer.getvalue()
        return final

    def discard(self) -> None:
        self.fs.discarded += 1


class Buckets(AbstractFileSystem):  # type: ignore[misc, unused-ignore]
    """An object store whose uploads can fail in the middle."""

    protocol = "memory"
    cachable = False

    objects: ClassVar[dict[str, bytes]] = {}
    error: BaseException | None = None
    read_error: Exception | None = None
    discarded = 0

    def info(self, path: str, **others: Any) -> dict[str, Any]:
        path = "/" + str(path).split("://")[-1].lstrip("/")
        if path not in self.objects:
            raise FileNotFoundError(path)
        return {"name": path, "size": len(self.objects[path]), "type": "file"}

    def _open(self, path: str, mode: str = "rb", **others: Any) -> Any:
        path = "/" + path.lstrip("/")
        if mode == "rb" and self.read_error:
            raise self.read_error
        return io.BytesIO(self.objects[self.info(path)["name"]]) if mode == "rb" else BucketFile(self, path, mode, **others)


STORE = Store()
BUCKETS = Buckets()


@pytest.fixture
def store() -> Store:
    attach("memory", fs=STORE)
    STORE.on_upload = lambda: None
    return STORE


@pytest.fixture
def buckets() -> Buckets:
    attach("memory", conn_id="buckets", fs=BUCKETS)  # an address that Airflow knows without a provider
    BUCKETS.objects.clear()
    BUCKETS.error, BUCKETS.read_error, BUCKETS.discarded = None, None, 0
    return BUCKETS


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes, as if the disk were full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


class Instance:
    """A task instance."""

    def __init__(self, map_index: int = -1, *, task_id: str = "mark", run_id: str = "run-1") -> None:
        self.dag_id, self.run_id, self.task_id, self.map_index = "batch", run_id, task_id, map_index


def write_report(
    uri: object, outcomes: Iterable[Outcome], ti: Instance | None = None, *, source: Path | None = None
) -> ReportFile:
    """A batch of these outcomes."""
    with ReportFile(str(uri), ti=ti, source=str(source) if source else None) as file:
        for line in file.earlier():
            file.keep(line)
        file.begin()
        for outcome in outcomes:
            file.write(outcome, 1)
        file.complete()
    return file


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


def test_a_full_disk_leaves_the_older_file(tmp_path: Path) -> None:
    """Half a report must not replace a whole one, least of all the rows themselves; what was being written is removed."""
    path = tmp_path / "left.jsonl"
    path.write_text('{"message_id": "all"}\n')
    for source in (None, str(path)):
        with room_for(1000), ReportFile(str(path), source=source) as file:
            file.begin()
            file.complete()
            for row in range(10):
                file.write(rejected(row), 1)
            assert not file.flush()
        assert f"File too large: '{tmp_path}'" in str(file.error)
        assert ids(path) == ["all"]
        assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path: Path) -> None:
    """Those of the last checkpoint before; half a line would be a row that nobody can read."""
    path = tmp_path / "left.jsonl"
    with room_for(1000), ReportFile(str(path)) as file:
        file.begin()
        file.write(rejected(1), 1)
        assert file.flush()
        for row in range(2, 10):
            file.write(rejected(row), 1)
        assert not file.flush()
        file.write(rejected(10), 1)
    assert "File too large" in str(file.error)
    assert path.read_bytes().endswith(b"}\n")
    assert ids(path) == ["m-1"]
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
    """The store is busy for a while; the next upload has every line. Until then the lines count as not written."""
    now = 0.0
    file = ReportFile("memory://reports/busy.jsonl", clock=lambda: now)
    with file:
        file.begin()
        now = 1000.0
        store.busy = True
        file.write(rejected(1), 1)
        assert not file.flush()
        store.busy = False
        file.write(rejected(2), 1)
        assert file.flush()
    assert file.error is None
    assert len(store.cat("/reports/busy.jsonl").splitlines()) == 2


def test_uploads_cost_a_small_part_of_the_time(store: Any) -> None:
    """None in the first two seconds, within which small batches end; after one that took three seconds none for a minute; and
    none if there is nothing new. What is not uploaded is not durable.
    """
    now = 0.0

    def took_three_seconds() -> None:
        nonlocal now
        now += 3.0

    store.uploads, store.on_upload = [], took_three_seconds
    seen = []
    with ReportFile("memory://reports/slow.jsonl", clock=lambda: now) as file:
        file.begin()
        assert file.flush()  # there is nothing that could be lost
        for row, now in enumerate((1.0, 3.0, 7.0, 65.0, 67.0)):  # noqa: B007 - the clock
            file.write(rejected(row), 1)
            seen.append(file.flush())
        assert file.flush()
        file.write(rejected(9), 1)
    assert seen == [False, True, False, False, True]
    assert [each.count(b"\n") for each in store.uploads] == [2, 5, 6]
    assert file.flush()


def test_a_small_batch_is_uploaded_once(store: Any) -> None:
    """At its end, whatever the number of its checkpoints."""
    store.uploads = []
    with ReportFile("memory://reports/small.jsonl") as file:
        file.begin()
        for row in range(5):
            file.write(rejected(row), 1)
            assert not file.flush()
    assert [each.count(b"\n") for each in store.uploads] == [5]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ConnectionError])
def test_an_upload_that_is_interrupted_leaves_the_older_object(buckets: Buckets, error: type[BaseException]) -> None:
    """Closing it would complete it: half a line, in a file that looks whole."""
    buckets.objects["/reports/r.jsonl"] = b'{"message_id": "old"}\n'
    file = ReportFile("memory://buckets@reports/r.jsonl")
    file.__enter__()
    file.begin()
    file.write(rejected(1), 1)
    buckets.error = error("broken off")
    with suppress(KeyboardInterrupt):
        file.__exit__()
    gc.collect()
    assert buckets.objects == {"/reports/r.jsonl": b'{"message_id": "old"}\n'}
    assert "broken off" in str(file.error) or error is KeyboardInterrupt
    assert buckets.discarded == 1
    assert not file.flush()


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


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a socket", "a link to a folder", "a link to itself"])
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
        path.symlink_to(path if kind == "a link to itself" else tmp_path)
    text = f"report_file {str(path)!r} is {kind.replace('a link to a', 'a')}: give the name of a file"
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


ADVICE = (
    "Give each task instance a file of its own: put {{ ti.map_index }}, {{ ti.task_id }} or {{ run_id }} into the name of "
    "report_file."
)


@pytest.mark.parametrize(
    ("sibling", "text"),
    [
        pytest.param(Instance(0), "task 'mark', map index 0, of this run", id="another map index"),
        pytest.param(Instance(task_id="retry"), "task 'retry' of this run", id="another task"),
    ],
)
@pytest.mark.parametrize("place", ["local", "store"])
def test_what_a_sibling_of_the_run_wrote_is_not_replaced(
    store: Any, tmp_path: Path, sibling: Instance, text: str, place: str
) -> None:
    """It is there before anything is sent, so nothing is; the text names the templates that help."""
    uri = f"{tmp_path}/left.jsonl" if place == "local" else f"memory://siblings/{sibling.task_id}.jsonl"
    write_report(uri, [rejected(1)], sibling)
    with pytest.raises(BadInput) as caught, ReportFile(uri, ti=Instance(1)):
        pass
    assert str(caught.value) == f"report_file {uri!r} holds what {text} wrote, so nothing was sent. {ADVICE}"
    assert [line["message_id"] for line in ReportFile(uri).earlier()] == ["m-1"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Instance(1), id="an earlier try"),
        pytest.param(Instance(0, run_id="run-0"), id="another run"),
        pytest.param(None, id="nobody known"),
    ],
)
def test_what_is_of_no_sibling_is_replaced(tmp_path: Path, other: Instance | None) -> None:
    """By a retry, and by the next run; only the former carries lines over."""
    path = tmp_path / "left.jsonl"
    write_report(path, [rejected(1)], other)
    assert write_report(path, [rejected(2)], Instance(1)).error is None
    assert ids(path) == (["m-2"] if other and other.run_id == "run-0" else ["m-1", "m-2"])
    identity = {"dag_id": "batch", "run_id": "run-1", "task_id": "mark", "map_index": 1}
    assert [json.loads(line)["task_instance"] for line in path.read_text().splitlines()][-1] == identity
    assert ReportFile(str(path), ti=Instance(1)).earlier()


def test_an_empty_file_of_a_sibling_is_replaced(tmp_path: Path) -> None:
    """Nothing is lost: it had no row to write down."""
    path = tmp_path / "left.jsonl"
    write_report(path, [], Instance(0))
    assert path.read_text() == ""
    assert write_report(path, [rejected(1)], Instance(1)).error is None
    assert ids(path) == ["m-1"]


def test_a_siblings_rows_may_be_fed_back_in_place(tmp_path: Path) -> None:
    """They were read; what the sibling writes after that was not."""
    path = tmp_path / "left.jsonl"
    write_report(path, [rejected(1)], Instance(0))
    assert write_report(path, [rejected(1)], Instance(1), source=path).error is None
    file = ReportFile(str(path), ti=Instance(0), source=str(path))
    write_report(path, [rejected(2)], Instance(1))
    with pytest.raises(BadInput, match="map index 1, of this run wrote, so nothing was sent"), file:
        pass
    assert ids(path)[-1] == "m-2"


@pytest.mark.parametrize("place", ["local", "store"])
def test_of_two_siblings_at_once_each_keeps_its_rows(store: Any, tmp_path: Path, place: str) -> None:
    """The second to put its lines there writes them, and all that follow, beside, and says where."""
    uri = f"{tmp_path}/left.jsonl" if place == "local" else "memory://at-once/left.jsonl"
    now = 0.0
    with ExitStack() as stack:
        first, second = (stack.enter_context(ReportFile(uri, ti=Instance(index), clock=lambda: now)) for index in (0, 1))
        for now in (10.0, 1000.0):
            for row, file in ((1, first), (2, second)):
                file.begin()
                file.write(rejected(row + 10 * (now > 10)), 1)
                assert file.flush()
    assert first.error is None
    assert [line["message_id"] for line in ReportFile(uri).earlier()] == ["m-1", "m-11"]
    assert [line["message_id"] for line in ReportFile(second.uri).earlier()] == ["m-2", "m-12"]
    assert re.fullmatch(r".*/left\.[0-9a-f]{8}\.jsonl", second.uri)
    assert isinstance(second.error, BadInput)
    assert str(second.error) == (
        f"report_file {uri!r} holds what task 'mark', map index 0, of this run wrote, and was left so. "
        f"The lines of this task are in {second.uri!r}. {ADVICE}"
    )
    assert len(list(tmp_path.iterdir())) == (2 if place == "local" else 0)


def test_a_sibling_without_lines_says_so(tmp_path: Path) -> None:
    """There is nothing to keep beside the other's."""
    path = tmp_path / "left.jsonl"
    with ReportFile(str(path), ti=Instance(1)) as file:
        file.begin()
        write_report(path, [rejected(1)], Instance(0))
    assert "and was left so. This task has no lines." in str(file.error)
    assert (file.uri, ids(path), len(list(tmp_path.iterdir()))) == (str(path), ["m-1"], 1)


def test_of_many_siblings_at_once_none_loses_a_line(tmp_path: Path) -> None:
    """One of them has the place, whatever was there before; checking and replacing is one step."""
    path = tmp_path / "left.jsonl"
    path.write_text('{"message_id": "of yesterday"}\n')
    files = [ReportFile(str(path), ti=Instance(index)) for index in range(12)]
    barrier = threading.Barrier(len(files))

    def batch(index: int) -> None:
        with files[index] as file:
            file.begin()
            barrier.wait()
            for row in range(5):
                file.write(rejected(100 * index + row), 1)
                file.flush()

    threads = [threading.Thread(target=batch, args=(index,)) for index in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.error is None for file in files].count(True) == 1
    assert len(list(tmp_path.iterdir())) == len(files)
    for index, file in enumerate(files):
        assert ids(Path(file.uri)) == [f"m-{100 * index + row}" for row in range(5)]


@pytest.mark.parametrize("other", [Instance(0, run_id="run-2"), None], ids=["another run", "somebody else"])
def test_who_is_replaced_meanwhile_keeps_its_lines_beside(tmp_path: Path, other: Instance | None) -> None:
    """It wrote into a file that has no name any more, and would say that every row is there."""
    path = tmp_path / "left.jsonl"
    with ReportFile(str(path), ti=Instance(0)) as file:
        file.begin()
        file.write(rejected(1), 1)
        file.flush()
        with ReportFile(str(path), ti=other) as theirs:
            theirs.begin()
            theirs.write(rejected(7), 1)
        file.write(rejected(2), 1)
    who = "task 'mark', map index 0, of run 'run-2' of DAG 'batch'" if other else "somebody else"
    assert f"holds what {who} wrote, and was left so" in str(file.error)
    assert (ids(path), ids(Path(file.uri))) == (["m-7"], ["m-1", "m-2"])


def test_a_file_that_is_removed_meanwhile_is_written_once_more(tmp_path: Path) -> None:
    """Somebody tidied the folder up; the lines are still there."""
    path = tmp_path / "left.jsonl"
    with ReportFile(str(path), ti=Instance(0)) as file:
        file.begin()
        file.write(rejected(1), 1)
        file.flush()
        path.unlink()
        file.write(rejected(2), 1)
    assert file.error is None
    assert ids(path) == ["m-1", "m-2"]


def test_a_folder_that_is_put_there_meanwhile_stays(tmp_path: Path) -> None:
    """The lines are beside it."""
    path = tmp_path / "left.jsonl"
    with ReportFile(str(path), ti=Instance(0)) as file:
        file.begin()
        file.write(rejected(1), 1)
        path.mkdir()
    assert f"report_file {str(path)!r} is a folder now, and was left so. The lines" in str(file.error)
    assert ids(Path(file.uri)) == ["m-1"]


def test_a_folder_that_is_removed_meanwhile_is_an_error_at_the_end(tmp_path: Path) -> None:
    """And nothing is raised."""
    folder = tmp_path / "day"
    folder.mkdir()
    with ReportFile(f"{folder}/left.jsonl") as file:
        file.begin()
        folder.rmdir()
        file.write(rejected(1), 1)
    assert isinstance(file.error, FileNotFoundError)
    assert str(folder) in str(file.error)


def test_a_file_system_that_is_read_only_fails_before_anything_is_sent() -> None:
    """With the reason and the place."""
    with (
        pytest.raises(OSError, match=r"report_file cannot be written \(.*\): '/proc/left.jsonl'"),
        ReportFile("/proc/left.jsonl"),
    ):
        pass


@pytest.mark.parametrize("name", ["n" * 249 + ".jsonl", "ü" * 125 + "jsonl", "." + "s" * 254])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, name: str) -> None:
    """255 bytes; the names that are made of it are not longer."""
    path = tmp_path / name
    with ReportFile(str(path), ti=Instance(1)) as file:
        file.begin()
        write_report(path, [rejected(1)], Instance(0))
        file.write(rejected(2), 1)
    assert (ids(path), ids(Path(file.uri))) == (["m-1"], ["m-2"])
    longer = f"{tmp_path}/{name}+"
    with pytest.raises(BadInput, match="cannot be written, so nothing was sent: its name is too long"), ReportFile(longer):
        pass


def test_what_somebody_plants_beside_is_not_followed(tmp_path: Path) -> None:
    """The name of the temporary file is random, and it is never opened through a link."""
    path, theirs = tmp_path / "left.jsonl", tmp_path / "theirs"
    theirs.write_text("theirs")
    for planted in (".left.jsonl.part", ".left.jsonl", "left.jsonl.part"):
        (tmp_path / planted).symlink_to(theirs)
    before = len(list(tmp_path.iterdir()))
    names = set()
    for row in (1, 2):
        with ReportFile(str(path), source=str(path)) as file:
            file.begin()
            file.write(rejected(row), 1)
            file.flush()
            names |= {each.name for each in tmp_path.iterdir() if not each.is_symlink()} - {"left.jsonl", "theirs"}
            file.complete()
    assert theirs.read_text() == "theirs"
    assert all(re.fullmatch(r"\.left\.jsonl\.[0-9a-f]{16}\.part", name) for name in names)
    assert len(names) == 2
    assert len(list(tmp_path.iterdir())) == before + 1


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    """As editors do, also if there is no target yet."""
    link, target = tmp_path / "link.jsonl", tmp_path / "day" / "left.jsonl"
    target.parent.mkdir()
    link.symlink_to(target)
    for row in (1, 2):
        write_report(link, [rejected(row)], Instance(run_id=f"run-{row}"))
        assert (link.is_symlink(), ids(target)) == (True, [f"m-{row}"])
    assert len(list(target.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("kind", "folder_mode", "owner", "planted"),
    [
        pytest.param(stat.S_IFLNK, 0o1777, 1001, True, id="a link of another user"),
        pytest.param(stat.S_IFLNK, 0o1777, 1000, False, id="a link of one's own"),
        pytest.param(stat.S_IFLNK, 0o1777, 0, False, id="a link of the folder's owner"),
        pytest.param(stat.S_IFLNK, 0o0755, 1001, False, id="a folder where few may write"),
        pytest.param(stat.S_IFREG, 0o1777, 1001, False, id="no link"),
    ],
)
def test_a_link_is_followed_where_linux_follows_it(kind: int, folder_mode: int, owner: int, planted: bool) -> None:
    """A link in ``/tmp`` that another user has made could lead to any file that the worker may replace."""
    link = os.stat_result((kind | 0o777, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    folder = os.stat_result((stat.S_IFDIR | folder_mode, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    assert is_planted(link, folder, 1000) is planted


def test_a_file_has_the_mode_of_a_new_one_or_of_the_older(tmp_path: Path) -> None:
    """Others may read it, or may not, as they could before."""
    old = os.umask(0o027)
    try:
        for mode, path in ((0o640, tmp_path / "new"), (0o604, tmp_path / "old"), (0o600, tmp_path / "own")):
            if mode != 0o640:
                path.write_text("")
                path.chmod(mode)
            write_report(path, [rejected(1)])
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(old)


def test_a_killed_worker_leaves_whole_lines(tmp_path: Path) -> None:
    """Those of its checkpoints; what else it leaves is in nobody's way, and the retry's file is complete."""
    path = tmp_path / "left.jsonl"
    script = f"""
import os, signal
from tests.airflow.test_report_file import Instance, ReportFile, rejected
with ReportFile({str(path)!r}, ti=Instance(0)) as file:
    file.begin()
    for row in (1, 2, 3):
        file.write(rejected(row), 1)
        row < 3 and file.flush()
    with ReportFile({str(tmp_path / "other.jsonl")!r}) as other:
        for row in range(1000):
            other.write(rejected(row), 1)
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert ids(path) == ["m-1", "m-2"]
    (left,) = tmp_path.glob(".*")
    with path.open("a") as file:
        file.write('{"message_id": "m-3", "outc')  # as if it had been killed in the middle of a write
    assert write_report(path, [rejected(4)], Instance(0)).error is None
    assert ids(path) == ["m-1", "m-2", "m-4"]
    assert write_report(tmp_path / "other.jsonl", [rejected(4)]).error is None
    assert {each.name for each in tmp_path.iterdir()} == {"left.jsonl", "other.jsonl", left.name}


@pytest.mark.parametrize("limit", [8_000, 40_000], ids=["among the first lines", "among many"])
def test_a_worker_that_is_killed_in_the_middle_of_a_write_leaves_whole_lines(tmp_path: Path, limit: int) -> None:
    """Half a line would be a row that cannot be read: fed back, the file would be refused because of it."""
    path = tmp_path / "left.jsonl"
    script = f"""
import resource, signal
from tests.airflow.test_report_file import Instance, ReportFile, rejected
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel writes what there is room for, and ends the process
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, -1))
with ReportFile({str(path)!r}, ti=Instance(0)) as file:
    file.begin()
    for row in range(10_000):
        file.write(rejected(row), 1)
        row % 10 or file.flush()
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGXFSZ
    assert path.read_bytes().endswith(b"}\n")
    assert ids(path) == [f"m-{row}" for row in range(len(ids(path)))]
    assert path.stat().st_size > limit / 2
    assert len(list(read_rows(numbered(read_file(str(path)))))) == len(ids(path))


def test_a_file_that_is_large_is_replaced_less_often(tmp_path: Path) -> None:
    """Each replacement copies it: at most a megabyte a second is written on average. At the end, every line is there."""
    path, now = tmp_path / "left.jsonl", 0.0
    with ReportFile(str(path), clock=lambda: now) as file:
        file.begin()
        for row in range(25_000):
            file.write(rejected(row), 1)
        assert file.flush()
        size = path.stat().st_size
        assert size > 3_000_000
        file.write(rejected(25_000), 1)
        assert file.flush()
        file.write(rejected(25_001), 1)
        now = size / 1_000_000 - 0.01
        assert not file.flush()
        now += 0.02
        assert file.flush()
        file.write(rejected(25_002), 1)
    assert len(path.read_text().splitlines()) == 25_003


def test_a_store_that_may_not_be_read_is_written_to(buckets: Buckets) -> None:
    """What is there cannot be known; a store that was read and fails then is another matter."""
    buckets.objects["/reports/theirs.jsonl"] = b""
    buckets.read_error = OSError("Forbidden: reports/theirs.jsonl")
    with ReportFile("memory://buckets@reports/theirs.jsonl", ti=Instance(1)) as file:
        file.begin()
        file.write(rejected(1), 1)
    assert file.error is None
    assert b"m-1" in buckets.objects["/reports/theirs.jsonl"]
    buckets.read_error = None
    with ReportFile("memory://buckets@reports/theirs.jsonl", ti=Instance(1)) as file:
        file.begin()
        file.write(rejected(2), 1)
        buckets.read_error = OSError("503 Slow Down")
    assert str(file.error) == "503 Slow Down"
    assert b"m-1" in buckets.objects["/reports/theirs.jsonl"]


def test_a_full_temporary_directory_is_named(store: Any) -> None:
    """The lines of an object wait there; the object store has no fault."""
    with room_for(1000), ReportFile("memory://reports/tmp-full.jsonl") as file:
        file.begin()
        for row in range(10):
            file.write(rejected(row), 1)
        assert not file.flush()
    assert f"File too large: '{tempfile.gettempdir()}'" in str(file.error)
    assert not store.exists("/reports/tmp-full.jsonl")
