"""The calls of HubSpot's API that this provider makes, as requests. Paths and bodies are those of HubSpot's OpenAPI files."""

from __future__ import annotations

import json
from typing import Literal
from urllib.parse import quote, urlencode

from airflow_provider_hubchan.client.actions import Request
from airflow_provider_hubchan.client.models import Account, Update

#: The scopes that the calls need: the first to write a status, the second to read a message.
WRITE_SCOPE = "conversations.custom_channels.write"
READ_SCOPE = "conversations.custom_channels.read"


def update_message(account: Account, channel_id: str, update: Update) -> Request:
    """``PATCH …/{channelId}/messages/{messageId}``. An ``errorMessage`` that is absent is left out, not sent empty."""
    body: dict[str, str | None] = {"statusType": update.status}
    if update.error_message:
        body["errorMessage"] = update.error_message
    return Request("PATCH", _message_url(account, channel_id, update.message_id), json.dumps(body).encode())


def get_message(account: Account, channel_id: str, message_id: str) -> Request:
    """``GET …/{channelId}/messages/{messageId}``"""
    return Request("GET", _message_url(account, channel_id, message_id))


def list_channel_accounts(account: Account, channel_id: str) -> Request:
    """``GET …/{channelId}/channel-accounts?limit=1``: only the app that owns the channel gets an answer."""
    return Request("GET", f"{_channel_url(account, channel_id)}/channel-accounts?limit=1")


def get_account_details(account: Account) -> Request:
    """``GET /account-info/{version}/details``: any valid token gets an answer."""
    return Request("GET", f"{account.base_url}/account-info/{account.api_version}/details")


def token(account: Account, action: Literal["", "/introspect"] = "", **form: str) -> Request:
    """``POST /oauth/{version}/token``, or ``…/introspect``: the app's credentials and *form*, form-encoded, because HubSpot
    answers JSON with 415 (HubSpot docs, manage OAuth tokens). It does not use the account's quota.
    """
    body = urlencode({"client_id": account.client_id, "client_secret": account.client_secret, **form})
    url = f"{account.base_url}/oauth/{account.api_version}/token{action}"
    return Request("POST", url, body.encode(), content_type="application/x-www-form-urlencoded", uses_quota=False)


def _message_url(account: Account, channel_id: str, message_id: str) -> str:
    return f"{_channel_url(account, channel_id)}/messages/{_path_segment(message_id)}"


def _channel_url(account: Account, channel_id: str) -> str:
    """Only ``v3`` puts the version before ``custom-channels``."""
    version = account.api_version
    path = "/conversations/v3/custom-channels" if version == "v3" else f"/conversations/custom-channels/{version}"
    return f"{account.base_url}{path}/{_path_segment(channel_id)}"


def _path_segment(text: str) -> str:
    """*text* as one segment of a path, whatever it holds: an id like ``../x?y`` must not become another address."""
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if encoded in (".", "..") else encoded
