"""Every operation of HubSpot's OpenAPI files as a call that is good, for the tests that hold the local HubSpot against them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.model.world import World
from tests.contract.structures import FILES, stored

#: The versions of the custom channels' API whose structure is stored.
VERSIONS = [version for file, version in FILES.items() if file.startswith("customChannels")]
FORM = "application/x-www-form-urlencoded"
PERSON = {"deliveryIdentifier": {"type": "HS_PHONE_NUMBER", "value": "+15550123"}, "name": "Carla Customer"}
LIST = {"limit": "1", "defaultPageLength": "5", "sort": "-name"}
ADDRESSES = ("channelAccountConnectionRedirectUrl", "channelDescription", "channelLogoUrl", "webhookUrl")
ATTACHMENTS: list[dict[str, Any]] = [
    {"type": "FILE", "fileId": "77"},
    {"type": "FILE", "fileId": "78", "fileUsageType": "VOICE_RECORDING"},
    {
        "type": "LOCATION",
        "latitude": 48.1,
        "longitude": 11,
        "name": "Depot",
        "address": "1 Dock Road",
        "url": "https://a.example",
    },
    {
        "type": "CONTACT",
        "contactProfile": {
            "addresses": [{"city": "Bonn", "type": "WORK"}],
            "emails": [{"email": "c@example.com", "type": "HOME"}],
            "phones": [{"phone": "+15550123", "type": "CELL"}],
            "urls": [{"url": "https://c.example"}],
            "name": {"firstName": "Carla"},
            "org": {"company": "Parcels"},
        },
    },
    {"type": "UNSUPPORTED_CONTENT"},
    {"type": "MESSAGE_HEADER", "text": "Parcels", "fileId": 79},
    {"type": "QUICK_REPLIES", "quickReplies": [{"value": "yes", "valueType": "TEXT", "label": "Yes"}]},
    {"type": "SOCIAL_MEDIA_METADATA", "socialMetadata": {"mediaType": "STORY", "id": "s-1"}},
]


@dataclass
class Exchange:
    """A call that is good.

    :param path: as the file writes it, with names in braces.
    :param name: of the schema of its body, or of what is special about it.
    """

    method: str
    path: str
    status: int = 200
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = None
    token: str | None = None
    ids: dict[str, str] = field(default_factory=dict)

    def call(self) -> Request:
        """The request."""
        headers = {"content-type": FORM if self.form is not None else "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        body = b"" if self.body is None else json.dumps(self.body).encode()
        if self.form is not None:
            body = urlencode(self.form).encode()
        return Request(self.method, self.path.format(**self.ids), headers, body, urlencode(self.query))


def samples(file: str, schema: dict[str, Any]) -> list[Any]:
    """Good values of a schema, in which every field, every word, every kind and the ends of every number come once."""
    if "$ref" in schema:
        return samples(file, stored(file)["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if "oneOf" in schema:
        return [each for one in schema["oneOf"] for each in samples(file, one)]
    if "enum" in schema:
        return list(schema["enum"])
    match schema["type"]:
        case "object":
            fields = {name: samples(file, field) for name, field in schema.get("properties", {}).items()}
            whole = {name: found[0] for name, found in fields.items()}
            required = {name: whole[name] for name in schema.get("required", [])}
            return [whole, required, *(whole | {name: each} for name, found in fields.items() for each in found[1:])]
        case "array":
            return [[each] for each in samples(file, schema["items"])] + [[]]
        case "integer":
            most = 2 ** (int(schema["format"].removeprefix("int")) - 1)
            return [-most, most - 1]
        case "number":
            return [-1.5, 90]
        case "boolean":
            return [True, False]
    return ["2026-03-30T12:00:00Z" if schema.get("format") == "date-time" else "text"]


def difference(file: str, method: str, path: str, status: int, body: Any) -> str | None:
    """Why a reply is not as the file has it, if it is known to be another, on purpose; else None."""
    of_tokens = file.startswith("oauth")
    if status == 429:
        return "observed: a rate limit has no category"
    if of_tokens and status >= 400:
        return "documented: errors of the token address have status, error and error_description, but no category"
    if body == {"active": False} and file == "oauth-2026-03":
        return "RFC 7662: nothing more is said of a token that is none, but the file asks for all fields"
    if status < 300 and str(status) not in stored(file)["paths"][path][method.lower()]["responses"]:
        return "documented: the answer is 200, but the file has nothing beside the error object"
    return None


def message_payload(account_id: str, **more: Any) -> dict[str, Any]:
    """A message to post, with all that it can have."""
    return {
        "attachments": ATTACHMENTS,
        "channelAccountId": account_id,
        "messageDirection": "INCOMING",
        "recipients": [PERSON],
        "senders": [PERSON | {"senderActorId": "A-1201"}],
        "text": "Where is my parcel?",
        "timestamp": "2026-03-30T12:00:00.123+02:00",
        "associateWithContactId": 2**40,
        "inReplyToId": "m-1",
        "integrationIdempotencyId": "i-1",
        "integrationThreadId": "t-1",
        "preResolvedContacts": {"contacts": [{"contactPropertiesLeadingToMatch": ["email"], "contactVid": 5}]},
        "richText": "<p>Where is my parcel?</p>",
    } | more


def exchanges(world: World, version: str) -> list[Exchange]:
    """A good call of every operation of a version, in an order in which all of them are good."""
    return [*custom_channels(world, version), *oauth(world, version), *account_info(world, version)]


def custom_channels(world: World, version: str) -> list[Exchange]:
    """The thirteen operations of the custom channels, some of them twice."""
    world.settings.change(webhook_hosts="any")  # as HubSpot's, which takes every address
    every = f"/conversations/custom-channels/{version}"
    one = "/conversations/v3/custom-channels/{channelId}" if version == "v3" else every + "/{channelId}"
    account, staged = world.account_of(world.channel_id), world.add_staging_token()
    token, ids = world.issue(), {"channelId": world.channel_id}
    key = {"hapikey": world.developer_key, "appId": str(account.channel.app.app_id)}
    about = {"name": "Parcel chat", "capabilities": {"richText": {}}} | dict.fromkeys(ADDRESSES, "https://bridge.example/")
    other = {"channelId": world.register(account.channel.app, {"name": "Old", "capabilities": {}}).id}
    world.add_account(account.channel, account.portal, name="Another").archived_at = world.clock.now()
    archived = list(world.accounts)[-1]
    identifier = {"deliveryIdentifierType": "HS_PHONE_NUMBER", "deliveryIdentifierValue": "+15550199"}
    accounts, messages = f"{one}/channel-accounts", f"{one}/messages"
    to_account, to_message = ids | {"channelAccountId": account.id}, ids | {"messageId": "m-1"}
    calls = [
        Exchange("GET", every, query=key | LIST),
        Exchange("POST", every, 201, about, key),
        Exchange("GET", one, query=key, ids=ids),
        Exchange("PATCH", one, body=about, query=key, ids=other),
        Exchange("DELETE", one, 204, query=key, ids=other),
        Exchange(
            "PATCH",
            one + "/channel-account-staging-tokens/{accountToken}",
            body={"accountName": "Depot", "deliveryIdentifier": PERSON["deliveryIdentifier"]},
            ids=ids | {"accountToken": staged.token},
        ),
        Exchange("GET", accounts, query=LIST | identifier | {"archived": "false"}, ids=ids),
        Exchange("GET", accounts, query={"archived": "true"}, ids=ids),
        Exchange("POST", accounts, 201, {"authorized": True, "inboxId": "5", "name": "Depot"}, ids=ids),
        Exchange(
            "POST",
            accounts,
            201,
            {"authorized": False, "inboxId": "5", "name": "Depot", "deliveryIdentifier": PERSON["deliveryIdentifier"]},
            ids=ids,
        ),
        Exchange("GET", accounts + "/{channelAccountId}", ids=to_account),
        Exchange("GET", accounts + "/{channelAccountId}", query={"archived": "true"}, ids=ids | {"channelAccountId": archived}),
        Exchange("PATCH", accounts + "/{channelAccountId}", body={"authorized": True, "name": "Depot 2"}, ids=to_account),
        Exchange("POST", messages, 201, message_payload(account.id), ids=ids),
        Exchange(
            "POST",
            messages,
            201,
            message_payload(account.id, messageDirection="OUTGOING", integrationIdempotencyId="i-2"),
            ids=ids,
        ),
        *(
            Exchange("PATCH", messages + "/{messageId}", body={"statusType": status, "errorMessage": "why"}, ids=to_message)
            for status in ("SENT", "FAILED", "READ")
        ),
        Exchange("GET", messages + "/{messageId}", ids=to_message),
    ]
    for each in calls:
        each.token = None if each.query.get("hapikey") else token
    return calls


def oauth(world: World, version: str) -> list[Exchange]:
    """The three operations of tokens."""
    install = world.install
    app = {"client_id": install.app.client_id, "client_secret": install.app.client_secret}
    access, refresh, path = world.issue(), install.refresh_token, f"/oauth/{version}/token"
    return [
        Exchange("POST", path, form=app | {"grant_type": "refresh_token", "refresh_token": refresh}),
        Exchange("POST", f"{path}/introspect", form=app | {"token": access, "token_type_hint": "access_token"}),
        Exchange("POST", f"{path}/introspect", form=app | {"token": refresh}),
        Exchange("POST", f"{path}/introspect", form=app | {"token": "unknown"}),
        Exchange("POST", f"{path}/revoke", form=app | {"token": refresh, "token_type_hint": "refresh_token"}),
    ]


def account_info(world: World, version: str) -> list[Exchange]:
    """The two operations of the account."""
    path = f"/account-info/{version}"
    return [Exchange("GET", f"{path}/{rest}", token=world.issue()) for rest in ("details", "api-usage/daily/private-apps")]
