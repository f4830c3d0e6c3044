from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.models import Account, MessageStatus, Update

HOST = "https://api.hubapi.com"


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("2026-03", "/conversations/custom-channels/2026-03/100/messages/m-1"),
        ("2026-09", "/conversations/custom-channels/2026-09/100/messages/m-1"),
        ("v3", "/conversations/v3/custom-channels/100/messages/m-1"),
    ],
)
def test_each_version_has_its_url(version: str, path: str) -> None:
    """Only v3 stands before the name of the API."""
    account = Account(api_version=version)
    assert endpoints.update_message(account, "100", Update(1, "m-1", MessageStatus.SENT)).url == HOST + path
    assert endpoints.get_message(account, "100", "m-1").url == HOST + path


@pytest.mark.parametrize(
    ("message_id", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("../x", "..%2Fx"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("ü €", "%C3%BC%20%E2%82%AC"),
        ("100%", "100%25"),
    ],
)
def test_an_id_stays_one_segment(message_id: str, segment: str) -> None:
    """Whatever an id holds, the call goes to this message's URL and no other."""
    url = endpoints.get_message(Account(), "100", message_id).url
    assert url == f"{HOST}/conversations/custom-channels/2026-03/100/messages/{segment}"


@pytest.mark.parametrize(
    ("update", "body"),
    [
        (Update(1, "m", MessageStatus.READ), {"statusType": "READ"}),
        (Update(1, "m", MessageStatus.FAILED), {"statusType": "FAILED"}),
        (Update(1, "m", MessageStatus.FAILED, "30003: ü"), {"statusType": "FAILED", "errorMessage": "30003: ü"}),
    ],
)
def test_the_body_has_no_empty_error_message(update: Update, body: dict[str, str]) -> None:
    """An error message that is absent is left out, not sent empty."""
    assert json.loads(endpoints.update_message(Account(), "100", update).body) == body


def test_a_requests_token_is_not_in_its_repr() -> None:
    """A repr ends in logs and tracebacks, so it holds no secrets."""
    request = endpoints.get_message(Account(), "100", "m")
    assert "s3cret" not in repr(replace(request, token="s3cret", body=b"s3cret"))
