"""The report file: every row that was not updated, written as a stream, wherever Airflow's object storage reaches."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from airflow.sdk import ObjectStoragePath

from airflow_provider_hubchan.client.letter import letter
from airflow_provider_hubchan.client.status import Outcome

#: Seconds between two uploads to an object store, which takes a file only as a whole.
UPLOAD = 60.0


class ReportFile:
    """JSON Lines, ready to be fed back as ``messages_file``; never half a line, and never the half of an older report.

    A place that cannot be written fails before anything is sent. If writing fails later (a full disk, an object store that is
    away), the batch goes on, and `fault` says why the file is not whole.

        a local file     is replaced by the first checkpoint's lines at once, then grows by those of each further one
        an object        is replaced at the end, and once a minute until then
        anything else    (a pipe, a device) is written to as it is

    :param uri: a local path, or ``s3://``, ``gs://`` … where that provider is installed.
    :param keep: True to replace it only at the end: rows are read from the same file, and a retry will want them.
    """

    def __init__(self, uri: str, *, keep: bool = False) -> None:
        self._path, self._keep = ObjectStoragePath(uri), keep
        self.fault: Exception | None = None
        self._lines: list[str] = []
        self._publish: Callable[[], None] | None = None  # how lines that were written become the file
        self._uploaded = time.monotonic()

    def __enter__(self) -> ReportFile:
        if self._path.protocol not in ("", "file", "local"):
            self._path.fs.exists(str(self._path.parent))  # a store that is not there says so now
            self._file: BinaryIO = tempfile.TemporaryFile()
            self._publish = self._upload
            return self
        place = Path(self._path.path).resolve()
        if place.exists() and not place.is_file():
            self._file = place.open("wb")
            return self
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            self._file = part.open("wb")
        except OSError as fault:
            raise OSError(fault.errno, f"report_file cannot be written ({fault.strerror})", str(place)) from fault

        def replace() -> None:
            part.replace(place)
            self._publish = None

        self._publish = replace
        return self

    def __exit__(self, *error: object) -> None:
        self._write_lines()
        if self._publish:
            self._try(self._publish)
        self._try(self._file.close)

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The lines that an earlier try left, as far as they are whole."""
        try:
            if not self._path.is_file():
                return
            with self._path.open("rb") as file:  # type: ignore[no-untyped-call]
                for line in file:
                    try:
                        said = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(said, dict):
                        yield said
        except OSError:
            return  # it tells reasons; what was done is known without it

    def keep(self, line: dict[str, Any]) -> None:
        """Write an earlier line once more."""
        self._lines.append(json.dumps(line))

    def write(self, outcome: Outcome, attempt: int) -> None:
        """Write one outcome down, if it is not *updated*."""
        if outcome.result != "updated" and self.fault is None:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            self._lines.append(json.dumps(letter(outcome, attempt, now)))
            if len(self._lines) >= 1000:
                self._write_lines()

    def flush(self) -> None:
        """Have all that was written stay."""
        self._write_lines()
        if self._keep or not self._publish or self.fault:
            return
        if self._publish != self._upload:
            self._try(self._publish)
        elif time.monotonic() - self._uploaded >= UPLOAD:
            self._try(self._publish)
            self._uploaded = time.monotonic()

    def _write_lines(self) -> None:
        text = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        if text and self.fault is None:
            self._try(lambda: (self._file.write(text.encode()), self._file.flush()))

    def _upload(self) -> None:
        self._file.seek(0)
        with self._path.open("wb") as file:  # type: ignore[no-untyped-call]
            shutil.copyfileobj(self._file, file)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as fault:  # each storage has errors of its own, and none of them may cost the report
            self.fault = self.fault or fault
