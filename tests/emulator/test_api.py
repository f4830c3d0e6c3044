"""The local HubSpot's rules beyond a message's status: posting, channels and their accounts, staging, tokens, wrong bodies."""

from __future__ import annotations

import json
import socket
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.api.routes import answer
from airflow_provider_hubchan.emulator.api.schema import parse_time
from airflow_provider_hubchan.emulator.model.clock import iso
from airflow_provider_hubchan.emulator.model.records import READ, WRITE, ChannelAccount
from airflow_provider_hubchan.emulator.model.world import World
from tests.emulator.exchanges import PERSON, VERSIONS, custom_channels, exchanges, message_payload, oauth
from tests.emulator.raw_http import Raw

BASE = "/conversations/custom-channels/2026-03"


class Bridge:
    """What a bridge has: a world, a token, a developer key; and short ways to call."""

    def __init__(self, **settings: Any) -> None:
        self.world = World(limit=0, token_limit=0, **settings)
        self.world.seed(["m-1"])
        self.token = self.world.issue()
        self.account: ChannelAccount = self.world.account_of(self.world.channel_id)
        self.key = {"hapikey": self.world.developer_key, "appId": str(self.world.install.app.app_id)}

    def ask(self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None, base: str = BASE) -> Response:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return answer(self.world, Request(method, base + path, headers, raw, urlencode(query or {}, doseq=True)))

    def post(self, version: str = "2026-03", **more: Any) -> Response:
        base = "/conversations/v3/custom-channels" if version == "v3" else BASE.replace("2026-03", version)
        return self.ask("POST", "/100200/messages", message_payload(self.account.id) | more, base=base)

    def accounts(self, **query: Any) -> Any:
        return self.ask("GET", "/100200/channel-accounts", query=query).body


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


def test_a_message_without_an_idempotency_id_repeats_none(bridge: Bridge) -> None:
    """Not even one whose id is empty, which is an id like any other."""
    without = message_payload(bridge.account.id)
    del without["integrationIdempotencyId"]
    posts = [without | {"integrationIdempotencyId": ""}, without, without, without | {"integrationIdempotencyId": ""}]
    assert [bridge.ask("POST", "/100200/messages", each).status for each in posts] == [201, 201, 201, 409]


@pytest.mark.parametrize(("direction", "status"), [("INCOMING", "RECEIVED"), ("OUTGOING", "SENT")])
def test_a_posted_message_is_there(bridge: Bridge, direction: str, status: str) -> None:
    """It comes back as it was posted, with the time of the customer, and its status can be updated like any other's."""
    posted = bridge.post(messageDirection=direction).body
    assert (posted["direction"], posted["status"]) == (direction, {"statusType": status})
    assert (posted["createdAt"], posted["text"]) == ("2026-03-30T10:00:00.123Z", "Where is my parcel?")
    assert posted["client"] == {"clientType": "INTEGRATION", "integrationAppId": 300400}
    assert bridge.ask("GET", f"/100200/messages/{posted['id']}").body == posted
    updated = bridge.ask("PATCH", f"/100200/messages/{posted['id']}", {"statusType": "READ"})
    assert updated.status == (400 if direction == "INCOMING" else 200)


def test_a_thread_id_groups_messages(bridge: Bridge) -> None:
    """One thread for each id and account; messages without one have a thread each."""
    other = bridge.world.add_account(bridge.account.channel, bridge.account.portal)
    ids = ["t-1", "t-1", "t-2"]
    threads = [
        bridge.post(integrationThreadId=each, integrationIdempotencyId=f"i-{number}").body["conversationsThreadId"]
        for number, each in enumerate(ids)
    ]
    assert threads[0] == threads[1] != threads[2]
    assert bridge.post(channelAccountId=other.id).body["conversationsThreadId"] not in threads
    alone = message_payload(bridge.account.id)
    del alone["integrationThreadId"], alone["integrationIdempotencyId"]
    lonely = [bridge.ask("POST", "/100200/messages", alone).body["conversationsThreadId"] for _ in range(2)]
    assert len({*lonely, *threads}) == 4


@pytest.mark.parametrize("version", VERSIONS)
def test_the_actor_of_a_sender_is_the_creator(bridge: Bridge, version: str) -> None:
    """``senderActorId`` is in the files of every version; without one the app is the creator."""
    posted = bridge.post(version, senders=[PERSON | {"senderActorId": "A-7"}]).body
    assert (posted["senders"][0]["actorId"], posted["createdBy"]) == ("A-7", "A-7")
    posted = bridge.post(version, senders=[PERSON], integrationIdempotencyId="i-2").body
    assert ("actorId" in posted["senders"][0], posted["createdBy"]) == (False, "I-300400")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("number", "status"), [(2**63 - 1, 201), (2**63, 400)])
def test_the_number_of_a_contact_has_64_bits(bridge: Bridge, version: str, number: int, status: int) -> None:
    """``contactVid`` is an int64 in every version."""
    contact = {"contactPropertiesLeadingToMatch": ["email"], "contactVid": number}
    assert bridge.post(version, preResolvedContacts={"contacts": [contact]}).status == status


def test_an_idempotency_id_is_of_one_message_in_an_account(bridge: Bridge) -> None:
    """The second message with it is a conflict that names the first; another account may have it, too."""
    first = bridge.post().body
    again = bridge.post(text="Hello?")
    assert (again.status, again.body["category"], again.body["context"]["id"]) == (409, "CONFLICT", [first["id"]])
    other = bridge.world.add_account(bridge.account.channel, bridge.account.portal)
    assert bridge.post(channelAccountId=other.id).status == 201


def test_a_repeated_post_can_be_had_the_old_message() -> None:
    """The other answer that HubSpot may have, as a setting."""
    bridge = Bridge(duplicates="same")
    first = bridge.post()
    assert bridge.post(text="Hello?").body == first.body
    assert len(bridge.world.messages) == 2


def test_only_incoming_messages_may_be_posted_if_so_set() -> None:
    """As the guide of 2024 has it."""
    bridge = Bridge(posts="incoming")
    assert bridge.post(messageDirection="OUTGOING").status == 400
    assert bridge.post().status == 201


def test_a_message_needs_an_account_that_may_have_it(bridge: Bridge) -> None:
    """Of the channel, in the portal of the token, not archived, and authorized."""
    world = bridge.world
    elsewhere = world.add_account(bridge.account.channel, world.add_portal(7))
    of_another = world.account_of(world.add_channel("7").id)
    assert [bridge.post(channelAccountId=each).status for each in ("1", elsewhere.id, of_another.id)] == [404] * 3
    bridge.account.authorized = False
    refused = bridge.post()
    assert (refused.status, refused.body["category"]) == (400, "VALIDATION_ERROR")
    bridge.account.authorized, bridge.account.archived_at = True, world.clock.now()
    assert bridge.post().status == 404


def test_a_deleted_channel_is_gone_with_all_that_was_in_it(bridge: Bridge) -> None:
    """Its accounts, staging tokens and messages cannot be seen any more, and its id is not given again."""
    world = bridge.world
    made = bridge.ask("POST", "", {"name": "Chat", "capabilities": {"richText": ["HYPERLINK"]}}, bridge.key).body
    channel = world.channels[made["id"]]
    world.add_account(channel, bridge.account.portal)
    world.add_staging_token(channel)
    world.seed(["m-2"], channel.id)
    assert made["capabilities"] == {"richText": ["HYPERLINK"]}
    assert bridge.ask("DELETE", f"/{channel.id}", query=bridge.key).status == 204
    assert bridge.ask("GET", f"/{channel.id}", query=bridge.key).status == 404
    assert bridge.ask("GET", f"/{channel.id}/messages/m-2").status == 404
    assert (len(world.messages), len(world.accounts), len(world.staging)) == (1, 1, 0)
    assert bridge.ask("POST", "", {"name": "Chat", "capabilities": {}}, bridge.key).body["id"] != channel.id


def test_a_channel_is_patched_whole_or_in_part() -> None:
    """HubSpot's files require all fields; that a part will do is a setting. A null takes a field away."""
    whole, part = Bridge(), Bridge(channel_patches="partial", webhook_hosts="any")
    assert whole.ask("PATCH", "/100200", {"name": "Chat"}, whole.key).status == 400
    assert part.ask("PATCH", "/100200", {"name": "Chat", "webhookUrl": "https://b.example"}, part.key).status == 200
    changed = part.ask("PATCH", "/100200", {"webhookUrl": None}, part.key).body
    assert (changed["name"], "webhookUrl" in changed) == ("Chat", False)


def test_channels_are_the_developers_alone(bridge: Bridge) -> None:
    """A wrong key is answered as observed, a wrong app is named, the channel of another app is unknown, a token does not do."""
    wrong = bridge.ask("GET", "", query=bridge.key | {"hapikey": "x"})
    assert (wrong.status, wrong.body["category"], list(wrong.body["links"])) == (401, "INVALID_AUTHENTICATION", ["api key"])
    assert bridge.ask("GET", "").status == 401
    unknown = bridge.ask("GET", "", query=bridge.key | {"appId": "1"})
    assert (unknown.status, unknown.body["context"]) == (400, {"appId": ["1"]})
    other = bridge.world.add_app("other", app_id=9)
    assert bridge.ask("GET", "/100200", query=bridge.key | {"appId": str(other.app_id)}).status == 404
    assert bridge.ask("GET", "", query=bridge.key | {"appId": "9"}).body == {"results": [], "total": 0}


@pytest.mark.parametrize("sort", ["name", "-name", "id", "createdAt"])
def test_a_list_is_walked_page_by_page(bridge: Bridge, sort: str) -> None:
    """Each cursor leads to the next page, the last has none, and nothing comes twice or is left out."""
    for number in range(7):
        bridge.world.clock.advance(1)
        bridge.world.add_account(bridge.account.channel, bridge.account.portal, name=f"Depot {number * 5 % 7}")
    seen: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 3, "sort": sort}
    while True:
        page = bridge.accounts(**query)
        seen += page["results"]
        assert page["total"] == 8
        if "paging" not in page:
            break
        query["after"] = page["paging"]["next"]["after"]
    expected = sorted(bridge.accounts()["results"], key=lambda each: each[sort.strip("-")], reverse=sort[0] == "-")
    assert seen == expected
    assert len({each["id"] for each in seen}) == 8


def test_a_name_of_thousands_of_digits_is_sorted_by_its_letters(bridge: Bridge) -> None:
    """Python makes no number of it, and no id is as long."""
    bridge.world.add_account(bridge.account.channel, bridge.account.portal, name="9" * 5000)
    assert [each["name"][:6] for each in bridge.accounts(sort="name")["results"]] == ["999999", "Parcel"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "x"),
        ("limit", 2**31),
        ("defaultPageLength", "-1"),
        ("after", "9"),
        ("sort", "size"),
        ("archived", "maybe"),
        ("deliveryIdentifierType", "PIGEON"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(bridge: Bridge, parameter: str, value: Any) -> None:
    """400 with its name and value."""
    said = bridge.accounts(**{parameter: value})
    assert (said["category"], said["context"]) == ("VALIDATION_ERROR", {parameter: [str(value)]})


def test_accounts_are_chosen_by_identifier_and_archive(bridge: Bridge) -> None:
    """Each filter, with brackets behind its name or without; an archived account is found only if asked for."""
    world, channel, portal = bridge.world, bridge.account.channel, bridge.account.portal
    mail = world.add_account(channel, portal, delivery_identifier={"type": "HS_EMAIL_ADDRESS", "value": "a@b.example"})
    old = world.add_account(channel, portal, archived_at=world.clock.now())
    world.add_account(channel, world.add_portal(7))

    def ids(**query: Any) -> list[str]:
        return [each["id"] for each in bridge.accounts(**query)["results"]]

    assert ids() == [bridge.account.id, mail.id]
    assert ids(archived="true") == [old.id]
    assert ids(deliveryIdentifierType="HS_EMAIL_ADDRESS") == [mail.id]
    assert ids(**{"deliveryIdentifierType[]": ["HS_EMAIL_ADDRESS", "HS_PHONE_NUMBER"]}) == ids()
    assert ids(deliveryIdentifierValue="a@b.example") == [mail.id]
    assert ids(deliveryIdentifierType="HS_PHONE_NUMBER", deliveryIdentifierValue="a@b.example") == []
    path = f"/100200/channel-accounts/{old.id}"
    assert [bridge.ask("GET", path, query={"archived": each}).status for each in ("true", "false")] == [200, 404]


@pytest.mark.parametrize("body", [{}, {"inboxId": "7"}])
def test_an_update_of_nothing_is_refused(bridge: Bridge, body: Any) -> None:
    """The inbox of an account stays, as observed."""
    said = bridge.ask("PATCH", f"/100200/channel-accounts/{bridge.account.id}", body)
    assert (said.status, said.body["subCategory"]) == (400, "CustomChannelsError.EMPTY_UPDATE_REQUEST_BODY")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_staging_token_is_filled_in(bridge: Bridge, version: str) -> None:
    """In part or as a whole; a token of another channel is unknown."""
    staged = bridge.world.add_staging_token()
    base = "/conversations/v3/custom-channels" if version == "v3" else BASE.replace("2026-03", version)
    path = f"/channel-account-staging-tokens/{staged.token}"
    assert bridge.ask("PATCH", f"/100200{path}", {"accountName": "Depot"}, base=base).status == 200
    assert (staged.account_name, staged.delivery_identifier) == ("Depot", None)
    both = {"accountName": "Depot", "deliveryIdentifier": PERSON["deliveryIdentifier"]}
    assert bridge.ask("PATCH", f"/100200{path}", both, base=base).body["deliveryIdentifier"] == PERSON["deliveryIdentifier"]
    bridge.world.add_channel("7")
    assert bridge.ask("PATCH", f"/7{path}", both, base=base).status == 404


def test_a_revoked_refresh_token_leaves_its_access_tokens(bridge: Bridge) -> None:
    """No more tokens come, and it is not active; those that were given live on until they end."""
    grant, *_, about_refresh, _, revoke = oauth(bridge.world, "2026-03")
    bridge.token = answer(bridge.world, grant.call()).body["access_token"]
    said = answer(bridge.world, about_refresh.call()).body
    assert (said["active"], said["token_use"], said["scopes"]) == (True, "refresh_token", ["oauth", READ, WRITE])
    assert answer(bridge.world, revoke.call()).status == 200
    assert answer(bridge.world, grant.call()).body["status"] == "BAD_REFRESH_TOKEN"
    assert answer(bridge.world, about_refresh.call()).body == {"active": False}
    assert bridge.accounts()["total"] == 1
    assert answer(bridge.world, revoke.call()).status == 200


def test_usage_is_of_private_apps_until_midnight() -> None:
    """OAuth's calls are not in it, and the day ends at midnight in the account's time zone."""
    bridge = Bridge(daily=500)
    world, usage = bridge.world, "/account-info/2026-03/api-usage/daily/private-apps"
    private = world.issue(world.add_install(world.add_app("private", private=True), bridge.account.portal))
    bridge.accounts()
    bridge.token = private
    bridge.ask("GET", "/details", base="/account-info/2026-03")
    (said,) = bridge.ask("GET", usage, base="").body["results"]
    assert (said["usageLimit"], said["currentUsage"]) == (500, 2)
    assert said["resetsAt"] == iso(bridge.account.portal.calendar.next_midnight(world.clock.now()))
    world.before_midnight(1)
    world.clock.advance(1)
    bridge.token = world.issue()
    (said,) = bridge.ask("GET", usage, base="").body["results"]
    assert said["currentUsage"] == 0


def test_the_newest_account_details_say_more(bridge: Bridge) -> None:
    """Name and creation of the portal came with 2026-09."""
    older, newer = (bridge.ask("GET", "/details", base=f"/account-info/{version}").body for version in ("2026-03", "2026-09"))
    assert newer.keys() - older.keys() == {"portalName", "createdAt"}


@pytest.mark.parametrize("version", VERSIONS)
def test_custom_channels_take_tokens_of_oauth_only(version: str) -> None:
    """A private app's token is refused in every version, and so is any that begins with ``pat-``, as a token without scopes is.

    That they are accepted is a setting; the channel is still another app's for a private one.
    """
    base = "/conversations/v3/custom-channels" if version == "v3" else BASE.replace("2026-03", version)
    for setting, of_private_app, begins_with_pat in (("specified", 403, 403), ("anywhere", 404, 200)):
        bridge = Bridge(private_apps=setting)
        private = bridge.world.add_app("private", private=True)
        bridge.token = bridge.world.issue(bridge.world.add_install(private, bridge.account.portal))
        assert bridge.ask("GET", "/100200/messages/m-1", base=base).status == of_private_app
        bridge.token = bridge.world.issue(value="pat-na1-1234")
        answered = bridge.ask("PATCH", "/100200/messages/m-1", {"statusType": "READ"}, base=base)
        assert answered.status == begins_with_pat
        assert answered.body.get("category") == ("MISSING_SCOPES" if begins_with_pat == 403 else None)
        assert bridge.ask("GET", "/details", base=f"/account-info/{version}").status == 200


@pytest.mark.parametrize("path", [f"{BASE}/100200/messages/m-1", "/oauth/2026-03/token", "/account-info/2026-03/details"])
def test_a_version_that_hubspot_has_not_published_is_unknown(bridge: Bridge, path: str) -> None:
    """2025-09 was a beta of other APIs; it is answered like any address that does not exist."""
    assert bridge.ask("GET", path.replace("2026-03", "2025-09"), base="").body == {"message": "resource not found"}


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [
        *(("/{}/messages/m-1", "channelId", each) for each in ("x", 2**31, -(2**31) - 1, "", "1.0", "\u0661", "9" * 5000)),
        *(("/100200/channel-accounts/{}", "channelAccountId", each) for each in ("x", 2**63)),
    ],
)
def test_an_id_that_is_no_number_is_named(bridge: Bridge, path: str, name: str, said: Any) -> None:
    """Of a channel 32 bits, of an account 64."""
    refused = bridge.ask("GET", path.format(said))
    assert (refused.status, refused.body["category"]) == (400, "VALIDATION_ERROR")
    assert refused.body["context"] == {name: [str(said)]}


def test_an_id_is_a_number_however_it_is_written(bridge: Bridge) -> None:
    """Zeros before it do not count."""
    assert bridge.ask("GET", "/0100200/messages/m-1").status == 200


def test_all_that_is_wrong_with_a_body_is_named(bridge: Bridge) -> None:
    """Each field with its place: those that are missing, and those of another type or with another word."""
    wrong = {
        "attachments": [{"type": "FILE"}, {"type": "PARROT"}, {"type": "LOCATION", "latitude": "north", "longitude": 1}],
        "channelAccountId": 7,
        "recipients": [{"deliveryIdentifier": {"type": "HS_PHONE", "value": None}}],
        "senders": {},
        "timestamp": "2026-02-30T12:00:00Z",
        "associateWithContactId": True,
    }
    said = bridge.ask("POST", "/100200/messages", wrong)
    assert said.status == 400
    assert said.body["message"].startswith("Invalid input JSON on line 1, column 1: ")
    assert {each["in"]: each["code"] for each in said.body["errors"]} == {
        "attachments[0].fileId": "REQUIRED_FIELD",
        "attachments[1].type": "INVALID_VALUE",
        "attachments[2].latitude": "INVALID_VALUE",
        "channelAccountId": "INVALID_VALUE",
        "messageDirection": "REQUIRED_FIELD",
        "recipients[0].deliveryIdentifier.type": "INVALID_VALUE",
        "recipients[0].deliveryIdentifier.value": "INVALID_VALUE",
        "senders": "INVALID_VALUE",
        "text": "REQUIRED_FIELD",
        "timestamp": "INVALID_VALUE",
        "associateWithContactId": "INVALID_VALUE",
    }


NO_JSON = [
    b"",
    b"{",
    b"\xff\xfe{",
    '{"a": 1}'.encode("utf-16"),
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": ' + b"[" * 201 + b"]" * 201 + b"}",
    b"[" * 100_000,
    b'{"a": "' + b"[" * 300,
    b"null x",
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("body", [*NO_JSON, b"[]", b"null", b"5", b'"x"', b"[[]]"], ids=lambda body: repr(body[:12]))
def test_no_body_ends_in_a_server_error(bridge: Bridge, body: bytes) -> None:
    """What is no JSON, or no object, is a validation error at every operation that takes a body."""
    for exchange in (each for version in VERSIONS for each in custom_channels(bridge.world, version)):
        if exchange.body is not None:
            call = replace(exchange.call(), body=body)
            said = answer(bridge.world, call)
            assert (said.status, said.body["category"]) == (400, "VALIDATION_ERROR"), call
            assert said.body["message"].startswith("Invalid input JSON on line ")


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\u202e", "🦜" * 300, "[{" * 300])
def test_strange_texts_come_back_as_they_were(text: str) -> None:
    """Lone surrogates, NUL, and brackets that are no levels, over HTTP."""
    with Emulator() as emulator, Raw(emulator) as raw:
        emulator.world.seed(["m-1"])
        account_id = emulator.world.account_of("100200").id
        status, posted, _ = raw.ask(
            "POST", f"{BASE}/100200/messages", message_payload(account_id, text=text, integrationThreadId=text)
        )
        assert (status, posted["text"]) == (201, text)
        failed = raw.patch(body={"statusType": "FAILED", "errorMessage": text})[1]
        assert failed["status"]["failureDetails"]["errorMessage"] == text
        assert raw.ask("GET", "/_emulator/ledger")[0] == 200


def test_a_body_that_is_no_json_leaves_the_ledger_readable() -> None:
    """What Python would read, but not write."""
    with Emulator() as emulator, Raw(emulator) as raw:
        for body in NO_JSON:
            raw.patch(body=body)
        status, entries, _ = raw.ask("GET", "/_emulator/ledger")
        assert (status, len(entries)) == (200, len(NO_JSON))


def test_a_deletion_is_answered_with_nothing() -> None:
    """204 has neither a body nor a kind of one."""
    with Emulator() as emulator, Raw(emulator) as raw:
        key = urlencode({"hapikey": emulator.world.developer_key, "appId": emulator.world.install.app.app_id})
        status, body, headers = raw.ask("DELETE", f"{BASE}/100200?{key}")
        assert (status, body, headers["Content-Type"], headers["Content-Length"]) == (204, b"", None, None)


def test_a_path_that_is_not_ascii_is_answered() -> None:
    """Bytes that no client should send."""
    with Emulator() as emulator:
        host, port = emulator.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(b"GET /conversations/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(64).split()[1] in (b"400", b"404")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01t01:00:00.5+01:00", 0.5),
        ("1969-12-31 23:59:59.1239-00:30", 1799.123),
        ("1970-01-01T00:00:60Z", None),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("\u0661\u0669\u0667\u0660-01-01T00:00:00Z", None),
        (0, None),
    ],
)
def test_times_are_those_of_rfc_3339(text: Any, seconds: float | None) -> None:
    """With an offset, and in a year that can be written down."""
    with nullcontext() if seconds is not None else pytest.raises(PydanticCustomError):
        assert parse_time(text) == seconds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["type", "value", "name", *message_payload("1")]) | st.text(), inner)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(body=JSON, change=st.sampled_from([None, *message_payload("1")]))
def test_whatever_is_posted_is_read_or_refused(body: Any, change: str | None) -> None:
    """Any JSON, alone or in the place of any field of a good message; never a fault of Python's."""
    bridge = Bridge()
    said = bridge.ask(
        "POST", "/100200/messages", body if change is None else message_payload(bridge.account.id) | {change: body}
    )
    assert said.status in (201, 400, 404)


def test_every_wrong_method_says_which_are_right(bridge: Bridge) -> None:
    """405 with the methods that there are."""
    for exchange in exchanges(bridge.world, "2026-03"):
        said = answer(bridge.world, replace(exchange.call(), method="PUT"))
        assert said.status == 405
        assert exchange.method in said.headers["Allow"]
