"""HubSpot's contract, written down from its side: a call in, an answer out.

Each rule carries its mark. *documented*: on HubSpot's pages. *specified*: in its OpenAPI files. *observed*: seen in real
replies. *assumed*: nobody says; the nearest sibling was taken as the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_hubchan.emulator import account_info, channel_accounts, channels, messages, oauth, staging
from airflow_provider_hubchan.emulator.access import Handle, with_credentials, with_developer_key, with_token
from airflow_provider_hubchan.emulator.records import READ, WRITE
from airflow_provider_hubchan.emulator.shapes import VERSIONS, Answer, Call, Refused, method_not_allowed
from airflow_provider_hubchan.emulator.world import World

ACCOUNTS, ACCOUNT = "{channelId}/channel-accounts", "{channelId}/channel-accounts/{channelAccountId}"
MESSAGES, MESSAGE = "{channelId}/messages", "{channelId}/messages/{messageId}"
STAGING = "{channelId}/channel-account-staging-tokens/{accountToken}"
USAGE = "api-usage/daily/private-apps"

#: Method, path behind the version, and what is done for whom: with which scopes, any of which will do.
CUSTOM_CHANNELS: tuple[tuple[str, str, Handle], ...] = (
    ("GET", "", with_developer_key(channels.list_channels)),
    ("POST", "", with_developer_key(channels.create)),
    ("GET", "{channelId}", with_developer_key(channels.get)),
    ("PATCH", "{channelId}", with_developer_key(channels.patch)),
    ("DELETE", "{channelId}", with_developer_key(channels.delete)),
    ("PATCH", STAGING, with_token(staging.patch, READ, WRITE)),
    ("GET", ACCOUNTS, with_token(channel_accounts.list_accounts, READ, WRITE)),
    ("POST", ACCOUNTS, with_token(channel_accounts.create, READ, WRITE)),
    ("GET", ACCOUNT, with_token(channel_accounts.get, READ, WRITE)),
    ("PATCH", ACCOUNT, with_token(channel_accounts.patch, READ, WRITE)),
    ("POST", MESSAGES, with_token(messages.post, WRITE)),
    ("GET", MESSAGE, with_token(messages.get, READ)),
    ("PATCH", MESSAGE, with_token(messages.patch, WRITE)),
)
OAUTH: tuple[tuple[str, str, Handle], ...] = (
    ("POST", "token", with_credentials(oauth.grant)),
    ("POST", "token/introspect", with_credentials(oauth.introspect)),
    ("POST", "token/revoke", with_credentials(oauth.revoke)),
)
ACCOUNT_INFO: tuple[tuple[str, str, Handle], ...] = (
    ("GET", "details", with_token(account_info.details, "oauth")),
    ("GET", USAGE, with_token(account_info.usage, "oauth")),
)


def answer(world: World, call: Call) -> Answer:
    """Answer a call."""
    operations = _operations(call)
    if not operations:
        return Answer(404, {"message": "resource not found"})  # assumed: an unknown address is not in the error shape
    handle = operations.get(call.method)
    if handle is None:
        return method_not_allowed(call.method, operations)
    try:
        return handle(world, call)
    except Refused as refused:
        return refused.answer


def _operations(call: Call) -> dict[str, Handle]:
    """What can be done at this path, by method."""
    if call.channels_path is not None:
        return OPERATIONS.get(("channels", *_place(call.channels_path[1])), {})
    match call.segments:
        case ("oauth" | "account-info" as api, version, *rest) if version in VERSIONS:
            return OPERATIONS.get((api, *rest), {})
    return {}


def _place(segments: Sequence[str]) -> tuple[str | int, ...]:
    """Where an operation of the custom channels is: every second segment, from the first on, is an id."""
    return len(segments), *segments[1::2]


def _all_operations() -> dict[tuple[str | int, ...], dict[str, Handle]]:
    places: dict[tuple[str | int, ...], dict[str, Handle]] = {}
    for method, path, handle in CUSTOM_CHANNELS:
        places.setdefault(("channels", *_place(path.split("/") if path else ())), {})[method] = handle
    for api, operations in (("oauth", OAUTH), ("account-info", ACCOUNT_INFO)):
        for method, path, handle in operations:
            places.setdefault((api, *path.split("/")), {})[method] = handle
    return places


OPERATIONS = _all_operations()
