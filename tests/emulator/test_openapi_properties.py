"""The whole surface of HubSpot's OpenAPI files, asked over HTTP for whatever these allow, and for what they do not."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from airflow_provider_hubchan.emulator import Emulator
from tests.contract.structures import FILES, operations, stored
from tests.emulator.exchanges import difference

pytestmark = pytest.mark.slow

OPERATIONS = sorted((file, *operation) for file in FILES for operation in operations(file))
#: Calls of each operation: as many as leave the whole surface a minute on a machine that is busy.
EXAMPLES = 12


@cache
def schema(file: str) -> Any:
    """A file for schemathesis, but for two things: the names of four hundred properties of a contact, of which any is good;
    and the values of a channel's capabilities, which are objects in the files, and lists and texts in HubSpot's guide.
    """
    read = deepcopy(stored(file))
    for each in read["components"]["schemas"].values():
        if "capabilities" in each.get("properties", {}):
            each["properties"]["capabilities"]["additionalProperties"] = {}
    if contact := read["components"]["schemas"].get("PreResolvedContact"):
        del contact["properties"]["contactPropertiesLeadingToMatch"]["items"]["enum"]
    return schemathesis.openapi.from_dict(read)


@pytest.fixture(scope="module")
def hubspot() -> Iterator[Emulator]:
    with Emulator(limit=0, token_limit=0) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


def let_in(hubspot: Emulator, case: schemathesis.Case[Any]) -> None:
    """Give a case a bearer token, the developer key, and the credentials of an app."""
    world, app = hubspot.world, hubspot.world.install.app
    case.headers["Authorization"] = f"Bearer {world.issue()}"
    case.query |= {"hapikey": world.developer_key, "appId": str(app.app_id)}
    if case.path.startswith("/oauth") and isinstance(case.body, dict):
        case.body |= {"client_id": app.client_id, "client_secret": app.client_secret}


def find(hubspot: Emulator, case: schemathesis.Case[Any]) -> None:
    """Give a case ids of things that there are, where its own are as the file has them."""
    world = hubspot.world
    channel, token = world.channels[world.channel_id], world.issue()
    account = world.account_of(channel.id)
    account.authorized = True  # a case before may have changed it
    if case.method.upper() == "DELETE":
        channel = world.register(channel.app, {"name": "Old", "capabilities": {}})
    there = {
        "channelId": int(channel.id),
        "channelAccountId": int(account.id),
        "messageId": "m-1",
        "accountToken": world.add_staging_token().token,
    }
    case.path_parameters |= {name: there[name] for name in case.path_parameters}
    if isinstance(case.body, dict) and isinstance(case.body.get("channelAccountId"), str):
        case.body["channelAccountId"] = account.id
    if case.path.startswith("/oauth") and isinstance(case.body, dict):
        case.body |= {"token": token, "grant_type": "refresh_token", "refresh_token": world.install.refresh_token}


def is_wrong(case: schemathesis.Case[Any], where: ParameterLocation) -> bool:
    """True if this part of a case is one that the file does not allow."""
    part = case.meta.components.get(where) if case.meta else None
    return part is not None and part.mode is GenerationMode.NEGATIVE


@pytest.mark.parametrize(("file", "method", "path"), OPERATIONS)
def test_whatever_a_file_allows_is_answered_as_it_says(
    hubspot: Emulator, session: requests.Session, file: str, method: str, path: str
) -> None:
    """No 500, and status, kind and shape of the file, for good calls and for bad ones, of which none is taken for good.

    A body that the file allows is read, with all its words and numbers: but for a PATCH of a channel, whose strings are
    objects in the file.
    """
    hubspot.reset()
    hubspot.world.seed(["m-1"])
    operation = schema(file)[path][method]
    cases = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
    if stored(file)["paths"][path][method.lower()].keys() & {"parameters", "requestBody"}:
        cases.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @seed(160898)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(cases), known=st.booleans())
    def ask(case: schemathesis.Case[Any], known: bool) -> None:
        allowed = not any(is_wrong(case, where) for where in ParameterLocation)
        if known and not is_wrong(case, ParameterLocation.PATH):
            find(hubspot, case)
        let_in(hubspot, case)
        reply = case.call(base_url=hubspot.url, session=session)
        said = reply.json() if reply.content else {}
        checks = [not_a_server_error, status_code_conformance, content_type_conformance]
        if not difference(file, method, path, reply.status_code, said):
            checks.append(response_schema_conformance)
        if not allowed:
            checks.append(negative_data_rejection)
        case.validate_response(reply, checks=checks)
        if allowed and (method, path[-12:]) != ("PATCH", "/{channelId}"):
            assert not said.get("message", "").startswith("Invalid input JSON"), said

    ask()
