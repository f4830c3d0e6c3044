"""The local HubSpot's contract against the structure of HubSpot's own OpenAPI files."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from airflow_provider_hubchan.client import models
from airflow_provider_hubchan.emulator.api.http import Response
from airflow_provider_hubchan.emulator.api.routes import answer
from airflow_provider_hubchan.emulator.model.records import WRITABLE
from airflow_provider_hubchan.emulator.model.world import World
from tests.contract.structures import FILES, operations, stored
from tests.emulator.exchanges import (
    VERSIONS,
    Exchange,
    account_info,
    custom_channels,
    difference,
    exchanges,
    oauth,
    samples,
)

pytestmark = pytest.mark.filterwarnings("ignore:Unsupported scheme type")  # openapi-core knows no oauth2

CHANNEL_FILES = [file for file in FILES if file.startswith("customChannels")]
#: Good calls that are not as a file has them, and why.
KNOWN_CALLS = {
    ("PATCH", "/{channelId}"): "in the files every field is an object, also those that are strings in a POST and in the reply"
}


@cache
def openapi(file: str) -> OpenAPI:
    of_any_kind: dict[str, Any] = {"*/*": lambda body, **parameters: json.loads(body)}  # so the files call the kind of an error
    return OpenAPI.from_dict(stored(file), config=Config(extra_media_type_deserializers=of_any_kind))


def world_with_messages() -> World:
    world = World(limit=0, token_limit=0)
    world.seed(["m-1", "m-2"])
    return world


def of_file(world: World, file: str) -> list[Exchange]:
    """The good calls of one file."""
    of_kind = {"customChannels": custom_channels, "oauth": oauth, "accountInfo": account_info}
    return of_kind[file.split("-")[0]](world, FILES[file])


def operation(file: str, exchange: Exchange) -> dict[str, Any]:
    """What a file says of a call."""
    found: dict[str, Any] = stored(file)["paths"][exchange.path][exchange.method.lower()]
    return found


def scopes_of(operation: dict[str, Any]) -> list[list[str]]:
    """The scopes that a call needs: one of these lists."""
    return [scopes for each in operation.get("security", []) for scopes in each.values()]


def as_request(exchange: Exchange) -> MockRequest:
    call = exchange.call()
    return MockRequest(
        "https://api.hubapi.com",
        call.method.lower(),
        call.path,
        args=exchange.query,
        headers={"Authorization": call.headers.get("authorization", "")},
        data=call.body or None,
        content_type=call.headers["content-type"],
    )


def as_response(said: Response) -> MockResponse:
    body = b"" if said.body is None else json.dumps(said.body).encode()
    return MockResponse(body, said.status, dict(said.headers), content_type="application/json;charset=utf-8")


@pytest.mark.parametrize("file", FILES)
def test_every_operation_of_a_file_is_tried(file: str) -> None:
    """The calls below are all that there are: a new operation in a file fails here."""
    assert {(each.method, each.path) for each in of_file(World(), file)} == operations(file)


@pytest.mark.parametrize("file", FILES)
def test_every_operation_answers_as_specified(file: str) -> None:
    """A good call is good by HubSpot's file, too, and its reply has the specified status and shape."""
    world = world_with_messages()
    for exchange in of_file(world, file):
        request, said = as_request(exchange), answer(world, exchange.call())
        assert said.status == exchange.status, (exchange, said.body)
        strange = any(exchange.method == method and exchange.path.endswith(path) for method, path in KNOWN_CALLS)
        with pytest.raises(OpenAPIError) if strange else nullcontext():
            openapi(file).validate_request(request)
        if said.status == 204:
            assert said.body is None  # openapi-core looks for a kind of content, of which the files have none
        else:
            known = difference(file, exchange.method, exchange.path, said.status, said.body)
            with pytest.raises(OpenAPIError) if known else nullcontext():
                openapi(file).validate_response(request, as_response(said))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_every_operation(version: str) -> None:
    """Tokens and account information are answered in the versions, too, whose files are not there."""
    world = world_with_messages()
    for exchange in exchanges(world, version):
        assert answer(world, exchange.call()).status == exchange.status, exchange


@pytest.mark.parametrize("file", CHANNEL_FILES)
def test_every_word_of_a_file_is_taken(file: str) -> None:
    """Bodies with each field, each word of each list, each kind of attachment and the ends of each number are all good."""
    world = world_with_messages()
    for exchange in of_file(world, file):
        if exchange.body is None or (exchange.method, exchange.path[-12:]) in KNOWN_CALLS:
            continue
        for body in samples(file, operation(file, exchange)["requestBody"]["content"]["application/json"]["schema"]):
            if "channelAccountId" in body:
                body = body | {"channelAccountId": world.account_of(world.channel_id).id}
                world.posted.clear()
            world.account_of(world.channel_id).authorized = True
            said = answer(world, replace(exchange, body=body).call())
            nothing = exchange.method == "PATCH" and not body
            assert said.status == (400 if nothing and "channel-accounts" in exchange.path else exchange.status), (
                body,
                said.body,
            )


@pytest.mark.parametrize("file", CHANNEL_FILES)
def test_errors_have_the_specified_shape(file: str) -> None:
    """Every error but the rate limits is HubSpot's error object: of the body, the id, the key, the token and its scopes."""
    world = world_with_messages()
    for exchange in of_file(world, file):
        wrong = [
            replace(exchange, ids=exchange.ids | dict.fromkeys(exchange.ids, "0")),
            replace(exchange, ids=exchange.ids | dict.fromkeys(exchange.ids, "x")),
            replace(exchange, token=None, query=exchange.query | {"hapikey": "x"}),
            replace(exchange, token=world.issue(scopes=["oauth"]), query={}),
        ]
        if exchange.body is not None:
            mistyped: list[Any] = [[], {name: {"no": [0]} for name in exchange.body}]
            wrong += [replace(exchange, body=body) for body in mistyped]
        if exchange.path.endswith("s") and "hapikey" not in exchange.query and exchange.method == "GET":
            wrong += [replace(exchange, query={name: "x"}) for name in ("limit", "sort", "after", "archived")]
        for each in wrong:
            if each == exchange:
                continue
            request, said = as_request(each), answer(world, each.call())
            assert 400 <= said.status < 500, (each, said.body)
            openapi(file).validate_response(request, as_response(said))


@pytest.mark.parametrize("file", FILES)
def test_a_call_needs_the_scopes_of_the_specification(file: str) -> None:
    """Each of the scopes that a file names for a call is enough alone; with all others that there are, it is refused."""
    world = world_with_messages()
    operations = [each for file in FILES for path in stored(file)["paths"].values() for each in path.values()]
    all_scopes = {scope for each in operations for scopes in scopes_of(each) for scope in scopes}
    for exchange in of_file(world, file):
        enough = scopes_of(operation(file, exchange))
        for scopes in enough:
            token = world.issue(scopes=scopes)
            assert answer(world, replace(exchange, token=token).call()).status not in (401, 403), (exchange, scopes)
        if enough:
            token = world.issue(scopes=sorted(all_scopes.difference(*enough)))
            assert answer(world, replace(exchange, token=token).call()).status == 403, exchange


def test_a_rate_limit_is_known_to_be_different() -> None:
    """A 429 has no category, as observed, which the files require; everything else of it is as they say."""
    world, file = World(limit=1), "accountInfo-2026-03"
    first, second = account_info(world, FILES[file])
    assert answer(world, first.call()).status == 200
    said = answer(world, second.call())
    assert difference(file, second.method, second.path, said.status, said.body)
    with pytest.raises(OpenAPIError):
        openapi(file).validate_response(as_request(second), as_response(said))
    said.body["category"] = "RATE_LIMITS"
    openapi(file).validate_response(as_request(second), as_response(said))


@pytest.mark.parametrize("file", CHANNEL_FILES)
def test_the_statuses_we_send_are_those_of_the_specification(file: str) -> None:
    """Client, emulator and HubSpot's files agree on what may be written."""
    written = stored(file)["components"]["schemas"]["PublicChannelIntegrationMessageUpdateRequest"]["properties"]["statusType"]
    assert set(written["enum"]) == set(models.WRITABLE) == set(WRITABLE)
