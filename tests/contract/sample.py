"""A small OpenAPI document as HubSpot writes them, with a text for people wherever there can be one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

TEXT = "A sentence, for people."
#: The value that takes a member away.
GONE = object()
PATH = "/parcels/2030-01/{parcelId}"


def document() -> dict[str, Any]:
    """A new copy, to be changed at will."""
    texts = {"description": TEXT, "summary": TEXT, "x-hubspot-note": {"text": TEXT}}
    schemas = {
        "Parcel": {
            "title": TEXT,
            "type": "object",
            "required": ["state", "id"],
            "properties": {
                "id": {"type": "string", "format": "uuid", "description": TEXT, "example": TEXT},
                "state": {"type": "string", "enum": ["SENT", "LOST"], "default": "SENT", "example": {"any": [TEXT]}},
                "description": {"type": "string", "default": TEXT, "externalDocs": {"url": TEXT}},
                "x-weight": {"type": "integer", "format": "int32", "minimum": 0, "xml": {"name": TEXT}},
                "content": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/Parcel"}, {"type": "string"}]}},
            },
            "additionalProperties": {"type": "string", "description": TEXT},
            "discriminator": {"propertyName": "state", "mapping": {"SENT": "#/components/schemas/Parcel"}},
        }
    }
    reply = {"application/json": {"schema": {"$ref": "#/components/schemas/Parcel"}, "example": TEXT, "examples": {TEXT: TEXT}}}
    get = {
        "tags": [TEXT],
        "operationId": "get-/parcels",
        "parameters": [
            {
                "name": "parcelId",
                "in": "path",
                "required": True,
                "style": "simple",
                "explode": False,
                "schema": {"type": "string"},
            },
            {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer"}, "example": TEXT, **texts},
        ],
        "responses": {
            "200": {"description": TEXT, "content": reply, "headers": {"x-next": {"schema": {"type": "string"}, **texts}}},
            "default": {"description": TEXT, "$ref": "#/components/responses/Error"},
            "x-hubspot-note": TEXT,
        },
        "security": [{"oauth2": ["parcels.read"]}],
    }
    patch = {
        "requestBody": {"content": deepcopy(reply), "required": True, **texts},
        "responses": {"204": {"description": TEXT}},
    }
    flow = {
        "authorizationUrl": "https://a.example/authorize",
        "tokenUrl": "https://a.example/token",
        "scopes": {"parcels.read": TEXT},
    }
    return {
        "openapi": "3.0.1",
        "info": {
            "title": TEXT,
            "version": "2030-01",
            "contact": {"name": TEXT},
            "license": {"name": TEXT},
            "termsOfService": TEXT,
        }
        | texts,
        "servers": [{"url": "https://a.example", "description": TEXT}],
        "tags": [{"name": TEXT, "description": TEXT}],
        "externalDocs": {"url": TEXT, "description": TEXT},
        "paths": {PATH: {"get": get | texts, "patch": patch | texts, **texts}, "x-hubspot-note": TEXT},
        "components": {
            "schemas": schemas,
            "responses": {"Error": {"description": TEXT, "content": {"*/*": {"schema": {"type": "object"}}}}},
            "securitySchemes": {
                "oauth2": {"type": "oauth2", "description": TEXT, "flows": {"authorizationCode": flow}},
                "key": {"type": "apiKey", "name": "hapikey", "in": "query", "description": TEXT},
            },
            "examples": {"any": {"value": TEXT}},
        },
        "x-hubspot-note": TEXT,
    }


def changed(place: str, value: Any) -> dict[str, Any]:
    """The document with another value at one place.

    :param place: keys from the outside in, with blanks between them; ``GET``, ``PATCH`` and ``Parcel`` are the way to these.
    :param value: what is there then, or ``GONE``.
    """
    found = document()
    part: Any = found
    ways = {"GET": ["paths", PATH, "get"], "PATCH": ["paths", PATH, "patch"], "Parcel": ["components", "schemas", "Parcel"]}
    first, *others = place.split(" ")
    *keys, last = [*ways.get(first, [first]), *others]
    for key in keys:
        part = part[int(key) if isinstance(part, list) else key]
    if value is GONE:
        del part[last]
    else:
        part[last] = value
    return found
