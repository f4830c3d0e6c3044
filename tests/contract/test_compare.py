"""What a newer OpenAPI file of HubSpot's has changed, in lines that name each change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compare import GROUPS, KEYS, NAMES, OTHER, changes, main
from tests.contract.extract import as_text, extract
from tests.contract.sample import GONE, PATH, TEXT, changed, document
from tests.contract.structures import FILES, stored

PARCEL = {"$ref": "#/components/schemas/Parcel"}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
ID = document()["paths"][PATH]["get"]["parameters"][0]
AFTER = {"name": "after", "in": "query", "schema": {"type": "string"}}
OAUTH = "components securitySchemes oauth2 flows authorizationCode scopes"


@pytest.mark.parametrize(
    ("place", "value", "lines"),
    [
        ("info version", "2030-02", ["Version | version: 2030-01 -> 2030-02"]),
        (
            "servers 0 url",
            "https://b.c",
            ["Version | servers: https://a.example removed", "Version | servers: https://b.c added"],
        ),
        ("paths /p", {}, ["Paths | /p: added"]),
        ("paths", {}, [f"Paths | {PATH}: removed"]),
        (f"paths {PATH} put", {"responses": {}}, [f"Methods | PUT {PATH}: added"]),
        ("PATCH", GONE, [f"Methods | PATCH {PATH}: removed"]),
        ("GET parameters", [ID, LIMIT, AFTER], [f"Parameters | GET {PATH}, parameter after (query): added"]),
        ("GET parameters", [ID], [f"Parameters | GET {PATH}, parameter limit (query): removed"]),
        ("GET parameters 1 required", True, [f"Required | GET {PATH}, parameter limit (query): now required"]),
        ("GET parameters 1 schema type", "string", [f"Types | GET {PATH}, parameter limit (query), type: integer -> string"]),
        (
            "GET parameters 1 style",
            "pipeDelimited",
            [f"Types | GET {PATH}, parameter limit (query), style: added (pipeDelimited)"],
        ),
        ("PATCH requestBody", GONE, [f"Bodies | PATCH {PATH}, body: removed"]),
        ("PATCH requestBody required", GONE, [f"Required | PATCH {PATH}, body: no longer required"]),
        ("PATCH requestBody content text/csv", {}, [f"Content types | PATCH {PATH}, body, text/csv: added"]),
        ("GET responses 202", {}, [f"Responses | GET {PATH}, response 202: added"]),
        ("GET responses 200 headers", GONE, [f"Responses | GET {PATH}, response 200, header x-next: removed"]),
        ("components schemas Box", {"type": "object"}, ["Schemas | Box: added (object)"]),
        ("components schemas", GONE, ["Schemas | Parcel: removed"]),
        ("Parcel properties size", {"type": "integer", "format": "int64"}, ["Properties | Parcel.size: added (integer int64)"]),
        ("Parcel properties outer", PARCEL, ["Properties | Parcel.outer: added (Parcel)"]),
        ("Parcel properties description", GONE, ["Properties | Parcel.description: removed"]),
        ("Parcel required", ["id", "state", "content"], ["Required | Parcel: content now required"]),
        ("Parcel required", ["state"], ["Required | Parcel: id no longer required"]),
        ("Parcel required", GONE, ["Required | Parcel: id no longer required", "Required | Parcel: state no longer required"]),
        ("Parcel properties state enum", ["SENT", "LOST", "READ"], ["Constants | Parcel.state: READ added"]),
        ("Parcel properties state enum", ["SENT"], ["Constants | Parcel.state: LOST removed"]),
        ("Parcel properties state enum", GONE, ["Constants | Parcel.state: no longer limited to LOST, SENT"]),
        ("Parcel properties id enum", ["B", "A"], ["Constants | Parcel.id: now limited to A, B"]),
        ("Parcel properties id type", "integer", ["Types | Parcel.id, type: string -> integer"]),
        ("Parcel properties id format", GONE, ["Types | Parcel.id, format: removed"]),
        ("Parcel properties id nullable", True, ["Types | Parcel.id, nullable: added (true)"]),
        ("Parcel properties x-weight minimum", 1, ["Types | Parcel.x-weight, minimum: 0 -> 1"]),
        ("Parcel properties content items oneOf", [PARCEL], ["Types | Parcel.content[], oneOf: string removed"]),
        (
            "Parcel properties content items oneOf 1 minLength",
            1,
            ["Types | Parcel.content[], oneOf: string removed", "Types | Parcel.content[], oneOf: string added"],
        ),
        ("Parcel discriminator mapping", {}, ["Schemas | Parcel, discriminator, SENT: removed"]),
        ("Parcel additionalProperties", False, ["Types | Parcel.*: string -> false"]),
        ("Parcel additionalProperties format", "uuid", ["Types | Parcel.*, format: added (uuid)"]),
        (f"{OAUTH} parcels.write", TEXT, ["Scopes | security scheme oauth2, authorizationCode, scope parcels.write: added"]),
        (OAUTH, {}, ["Scopes | security scheme oauth2, authorizationCode, scope parcels.read: removed"]),
        ("components securitySchemes key", GONE, ["Security | security scheme key: removed"]),
        ("components securitySchemes key in", "header", ["Types | security scheme key, in: query -> header"]),
        (
            "GET security",
            [{"oauth2": ["parcels.read", "parcels.all"]}, {"key": []}],
            [
                f"Security | GET {PATH}, security: oauth2 (parcels.read) removed",
                f"Security | GET {PATH}, security: key added",
                f"Security | GET {PATH}, security: oauth2 (parcels.all, parcels.read) added",
            ],
        ),
        ("PATCH security", [], [f"Security | PATCH {PATH}, security: added (an empty list)"]),
    ],
)
def test_each_change_is_named(place: str, value: Any, lines: list[str]) -> None:
    """One line for each change: its group, its place, and what became of it."""
    found = changes(extract(document()), extract(changed(place, value)))
    assert [f"{each.group} | {each}" for each in found] == lines


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("info title", "Another"),
        ("GET operationId", "another"),
        ("GET tags", []),
        ("GET x-hubspot-note", GONE),
        ("GET parameters", [LIMIT | {"required": False, "style": "form", "explode": True, "description": "Another"}, ID]),
        ("GET responses 200 description", "Another"),
        ("Parcel description", "Another"),
        ("Parcel required", ["id", "state"]),
        ("Parcel properties id example", None),
        ("Parcel properties state enum", ["LOST", "SENT"]),
        ("Parcel properties description default", "Another text."),
        (f"{OAUTH} parcels.read", "Another"),
    ],
)
def test_texts_and_order_are_no_change(place: str, value: Any) -> None:
    """New descriptions, examples and titles, another order, and what OpenAPI assumes anyway are the same structure."""
    assert list(changes(extract(document()), extract(changed(place, value)))) == []


def poorer(value: Any) -> Iterator[Any]:
    """Copies of a JSON value in each of which one member or element, at any depth, is missing."""
    for key in value if isinstance(value, dict) else range(len(value)):
        copy = value.copy()
        del copy[key]
        if key in NAMES and not value[key]:
            continue  # no names: as if the key were missing
        yield copy
        if isinstance(value[key], dict | list):
            for part in poorer(value[key]):
                copy = value.copy()
                copy[key] = part
                yield copy


@pytest.mark.parametrize("structure", [extract(document()), stored("accountInfo-2026-03"), stored("oauth-2026-03")])
def test_no_difference_goes_unnoticed(structure: dict[str, Any]) -> None:
    """Whatever is missing from a structure, or new in it, is one change at least."""
    for other in poorer(structure):
        assert list(changes(structure, other)), other
        assert list(changes(other, structure)), other


def test_every_group_is_printed() -> None:
    """There is no change whose group has no place in the list."""
    assert {group for group, _ in [*NAMES.values(), *KEYS.values(), OTHER]} == set(GROUPS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the structure of the document is stored, beside another."""
    (found := tmp_path / "stored").mkdir()
    other = document()
    other["paths"] = {"/boxes/2030-01": {}, PATH + "/boxes": {}}
    for name, each in (("boxes-2030-01", other), ("parcels-2030-01", document())):
        (found / f"{name}.json").write_text(as_text(extract(each)))
    return found


def written(folder: Path, content: Any) -> str:
    """The path of a new file with this content."""
    (path := folder.parent / "newer.json").write_text(json.dumps(content))
    return str(path)


def test_a_change_is_printed_and_the_exit_code_is_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Changes stand in groups, with the command that takes them over; the stored structure is found by its paths."""
    new = changed("Parcel properties state enum", ["SENT", "LOST", "READ", "HELD"])
    del new["paths"][PATH]["patch"]
    assert main([path := written(folder, new)], folder) == 1
    assert capsys.readouterr().out == (
        f"{path}: 3 changes against parcels-2030-01\n"
        f"\nMethods\n  PATCH {PATH}: removed\n"
        "\nConstants\n  Parcel.state: HELD added\n  Parcel.state: READ added\n"
        f"\nTo store the new structure: python -m tests.contract.extract {path}\n"
    )


def test_the_same_structure_is_exit_code_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of which only texts are new is the same."""
    assert main([path := written(folder, changed("Parcel description", "Another"))], folder) == 0
    assert capsys.readouterr().out == f"{path}: the same structure as parcels-2030-01\n"


def test_two_versions_are_compared_if_one_asks_for_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A version that is not stored has other paths; with ``--with``, the version in them is no difference."""
    new = document()
    new["info"]["version"] = "2030-09"
    new["paths"] = {PATH.replace("2030-01", "2030-09"): new["paths"][PATH]}
    assert main([path := written(folder, new)], folder) == 2
    assert capsys.readouterr().err == (
        f"{path}: has no path in common with a stored structure. Choose one: --with boxes-2030-01 or parcels-2030-01. "
        "A version that is not stored yet is added by python -m tests.contract.extract.\n"
    )
    assert main([path, "--with", "parcels-2030-01"], folder) == 1
    assert "1 change against parcels-2030-01\n\nVersion\n  version: 2030-01 -> 2030-09\n\n" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_exit_code_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text names the file and what is wrong with it."""
    assert main(["missing.json"], folder) == 2
    assert capsys.readouterr().err == "missing.json: cannot be opened: No such file or directory.\n"
    assert main([path := written(folder, {"swagger": "2.0"})], folder) == 2
    assert capsys.readouterr().err.startswith(f"{path}: is not an OpenAPI document: ")
    assert main([path := written(folder, changed("GET servers", []))], folder) == 2
    assert "get: the key 'servers' is not known. If it is structure, allow it" in capsys.readouterr().err


@pytest.mark.parametrize("file", FILES)
def test_a_stored_structure_is_found_by_its_own_paths(file: str, tmp_path: Path) -> None:
    """Each of HubSpot's files has paths of its own: none is compared with another's structure."""
    (path := tmp_path / "any.json").write_text(json.dumps(stored(file)))
    assert main([str(path)]) == 0
