"""The local HubSpot's replies against HubSpot's own OpenAPI files, where these lie beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_hubchan.emulator.contract import answer
from airflow_provider_hubchan.emulator.shapes import Call
from airflow_provider_hubchan.emulator.world import World

SPECS = Path(__file__).parents[2] / "shared" / "spec"
pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason="HubSpot's OpenAPI files are not beside the project (../shared/spec)"
)

APP = "client_id=hubchan-demo-client-id&client_secret=hubchan-demo-client-secret"


def validate(spec: str, schema: str, body: Any) -> None:
    """Hold *body* against a schema of a spec file; ``nullable`` and formats of OpenAPI 3.0 are not needed for ours."""
    components = json.loads((SPECS / f"{spec}.json").read_text())["components"]
    jsonschema.validate(body, {"$ref": f"#/components/schemas/{schema}", "components": components})


def ask(world: World, method: str, path: str, body: bytes = b"", token: str | None = None) -> tuple[int, Any]:
    headers = {
        "authorization": f"Bearer {token or world.issue()}",
        "content-type": "application/x-www-form-urlencoded",
    }
    said = answer(world, Call(method, path, headers, body))
    return said.status, said.body


@pytest.fixture
def world() -> World:
    made = World()
    made.seed(["m-1"])
    return made


@pytest.mark.parametrize("version", ["v3", "2025-09", "2026-03", "2026-09"])
@pytest.mark.parametrize("status", ["SENT", "FAILED", "READ"])
def test_messages_have_the_specified_shape(world: World, version: str, status: str) -> None:
    """What a PATCH and a GET answer is a PublicConversationsMessage, at the path that the file names."""
    paths = json.loads((SPECS / f"customChannels-{version}.json").read_text())["paths"]
    (path,) = (path for path in paths if path.endswith("/messages/{messageId}"))
    path = path.replace("{channelId}", "100200").replace("{messageId}", "m-1")
    asked = json.dumps({"statusType": status, "errorMessage": "why"}).encode()
    for method, body in (("PATCH", asked), ("GET", b"")):
        code, said = ask(world, method, path, body)
        assert code == 200
        validate(f"customChannels-{version}", "PublicConversationsMessage", said)


def test_channel_accounts_have_the_specified_shape(world: World) -> None:
    """A page of channel accounts."""
    code, said = ask(world, "GET", "/conversations/custom-channels/2026-03/100200/channel-accounts")
    assert code == 200
    validate("customChannels-2026-03", "CollectionResponseWithTotalPublicChannelAccount", said)


def test_tokens_have_the_specified_shape(world: World) -> None:
    """The grant, and what introspection says of the token it gave."""
    grant = f"{APP}&grant_type=refresh_token&refresh_token=hubchan-demo-refresh-token".encode()
    code, said = ask(world, "POST", "/oauth/2026-03/token", grant)
    assert code == 200
    validate("oauth-2026-03", "AccessTokenResponse", said)
    code, info = ask(world, "POST", "/oauth/2026-03/token/introspect", f"{APP}&token={said['access_token']}".encode())
    assert code == 200
    validate("oauth-2026-03", "PublicAccessTokenInfoResponse", info)


def test_account_details_have_the_specified_shape(world: World) -> None:
    """Portal, time zone and the rest."""
    code, said = ask(world, "GET", "/account-info/2026-03/details")
    assert code == 200
    validate("accountInfo-2026-03", "PortalInformationResponse", said)


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("PATCH", "/conversations/custom-channels/2026-03/100200/messages/m-1", None, 400),
        ("GET", "/conversations/custom-channels/2026-03/100200/messages/m-1", "unknown", 401),
        ("GET", "/conversations/custom-channels/2026-03/100200/messages/m-9", None, 404),
        ("GET", "/conversations/custom-channels/2026-03/9/messages/m-1", None, 404),
        ("DELETE", "/conversations/custom-channels/2026-03/100200/messages/m-1", None, 405),
    ],
)
def test_errors_have_the_specified_shape(world: World, method: str, path: str, token: str | None, status: int) -> None:
    """Every error but the rate limits, which are known to be different, is HubSpot's error object."""
    code, said = ask(world, method, path, token=token)
    assert code == status
    validate("customChannels-2026-03", "Error", said)


@pytest.mark.parametrize(
    "name", ["customChannels-v3", "customChannels-2025-09", "customChannels-2026-03", "customChannels-2026-09"]
)
def test_the_statuses_we_send_are_those_of_the_specification(name: str) -> None:
    """Client, emulator and HubSpot's files agree on what may be written."""
    from airflow_provider_hubchan.client.status import STATUSES
    from airflow_provider_hubchan.emulator.messages import WRITABLE

    schemas = json.loads((SPECS / f"{name}.json").read_text())["components"]["schemas"]
    specified = schemas["PublicChannelIntegrationMessageUpdateRequest"]["properties"]["statusType"]["enum"]
    assert set(specified) == set(STATUSES) == set(WRITABLE)
