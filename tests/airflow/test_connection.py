from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import BaseHook

from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.connection import read_account

APP = {"login": "id", "password": "cl13nt-s3cr3t"}
REFRESH = {"refresh_token": "r3fr3sh"}
FULL = Account(client_id="id", client_secret="cl13nt-s3cr3t", refresh_token="r3fr3sh")


def account(monkeypatch: pytest.MonkeyPatch, value: dict[str, Any] | str) -> Account:
    text = value if isinstance(value, str) else json.dumps({"conn_type": "hubchan", **value})
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", text)
    return read_account(BaseHook.get_connection("hubchan_default"))


@pytest.mark.parametrize(
    ("connection", "read_as"),
    [
        pytest.param({**APP, "extra": REFRESH}, FULL, id="the app's three, and nothing else"),
        pytest.param({**APP, "extra": json.dumps(REFRESH)}, FULL, id="extra as text"),
        pytest.param(
            {"login": " id\n", "password": "\tcl13nt-s3cr3t ", "extra": {"refresh_token": "r3fr3sh\n"}},
            FULL,
            id="space that was copied, too",
        ),
        pytest.param(
            {"login": " ", "password": "\n", "extra": {**REFRESH, "access_token": "r3ady"}},
            Account(access_token="r3ady"),
            id="a ready token beside blanks",
        ),
        pytest.param({"extra": {"access_token": "r3ady"}}, Account(access_token="r3ady"), id="a ready token"),
        pytest.param(
            {**APP, "extra": {"access_token": "r3ady"}},
            Account(access_token="r3ady"),
            id="a ready token beside an app without refresh token",
        ),
        pytest.param(
            {
                **APP,
                "host": "",
                "extra": {**REFRESH, "access_token": None, "api_version": None, "channel_id": "", "timeout": None},
            },
            FULL,
            id="a form saves null for what was not touched",
        ),
        pytest.param(
            {
                **APP,
                "extra": {**REFRESH, "api_version": "v3", "channel_id": 100200, "requests_per_10s": 50, "timeout": 2.5},
            },
            replace(
                FULL,
                api_version="v3",
                channel_id="100200",
                requests_per_10s=50.0,
                timeout=2.5,
            ),
            id="a form saves numbers",
        ),
        pytest.param(
            "hubchan://id:cl13nt-s3cr3t@/?refresh_token=r3fr3sh&channel_id=100200&requests_per_10s=50&timeout=2.5",
            replace(
                FULL,
                channel_id="100200",
                requests_per_10s=50.0,
                timeout=2.5,
            ),
            id="a URI brings strings",
        ),
    ],
)
def test_a_connection_is_read_as_an_account(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any] | str, read_as: Account
) -> None:
    """Forms, JSON and URIs write the same fields differently; they are read alike."""
    assert account(monkeypatch, connection) == read_as


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({}, "https://api.hubapi.com"),
        ({"host": "api-eu1.hubapi.com"}, "https://api-eu1.hubapi.com"),
        ({"host": "https://api.hubapi.com/"}, "https://api.hubapi.com"),
        ({"host": "http://127.0.0.1:8920"}, "http://127.0.0.1:8920"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8920}, "http://127.0.0.1:8920"),
        ({"host": "http://localhost", "port": 8920}, "http://localhost:8920"),
        ({"host": "http://[::1]:8920"}, "http://[::1]:8920"),
        ({"host": "https://proxy.example/hubspot/"}, "https://proxy.example/hubspot"),
        ({"host": "http://hubspot", "extra": {"allow_http": "true"}}, "http://hubspot"),
        ({"host": "http://hubspot", "extra": {"allow_http": True}}, "http://hubspot"),
        ({"port": 0}, "https://api.hubapi.com"),
    ],
)
def test_the_host_may_hold_scheme_and_port(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], base_url: str) -> None:
    """However the address is spread over the fields; plain http only to this machine, or where it is allowed by name."""
    extra = {**REFRESH, **fields.get("extra", {})}
    assert account(monkeypatch, {**APP, **fields, "extra": extra}).base_url == base_url


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"host": "ftp://api.hubapi.com"}, "is not one like https://api.hubapi.com"),
        ({"host": "http://api.hubapi.com"}, "plain http would send the token readable by everyone"),
        ({"host": "http://api.hubapi.com", "extra": {"allow_http": "no"}}, "plain http would send"),
        (
            {"host": "https://u:pw@api.hubapi.com"},
            "put credentials into OAuth client ID (login), OAuth client secret (password)",
        ),
        ({"host": "https://u:s3cr3t@api.hubapi.com:x"}, "API base URL (host) 'api.hubapi.com:x' is not one"),
        ({"host": "ftp://u:s3cr3t@x"}, "put credentials into OAuth client ID (login), OAuth client secret (password)"),
        ({"host": "https://[::1"}, "is not one like"),
        ({"host": "https://api.hubapi.com?x=1"}, "API base URL (host) holds more than scheme, host, port and path"),
        ({"host": "https://api.hubapi.com:x"}, "is not one like https://api.hubapi.com (is the port a number?)"),
        (
            {"extra": {"api_version": "2024-01"}},
            "(api_version) is '2024-01', not one of 2026-03, 2026-09, v3",
        ),
        ({"extra": {"timeout": "soon"}}, "Timeout (timeout) is 'soon', not a number of at least 0.1"),
        ({"extra": {"timeout": 0}}, "Timeout (timeout) is '0', not a number"),
        ({"extra": {"timeout": "inf"}}, "Timeout (timeout) is 'inf', not a number"),
        ({"extra": {"requests_per_10s": -1}}, "Requests per 10 seconds (requests_per_10s) is '-1', not a number of at least 1"),
        ({"extra": {"channel_id": "my channel"}}, "Channel ID (channel_id) is 'my channel', not the number of a channel"),
        ({"extra": {"channel_id": 2**31}}, "Channel ID (channel_id) is '2147483648', not the number of a channel"),
        ({"extra": {"channel_id": 100200.5}}, "Channel ID (channel_id) is '100200.5', not the number of a channel"),
        ({"extra": {"channel_id": "١٢٣"}}, "(channel_id) is '١٢٣', not the number of a channel"),
        ({"extra": {"channel_id": "9" * 5000}}, "9', not the number of a channel"),
        (
            {"extra": {"access_token": "s3cr3t\ns3cr3t"}},
            "Access token (access_token) holds a space, a line break or a character that no token",
        ),
        (
            {"extra": {"access_token": "r3ady"}},
            "(access_token) stands beside OAuth client ID (login), OAuth client",
        ),
    ],
)
def test_a_faulty_field_is_named(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], fault: str) -> None:
    """The error names the field, its value where that is no secret, and what it should be."""
    with pytest.raises(BadConnection) as caught:
        account(monkeypatch, {**APP, **fields, "extra": {**REFRESH, **fields.get("extra", {})}})
    assert fault in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_blank_secret_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is no secret: better an error here than from HubSpot."""
    with pytest.raises(BadConnection, match=r"cannot be used: OAuth client secret \(password\) missing"):
        account(monkeypatch, {"login": "id", "password": "   ", "extra": REFRESH})


def test_all_faults_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error for all of them, and where to fix it."""
    with pytest.raises(BadConnection) as caught:
        account(monkeypatch, {"login": "id", "extra": {"api_version": "v9", "timeout": "x"}})
    assert str(caught.value) == (
        "Connection 'hubchan_default' cannot be used: OAuth client secret (password), Refresh token (refresh_token) missing: "
        "all three of the OAuth app are needed, or an access token instead; API version (api_version) is 'v9', not one of "
        "2026-03, 2026-09, v3; Timeout (timeout) is 'x', not a number of at least 0.1. Edit it under Admin > "
        "Connections, or where AIRFLOW_CONN_HUBCHAN_DEFAULT or your secrets backend defines it."
    )


@pytest.mark.parametrize(
    ("given", "read_as"), [(100200, "100200"), (" 100200\n", "100200"), ("2147483647", "2147483647"), (None, None), (" ", None)]
)
def test_a_channel_is_whatever_hubspot_may_take(monkeypatch: pytest.MonkeyPatch, given: Any, read_as: str | None) -> None:
    """A 32-bit integer, as text or as a number; nothing for none."""
    assert account(monkeypatch, {**APP, "extra": {**REFRESH, "channel_id": given}}).channel_id == read_as


def test_an_accounts_repr_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repr ends in tracebacks."""
    text = repr(account(monkeypatch, {**APP, "extra": REFRESH})) + repr(Account(access_token="r3ady"))
    assert not any(secret in text for secret in ("cl13nt-s3cr3t", "r3fr3sh", "r3ady"))
