"""Reduce HubSpot's OpenAPI files to their structure: ``python -m tests.contract.extract FILE...``.

What is kept is what a program can see: paths, methods, parameters, schemas, types, constants, scopes. Texts for people are left
out, for they are HubSpot's. Each file becomes, or replaces, one in ``tests/contract/`` that is still an OpenAPI document.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.contract.structures import FOLDER, UnreadableFile, closest, read

#: Keeps what is structure in one value; ``None`` leaves the value out. The second argument says where it stands, for errors.
Keep = Callable[[Any, str], Any]

#: Names, paths, media types, references, addresses and constants: whatever has no blank and no punctuation of a sentence.
WORD = re.compile(r"[A-Za-z0-9_.$*/{}#:+;=-]*")
#: The stored file is written in lines of at most so many characters.
WIDTH = 128

#: Keys whose values are texts for people, or repeat what is kept: an operationId is method and path once more. Keys that begin
#: with ``x-`` are left out, too.
LEFT_OUT = {"description", "summary", "title", "tags", "example", "examples", "externalDocs", "xml", "operationId"} | {
    "contact",
    "license",
    "termsOfService",
}


def flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UnreadableFile(f"{where}: {value!r} is not true or false.")
    return value


def number(value: Any, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableFile(f"{where}: {value!r} is not a number.")
    return value


def word(value: Any, where: str) -> str:
    """A string that cannot be a sentence. Another is refused: left out, it would be missing from the structure."""
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise UnreadableFile(f"{where}: {value!r} is not a name or a constant. If it is structure, extend WORD in {__file__}.")
    return value


def constant(value: Any, where: str) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else word(value, where)


def default(value: Any, where: str) -> Any:
    """A default that is a constant; one that is a text is left out."""
    return value if isinstance(value, bool | int | float) or (isinstance(value, str) and WORD.fullmatch(value)) else None


def pattern(value: Any, where: str) -> str:
    if not isinstance(value, str) or re.search(r"\s", value):
        raise UnreadableFile(f"{where}: {value!r} is not a pattern without blanks.")
    return value


def empty(value: Any, where: str) -> str:
    """Where OpenAPI requires a text: none."""
    return ""


def list_of(keep: Keep) -> Keep:
    """Lists in OpenAPI are sets: sorted, a change of order is no difference."""

    def kept(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise UnreadableFile(f"{where}: a list was expected.")
        return sorted((keep(each, where) for each in value), key=lambda each: json.dumps(each, sort_keys=True))

    return kept


def map_of(keep: Keep, *, extensions: bool = False) -> Keep:
    """Keeps all names of a map; with ``extensions``, those that begin with ``x-`` are none of its names.

    A property or a header may have such a name, a path or a status may not.
    """

    def kept(value: Any, where: str) -> dict[str, Any]:
        names = [name for name in members(value, where) if not (extensions and name.startswith("x-"))]
        return {word(name, where): keep(value[name], f"{where} > {name}") for name in names}

    return kept


def keys_of(allowed: dict[str, Keep]) -> Keep:
    """Keeps the keys of one kind of OpenAPI object. A key that is neither allowed nor known as a text is refused."""

    def kept(value: Any, where: str) -> dict[str, Any]:
        keys = [key for key in members(value, where) if key not in LEFT_OUT and not key.startswith("x-")]
        if unknown := [key for key in keys if key not in allowed]:
            raise UnreadableFile(
                f"{where}: the key {unknown[0]!r} is not known. "
                f"If it is structure, allow it where {__file__} lists the keys of this object, else add it to LEFT_OUT there."
            )
        found = {key: allowed[key](value[key], f"{where} > {key}") for key in keys}
        return {key: each for key, each in found.items() if each is not None}

    return kept


def members(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableFile(f"{where}: an object was expected.")
    return value


def schema(value: Any, where: str) -> Any:
    return value if isinstance(value, bool) else keys_of(SCHEMA)(value, where)


def types(value: Any, where: str) -> Any:
    return list_of(word)(value, where) if isinstance(value, list) else word(value, where)


SCHEMA: dict[str, Keep] = (
    {"$ref": word, "type": types, "format": word, "enum": list_of(constant), "const": constant, "default": default}
    | {"properties": map_of(schema), "required": list_of(word), "additionalProperties": schema, "items": schema, "not": schema}
    | dict.fromkeys(["oneOf", "anyOf", "allOf"], list_of(schema))
    | {"discriminator": keys_of({"propertyName": word, "mapping": map_of(word)})}
    | dict.fromkeys(["minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems"], number)
    | dict.fromkeys(["minProperties", "maxProperties"], number)
    | dict.fromkeys(["exclusiveMinimum", "exclusiveMaximum"], constant)  # flags in OpenAPI 3.0, numbers in 3.1
    | dict.fromkeys(["nullable", "uniqueItems", "readOnly", "writeOnly", "deprecated"], flag)
    | {"pattern": pattern}
)


def parameter(value: Any, where: str) -> dict[str, Any]:
    """A parameter or a header without what OpenAPI assumes of it anyway."""
    found: dict[str, Any] = keys_of(PARAMETER)(value, where)
    style = "form" if found.get("in") in ("query", "cookie") else "simple"
    assumed = {"style": style, "explode": found.get("style", style) == "form", "required": False}
    return {key: each for key, each in found.items() if key not in assumed or each != assumed[key]}


def response(value: Any, where: str) -> dict[str, Any]:
    found: dict[str, Any] = keys_of(RESPONSE)(value, where)
    return found if "$ref" in found else found | {"description": ""}


ENCODING = keys_of({"contentType": word, "style": word, "explode": flag})
CONTENT = map_of(keys_of({"schema": schema, "encoding": map_of(ENCODING)}))
PARAMETER: dict[str, Keep] = (
    {"$ref": word, "name": word, "in": word, "style": word, "schema": schema, "content": CONTENT}
    | dict.fromkeys(["required", "explode", "deprecated", "allowEmptyValue", "allowReserved"], flag)
)  # fmt: skip
RESPONSE: dict[str, Keep] = {"$ref": word, "headers": map_of(parameter), "content": CONTENT}
BODY = keys_of({"$ref": word, "required": flag, "content": CONTENT})
SECURITY = list_of(map_of(list_of(word)))
OPERATION = keys_of(
    {
        "parameters": list_of(parameter),
        "requestBody": BODY,
        "responses": map_of(response, extensions=True),
        "security": SECURITY,
        "deprecated": flag,
    }
)
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PATH = keys_of(dict.fromkeys(METHODS, OPERATION) | {"parameters": list_of(parameter)})
FLOW = keys_of(dict.fromkeys(["authorizationUrl", "tokenUrl", "refreshUrl"], word) | {"scopes": map_of(empty)})
SECURITY_SCHEME = keys_of(
    dict.fromkeys(["$ref", "type", "name", "in", "scheme", "bearerFormat", "openIdConnectUrl"], word)
    | {"flows": map_of(FLOW)}
)  # fmt: skip


def info(value: Any, where: str) -> dict[str, Any]:
    """The version. OpenAPI requires a title, too, but HubSpot's is a text."""
    return {"title": "structure"} | keys_of({"version": word})(value, where)  # type: ignore[no-any-return]


DOCUMENT = keys_of(
    {
        "openapi": word,
        "info": info,
        "servers": list_of(keys_of({"url": word})),
        "paths": map_of(PATH, extensions=True),
        "security": SECURITY,
        "components": keys_of(
            {
                "schemas": map_of(schema),
                "responses": map_of(response),
                "parameters": map_of(parameter),
                "requestBodies": map_of(BODY),
                "headers": map_of(parameter),
                "securitySchemes": map_of(SECURITY_SCHEME),
            }
        ),
    }
)


def extract(document: dict[str, Any]) -> dict[str, Any]:
    """The structure of an OpenAPI document, without its texts; that of a structure is itself.

    :raises UnreadableFile: if something in it is neither structure that is known nor text that is known.
    """
    found: dict[str, Any] = DOCUMENT(document, "the file")
    return found


def as_text(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON with sorted keys, in which whatever fits into a line stands in one line: short, and with readable differences.

    :param indent: blanks before the line; one more for each level.
    :param before: characters of the key that stands before the value.
    """
    line = json.dumps(value, sort_keys=True)
    if not isinstance(value, dict | list) or not value or indent + before + len(line) < WIDTH:
        return line
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {as_text(each, indent + 1, len(key) + 4)}" for key, each in sorted(value.items())]
    else:
        parts = [as_text(each, indent + 1) for each in value]
    inner = ",".join(f"\n{' ' * (indent + 1)}{part}" for part in parts)
    return f"{line[0]}{inner}\n{' ' * indent}{line[-1]}"


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write the structure of each file into the folder: 0, or 2 if one of them cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.contract.extract", description="Store the structure of OpenAPI files."
    )
    parser.add_argument("file", type=Path, nargs="+", help="HubSpot's OpenAPI file, JSON")
    for source in parser.parse_args(arguments).file:
        try:
            structure = extract(read(source))
        except UnreadableFile as error:
            print(f"{source}: {error}", file=sys.stderr)
            return 2
        version, stem = structure["info"]["version"], source.stem
        name = closest(structure, folder) or (stem if stem.endswith(version) else f"{stem}-{version}")
        (folder / f"{name}.json").write_text(as_text(structure) + "\n", encoding="utf-8")
        print(f"{source} -> {folder / name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
