"""Where a file is: on this machine or in an object store, and whether it is a file at all. Objects that grow."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_hubchan.line_file import LineFile, aside_name

#: Characters of a URI in the text of an error.
MAX_URI = 300
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}

#: Seconds before the first upload, which small batches end before; and how many times as long as an upload takes there is none
#: after it, so that a large one costs a twentieth of the time at most.
FIRST_UPLOAD, UPLOAD_PAUSE = 2.0, 20.0


def storage_path(uri: str) -> ObjectStoragePath:
    """The path of a URI or a local path, ``~`` expanded as a shell does."""
    return ObjectStoragePath(os.path.expanduser(uri))


def local_path(path: ObjectStoragePath) -> Path | None:
    """The path as this machine's file system has it, links resolved; None in an object store."""
    return Path(os.path.realpath(path.path)) if path.protocol in ("", "file", "local") else None


def is_planted_link(path: ObjectStoragePath) -> bool:
    """True for a link on this machine that is not to be followed: see `is_planted`."""
    given = Path(path.path)
    try:
        return local_path(path) is not None and is_planted(given.lstat(), given.parent.stat(), os.geteuid())
    except OSError:
        return False


def is_planted(link: os.stat_result, folder: os.stat_result, user: int) -> bool:
    """True for a link of another user's in a folder where everybody may write and nobody may remove what is not theirs, such as
    ``/tmp``: it could lead to any file of this user's. Linux does not follow it either (``fs.protected_symlinks``).

    :param link: what ``lstat`` tells of it.
    :param folder: what ``stat`` tells of the folder that it is in.
    :param user: id of the user who would follow it.
    """
    anybody = stat.S_ISVTX | stat.S_IWOTH
    return stat.S_ISLNK(link.st_mode) and folder.st_mode & anybody == anybody and link.st_uid not in (user, folder.st_uid)


def special_kind(path: ObjectStoragePath) -> str:
    """``a folder``, ``a pipe``, ``a socket``, ``a device`` or ``a link to itself``; an empty text for a file, and if nothing is
    there.
    """
    local = local_path(path)
    if local is None:
        return "a folder" if path.is_dir() else ""
    try:
        kind = stat.S_IFMT(local.stat().st_mode)
    except OSError as error:  # not there, or not to be looked at: opening it tells why
        return "a link to itself" if error.errno == errno.ELOOP else ""
    return "" if kind == stat.S_IFREG else _KINDS.get(kind, "a device")


class StoredFile:
    """An object of lines. An object store takes it only as a whole, so it is kept in the temporary directory and uploaded now
    and then; what is there stays until an upload is complete.

    :param path: where it is to be.
    :param clock: seconds, monotonic.
    :ivar path: where it is, or will be.
    :ivar folder: where there must be room for it on this machine.
    :ivar has_been_there: True if it was uploaded, even if somebody else has replaced it since.
    """

    def __init__(self, path: ObjectStoragePath, clock: Callable[[], float]) -> None:
        self.path, self.folder, self.has_been_there = path, tempfile.gettempdir(), False
        self.lines = LineFile(_create_temporary)
        self._clock, self._due = clock, clock() + FIRST_UPLOAD
        self._uploaded = -1

    def probe(self) -> None:
        """Try whether there is a store, and a temporary directory.

        :raises Exception: of any kind: there is not.
        """
        self.path.fs.exists(str(self.path.parent))
        self.lines.open()

    @property
    def is_there(self) -> bool:
        """True if all lines were uploaded."""
        return self._uploaded == self.lines.size

    @property
    def is_due(self) -> bool:
        """True if it is time to upload again."""
        return self._clock() >= self._due

    def publish(self, check: Callable[[], None]) -> None:
        """Upload all lines, unless they were.

        :param check: raises if what is there may not be replaced.
        :raises Exception: of any kind: the store did not take it; what is there stays.
        """
        if self.is_there:
            return
        started = self._clock()
        try:
            check()
            self._upload()
        finally:
            self._due = self._clock() + UPLOAD_PAUSE * (self._clock() - started)
        self._uploaded, self.has_been_there = self.lines.size, True

    def move_aside(self) -> None:
        """Take another name beside, for what is at the place stays there."""
        self.path, self._uploaded = self.path.with_name(aside_name(self.path.name)), -1

    def close(self) -> None:
        """Remove the lines from this machine."""
        self.lines.close()

    def _upload(self) -> None:
        file: Any = self.path.open("wb")  # type: ignore[no-untyped-call]
        try:
            for content in self.lines.chunks():
                file.write(content)
            file.close()
        except BaseException:  # also a signal's
            _discard(file)
            raise


def _create_temporary() -> int:
    descriptor, name = tempfile.mkstemp(prefix="hubchan-")
    os.unlink(name)
    return descriptor


def _discard(file: Any) -> None:
    """Let go of an upload that is not complete. Closing it, as ``with`` and the garbage collector do, would complete it: half a
    file, under the name of a whole one.
    """
    file = getattr(file, "_obj", file)  # Airflow wraps it
    with suppress(Exception):
        file.discard()
    with suppress(Exception):
        file.closed = True
