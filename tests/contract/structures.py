"""The stored structures: one for each of HubSpot's OpenAPI files, found by its name or by its paths."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
#: The names of the stored files, each with the version of HubSpot's API that it is of.
FILES: dict[str, str] = {path.stem: path.stem.split("-", 1)[1] for path in sorted(FOLDER.glob("*.json"))}


class UnreadableFile(ValueError):
    """A file that is not an OpenAPI document, or has something that is neither structure nor text. The text says what to do."""


def read(path: Path) -> dict[str, Any]:
    """An OpenAPI document as it lies there.

    :raises UnreadableFile: if there is none.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFile(f"cannot be opened: {error.strerror}.") from error
    except ValueError as error:
        raise UnreadableFile(f"is not JSON in UTF-8: {error}.") from error
    match document:
        case {"info": {"version": str()}, "paths": dict()}:
            return document
    raise UnreadableFile("is not an OpenAPI document: info.version or paths are missing. Download HubSpot's JSON file itself.")


@cache
def stored(file: str) -> dict[str, Any]:
    """The structure that is stored under this name."""
    return read(FOLDER / f"{file}.json")


def operations(file: str) -> set[tuple[str, str]]:
    """Method and path of all operations of a stored structure."""
    return {(method.upper(), path) for path, methods in stored(file)["paths"].items() for method in methods}


def closest(document: dict[str, Any], folder: Path = FOLDER) -> str | None:
    """The name of the stored structure with which a document has the most paths in common, or None if it has none with any."""
    common = {path.stem: len(read(path)["paths"].keys() & document["paths"].keys()) for path in sorted(folder.glob("*.json"))}
    best = max(common, key=lambda name: common[name], default=None)
    return best if best and common[best] else None
