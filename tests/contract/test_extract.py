"""What is stored of HubSpot's OpenAPI files: all of their structure, and none of their texts."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_core import OpenAPI

from tests.contract.extract import as_text, extract, main
from tests.contract.sample import GONE, PATH, TEXT, changed, document
from tests.contract.structures import FILES, FOLDER, UnreadableFile, stored

#: What the strings of a structure are made of: names, paths, media types, references, addresses. No blank, no comma, no quote.
CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-.$*/{}#:")


def strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value, keys included."""
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from strings(each)
        case dict():
            for key, each in value.items():
                yield key
                yield from strings(each)


@pytest.mark.parametrize("file", FILES)
def test_nothing_stored_is_a_text_for_people(file: str) -> None:
    """Every string is a name, a path, a media type, a reference, an address or a constant."""
    assert [each for each in strings(stored(file)) if not set(each) <= CHARACTERS or len(each) > 130] == []


@pytest.mark.parametrize("file", FILES)
def test_texts_that_openapi_requires_are_made_here(file: str) -> None:
    """A description is empty, and the title is the same in all files; other texts have no key at all."""

    def texts(value: Any, names: bool = False) -> Iterator[tuple[str, Any]]:
        for key, each in value.items() if isinstance(value, dict) else ((None, each) for each in value):
            if not names and key in ("description", "title", "summary", "example", "tags", "operationId"):
                yield key, each
            if isinstance(each, dict | list):
                yield from texts(each, names=not names and key in ("properties", "scopes"))

    found = list(texts(stored(file)))
    assert set(found) == {("title", "structure"), ("description", "")}


@pytest.mark.parametrize("file", FILES)
def test_the_structure_of_a_structure_is_itself(file: str) -> None:
    """What is stored is what the script writes: nothing was added or taken away by hand."""
    assert extract(stored(file)) == stored(file)
    assert (FOLDER / f"{file}.json").read_text(encoding="utf-8") == as_text(stored(file)) + "\n"


@pytest.mark.parametrize("file", FILES)
def test_what_is_stored_is_an_openapi_document(file: str) -> None:
    """It is valid by OpenAPI's own schema, and every reference in it has its target."""
    OpenAPI.from_dict(stored(file)).check_spec()
    for reference in [each for each in strings(stored(file)) if each.startswith("#/")]:
        _, components, kind, name = reference.split("/")
        assert name in stored(file)[components][kind], reference


def test_the_structure_is_kept_and_the_texts_are_not() -> None:
    """All that a program can see of a document, and nothing that is written for people."""
    parcel = {"$ref": "#/components/schemas/Parcel"}
    content = {"application/json": {"schema": parcel}}
    expected = {
        "openapi": "3.0.1",
        "info": {"title": "structure", "version": "2030-01"},
        "servers": [{"url": "https://a.example"}],
        "paths": {
            PATH: {
                "get": {
                    "parameters": [
                        {"name": "parcelId", "in": "path", "required": True, "schema": {"type": "string"}},
                        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    ],
                    "responses": {
                        "200": {"description": "", "content": content, "headers": {"x-next": {"schema": {"type": "string"}}}},
                        "default": {"$ref": "#/components/responses/Error"},
                    },
                    "security": [{"oauth2": ["parcels.read"]}],
                },
                "patch": {"requestBody": {"content": content, "required": True}, "responses": {"204": {"description": ""}}},
            }
        },
        "components": {
            "schemas": {
                "Parcel": {
                    "type": "object",
                    "required": ["id", "state"],
                    "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "state": {"type": "string", "enum": ["LOST", "SENT"], "default": "SENT"},
                        "description": {"type": "string"},
                        "x-weight": {"type": "integer", "format": "int32", "minimum": 0},
                        "content": {"type": "array", "items": {"oneOf": [parcel, {"type": "string"}]}},
                    },
                    "additionalProperties": {"type": "string"},
                    "discriminator": {"propertyName": "state", "mapping": {"SENT": parcel["$ref"]}},
                }
            },
            "responses": {"Error": {"description": "", "content": {"*/*": {"schema": {"type": "object"}}}}},
            "securitySchemes": {
                "oauth2": {
                    "type": "oauth2",
                    "flows": {
                        "authorizationCode": {
                            "authorizationUrl": "https://a.example/authorize",
                            "tokenUrl": "https://a.example/token",
                            "scopes": {"parcels.read": ""},
                        }
                    },
                },
                "key": {"type": "apiKey", "name": "hapikey", "in": "query"},
            },
        },
    }
    found = extract(document())
    assert json.loads(as_text(found)) == expected
    assert TEXT not in as_text(found)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("info version", TEXT, f"the file > info > version: '{TEXT}' is not a name or a constant"),
        ("GET responses 200 links", {}, "get > responses > 200: the key 'links' is not known"),
        ("Parcel enum", ["A", TEXT], f"Parcel > enum: '{TEXT}' is not a name or a constant"),
        ("Parcel enum", [{"a": TEXT}], "is not a name or a constant"),
        ("Parcel minLength", TEXT, f"Parcel > minLength: '{TEXT}' is not a number"),
        ("Parcel nullable", TEXT, f"Parcel > nullable: '{TEXT}' is not true or false"),
        ("Parcel pattern", TEXT, f"Parcel > pattern: '{TEXT}' is not a pattern without blanks"),
        ("Parcel properties", [], "Parcel > properties: an object was expected"),
        ("Parcel properties", {TEXT: {}}, f"Parcel > properties: '{TEXT}' is not a name"),
        ("Parcel required", True, "Parcel > required: a list was expected"),
    ],
)
def test_what_is_neither_structure_nor_text_is_refused(place: str, value: Any, message: str) -> None:
    """A key or a constant that the script does not know is an error: left out, nobody would miss it."""
    with pytest.raises(UnreadableFile) as error:
        extract(changed(place, value))
    assert message in str(error.value)


def test_a_file_is_written_under_the_name_of_its_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """HubSpot calls the files of all versions alike; a newer file replaces the one with its paths, whatever it is called."""
    (source := tmp_path / "parcels.json").write_text(json.dumps(document()))
    (folder := tmp_path / "stored").mkdir()
    assert main([str(source)], folder) == 0
    assert capsys.readouterr().out == f"{source} -> {folder}/parcels-2030-01.json\n"
    new = changed("PATCH", GONE)
    (newer := tmp_path / "download.json").write_text(json.dumps(new))
    assert main([str(newer)], folder) == 0
    assert [path.name for path in folder.iterdir()] == ["parcels-2030-01.json"]
    assert json.loads((folder / "parcels-2030-01.json").read_text()) == extract(new)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be opened: No such file or directory."),
        (b"<html>", "is not JSON in UTF-8: "),
        (b"\xff\xfe", "is not JSON in UTF-8: "),
        (b"[]", "is not an OpenAPI document: info.version or paths are missing."),
        (b'{"info": {"version": "1"}, "paths": {}, "webhooks": {}}', "the file: the key 'webhooks' is not known."),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    """The exit code is 2, and the text says which file and why."""
    source = tmp_path / "parcels.json"
    if content is not None:
        source.write_bytes(content)
    assert main([str(source)], tmp_path / "stored") == 2
    assert capsys.readouterr().err.startswith(f"{source}: {message}")


def test_files_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file, the command says how it is called."""
    with pytest.raises(SystemExit) as error:
        main([])
    assert error.value.code == 2
    assert "usage: python -m tests.contract.extract" in capsys.readouterr().err
