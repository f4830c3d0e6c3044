"""Tell what a newer OpenAPI file of HubSpot's changes: ``python -m tests.contract.compare FILE``.

Only the structure is compared: a new description is no change. The exit code is 0 if the structure is the same, 1 if it is
another, 2 if the file cannot be read or compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.contract.extract import METHODS, extract
from tests.contract.structures import FOLDER, UnreadableFile, closest, read

#: The keys below which there are names: the group of changes to one of them, and how its place is written.
NAMES = {
    "paths": ("Paths", "{key}"),
    "parameters": ("Parameters", "{where}, parameter {key}"),
    "requestBodies": ("Bodies", "{where}, body {key}"),
    "responses": ("Responses", "{where}, response {key}"),
    "headers": ("Responses", "{where}, header {key}"),
    "content": ("Content types", "{where}, {key}"),
    "schemas": ("Schemas", "{key}"),
    "properties": ("Properties", "{where}.{key}"),
    "mapping": ("Schemas", "{where}, {key}"),
    "securitySchemes": ("Security", "security scheme {key}"),
    "flows": ("Security", "{where}, {key}"),
    "scopes": ("Scopes", "{where}, scope {key}"),
}
#: The same of the other keys. One that is not here is a rule for the values of a schema or of a parameter.
KEYS = dict.fromkeys(METHODS, ("Methods", "{method} {where}")) | {
    "openapi": ("Version", "OpenAPI"),
    "version": ("Version", "version"),
    "servers": ("Version", "servers"),
    "info": ("Version", "info"),
    "components": ("Schemas", "components"),
    "requestBody": ("Bodies", "{where}, body"),
    "security": ("Security", "{where}, security"),
    "enum": ("Constants", "{where}"),
    "required": ("Required", "{where}"),
    "schema": ("Types", "{where}"),
    "items": ("Types", "{where}[]"),
    "additionalProperties": ("Types", "{where}.*"),
}
OTHER = ("Types", "{where}, {key}")
#: The order in which they are printed.
GROUPS = (
    *("Version", "Paths", "Methods", "Parameters", "Bodies", "Responses", "Content types"),
    *("Schemas", "Properties", "Required", "Constants", "Types", "Security", "Scopes"),
)


@dataclass(frozen=True)
class Change:
    """One difference between two structures.

    :param group: what kind of thing has changed, one of ``GROUPS``.
    :param where: its place: ``PATCH /a/{id}, response 200`` or ``Message.status``.
    :param what: what became of it: ``added``, ``now required``, ``"int32" -> "int64"`` …
    """

    group: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


def text(value: Any) -> str:
    """A value in a word or two."""
    match value:
        case str():
            return value
        case {"$ref": str(target)}:
            return target.rsplit("/", 1)[-1]
        case {"url": str(url)}:
            return url
        case {"type": str(kind)}:
            return " ".join([kind, *filter(None, [value.get("format")])])
        case list():
            return ", ".join(text(each) for each in value) or "none"
        case dict() if all(isinstance(each, list) for each in value.values()):  # a security requirement: scheme -> scopes
            return " and ".join(f"{scheme} ({text(scopes)})" if scopes else scheme for scheme, scopes in value.items())
    return json.dumps(value, sort_keys=True)


def added(value: Any) -> str:
    """``added``, and what, if it is a type or one word."""
    is_long = value == "" or (isinstance(value, dict) and not value.keys() & {"type", "$ref"})
    return "added" if is_long else f"added ({text(value)})"


def named(value: Any) -> dict[str, Any]:
    """The members of an object, or of a list of parameters, by their names."""
    if isinstance(value, list):
        return {f"{each['name']} ({each['in']})" if each.keys() >= {"name", "in"} else text(each): each for each in value}
    return value or {}


def changes(old: dict[str, Any], new: dict[str, Any], where: str = "", names_of: str | None = None) -> Iterator[Change]:
    """All differences between two structures.

    :param where: the place of both, in words.
    :param names_of: the key in ``NAMES`` below which they stand; None if their own keys are OpenAPI's.
    """
    for key in sorted(old.keys() | new.keys()):
        group, label = NAMES[names_of] if names_of else KEYS.get(key, OTHER)
        place = label.format(where=where, key=key, method=key.upper()).removeprefix(", ")
        match old.get(key), new.get(key):
            case before, after if before == after:
                pass
            case before, after if not names_of and key in NAMES:
                yield from changes(named(before), named(after), where, key)
            case dict() as before, dict() as after:
                yield from changes(before, after, place)
            case (list() | None) as before, (list() | None) as after:
                yield from (Change(group, place, what) for what in changes_of_list(key, before, after))
            case True, None if key == "required":
                yield Change(group, place, "no longer required")
            case None, True if key == "required":
                yield Change(group, place, "now required")
            case None, after:
                yield Change(group, place, added(after))
            case before, None:
                yield Change(group, place, "removed")
            case before, after:
                yield Change(group, place, f"{text(before)} -> {text(after)}")


def changes_of_list(key: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[str]:
    """What has changed in a list, whose order means nothing; None is no list."""
    if key == "enum" and old is None:
        yield f"now limited to {text(new)}"
    elif key == "enum" and new is None:
        yield f"no longer limited to {text(old)}"
    elif not old and not new:  # an operation without a list of security requirements has the document's
        yield "removed (an empty list)" if new is None else "added (an empty list)"
    else:
        before, after = ({json.dumps(each, sort_keys=True): text(each) for each in side or []} for side in (old, new))
        gone, come = ("no longer required", "now required") if key == "required" else ("removed", "added")
        yield from (f"{before[each]} {gone}" for each in sorted(before.keys() - after.keys()))
        yield from (f"{after[each]} {come}" for each in sorted(after.keys() - before.keys()))


def with_version(document: dict[str, Any], version: str) -> dict[str, Any]:
    """A document whose paths are those of another version, so that two versions can be compared."""
    own = document["info"]["version"]
    paths = {
        "/".join(version if part == own else part for part in path.split("/")): each for path, each in document["paths"].items()
    }
    return document | {"paths": paths}


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Compare one file with a stored structure: 0 if it is the same, 1 if not, 2 if this cannot be told."""
    stored = sorted(path.stem for path in folder.glob("*.json"))
    parser = argparse.ArgumentParser(
        prog="python -m tests.contract.compare", description="Compare a newer OpenAPI file of HubSpot's."
    )
    parser.add_argument("file", type=Path, help="HubSpot's OpenAPI file, JSON")
    parser.add_argument(
        "--with", dest="name", choices=stored, help="the stored structure to compare it with; else the one that has its paths"
    )
    options = parser.parse_args(arguments)
    try:
        new = extract(read(options.file))
        name = options.name or closest(new, folder)
        if name is None:
            raise UnreadableFile(
                f"has no path in common with a stored structure. Choose one: --with {' or '.join(stored)}. "
                "A version that is not stored yet is added by python -m tests.contract.extract."
            )
        old = extract(read(folder / f"{name}.json"))
    except UnreadableFile as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    found = sorted(changes(old, with_version(new, old["info"]["version"])), key=lambda each: GROUPS.index(each.group))
    if not found:
        print(f"{options.file}: the same structure as {name}")
        return 0
    print(f"{options.file}: {len(found)} {'change' if len(found) == 1 else 'changes'} against {name}")
    for group, of_group in groupby(found, key=lambda each: each.group):
        print(f"\n{group}", *(f"  {each}" for each in of_group), sep="\n")
    print(f"\nTo store the new structure: python -m tests.contract.extract {options.file}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
