"""Where a file is: on this machine or in an object store, and whether it is a file at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from airflow.sdk import ObjectStoragePath

#: Characters of a URI in the text of an error.
MAX_URI = 300
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}


def storage_path(uri: str) -> ObjectStoragePath:
    """The path of a URI or a local path, ``~`` expanded as a shell does."""
    return ObjectStoragePath(os.path.expanduser(uri))


def local_path(path: ObjectStoragePath) -> Path | None:
    """The path as this machine's file system has it, links resolved; None in an object store."""
    return Path(path.path).resolve() if path.protocol in ("", "file", "local") else None


def special_kind(path: ObjectStoragePath) -> str:
    """``a folder``, ``a pipe``, ``a socket`` or ``a device`` if there is one; an empty text for a file, or nothing."""
    local = local_path(path)
    if local is None:
        return "a folder" if path.is_dir() else ""
    try:
        kind = stat.S_IFMT(local.stat().st_mode)
    except OSError:  # not there, or not to be looked at: opening it tells why
        return ""
    return "" if kind == stat.S_IFREG else _KINDS.get(kind, "a device")
