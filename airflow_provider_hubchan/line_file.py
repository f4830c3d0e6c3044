"""Files of lines that others may read meanwhile: they hold whole lines and nothing else."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from airflow_provider_hubchan.batch.checkpoint import INTERVAL

#: Lines that are kept in memory at most.
_MAX_LINES = 1000
#: Bytes of a name that names made of it begin with: with what is added they stay far below the 255 of most file systems.
_MAX_NAME, _MAX_SUFFIX = 100, 20
#: How often a lock is tried for, a hundredth of a second apart: it is held for less than that.
_LOCK_ATTEMPTS = 100
_CHUNK_BYTES = 1 << 20
#: A file is copied to grow: then so many times as long as that took there is none, and on average no more bytes a second.
_COPY_PAUSE, _COPIED_BYTES_PER_SECOND = 20.0, 1_000_000


class LineFile:
    """Lines on their way into a file. They are in it as a whole or not at all, whatever interrupts the writing: only a process
    that is killed in the middle of a write can leave the beginning of a line, at the end.

    :param open_file: opens the file for reading and writing, once there is a line to write, and returns its descriptor.
    :param prepare: called before lines are written.
    :ivar size: bytes of the lines that are in the file.
    """

    def __init__(self, open_file: Callable[[], int], prepare: Callable[[], None] = lambda: None) -> None:
        self._open_file, self._prepare = open_file, prepare
        self._descriptor: int | None = None
        self._lines: list[str] = []
        self.size = self._in_file = 0

    def open(self) -> int:
        """Open the file unless it is open.

        :return: its descriptor.
        """
        if self._descriptor is None:
            self._descriptor = self._open_file()
        return self._descriptor

    @property
    def descriptor(self) -> int | None:
        """The descriptor of the open file; None if it is not open."""
        return self._descriptor

    @property
    def count(self) -> int:
        """How many lines there are, those in memory among them."""
        return self._in_file + len(self._lines)

    def add(self, line: str) -> None:
        """Add a line, without its end.

        :raises OSError: it cannot be written; the lines that are in the file already are whole.
        """
        self._lines.append(line)
        if len(self._lines) >= _MAX_LINES:
            self.write()

    def add_all(self, lines: Iterable[str]) -> None:
        """Add many lines and write them, some at a time.

        :raises OSError: they cannot be written; the lines that are in the file already are whole.
        """
        iterator = iter(lines)
        while True:
            before = len(self._lines)
            self._lines.extend(islice(iterator, _MAX_LINES))
            if len(self._lines) == before:
                return
            self.write()

    def write(self) -> None:
        """Write the lines that are still in memory.

        :raises OSError: they cannot be written; the lines that are in the file already are whole.
        """
        if not self._lines:
            return
        self._prepare()
        content, descriptor = "".join(f"{line}\n" for line in self._lines).encode(), self.open()
        try:
            _write(descriptor, content, self.size)
        except BaseException:  # also a signal's: what is written of a line is cut off, and the lines are written once more
            with suppress(OSError):  # a device has no size
                os.ftruncate(descriptor, self.size)
            raise
        # In one statement: a signal comes before or after it.
        self._lines, self.size, self._in_file = [], self.size + len(content), self._in_file + len(self._lines)

    def move(self, open_file: Callable[[], int]) -> None:
        """Go on in another file, which is given the same lines.

        :param open_file: opens it, as that of the class.
        :raises OSError: it cannot be opened or written.
        """
        self._open_file = open_file
        if self._descriptor is None:
            return
        new, offset = open_file(), 0
        try:
            for content in self.chunks():
                _write(new, content, offset)
                offset += len(content)
        except BaseException:
            os.close(new)
            raise
        old, self._descriptor = self._descriptor, new
        os.close(old)

    def chunks(self) -> Iterator[bytes]:
        """What is in the file, from its beginning, a megabyte at a time."""
        offset = 0
        while content := os.pread(self.open(), min(_CHUNK_BYTES, self.size - offset), offset):
            yield content
            offset += len(content)

    def close(self) -> None:
        """Close the file; lines that are not written are lost.

        :raises OSError: the storage says only now that it could not be written.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class LocalFile:
    """A file on this machine that is written under a random name in the same folder, and put to its place in one step. Until
    then the older file stays. Nothing is written into a file that is at its place: it grows by being replaced, so that there
    are whole lines whenever the process is killed.

    :param place: where it is to be, links resolved.
    :param clock: seconds, monotonic.
    :ivar place: where it is, or will be.
    :ivar folder: where there must be room for it.
    :ivar has_been_there: True if it was put to its place, even if somebody else has replaced it since.
    """

    def __init__(self, place: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.place, self.folder, self.has_been_there = place, str(place.parent), False
        self._temporary: Path | None = None
        self._clock, self._due, self._pause = clock, clock(), 0.0
        self.lines = LineFile(self._create, self._leave_place)

    def probe(self) -> None:
        """Try whether a file can be made in the folder.

        :raises OSError: it cannot.
        """
        try:
            os.close(self._create())
        finally:
            self._remove_temporary()

    @property
    def is_there(self) -> bool:
        """True if what is at the place is this file."""
        if self.lines.descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self.lines.descriptor), os.lstat(self.place))
        except OSError:
            return False

    @property
    def is_due(self) -> bool:
        """True if it is time to put it to its place again."""
        return self._clock() >= self._due

    def publish(self, check: Callable[[], None]) -> None:
        """Put the file to its place, unless it is there.

        :param check: raises if what is there may not be replaced; nobody else who publishes so can come in between.
        :raises OSError: it cannot be put there; what is there stays.
        """
        if self.is_there:  # a signal may have come between the two lines below
            self._temporary, self.has_been_there = None, True
            return
        if self._temporary is None and self.lines.descriptor is not None:  # it was there, and is no more
            self._copy()
        self.lines.open()
        assert self._temporary
        with _locked(self.place.parent):
            check()
            os.replace(self._temporary, self.place)
        self._temporary, self.has_been_there = None, True
        self._due = self._clock() + (self._pause if self._pause > INTERVAL else 0.0)  # nobody comes sooner than that

    def move_aside(self) -> None:
        """Take another name in the same folder, for what is at the place stays there."""
        self.place = self.place.with_name(aside_name(self.place.name))

    def close(self) -> None:
        """Close the file and remove it if it was not put to its place.

        :raises OSError: the storage says only now that it could not be written.
        """
        try:
            self.lines.close()
        finally:
            self._remove_temporary()

    def _leave_place(self) -> None:
        if self.lines.descriptor is not None and (self._temporary is None or self.is_there):
            self._copy()

    def _copy(self) -> None:
        """Go on in a copy under another name.

        :raises OSError: it cannot be made; the file is as it was.
        """
        started = self._clock()
        try:
            self.lines.move(self._create)
        except BaseException:  # also a signal's: half a copy must not be put to the place
            self._remove_temporary()
            raise
        self._pause = max(_COPY_PAUSE * (self._clock() - started), self.lines.size / _COPIED_BYTES_PER_SECOND)

    def _create(self) -> int:
        name = f".{_shortened(self.place.name)}.{secrets.token_hex(8)}.part"
        self._temporary = self.place.with_name(name)
        # O_EXCL follows no link that somebody has put there; the mode is that of any new file, the umask taken off.
        descriptor = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):
            older = os.lstat(self.place)
            if stat.S_ISREG(older.st_mode):
                os.fchmod(descriptor, stat.S_IMODE(older.st_mode) & 0o777)
                os.fchown(descriptor, older.st_uid, older.st_gid)
        return descriptor

    def _remove_temporary(self) -> None:
        if self._temporary:
            with suppress(OSError):  # a folder that has become read-only, or is gone
                self._temporary.unlink()
            self._temporary = None


def aside_name(name: str) -> str:
    """A random name like another one, for a file beside it."""
    path = Path(name)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _MAX_SUFFIX else ""
    return f"{_shortened(name.removesuffix(suffix))}.{secrets.token_hex(4)}{suffix}"


def _shortened(name: str) -> str:
    return os.fsencode(name)[:_MAX_NAME].decode(errors="ignore")


def _write(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of it, at an offset in a file, or wherever a device is."""
    is_file, rest = stat.S_ISREG(os.fstat(descriptor).st_mode), memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, offset) if is_file else os.write(descriptor, rest)
        rest, offset = rest[written:], offset + written


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others who lock the folder out; a file system that has no locks, or one that somebody holds, is gone on without."""
    descriptor = None
    try:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _try_lock(descriptor)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _try_lock(descriptor: int) -> None:
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return
