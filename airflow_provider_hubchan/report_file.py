"""The report file: every row that was not updated, written as a stream, wherever Airflow's object storage reaches."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_hubchan.batch.dead_letters import format_dead_letter, format_unresolved
from airflow_provider_hubchan.batch.rows import TASK_KEY
from airflow_provider_hubchan.client.error_texts import readable, shorten
from airflow_provider_hubchan.client.errors import BadInput, Problem
from airflow_provider_hubchan.client.models import Outcome, Update
from airflow_provider_hubchan.line_file import LineFile, LocalFile
from airflow_provider_hubchan.object_storage import MAX_URI, StoredFile, is_planted_link, local_path, special_kind, storage_path

#: Bytes of a line that is looked at for who wrote it.
_MAX_LINE = 10_000_000
_IDENTITY = ("dag_id", "run_id", "task_id", "map_index")
_ADVICE = (
    "Give each task instance a file of its own: put {{ ti.map_index }}, {{ ti.task_id }} or {{ run_id }} into the name of "
    "report_file."
)


class ReportFile:
    """JSON Lines, ready to be fed back as ``messages_file``. What is at the place are whole lines, and the older file stays
    until there are new ones:

        a local file     is written under a random name beside the place, and put there in one step, by each checkpoint that has
                         new lines; once it has millions of bytes, only so often that a megabyte a second is copied
        an object        is uploaded as a whole when lines were added, as often as takes a twentieth of the time, and at the end
        a device         is written to as it is

    A full disk leaves the lines of the checkpoints before, and so does a process that is killed, even in the middle of a write.
    A symbolic link stays, and the file that it leads to is replaced.

    Every line says which task instance wrote it. What another instance of the same run wrote is not replaced: if it is there at
    the beginning, nothing is sent; if it comes meanwhile, the lines of this one go into a file beside, which `error` names.

    A place that cannot be written fails before anything is sent. If writing fails later (a full disk, an object store that is
    away), the batch goes on, and `error` says why the file is not complete.

    :param uri: a local path, ``~`` expanded, or ``s3://``, ``gs://`` … where that provider is installed.
    :param source: where the rows come from. If that is the same file, it is replaced only when no row is unresolved: a retry
        will want to read it again.
    :param ti: Airflow's task instance that writes; None outside a task, where nobody is told apart.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self, uri: str, *, source: str | None = None, ti: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._uri, self._path, self._clock = uri, storage_path(uri), clock
        self._place = local_path(self._path)
        self._is_source = source is not None and _place(self._path) == _place(storage_path(source))
        self._version = self._current_version()  # before the rows are read
        self._task = _identity(ti)
        self._task_json = json.dumps(self._task) if self._task else ""
        self._file: LocalFile | StoredFile | None = None  # None is a device
        self._failure: Exception | None = None
        self._conflict: str | None = None
        self._time = ""
        self._begun = self._complete = self._is_durable = self._is_closed = self._has_read = False

    def __enter__(self) -> ReportFile:
        """:raises BadInput: it is a folder, a pipe, a socket or a link of a stranger, or has a name that no file can
            have; or what another task instance of this run wrote is there.
        :raises OSError: it cannot be written.
        """
        kind, place = special_kind(self._path), self._place
        if kind not in ("", "a device"):
            raise BadInput(f"report_file {self._name} is {kind}: give the name of a file")
        if is_planted_link(self._path):
            raise BadInput(
                f"report_file {self._name} is a link that another user has put into a folder where everybody may write: remove "
                "it, or give another name"
            )
        if kind == "a device" and place is not None:
            self._lines = LineFile(lambda: os.open(place, os.O_WRONLY | os.O_CLOEXEC))
            return self
        self._file = StoredFile(self._path, self._clock) if place is None else LocalFile(place, self._clock)
        self._lines = self._file.lines
        try:
            self._check_place()
            self._file.probe()
        except _PlaceTakenError as error:
            raise BadInput(f"report_file {self._name} {error}, so nothing was sent. {_ADVICE}") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                reason = "its name is too long: look at the template or task that makes the name"
                raise BadInput(f"report_file {self._name} cannot be written, so nothing was sent: {reason}") from error
            if place is None:
                raise
            raise OSError(error.errno, f"report_file cannot be written ({error.strerror})", str(place)) from error
        return self

    @property
    def may_replace_file(self) -> bool:
        """False if the rows come from this file and some are unresolved: a retry reads them again."""
        return self._complete or not self._is_source

    @property
    def error(self) -> Exception | None:
        """Why the file is not complete, or not at its place, None if it is. A `BadInput`: somebody else's is there."""
        if self._failure or self._conflict is None:
            return self._failure
        where = f"The lines of this task are in {shorten(self.uri, MAX_URI)}" if self._has_moved else "This task has no lines"
        return BadInput(f"report_file {self._name} {self._conflict}, and was left so. {where}. {_ADVICE}")

    @property
    def uri(self) -> str:
        """Where the lines are."""
        if not self._has_moved or self._file is None:
            return self._uri
        return str(self._file.place if isinstance(self._file, LocalFile) else self._file.path)

    @property
    def written(self) -> int:
        """How many lines were taken, those that are still in memory among them."""
        return self._lines.count

    def __exit__(self, *error: object) -> None:
        try:
            self._write_lines()
            if self._begun and self._failure is None and self.may_replace_file:
                self._try(self._publish)
            self._is_durable = self._is_all_there()
        finally:
            self._is_closed = True
            self._try((self._file or self._lines).close)

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The lines that an earlier try left, as far as they are whole."""
        try:
            if not self._path.is_file():
                return
            with self._path.open("rb") as file:  # type: ignore[no-untyped-call]
                for line in file:
                    try:
                        fields = json.loads(line)
                    except (ValueError, RecursionError):
                        continue
                    if isinstance(fields, dict) and (self._task is None or fields.get(TASK_KEY, self._task) == self._task):
                        yield fields
        except Exception:  # each storage has errors of its own; what was done is known without the reasons
            return

    def keep(self, line: dict[str, Any]) -> None:
        """Write a line of an earlier try once more."""
        self._add(json.dumps(line | ({TASK_KEY: self._task} if self._task else {})))

    def begin(self) -> None:
        """All lines of earlier tries are written: from now on the old file may be replaced."""
        self._begun = True

    def write(self, outcome: Outcome, try_number: int) -> None:
        """Write one outcome down, if it is not *updated*."""
        if outcome.result != "updated":
            self._time = self._time or _now()
            self._add(format_dead_letter(outcome, try_number, self._time, self._task_json))

    def write_unresolved(self, updates: Iterable[Update], problem: Problem, try_number: int) -> None:
        """Write down many updates that were left for one reason."""
        self._time = self._time or _now()
        if self._failure is None:
            lines = format_unresolved(updates, problem, try_number, self._time, self._task_json)
            try:
                self._lines.add_all(lines)
            except OSError as error:
                self._fail(error)

    def flush(self) -> bool:
        """Make what was written durable, as far as it can be and is due.

        :return: True if all of it is: it outlives this process.
        """
        if self._is_closed:
            return self._is_durable
        self._write_lines()
        is_possible = self._begun and not self._is_source and self._failure is None and self._lines.size
        if is_possible and self._file and self._file.is_due:
            if isinstance(self._file, LocalFile):
                self._try(self._publish)
            else:
                with suppress(Exception):  # a store that is busy now will take it soon, or at the end
                    self._publish()
        return self._is_all_there()

    def complete(self) -> None:
        """No row is unresolved: nobody will want the rows again."""
        self._complete = True

    def _add(self, line: str) -> None:
        if self._failure is None:
            try:
                self._lines.add(line)
            except OSError as error:
                self._fail(error)

    def _write_lines(self) -> None:
        self._time = ""
        if self._failure is None:
            try:
                self._lines.write()
            except OSError as error:
                self._fail(error)

    def _is_all_there(self) -> bool:
        if self._failure or not self._begun:
            return False
        return self._file is None or self._file.is_there or not (self._lines.size or self._is_source)

    def _publish(self) -> None:
        """Put the lines to their place, or beside it if somebody else's are there."""
        if self._file is None:
            return
        try:
            self._file.publish(self._check_place)
        except _PlaceTakenError as error:
            self._conflict = str(error)
            if self._lines.size:
                self._file.move_aside()
                self._file.publish(lambda: None)

    @property
    def _has_moved(self) -> bool:
        return self._conflict is not None and bool(self._lines.size)

    @property
    def _name(self) -> str:
        return shorten(self._uri, MAX_URI)

    def _check_place(self) -> None:
        """:raises _PlaceTakenError: what is at the place may not be replaced."""
        if self._conflict is not None:  # the lines are beside it already
            return
        if self._place and (kind := special_kind(self._path)):
            raise _PlaceTakenError(f"is {kind} now")
        first_line = self._first_line()
        if first_line is None:
            return
        there = first_line.get(TASK_KEY)
        if there == self._task:
            return
        is_replaced = self._file is not None and self._file.has_been_there
        is_of_this_run = _is_of_same_run(there, self._task)
        if is_of_this_run and self._is_source and self._version and self._version == self._current_version():
            return  # its lines are the rows of this batch
        if is_replaced or is_of_this_run:
            raise _PlaceTakenError(f"holds what {_who(there, self._task)} wrote")

    def _first_line(self) -> dict[str, Any] | None:
        """The first line that is at the place; None if there is no file, or it is empty or may not be read."""
        line = b""
        try:
            self._path.fs.invalidate_cache()
            with self._path.fs.open(self._path.path, "rb") as file:
                line = file.readline(_MAX_LINE)
        except PermissionError:
            return None
        except FileNotFoundError:
            pass
        except Exception:  # a store that lets nobody read has errors of its own; one that did let is away now
            if self._place or self._has_read:
                raise
            return None
        self._has_read = True
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            return {} if line.strip() else None
        return fields if isinstance(fields, dict) else {}

    def _current_version(self) -> str:
        """What changes with the file that the rows come from; empty if it is not this one, or that cannot be known."""
        if self._is_source:
            with suppress(Exception):
                self._path.fs.invalidate_cache()
                return str(self._path.fs.ukey(self._path.path))
        return ""

    def _fail(self, error: OSError) -> None:
        """Note why lines cannot be written; the error itself does not say which of the disks is full."""
        self._failure = OSError(error.errno, error.strerror or str(error), self._file.folder if self._file else self._uri)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # each storage has errors of its own, and none of them may cost the report
            self._failure = self._failure or error


class _PlaceTakenError(Exception):
    """Somebody else's lines are at the place.

    :param what: what is there, as the end of a sentence.
    """


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _place(path: ObjectStoragePath) -> str:
    """Where it is: a local path as the file system has it, else its address."""
    return str(local_path(path) or path)


def _identity(ti: Any) -> dict[str, Any] | None:
    """What tells a task instance from others; None if it is none."""
    identity = {name: getattr(ti, name, None) for name in _IDENTITY}
    return None if None in (identity["dag_id"], identity["run_id"], identity["task_id"]) else identity


def _is_of_same_run(there: object, task: dict[str, Any] | None) -> bool:
    return isinstance(there, dict) and task is not None and all(there.get(name) == task[name] for name in ("dag_id", "run_id"))


def _who(there: object, task: dict[str, Any] | None) -> str:
    if not isinstance(there, dict):
        return "somebody else"
    who, map_index = f"task {shorten(there.get('task_id'), 250)}", there.get("map_index")
    if isinstance(map_index, int) and map_index >= 0:
        who += f", map index {shorten(map_index)},"
    if _is_of_same_run(there, task):
        return f"{who} of this run"
    return readable(f"{who} of run {shorten(there.get('run_id'), 250)} of DAG {shorten(there.get('dag_id'), 250)}", 800)
