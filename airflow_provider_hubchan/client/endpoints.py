"""The calls of HubSpot's custom-channels API, as requests. Addresses and bodies are those of its OpenAPI files."""

from __future__ import annotations

import json
from urllib.parse import quote

from airflow_provider_hubchan.batch.rows import Update
from airflow_provider_hubchan.client.actions import Request
from airflow_provider_hubchan.client.models import Account


def update_message(account: Account, channel_id: str, update: Update) -> Request:
    """``PATCH …/{channelId}/messages/{messageId}``; an ``errorMessage`` that is not there is left out, not sent empty."""
    body: dict[str, str] = {"statusType": update.status}
    if update.error_message:
        body["errorMessage"] = update.error_message
    return Request("PATCH", _message(account, channel_id, update.message_id), json.dumps(body).encode())


def get_message(account: Account, channel_id: str, message_id: str) -> Request:
    """``GET …/{channelId}/messages/{messageId}``"""
    return Request("GET", _message(account, channel_id, message_id))


def list_channel_accounts(account: Account, channel_id: str) -> Request:
    """``GET …/{channelId}/channel-accounts?limit=1``: answers only to the app that owns the channel."""
    return Request("GET", f"{_channel(account, channel_id)}/channel-accounts?limit=1")


def get_account_details(account: Account) -> Request:
    """``GET /account-info/{version}/details``: answers to any good token."""
    return Request("GET", f"{account.base_url}/account-info/{account.api_version}/details")


def _message(account: Account, channel_id: str, message_id: str) -> str:
    return f"{_channel(account, channel_id)}/messages/{_segment(message_id)}"


def _channel(account: Account, channel_id: str) -> str:
    """Only ``v3`` puts the version first."""
    version = account.api_version
    path = "/conversations/v3/custom-channels" if version == "v3" else f"/conversations/custom-channels/{version}"
    return f"{account.base_url}{path}/{_segment(channel_id)}"


def _segment(text: str) -> str:
    """One path segment, whatever *text* holds: an id like ``../x?y`` must not become another address."""
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if encoded in (".", "..") else encoded
