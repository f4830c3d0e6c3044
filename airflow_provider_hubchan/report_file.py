"""The report file: every row that was not updated, written as a stream, wherever Airflow's object storage reaches."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from airflow.sdk import ObjectStoragePath

from airflow_provider_hubchan.batch.dead_letters import format_dead_letter, format_unresolved
from airflow_provider_hubchan.client.error_texts import shorten
from airflow_provider_hubchan.client.errors import BadInput, Problem
from airflow_provider_hubchan.client.models import Outcome, Update
from airflow_provider_hubchan.object_storage import MAX_URI, local_path, special_kind, storage_path

#: Seconds between two uploads to an object store, which takes a file only as a whole.
UPLOAD_INTERVAL = 60.0


class ReportFile:
    """JSON Lines, ready to be fed back as ``messages_file``; never half a line, and never the half of an older report.

    A place that cannot be written fails before anything is sent. If writing fails later (a full disk, an object store that is
    away), the batch goes on, and `error` says why the file is not complete; the older one then stays.

        a local file     is replaced by the first checkpoint's lines at once, then grows by those of each further one
        an object        is replaced at the end, and once a minute until then
        a device         is written to as it is

    :param uri: a local path, ``~`` expanded, or ``s3://``, ``gs://`` … where that provider is installed.
    :param source: where the rows come from. If that is the same file, it is replaced only when no row is unresolved: a retry
        will want to read it again.
    """

    def __init__(self, uri: str, *, source: str | None = None) -> None:
        self._uri, self._path = uri, storage_path(uri)
        self._is_source = source is not None and _place(self._path) == _place(storage_path(source))
        self.error: Exception | None = None
        self._lines: list[str] = []
        self._time, self._uploaded = "", time.monotonic()
        self._part: Path | None = None
        self._publish: Callable[[], None] | None = None  # how lines that were written become the file
        self._begun = self._complete = False

    def __enter__(self) -> ReportFile:
        """:raises BadInput: it is a folder, a pipe or a socket.
        :raises OSError: it cannot be written.
        """
        if (kind := special_kind(self._path)) not in ("", "a device"):
            raise BadInput(f"report_file {shorten(self._uri, MAX_URI)} is {kind}: give the name of a file")
        place = _place(self._path)
        if not isinstance(place, Path):
            self._path.fs.exists(str(self._path.parent))  # a store that is not there says so now
            self._file: BinaryIO = tempfile.TemporaryFile()
            self._publish = self._upload
        elif place.exists() and not place.is_file():
            self._file = place.open("wb")
        else:
            self._part = place.with_name(f".{place.name}.part")
            try:
                self._file = self._part.open("wb")
            except OSError as error:
                raise OSError(error.errno, f"report_file cannot be written ({error.strerror})", str(place)) from error
            self._publish = lambda: self._replace(place)
        return self

    @property
    def may_replace_file(self) -> bool:
        """False if the rows come from this file and some are unresolved: a retry reads them again."""
        return self._complete or not self._is_source

    def __exit__(self, *error: object) -> None:
        self._write_lines()
        if self._publish and self._begun and self.error is None and self.may_replace_file:
            self._try(self._publish)
        self._try(self._file.close)
        if self._part:
            self._part.unlink(missing_ok=True)

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The lines that an earlier try left, as far as they are whole."""
        try:
            if not self._path.is_file():
                return
            with self._path.open("rb") as file:  # type: ignore[no-untyped-call]
                for line in file:
                    try:
                        fields = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(fields, dict):
                        yield fields
        except Exception:  # each storage has errors of its own; what was done is known without the reasons
            return

    def keep(self, line: dict[str, Any]) -> None:
        """Write a line of an earlier try once more."""
        self._add(json.dumps(line))

    def begin(self) -> None:
        """All lines of earlier tries are written: from now on the old file may be replaced."""
        self._begun = True

    def write(self, outcome: Outcome, try_number: int) -> None:
        """Write one outcome down, if it is not *updated*."""
        if outcome.result != "updated":
            self._time = self._time or _now()
            self._add(format_dead_letter(outcome, try_number, self._time))

    def write_unresolved(self, updates: Iterable[Update], problem: Problem, try_number: int) -> None:
        """Write down many updates that were left for one reason."""
        self._time = self._time or _now()
        for line in format_unresolved(updates, problem, try_number, self._time):
            self._add(line)

    def flush(self) -> None:
        """Make what was written durable."""
        self._write_lines()
        if not self._publish or not self._begun or self._is_source or self.error:
            return
        if self._part:
            self._try(self._publish)
        elif time.monotonic() - self._uploaded >= UPLOAD_INTERVAL:
            with suppress(Exception):  # a store that is busy now will take it in a minute, or at the end
                self._publish()
            self._uploaded = time.monotonic()

    def complete(self) -> None:
        """No row is unresolved: nobody will want the rows again."""
        self._complete = True

    def _add(self, line: str) -> None:
        if self.error is None:
            self._lines.append(line)
            if len(self._lines) >= 1000:
                self._write_lines()

    def _write_lines(self) -> None:
        text, self._time = "".join(f"{line}\n" for line in self._lines), ""
        self._lines.clear()
        if text and self.error is None:
            self._try(lambda: (self._file.write(text.encode()), self._file.flush()))

    def _replace(self, place: Path) -> None:
        assert self._part
        self._part.replace(place)
        self._part = self._publish = None

    def _upload(self) -> None:
        self._file.seek(0)
        try:
            with self._path.open("wb") as file:  # type: ignore[no-untyped-call]
                shutil.copyfileobj(self._file, file)
        finally:
            self._file.seek(0, os.SEEK_END)  # a timeout may end this half way; lines go on being added

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # each storage has errors of its own, and none of them may cost the report
            self.error = self.error or error


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _place(path: ObjectStoragePath) -> Path | str:
    """Where it is: a local path as the file system has it, else its address."""
    return local_path(path) or str(path)
