"""HubSpot's operations by method and address, and the answer to a request.

Each rule of this package has a mark. *documented*: on HubSpot's pages. *specified*: in its OpenAPI files. *observed*: seen in
real replies. *assumed*: nobody says, and the nearest sibling was taken as the model.
"""

from __future__ import annotations

from airflow_provider_hubchan.emulator.api import (
    account_info,
    channel_accounts,
    channels,
    errors,
    messages,
    oauth,
    staging_tokens,
    urls,
)
from airflow_provider_hubchan.emulator.api.auth import Operation, with_credentials, with_developer_key, with_token
from airflow_provider_hubchan.emulator.api.http import ApiError, Request, Response
from airflow_provider_hubchan.emulator.model.records import READ, WRITE
from airflow_provider_hubchan.emulator.model.world import World

#: The operations of each address by method, the same in every version. Where several scopes are named, any of them will do.
OPERATIONS: dict[str, dict[str, dict[str, Operation]]] = {
    urls.CUSTOM_CHANNELS: {
        urls.CHANNELS: {
            "GET": with_developer_key(channels.list_channels),
            "POST": with_developer_key(channels.create),
        },
        urls.CHANNEL: {
            "GET": with_developer_key(channels.get),
            "PATCH": with_developer_key(channels.patch),
            "DELETE": with_developer_key(channels.delete),
        },
        urls.STAGING_TOKEN: {
            "PATCH": with_token(staging_tokens.patch, READ, WRITE),
        },
        urls.ACCOUNTS: {
            "GET": with_token(channel_accounts.list_accounts, READ, WRITE),
            "POST": with_token(channel_accounts.create, READ, WRITE),
        },
        urls.ACCOUNT: {
            "GET": with_token(channel_accounts.get, READ, WRITE),
            "PATCH": with_token(channel_accounts.patch, READ, WRITE),
        },
        urls.MESSAGES: {
            "POST": with_token(messages.post, WRITE),
        },
        urls.MESSAGE: {
            "GET": with_token(messages.get, READ),
            "PATCH": with_token(messages.patch, WRITE),
        },
    },
    urls.OAUTH: {
        urls.TOKEN: {"POST": with_credentials(oauth.grant)},
        urls.INTROSPECT: {"POST": with_credentials(oauth.introspect)},
        urls.REVOKE: {"POST": with_credentials(oauth.revoke)},
    },
    urls.ACCOUNT_INFO: {
        urls.DETAILS: {"GET": with_token(account_info.details, "oauth")},
        urls.USAGE: {"GET": with_token(account_info.usage, "oauth")},
    },
}


def answer(world: World, request: Request) -> Response:
    """Answer a request as HubSpot does, and do to the world what it asks for."""
    if request.address is None:
        return errors.unknown_address()
    operations = OPERATIONS[request.address.api][request.address.path]
    operation = operations.get(request.method)
    if operation is None:
        return errors.method_not_allowed(request.method, operations)
    try:
        return operation(world, request)
    except ApiError as error:
        return error.response
