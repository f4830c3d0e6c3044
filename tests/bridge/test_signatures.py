"""Whose request it is."""

from __future__ import annotations

import pytest
from hubspot_bridge.signatures import MAX_AGE, callback_signature, hubspot_signature, is_from_hubspot, is_ours

from tests.bridge.webhooks import NOW, PUBLIC, SECRET, signature

BODY = '{"text": "Grüße"}'.encode()
TIMESTAMP = str(int(NOW * 1000))


def verify(**other: object) -> bool:
    """What is true of a good request, but for what is given."""
    arguments = {
        "secret": SECRET,
        "method": "POST",
        "uri": PUBLIC,
        "body": BODY,
        "timestamp": TIMESTAMP,
        "signature": signature(BODY, TIMESTAMP),
        "now": NOW,
    }
    return is_from_hubspot(**arguments | other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"signature": None}, id="unsigned"),
        pytest.param({"signature": ""}, id="an empty signature"),
        pytest.param({"signature": "gr\u00fc\u00dfe"}, id="no ASCII"),
        pytest.param({"signature": signature(BODY, TIMESTAMP, secret="another app's")}, id="another secret"),
        pytest.param({"body": BODY + b" "}, id="another body"),
        pytest.param({"method": "PUT"}, id="another method"),
        pytest.param({"uri": "http://10.0.0.7:8700/hubspot"}, id="the address behind the proxy"),
        pytest.param({"timestamp": None}, id="no timestamp"),
        pytest.param({"timestamp": str(int(TIMESTAMP) + 1)}, id="another timestamp"),
        pytest.param({"timestamp": "\u0661\u0662", "signature": signature(BODY, "\u0661\u0662")}, id="other digits"),
        pytest.param({"timestamp": "nan", "signature": signature(BODY, "nan")}, id="no number"),
        pytest.param({"now": NOW + MAX_AGE + 0.01}, id="old"),
        pytest.param({"now": NOW - MAX_AGE - 0.01}, id="from the future"),
    ],
)
def test_what_hubspot_did_not_sign_just_now_is_not_from_hubspot(other: dict[str, object]) -> None:
    """Each of these alone is enough; without it, it is HubSpot's."""
    assert verify()
    assert not verify(**other)


def test_a_signature_is_good_for_five_minutes() -> None:
    """To the last moment."""
    assert verify(now=NOW + MAX_AGE)
    assert MAX_AGE == 300


def test_the_escapes_of_hubspots_list_are_decoded_and_no_others() -> None:
    """In either case; a space, a percent sign and an umlaut stay as they are."""
    escaped = "https://e.com/a%3ab%2Fc%3Fd%40e%21f%24g%27h%28i%29j%2Ak%2Cl%3Bm%20n%25o%C3%BC%2B"
    plain = "https://e.com/a:b/c?d@e!f$g'h(i)j*k,l;m%20n%25o%C3%BC%2B"
    assert hubspot_signature(SECRET, "POST", escaped, BODY, TIMESTAMP) == signature(BODY, TIMESTAMP, uri=plain)


def test_a_callback_url_is_good_for_its_message_alone() -> None:
    """Who knows the URL of one message cannot report on another one."""
    good = callback_signature("secret", "m-1")
    assert is_ours("secret", "m-1", good)
    assert not is_ours("secret", "m-2", good)
    assert not is_ours("another", "m-1", good)
    assert not is_ours("secret", "m-1", "")
    assert not is_ours("secret", "m-1", "\u00fc")
