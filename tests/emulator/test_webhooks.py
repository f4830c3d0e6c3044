"""The local HubSpot's webhooks over real HTTP: their shape and signature, what makes one, faults, tries, and who gets them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api.webhooks import signature
from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.faults.catalogue import WEBHOOK_FAULTS
from airflow_provider_hubchan.emulator.faults.fault import Fault
from airflow_provider_hubchan.emulator.faults.schedule import ScheduledFault
from airflow_provider_hubchan.emulator.localhost_resolver import LocalhostResolver
from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.model.webhook_url import check_webhook_url
from airflow_provider_hubchan.emulator.ui.threads import ThreadFilter
from airflow_provider_hubchan.emulator.ui.view import View, describe
from tests.emulator.exchanges import message_payload
from tests.emulator.raw_http import Raw, served
from tests.emulator.webhook_receiver import Received, Receiver
from tests.waiting import wait_until

#: 2026-07-15T16:00:00.250Z
NOON = 1_784_131_200.25
SECRET = "hubchan-demo-client-secret"
#: What a closed port answers as.
NOBODY = "http://127.0.0.1:9/hubspot"
ELSEWHERE = "https://bridge.example/hubspot"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def hubspot(receiver: Receiver) -> Iterator[Emulator]:
    """Its channel has the receiver's URL, and its clock stands at noon."""
    with Emulator(limit=0, webhook=receiver.url) as emulator:
        emulator.world.clock = Clock(lambda: 0.0, at=NOON)
        yield emulator


def signed(received: Received, url: str, secret: str = SECRET) -> str:
    """The signature that a request should have, computed as HubSpot's page says."""
    source = b"POST" + url.encode() + received.body + received.timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()


def when(release: threading.Event) -> Callable[[Received], int]:
    """A receiver's answer that comes when *release* is set; what agents say no to gets a 500 at once."""

    def answer(received: Received) -> int:
        return 500 if received.text == "no" or not release.wait(30) else 200

    return answer


def talk_nonsense(server: socket.socket) -> None:
    """Answer one request with what is no HTTP."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"what?\r\n\r\n")
        while connection.recv(65_536):
            pass


def answer_one_each(server: socket.socket) -> None:
    """Answer one request of each connection; when a second one comes on it, close it."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                body = b""
                while not body.endswith(b"}}"):
                    body += connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                connection.recv(65_536)


def answered(hubspot: Emulator, message_id: str, tries: int) -> bool:
    """True once so many tries of a message's webhook have an answer."""
    return len([each for each in hubspot.ledger.deliveries(message_id) if each.status]) == tries


def has_come(receiver: Receiver, text: str) -> bool:
    return text in receiver.texts


def test_the_event_is_one_object_in_hubspots_shape(hubspot: Emulator, receiver: Receiver) -> None:
    """Every field of the guide's table, ids as texts, the status a text; the message id is the one that is updated."""
    message = hubspot.agent_says("Your parcel is here.", to="+15550100")
    hubspot.wait_for_webhooks()
    (received,) = receiver.received
    event = received.event
    thread_ids, event_id = event.pop("channelIntegrationThreadIds"), event.pop("eventId")
    (recipient,) = event["message"].pop("recipients")
    assert event == {
        "type": "OUTGOING_CHANNEL_MESSAGE_CREATED",
        "portalId": "62515",
        "channelId": "100200",
        "eventTimestamp": "2026-07-15T16:00:00.250Z",
        "message": {
            "id": message.id,
            "type": "MESSAGE",
            "channelId": "100200",
            "channelAccountId": message.account.id,
            "conversationsThreadId": str(message.thread),
            "createdAt": "2026-07-15T16:00:00.250Z",
            "createdBy": "A-1201",
            "senders": [
                {
                    "actorId": "A-1201",
                    "name": "Ada Agent",
                    "deliveryIdentifier": {"type": "HS_PHONE_NUMBER", "value": "+15550199"},
                }
            ],
            "text": "Your parcel is here.",
            "direction": "OUTGOING",
            "truncationStatus": "NOT_TRUNCATED",
            "attachments": [],
            "status": "SENT",
        },
    }
    assert recipient["deliveryIdentifier"] == {"type": "HS_PHONE_NUMBER", "value": "+15550100"}
    assert (recipient["actorId"][:2], bool(recipient["name"])) == ("V-", True)
    assert [type(each) for each in (*thread_ids, event_id)] == [str, str]
    assert (received.path, received.headers["content-type"]) == ("/hubspot", "application/json")


def test_the_signature_is_that_of_the_apps_secret(hubspot: Emulator, receiver: Receiver) -> None:
    """Over method, URL, raw body and the milliseconds of the emulator's clock; other characters than ASCII do no harm."""
    hubspot.agent_says("Größe ☃ \ud800")
    hubspot.wait_for_webhooks()
    (received,) = receiver.received
    assert received.timestamp == "1784131200250"
    assert received.signature == signed(received, receiver.url)


def test_escapes_of_the_url_are_decoded_before_it_is_signed() -> None:
    """Those of HubSpot's list, in either case, and no others."""
    plain = signature("s", "POST", "https://b.example/a:b?q=c/d,e%20f&g=%C3%BC", b"{}", "1")
    assert signature("s", "POST", "https://b.example/a%3Ab?q=c%2Fd%2ce%20f&g=%C3%BC", b"{}", "1") == plain


def test_every_channel_signs_with_the_secret_of_its_own_app(hubspot: Emulator, receiver: Receiver) -> None:
    """A channel of another app has a URL of its own, too; one without any gets nothing."""
    world = hubspot.world
    other = world.add_app("other-app", "other-secret")
    world.add_install(other, world.install.portal)
    world.add_channel("7", other)
    hubspot.agent_says("nobody listens", channel_id="7")
    url = f"{receiver.address}/other?brand=7"
    world.set_webhook(url, "7")
    hubspot.agent_says("hello", channel_id="7")
    hubspot.wait_for_webhooks()
    (received,) = receiver.received
    assert (received.path, received.event["channelId"]) == ("/other?brand=7", "7")
    assert received.signature == signed(received, url, "other-secret")
    world.set_webhook(None, "7")
    assert "webhookUrl" not in world.channels["7"].as_json()


def test_an_answer_goes_to_the_thread_of_the_customer(hubspot: Emulator, receiver: Receiver) -> None:
    """Whether that was seeded, posted by the integration with its own thread id, or begun by an agent."""
    world = hubspot.world
    world.seed(["m-1", "m-2", "m-3", "m-4"])
    seeded = world.messages["100200", "m-4"]
    account = seeded.account
    with Raw(hubspot) as raw:
        path = "/conversations/custom-channels/2026-03/100200/messages"
        posted = raw.ask("POST", path, message_payload(account.id, integrationThreadId="chat-7"))[1]
    first = hubspot.agent_says("to whom wrote", to="+15550123")
    again = hubspot.agent_says("to whom was written", to=seeded.customer["deliveryIdentifier"]["value"])
    mails = [hubspot.agent_says(text, to="ann@example.com") for text in ("one", "two")]
    opaque = hubspot.agent_says("three", to="visitor 5")
    hubspot.wait_for_webhooks()
    events = {received.text: received.event for received in receiver.received}
    assert (str(first.thread), again.thread) == (posted["conversationsThreadId"], seeded.thread)
    assert events["to whom wrote"]["channelIntegrationThreadIds"] == ["chat-7"]
    assert events["to whom wrote"]["message"]["recipients"][0]["name"] == "Carla Customer"
    assert mails[0].thread == mails[1].thread != opaque.thread
    assert events["one"]["channelIntegrationThreadIds"] == events["two"]["channelIntegrationThreadIds"]
    kinds = [events[text]["message"]["recipients"][0]["deliveryIdentifier"]["type"] for text in ("one", "three")]
    assert kinds == ["HS_EMAIL_ADDRESS", "CHANNEL_SPECIFIC_OPAQUE_ID"]


def test_a_message_is_made_by_control_calls(hubspot: Emulator, receiver: Receiver) -> None:
    """With an address or a thread, or with ids; each is told to the receiver."""
    with Raw(hubspot) as raw:
        made = raw.ask("POST", "/_emulator/replies", {"text": "hello", "to": "+15550100"})[1]
        more = raw.ask("POST", "/_emulator/replies", {"text": "again", "thread": made["thread"]})[1]
        assert raw.ask("POST", "/_emulator/messages", {"ids": ["m-1"]})[1] == {"messages": 3}
    hubspot.wait_for_webhooks()
    ids = [received.event["message"]["id"] for received in receiver.received]
    assert sorted(ids) == sorted([made["message_id"], more["message_id"], "m-1"])
    assert made["thread"] == more["thread"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "a reply needs a text, and either to or thread"),
        ({"text": "hi", "to": "+1", "thread": 5}, "a reply needs a text, and either to or thread"),
        ({"text": "hi", "thread": 5}, "there is no thread 5"),
        ({"text": "hi", "thread": True}, "thread must be the number of a thread, not True"),
        ({"text": 5, "to": "+1"}, "text must be a text, not 5"),
        ({"text": " ", "to": "+1"}, "a reply needs a text, and an address in to"),
        ({"text": "hi", "to": "+1", "channel_id": "9"}, "there is no channel 9 with an account; there are 100200"),
        ({"txt": "hi", "text": "hi", "to": "+1"}, "a reply has no txt; it has text, to, thread, channel_id"),
    ],
)
def test_a_reply_that_cannot_be_is_refused(hubspot: Emulator, body: dict[str, Any], error: str) -> None:
    """The answer names what is wrong; no message is made."""
    with Raw(hubspot) as raw:
        assert raw.ask("POST", "/_emulator/replies", body)[:2] == (400, {"error": error})
    assert hubspot.messages() == []


def test_seeded_and_posted_messages_are_told_to_nobody(hubspot: Emulator, receiver: Receiver) -> None:
    """What is seeded in Python was sent before; what the integration posts itself is no agent's."""
    hubspot.world.seed(["m-1"])
    account = hubspot.world.account_of("100200")
    with Raw(hubspot) as raw:
        path = "/conversations/custom-channels/2026-03/100200/messages"
        assert raw.ask("POST", path, message_payload(account.id, messageDirection="OUTGOING"))[0] == 201
    hubspot.wait_for_webhooks()
    assert (receiver.received, hubspot.ledger.sent) == ([], 0)


@pytest.mark.parametrize(("change", "why"), [({"archived_at": NOON}, "archived"), ({"authorized": False}, "not authorized")])
def test_nobody_writes_from_an_account_that_cannot_send(hubspot: Emulator, change: dict[str, Any], why: str) -> None:
    """Neither in a thread that it had nor in a new one, as HubSpot's API has it; another account of the channel can."""
    thread = hubspot.agent_says("hello", to="+15550100").thread
    account = hubspot.world.account_of("100200")
    for name, value in change.items():
        setattr(account, name, value)
    for to in ({"thread": thread}, {"to": "+15550100"}, {"to": "+15550101"}):
        with pytest.raises(ValueError, match=f"the channel account {account.id} is {why}: nobody can write from it"):
            hubspot.agent_says("again", **to)
    assert len(hubspot.messages()) == 1
    other = hubspot.world.add_account(account.channel, account.portal)
    assert hubspot.agent_says("again", to="+15550100").account is other


def test_a_channels_webhook_is_set_by_the_api(hubspot: Emulator) -> None:
    """As an app does it; the first delivery then goes there."""
    world = hubspot.world
    path = f"/conversations/custom-channels/2026-03/100200?hapikey={world.developer_key}&appId=300400"
    hubspot.choose(channel_patches="partial")
    with Receiver() as other, Raw(hubspot) as raw:
        assert raw.ask("PATCH", path, {"webhookUrl": other.url})[1]["webhookUrl"] == other.url
        hubspot.agent_says("hello")
        hubspot.wait_for_webhooks()
        assert other.texts == ["hello"]


@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "http://10.0.0.7/",
        "http://127.0.0.1.example/",
        "http://localhost.example:80/x",
        "http://[2001:db8::1]/",
        "http://2130706433/",
    ],
)
def test_other_machines_are_refused_unless_they_are_allowed(url: str) -> None:
    """By the API in an answer that says it is not HubSpot's, in Python by an error; both say what to do."""
    with pytest.raises(ValueError, match=r"sends webhooks to this machine only, not to .*--webhook-hosts any"):
        Emulator(webhook=url)
    with Emulator(channel_patches="partial") as emulator, Raw(emulator) as raw:
        world = emulator.world
        channels = "/conversations/custom-channels/2026-03"
        key = f"?hapikey={world.developer_key}&appId=300400"
        for method, path in (("PATCH", f"{channels}/100200{key}"), ("POST", f"{channels}{key}")):
            status, said, _ = raw.ask(method, path, {"name": "Chat", "capabilities": {}, "webhookUrl": url})
            assert (status, said["subCategory"]) == (400, "EmulatorError.WEBHOOK_HOST_REFUSED")
            assert said["message"].startswith("Not HubSpot's answer: This emulator sends webhooks to this machine only")
        assert "webhookUrl" not in world.channels["100200"].about
        emulator.choose(webhook_hosts="any")
        assert raw.ask("PATCH", f"{channels}/100200{key}", {"webhookUrl": url})[0] == 200
        emulator.choose(webhook_hosts="loopback")
        emulator.agent_says("hello")
        emulator.wait_for_webhooks()
        (delivery,) = emulator.ledger.deliveries()
        assert delivery.status is None
        assert str(delivery.error).startswith("This emulator sends webhooks to this machine only")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bridge",
        "ftp://127.0.0.1/",
        "http://",
        "http://a:b@127.0.0.1/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1/a b",
        "http://[::1",
        "http://[::1].example/",
        "http://[::1%25eth0]/",
        "http://bridge.example,.localhost/",
        "http://10.0.0.7%00.localhost/",
        "http://a..localhost/",
        "http://127.0.0.1/?name=\ud800",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """HubSpot's files allow every text, so the API takes it; then nothing can be sent, and the ledger says so."""
    with pytest.raises(ValueError, match="is not an http or https URL"):
        check_webhook_url(url)
    with Emulator(channel_patches="partial") as emulator, Raw(emulator) as raw:
        path = f"/conversations/custom-channels/2026-03/100200?hapikey={emulator.world.developer_key}&appId=300400"
        assert raw.ask("PATCH", path, {"webhookUrl": url})[0] == 200
        emulator.agent_says("hello")
        emulator.wait_for_webhooks()
        errors = [str(each.error) for each in emulator.ledger.deliveries()]
        assert [error.endswith("percent-encoded") for error in errors] == ([True] if url else [])


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "HTTP://LOCALHOST.:80",
        "https://bridge.localhost:8443/x",
        "http://127.8.0.1:5/",
        "http://[::1]:80/",
        "http://[::ffff:127.0.0.1]:80/",
    ],
)
def test_this_machine_has_many_names(url: str) -> None:
    """Each of them may be given."""
    with Emulator(webhook=url) as emulator:
        assert emulator.world.channels["100200"].as_json()["webhookUrl"] == url


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "bridge.localhost"])
def test_names_of_this_machine_lead_here_and_nowhere_else(receiver: Receiver, name: str) -> None:
    """No name server is asked: many know no name under localhost, and any could send an event to another machine."""
    with Emulator(webhook=receiver.url.replace("127.0.0.1", name)) as emulator:
        emulator.agent_says("hello")
        emulator.wait_for_webhooks()
        assert [(each.status, each.error) for each in emulator.ledger.deliveries()] == [(200, None)]
    assert [each["host"] for each in asyncio.run(LocalhostResolver().resolve("bridge.localhost", 80))] == ["127.0.0.1", "::1"]


def test_nobody_at_a_name_is_told_as_a_refused_connection() -> None:
    """Whichever of its addresses was tried."""
    with Emulator(webhook="http://bridge.localhost:9/") as emulator:
        emulator.agent_says("hello")
        emulator.wait_for_webhooks()
        assert [each.error for each in emulator.ledger.deliveries()] == ["connection refused: is the receiver running?"]


def test_an_empty_url_is_no_way_to_send_none() -> None:
    """It comes of a variable that is not set: nobody would notice that nothing is sent."""
    with pytest.raises(ValueError, match=r"webhookUrl is not an http or https URL.*; it is ''"):
        Emulator(webhook="")


def test_behind_a_proxy_the_public_address_is_signed(receiver: Receiver) -> None:
    """What is called is the receiver's own, with the path and the query of the public one."""
    public = "https://hooks.example.com/crm/replies?brand=7"
    with Emulator(webhook=public, webhook_via=receiver.address) as emulator:
        emulator.agent_says("hello")
        emulator.wait_for_webhooks()
        (received,) = receiver.received
        assert (received.path, received.headers["host"]) == ("/crm/replies?brand=7", receiver.address[7:])
        assert received.signature == signed(received, public)
        (delivery,) = emulator.ledger.deliveries()
        assert (delivery.url, delivery.sent_to) == (public, f"{receiver.address}/crm/replies?brand=7")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"webhook_via": "127.0.0.1:8700"}, "webhook_via is '127.0.0.1:8700', not scheme, host and port"),
        ({"webhook_via": "http://127.0.0.1/x"}, "webhook_via is 'http://127.0.0.1/x', not scheme, host and port"),
        ({"webhook_via": "http://10.0.0.7"}, "sends webhooks to this machine only, not to '10.0.0.7'"),
        ({"webhook_tries": 0}, "webhook_tries must be at least 1"),
        ({"webhook_timeout": 0}, "webhook_timeout must be more than 0"),
        ({"webhook_hosts": "all"}, "webhook_hosts is 'all', not one of loopback, any"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], error: str) -> None:
    """At the start, and while it runs."""
    with pytest.raises(ValueError, match=error):
        HubspotBackend(**settings)
    with pytest.raises(ValueError, match=error):
        HubspotBackend().choose(**settings)


def test_the_ledger_has_deliveries_apart_from_requests(hubspot: Emulator, receiver: Receiver) -> None:
    """With their answers and times; what is counted of HubSpot's API stays as it was; secrets of a URL are left out."""
    hubspot.world.set_webhook(f"{receiver.url}?token=swordfish&brand=7")
    message = hubspot.agent_says("hello")
    hubspot.wait_for_webhooks()
    hubspot.world.set_webhook(NOBODY)
    hubspot.agent_says("nobody")
    hubspot.wait_for_webhooks()
    with Raw(hubspot) as raw:
        delivered, failed = raw.ask("GET", "/_emulator/deliveries")[1]
        assert raw.ask("GET", f"/_emulator/deliveries?message_id={message.id}&status=200&last=1")[1] == [delivered]
        status, said, _ = raw.ask("GET", "/_emulator/deliveries?method=POST")
        assert (status, said["error"]) == (400, "the ledger has no method; it has message_id, status, last")
    assert delivered.pop("milliseconds") >= 0
    assert delivered == {
        "at": "2026-07-15T16:00:00.250Z",
        "channel_id": "100200",
        "message_id": message.id,
        "url": f"{receiver.url}?token=***&brand=7",
        "sent_to": f"{receiver.url}?token=***&brand=7",
        "body": receiver.received[0].event,
        "attempt": 1,
        "status": 200,
        "error": None,
        "reply": "thanks",
        "fault": None,
    }
    assert (failed["status"], failed["error"]) == (None, "connection refused: is the receiver running?")
    assert (hubspot.ledger.entries, hubspot.ledger.received, hubspot.ledger.sent) == ([], 0, 2)
    seen = hubspot.seen()
    assert f"2 webhooks sent\n16:00:00.250 webhook of {message.id} to {receiver.url}?token=***&brand=7 -> 200\n" in seen
    assert "swordfish" not in seen


def test_the_ledger_keeps_the_newest(hubspot: Emulator) -> None:
    """As many as it keeps requests; all are counted; a reset forgets them."""
    hubspot.choose(ledger=2)
    for number in range(3):
        hubspot.agent_says(f"message {number}")
        hubspot.wait_for_webhooks()
    assert [each.body["message"]["text"] for each in hubspot.ledger.deliveries()] == ["message 1", "message 2"]
    assert hubspot.ledger.sent == 3
    hubspot.reset()
    assert (hubspot.ledger.deliveries(), hubspot.ledger.sent) == ([], 0)
    assert "webhookUrl" in hubspot.world.channels["100200"].about, "it begins anew as it began"


def test_a_late_webhook_holds_up_no_other(hubspot: Emulator, receiver: Receiver) -> None:
    """It comes when its time is over, and not before."""
    fault = hubspot.fault(webhook="late", delay=600)
    hubspot.agent_says("late")
    hubspot.agent_says("punctual")
    wait_until(partial(has_come, receiver, "punctual"))
    assert (receiver.texts, fault.struck, fault.left) == (["punctual"], 1, 0)
    hubspot.reset()
    hubspot.fault(webhook="late", delay=0.05)
    hubspot.agent_says("a little late")
    hubspot.wait_for_webhooks()
    assert receiver.texts == ["punctual", "a little late"]


def test_a_webhook_comes_twice(hubspot: Emulator, receiver: Receiver) -> None:
    """The same event, with the same ids."""
    hubspot.fault(webhook="twice")
    hubspot.agent_says("hello")
    hubspot.wait_for_webhooks()
    first, second = receiver.received
    assert first.body == second.body
    assert [each.fault is not None for each in hubspot.ledger.deliveries()] == [True, True]


def test_webhooks_come_out_of_order(hubspot: Emulator, receiver: Receiver) -> None:
    """Each that is hit comes after the next one of its channel, and the last of all after a while."""
    hubspot.fault(webhook="out-of-order", times=2)
    for text in ("one", "two", "three", "four"):
        hubspot.agent_says(text)
    hubspot.wait_for_webhooks()
    texts = receiver.texts
    assert sorted(texts) == sorted(["one", "two", "three", "four"])
    assert texts.index("three") < texts.index("two") < texts.index("one")
    hubspot.fault(webhook="out-of-order", delay=0.1)
    hubspot.agent_says("alone")
    hubspot.wait_for_webhooks()
    assert receiver.texts[4:] == ["alone"]


def test_webhooks_are_unsigned_or_signed_wrong(hubspot: Emulator, receiver: Receiver) -> None:
    """Without the two headers; with another secret; with the right one, but as of ten minutes ago."""
    hubspot.faults([{"webhook": kind, "times": 1} for kind in ("unsigned", "wrong-signature", "old-signature")])
    for text in ("unsigned", "wrong", "old", "good"):
        hubspot.agent_says(text)
        hubspot.wait_for_webhooks()
    unsigned, wrong, old, good = receiver.received
    assert [name for name in unsigned.headers if name.startswith("x-hubspot")] == []
    assert (wrong.timestamp, wrong.signature) != (good.timestamp, signed(wrong, receiver.url))
    assert int(good.timestamp) - int(old.timestamp) == 600_000
    assert [each.signature == signed(each, receiver.url) for each in (wrong, old, good)] == [False, True, True]


def test_faults_of_webhooks_and_of_requests_keep_apart(hubspot: Emulator, receiver: Receiver) -> None:
    """A call is not hit by the one kind, nor a webhook by the other; id, portal, count and share choose among webhooks."""
    hubspot.fault(status=500, path="/", times="always")
    mine = hubspot.fault(webhook="unsigned", portal=62515, after=1, times=1)
    hubspot.fault(webhook="unsigned", portal=7, times="always")
    for text in ("one", "two", "three"):
        hubspot.agent_says(text)
        hubspot.wait_for_webhooks()
    assert [received.signature is None for received in receiver.received] == [False, True, False]
    assert mine.struck == 1
    with Raw(hubspot) as raw:
        assert raw.patch()[0] == 500


def test_the_same_share_is_hit_in_every_run(receiver: Receiver) -> None:
    """Although the ids of agents' messages are random: the seed decides which ones of a channel are hit."""
    runs = []
    for _ in range(2):
        with Emulator(webhook=receiver.url, seed=5) as emulator:
            emulator.fault(webhook="unsigned", rate=0.5)
            messages = [emulator.agent_says("hello") for _ in range(20)]
            emulator.wait_for_webhooks()
            runs.append([emulator.ledger.deliveries(message.id)[0].fault is not None for message in messages])
    assert runs[0] == runs[1]
    assert 0 < sum(runs[0]) < 20


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"webhook": "lost"}, f"webhook is 'lost', not one of {', '.join(WEBHOOK_FAULTS)}"),
        ({"webhook": "late"}, "webhook 'late' needs delay: how many seconds"),
        ({"webhook": ["late"]}, "webhook is ['late'], not one of"),
        ({"webhook": "twice", "method": "PATCH"}, "webhook 'twice' is about what HubSpot sends, which has no method"),
        ({"webhook": "twice", "status": 500}, "webhook 'twice' is about what HubSpot sends, which has no status"),
    ],
)
def test_a_fault_of_webhooks_that_cannot_be_is_refused(spec: dict[str, Any], error: str) -> None:
    """With the kinds that there are, and the keys that do not go with it."""
    with pytest.raises(ValueError, match="webhook") as caught:
        Fault.parse(spec)
    assert error in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"webhook": "late", "delay": 5}, "a webhook is sent late by 5 s"),
        ({"webhook": "twice", "rate": 0.5}, "a webhook (50 % of all) is sent twice"),
        ({"webhook": "unsigned", "message_id": "m-1"}, "the webhook of m-1 is sent without a signature"),
        ({"webhook": "unsigned", "path": "/b", "rate": 0.5}, "a webhook to …/b… (50 % of all) is sent without a signature"),
        (
            {"webhook": "out-of-order", "delay": 3},
            "a webhook is sent after the next one of its channel, 3 s later at the latest",
        ),
        ({"webhook": "twice", "delay": {"uniform": [1, 2]}}, "a webhook is sent twice after a random time"),
    ],
)
def test_a_fault_of_webhooks_is_told_in_words(spec: dict[str, Any], words: str) -> None:
    """On the page, beside the others."""
    fault = Fault.parse(spec)
    assert describe(ScheduledFault(1, spec, fault, 0.0)) == {"text": words, "times": fault.max_hits}


def test_a_webhook_is_sent_once_unless_more_tries_are_asked_for(hubspot: Emulator) -> None:
    """HubSpot's rule is unknown. The pause goes by the emulator's clock, and each try is signed anew."""
    answers = iter([500, 503, 500, 200])
    with Receiver(lambda received: next(answers)) as moody:
        hubspot.world.set_webhook(moody.url)
        hubspot.agent_says("lost")
        hubspot.wait_for_webhooks()
        assert moody.texts == ["lost"]
        hubspot.choose(webhook_tries=5, webhook_pause=3600)
        message = hubspot.agent_says("tried again")
        for tries in (1, 2, 3):
            wait_until(partial(answered, hubspot, message.id, tries))
            hubspot.world.clock.advance(3600)
        hubspot.wait_for_webhooks()
        deliveries = hubspot.ledger.deliveries(message.id)
        assert [(each.attempt, each.status, each.accepted) for each in deliveries] == [
            (1, 503, False),
            (2, 500, False),
            (3, 200, True),
        ]
        assert [received.signature == signed(received, moody.url) for received in moody.received] == [True] * 4
        assert len({received.timestamp for received in moody.received[1:]}) == 3


@pytest.mark.parametrize("change", ["another URL", "no URL", "no channel"])
def test_a_try_goes_where_the_channel_says_then(hubspot: Emulator, receiver: Receiver, change: str) -> None:
    """To the new URL, with a signature for that; a channel that has none any more, or is gone, is the end of it."""
    world = hubspot.world
    hubspot.choose(webhook_tries=3, webhook_pause=3600)
    world.set_webhook(NOBODY)
    message = hubspot.agent_says("hello")
    wait_until(lambda: any(each.error for each in hubspot.ledger.deliveries(message.id)))
    if change == "no channel":
        world.remove(world.channels["100200"])
    else:
        world.set_webhook(receiver.url if change == "another URL" else None)
    world.clock.advance(3600)
    hubspot.wait_for_webhooks()
    last = hubspot.ledger.deliveries()[-1]
    if change == "another URL":
        assert (last.attempt, last.status, last.url) == (2, 200, receiver.url)
        assert [each.signature for each in receiver.received] == [signed(each, receiver.url) for each in receiver.received]
    else:
        assert (last.attempt, last.error) == (2, "given up: the channel has no webhookUrl any more")
        assert receiver.received == []


def test_tries_end_if_nobody_listens(hubspot: Emulator) -> None:
    """After as many as were asked for."""
    hubspot.choose(webhook_tries=3, webhook_pause=0)
    hubspot.world.set_webhook(NOBODY)
    hubspot.agent_says("hello")
    hubspot.wait_for_webhooks()
    assert [(each.attempt, each.status) for each in hubspot.ledger.deliveries()] == [(1, None), (2, None), (3, None)]


def test_a_redirect_is_not_followed(hubspot: Emulator, receiver: Receiver) -> None:
    """It could lead to another machine; its status is what the ledger has."""
    with Receiver(lambda received: 307) as elsewhere:
        hubspot.world.set_webhook(elsewhere.url)
        hubspot.agent_says("hello")
        hubspot.wait_for_webhooks()
    assert [each.status for each in hubspot.ledger.deliveries()] == [307]
    assert receiver.received == []


def test_a_connection_that_its_receiver_closes_costs_no_webhook(hubspot: Emulator) -> None:
    """Some close it after each answer, without a word: whoever sends on it once more loses an event that nobody has seen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_one_each, args=(server,), daemon=True).start()
        hubspot.world.set_webhook(f"http://127.0.0.1:{server.getsockname()[1]}/hubspot")
        for _ in range(4):
            hubspot.agent_says("hello")
            hubspot.wait_for_webhooks()
    assert [(each.status, each.error) for each in hubspot.ledger.deliveries()] == [(200, None)] * 4


def test_a_receiver_that_does_not_answer_costs_a_timeout_only(hubspot: Emulator) -> None:
    """Meanwhile the API answers; the ledger has the timeout."""
    release = threading.Event()
    with Receiver(when(release)) as slow, Raw(hubspot) as raw:
        hubspot.world.seed(["m-1"])
        hubspot.choose(webhook_timeout=0.2)
        hubspot.world.set_webhook(slow.url)
        hubspot.agent_says("hello")
        wait_until(lambda: len(slow.received) == 1)
        assert raw.patch()[0] == 200
        hubspot.wait_for_webhooks()
        assert [each.error for each in hubspot.ledger.deliveries()] == ["no answer within 0.2 s"]
        release.set()


def test_a_server_that_stops_does_not_wait_for_receivers() -> None:
    """Neither for one that hangs, nor for what is late, held back, or waits for its next try; nothing is sent afterwards."""
    release = threading.Event()
    with Receiver(when(release)) as receiver:
        with Emulator(webhook=receiver.url, webhook_timeout=600, webhook_tries=2, webhook_pause=1e6) as emulator:
            emulator.faults([{"webhook": "late", "delay": 600}, {"webhook": "out-of-order", "delay": 600}])
            for text in ("late", "held back", "no", "hangs"):
                emulator.agent_says(text)
            wait_until(lambda: len(receiver.received) == 2 and len(emulator.ledger.deliveries(status=500)) == 1)
        assert not [each for each in threading.enumerate() if each.name == "hubspot-webhooks"]
        emulator.agent_says("too late")
        assert sorted(receiver.texts) == ["hangs", "no"]
        errors = [str(each.error) for each in emulator.ledger.deliveries() if each.error]
        assert errors == ["broken off: the emulator was stopped or reset", "the emulator does not run: nothing was sent"]
        release.set()


def test_a_reset_breaks_off_what_is_under_way(hubspot: Emulator, receiver: Receiver) -> None:
    """The new world hears nothing of the old one's messages, and goes on with its own."""
    hubspot.fault(webhook="late", delay=600)
    hubspot.agent_says("before")
    hubspot.reset()
    hubspot.wait_for_webhooks()
    hubspot.agent_says("after")
    hubspot.wait_for_webhooks()
    assert receiver.texts == ["after"]


def test_nothing_of_before_is_sent_or_noted_once_it_was_reset(hubspot: Emulator, receiver: Receiver) -> None:
    """However many there were: the next test would take them for its own."""
    hubspot.agent_says("first")
    hubspot.wait_for_webhooks()
    for _ in range(2000):
        hubspot.agent_says("before")
    hubspot.reset()
    after = hubspot.agent_says("after")
    hubspot.wait_for_webhooks()
    assert [each.message_id for each in hubspot.ledger.deliveries()] == [after.id]
    assert "after" in receiver.texts


def test_waiting_for_webhooks_ends(hubspot: Emulator) -> None:
    """With an error that says how many are left."""
    hubspot.fault(webhook="late", delay=600)
    hubspot.agent_says("hello")
    with pytest.raises(TimeoutError, match="still under way after 0 s: 1"):
        hubspot.wait_for_webhooks(0)


def test_messages_are_made_by_many_threads_at_once(hubspot: Emulator, receiver: Receiver) -> None:
    """Each has an id of its own, and none is lost."""
    agents = [
        threading.Thread(target=lambda: [hubspot.agent_says(f"{n}", to=f"+1555010{n}") for n in range(10)]) for _ in range(8)
    ]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()
    hubspot.wait_for_webhooks()
    assert len({received.event["message"]["id"] for received in receiver.received}) == len(receiver.received) == 80


def test_ids_do_not_begin_again() -> None:
    """A receiver that has outlived an earlier emulator would take such a message for a repeated one."""
    ids = {HubspotBackend().agent_says("hello").id for _ in range(5)}
    assert len(ids) == 5


def test_the_state_keeps_webhooks_and_thread_ids(hubspot: Emulator, receiver: Receiver, tmp_path: Path) -> None:
    """So an emulator that takes it up goes on; states of before, without threads, can still be read."""
    first = hubspot.agent_says("hello", to="+15550100")
    hubspot.wait_for_webhooks()
    hubspot.save(tmp_path / "state.json")
    with Emulator() as other:
        other.load(tmp_path / "state.json")
        assert other.agent_says("again", to="+15550100").thread == first.thread
        other.wait_for_webhooks()
        before, after = (received.event["channelIntegrationThreadIds"] for received in receiver.received)
        assert before == after
        state = other.state()
        del state["integration_threads"]
        other.restore(json.dumps(state))
        assert other.world.integration_threads == {}


def test_the_page_has_the_latest_webhooks() -> None:
    """The newest first, with what came of them; none before there is a URL."""
    backend = HubspotBackend()
    backend.world.clock = Clock(lambda: 0.0, at=NOON)
    assert View(backend, ThreadFilter()).snapshot()["webhooks"] == {"urls": [], "sent": 0, "latest": []}
    backend.world.set_webhook(f"{NOBODY}?token=swordfish")
    messages = [backend.agent_says(f"message {number}") for number in range(10)]
    backend.ledger.deliveries()[-1].fault = Fault(webhook="twice")
    seen = View(backend, ThreadFilter()).snapshot()["webhooks"]
    assert (seen["urls"], seen["sent"], len(seen["latest"])) == ([f"{NOBODY}?token=***"], 10, 8)
    assert seen["latest"][0] == {
        "at": NOON,
        "message": messages[-1].id,
        "attempt": 1,
        "fault": "is sent twice",
        "accepted": False,
        "status": None,
        "milliseconds": None,
        "error": "the emulator does not run: nothing was sent",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{NOBODY}?q=a/b%41&Access-Token=swordfish&empty=", f"{NOBODY}?q=a/b%41&Access-Token=***&empty="),
        ("http://anna:swordfish@127.0.0.1:9/", "http://***@127.0.0.1:9/"),
        (f"{NOBODY}?name=\ud800&%74oken=swordfish", f"{NOBODY}?name=\ud800&%74oken=***"),
    ],
)
def test_secrets_of_a_url_are_shown_nowhere(url: str, shown: str) -> None:
    """Everything else is as it was given, because it is signed so: in the ledger, on the page, in words, and in requests."""
    with Emulator(channel_patches="partial") as emulator, Raw(emulator) as raw:
        path = f"/conversations/custom-channels/2026-03/100200?hapikey={emulator.world.developer_key}&appId=300400"
        assert raw.ask("PATCH", path, {"webhookUrl": url})[0] == 200
        emulator.agent_says("hello")
        emulator.wait_for_webhooks()
        (delivery,) = raw.ask("GET", "/_emulator/deliveries")[1]
        (request,) = raw.ask("GET", "/_emulator/ledger")[1]
        assert [delivery["url"], delivery["sent_to"]] == [shown, shown]
        assert [request["body"]["webhookUrl"], request["reply"]["webhookUrl"]] == [shown, shown]
        assert View(emulator, ThreadFilter()).snapshot()["webhooks"]["urls"] == [shown]
        assert "swordfish" not in f"{delivery} {request} {emulator.seen()}"


def test_an_answer_that_is_none_shows_no_secret_either(hubspot: Emulator) -> None:
    """What cannot be read is told without the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=talk_nonsense, args=(server,), daemon=True).start()
        hubspot.world.set_webhook(f"http://127.0.0.1:{server.getsockname()[1]}/?token=swordfish")
        hubspot.agent_says("hello")
        hubspot.wait_for_webhooks()
    (delivery,) = hubspot.ledger.deliveries()
    assert str(delivery.error).startswith("the answer cannot be read: Bad status line")
    assert "swordfish" not in f"{delivery.as_json()} {delivery}"


@pytest.mark.slow
def test_the_command_line_sends_webhooks(receiver: Receiver, tmp_path: Path) -> None:
    """For the URL that is given, by way of another one, with the faults of a file."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {webhook: unsigned}\n")
    options = (f"--webhook={ELSEWHERE}", f"--webhook-via={receiver.address}", f"--faults={faults}")
    with served(*options) as (_, ask):
        for text in ("unsigned", "signed"):
            assert ask("POST", "/_emulator/replies", "", {"text": text, "to": "+15550100"})[0] == 200
            wait_until(partial(has_come, receiver, text))
    unsigned, last = receiver.received
    assert (unsigned.signature, last.signature) == (None, signed(last, ELSEWHERE))


@pytest.mark.slow
def test_the_command_line_refuses_other_machines() -> None:
    """Before it starts, and says what to do."""
    command = [sys.executable, "-m", "airflow_provider_hubchan.emulator", "--port=0", f"--webhook={ELSEWHERE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "error: This emulator sends webhooks to this machine only, not to 'bridge.example'" in done.stderr
