"""The addresses of HubSpot's operations in each version of its API (specified)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from airflow_provider_hubchan.emulator.routing import Router

VERSIONS = ("v3", "2026-03", "2026-09")

#: What follows the version in the addresses of the custom channels.
CHANNELS, CHANNEL = "", "/{channelId}"
STAGING_TOKEN = "/{channelId}/channel-account-staging-tokens/{accountToken}"
ACCOUNTS, ACCOUNT = "/{channelId}/channel-accounts", "/{channelId}/channel-accounts/{channelAccountId}"
MESSAGES, MESSAGE = "/{channelId}/messages", "/{channelId}/messages/{messageId}"
#: ... in those of OAuth.
TOKEN, INTROSPECT, REVOKE = "/token", "/token/introspect", "/token/revoke"
#: ... in those of account information.
DETAILS, USAGE = "/details", "/api-usage/daily/private-apps"

CUSTOM_CHANNELS, OAUTH, ACCOUNT_INFO = "custom-channels", "oauth", "account-info"
_PATHS = {
    CUSTOM_CHANNELS: (CHANNELS, CHANNEL, STAGING_TOKEN, ACCOUNTS, ACCOUNT, MESSAGES, MESSAGE),
    OAUTH: (TOKEN, INTROSPECT, REVOKE),
    ACCOUNT_INFO: (DETAILS, USAGE),
}


class Address(NamedTuple):
    """An address: which API it belongs to, in which version, and the template that follows the version."""

    api: str
    version: str
    path: str


def _templates() -> Iterator[tuple[str, Address]]:
    for version in VERSIONS:
        for api, paths in _PATHS.items():
            for path in paths:
                yield _base(api, version, path) + path, Address(api, version, path)


def _base(api: str, version: str, path: str) -> str:
    """The address up to the version. Only v3 stands before the name, and not where all channels are meant."""
    if api == CUSTOM_CHANNELS:
        return f"/conversations/v3/{api}" if version == "v3" and path != CHANNELS else f"/conversations/{api}/{version}"
    return f"/{api}/{version}"


ADDRESSES = Router(_templates())
