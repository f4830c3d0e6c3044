"""The receiver over real HTTP: what it stores, what it refuses, and that it loses nothing that it has confirmed."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from hubspot_bridge.outbox import MESSAGES, Outbox
from hubspot_bridge.receiver import MAX_BODY, create_app, from_environment
from hubspot_bridge.signatures import callback_signature
from starlette.applications import Starlette

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.serving import free_port, process_at, served
from tests.bridge.webhooks import CALLBACK_SECRET, NOW, PUBLIC, SECRET, post, reply_event, signed, stored
from tests.paths import EXAMPLES
from tests.waiting import wait_until


@pytest.fixture
def receiver(outbox: Outbox) -> Iterator[str]:
    """Behind a proxy: HubSpot calls another address than its own. Its clock stands still."""
    app = create_app(outbox, client_secret=SECRET, webhook_url=PUBLIC, callback_secret=CALLBACK_SECRET, clock=lambda: NOW)
    with served(app) as url:
        yield url


def ids(outbox: Outbox) -> list[str]:
    return [row["message_id"] for row in outbox.all()]


def test_a_reply_is_stored_before_hubspot_gets_200(receiver: str, outbox: Outbox) -> None:
    """With all that is needed to deliver it, and as pending."""
    files = [{"type": "FILE", "fileId": "9", "url": "https://files.example.com/9.png"}]
    assert post(receiver, reply_event("m-1", "Grüße", attachments=files)) == 200
    (row,) = outbox.all()
    assert {name: row[name] for name in ("message_id", "channel_id", "channel_account_id", "text", "created_at")} == {
        "message_id": "m-1",
        "channel_id": "100200",
        "channel_account_id": "300",
        "text": "Grüße",
        "created_at": NOW,
    }
    assert (row["recipients"], row["thread_ids"], row["attachments"]) == (["+15550100"], ["chat-1"], files)
    assert (row["state"], row["marked_status"], row["gateway_word"]) == ("pending", "SENT", None)


def test_what_comes_twice_is_stored_once(receiver: str, outbox: Outbox) -> None:
    """Whatever has become of the message meanwhile; HubSpot gets 200, or it would send it again."""
    assert post(receiver, reply_event("m-1")) == 200
    lease, _ = outbox.lease(1, NOW, 60)
    outbox.note_accepted(lease, "m-1", "SM1", NOW)
    before = outbox.all()
    assert post(receiver, reply_event("m-1", "changed")) == 200
    assert outbox.all() == before


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        pytest.param({"X-HubSpot-Signature-v3": None}, "unsigned", id="unsigned"),
        pytest.param({"X-HubSpot-Request-Timestamp": None}, "no timestamp", id="no timestamp"),
        pytest.param({"X-HubSpot-Signature-v3": "AAAA"}, "wrong", id="a wrong signature"),
        pytest.param({"X-HubSpot-Request-Timestamp": "0"}, "old", id="another timestamp"),
    ],
)
def test_what_hubspot_has_not_signed_is_refused(receiver: str, outbox: Outbox, headers: Any, why: str) -> None:
    """401, and nothing is stored."""
    body = json.dumps(reply_event("m-1")).encode()
    assert requests.post(f"{receiver}/hubspot", data=body, headers=signed(body) | headers, timeout=30).status_code == 401, why
    assert ids(outbox) == []


def test_an_old_webhook_is_refused_though_well_signed(receiver: str, outbox: Outbox) -> None:
    """A request that somebody has recorded is good for five minutes."""
    assert post(receiver, reply_event("m-1"), now=NOW - 301) == 401
    assert post(receiver, reply_event("m-2"), now=NOW - 299) == 200
    assert ids(outbox) == ["m-2"]


def test_behind_a_proxy_the_public_address_counts(receiver: str, outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    """A signature for the address that the receiver itself sees is not HubSpot's; nor does a header of a stranger change it."""
    assert post(receiver, reply_event("m-1"), uri=f"{receiver}/hubspot") == 401
    body = json.dumps(reply_event("m-2")).encode()
    forged = signed(body, uri="https://evil.example.com/hubspot") | {"X-Forwarded-Host": "evil.example.com"}
    assert requests.post(f"{receiver}/hubspot", data=body, headers=forged, timeout=30).status_code == 401
    assert caplog.text.count("/hubspot answered 401: not signed by HubSpot for this address") == 2, "it can be found out"
    assert post(receiver, reply_event("m-3")) == 200
    assert ids(outbox) == ["m-3"]


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    """The event without one member."""
    *parents, name = path
    inner = event
    for parent in parents:
        inner = inner[parent]
    del inner[name]
    return event


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half of JSON"),
        pytest.param(b"\xff\xfe\xfd", id="no text"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(json.dumps([reply_event("m-1")]).encode(), id="a list, as the app's general webhooks are"),
        pytest.param(b'{"type": 7}', id="a type that is no text"),
        pytest.param(b"{}", id="no type"),
        pytest.param(json.dumps(without(reply_event("m-1"), "message")).encode(), id="no message"),
        pytest.param(json.dumps(without(reply_event("m-1"), "message", "id")).encode(), id="no id"),
        pytest.param(json.dumps(reply_event("")).encode(), id="an empty id"),
        pytest.param(json.dumps(reply_event("m-1", recipients=None)).encode(), id="recipients that are null"),
        pytest.param(json.dumps(reply_event("m-1", recipients=["+1555"])).encode(), id="recipients of another shape"),
        pytest.param(json.dumps(reply_event("m-1", attachments=3)).encode(), id="attachments of another shape"),
        pytest.param(
            json.dumps(reply_event("m-1") | {"message": reply_event("m-1")["message"] | {"text": {"a": 1}}}).encode(),
            id="a text that is none",
        ),
        pytest.param(json.dumps(reply_event("m-\ud83d")).encode(), id="half of an emoji in the id"),
        pytest.param(json.dumps(reply_event("m-\0")).encode(), id="NUL in the id"),
        pytest.param(json.dumps(reply_event("m-1\n")).encode(), id="a line's end in the id, which goes into a header"),
        pytest.param(json.dumps(reply_event("m-\u20ac")).encode(), id="an id that fits into no header"),
        pytest.param(json.dumps(reply_event("m" * 256)).encode(), id="an id that is too long"),
        pytest.param(json.dumps(reply_event("m-1", attachments=[{"a": float("nan")}])).encode(), id="NaN"),
        pytest.param(json.dumps(reply_event("m-1", attachments=[{"a": 17}])).replace("17", "1e400").encode(), id="1e400"),
        pytest.param(json.dumps(reply_event("m-1", createdAt="yesterday")).encode(), id="a date that is none"),
        pytest.param(json.dumps(reply_event("m-1", createdAt="9999-12-31T24:00Z")).encode(), id="the last day of all"),
    ],
)
def test_what_is_no_event_is_refused(receiver: str, outbox: Outbox, body: bytes) -> None:
    """400 though it is signed: nobody would deliver it."""
    assert requests.post(f"{receiver}/hubspot", data=body, headers=signed(body), timeout=30).status_code == 400
    assert ids(outbox) == []


@pytest.mark.parametrize("kind", ["CHANNEL_ACCOUNT_CREATED", "CHANNEL_ACCOUNT_PURGED", "SOMETHING_NEW"])
def test_events_of_other_types_are_confirmed_and_ignored(receiver: str, outbox: Outbox, kind: str) -> None:
    """Refused, HubSpot might send them again."""
    assert post(receiver, {"type": kind, "portalId": "62515", "channelId": "100200"}) == 200
    assert ids(outbox) == []


def test_text_that_no_database_takes_is_stored_all_the_same(receiver: str, outbox: Outbox) -> None:
    """Half of an emoji, where HubSpot has cut the text, and NUL; a message of an attachment alone has no text at all."""
    assert post(receiver, reply_event("m-1", "cut \ud83d\0off")) == 200
    assert post(receiver, reply_event("m-2", text=None)) == 200  # type: ignore[arg-type]
    assert [row["text"] for row in outbox.all()] == ["cut ?off", ""]


def test_the_order_is_that_of_time_however_it_is_written(receiver: str, outbox: Outbox) -> None:
    """As text, a second without its zeros would come after all its milliseconds, and another offset hours later."""
    written = ["2027-01-15T08:00:00Z", "2027-01-15T08:00:00.5", "2027-01-15T08:00:00.500001Z", "2027-01-15T09:00:00.75+01:00"]
    for number, created_at in reversed(list(enumerate(written))):
        assert post(receiver, reply_event(f"m-{number}", createdAt=created_at)) == 200
    assert [message.message_id for message in outbox.lease(9, NOW, 60)[1]] == ["m-0", "m-1", "m-2", "m-3"]
    assert outbox.all()[-1]["created_at"] == NOW + 0.75


def test_what_cannot_be_stored_is_not_confirmed(receiver: str, outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    """HubSpot and the gateway are told to send it again; the log says where to look, and nothing of the message."""
    outbox.add(stored("m-1"))
    MESSAGES.drop(outbox.engine)
    assert post(receiver, reply_event("m-2", "a private text", to="+15550123")) == 503
    assert call_back(receiver, "m-1", {"MessageStatus": "failed", "ErrorMessage": "a private reason"}) == 503
    assert caplog.text.count("answered 503: is the database of OUTBOX_URL there, and has its disk room?") == 2
    assert "private" not in caplog.text
    assert "+15550123" not in caplog.text


def test_a_request_that_breaks_off_is_one_line_in_the_log(receiver: str, caplog: pytest.LogCaptureFixture) -> None:
    """No traceback: anybody can break off."""
    host, port = receiver.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /hubspot HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf of")
    wait_until(lambda: "/hubspot answered 400: it broke off" in caplog.text)
    assert "Traceback" not in caplog.text


def test_a_body_without_end_is_refused(receiver: str) -> None:
    """Before the signature is looked at, so nobody can fill the memory."""
    assert requests.post(f"{receiver}/hubspot", data=b" " * (MAX_BODY + 1), timeout=30).status_code == 413


def call_back(url: str, message_id: str, form: dict[str, str], secret: str = CALLBACK_SECRET) -> int:
    query = {"client_ref": message_id, "signature": callback_signature(secret, message_id)}
    return requests.post(f"{url}/receipts", params=query, data=form, timeout=30).status_code


def test_a_callback_is_noted(receiver: str, outbox: Outbox) -> None:
    """In the gateway's word, in lower case, with code and text of a failure."""
    outbox.add(stored("m-1"))
    form = {"MessageSid": "SM1", "MessageStatus": "Undelivered", "ErrorCode": "30003", "ErrorMessage": "Unreachable"}
    assert call_back(receiver, "m-1", form) == 200
    (row,) = outbox.all()
    assert (row["gateway_word"], row["gateway_error"]) == ("undelivered", "30003: Unreachable")


@pytest.mark.parametrize(
    ("message_id", "form", "secret", "status"),
    [
        pytest.param("m-1", {"MessageStatus": "failed"}, "a stranger's", 401, id="not our URL"),
        pytest.param("m-1", {"MessageStatus": "exploded"}, CALLBACK_SECRET, 400, id="an unknown word"),
        pytest.param("m-1", {}, CALLBACK_SECRET, 400, id="no word"),
        pytest.param("m-2", {"MessageStatus": "failed"}, CALLBACK_SECRET, 404, id="an unknown message"),
    ],
)
def test_other_callbacks_are_refused(
    receiver: str, outbox: Outbox, message_id: str, form: Any, secret: str, status: int
) -> None:
    """And change nothing."""
    outbox.add(stored("m-1"))
    before = outbox.all()
    assert call_back(receiver, message_id, form, secret) == status
    assert outbox.all() == before


@pytest.mark.parametrize("value", [None, ""])
def test_it_does_not_start_with_an_empty_secret(outbox_url: str, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Whatever a stranger sends would be well signed."""
    for name, given in {"OUTBOX_URL": outbox_url, "WEBHOOK_URL": PUBLIC, "CALLBACK_SECRET": "x"}.items():
        monkeypatch.setenv(name, given)
    monkeypatch.delenv("HUBSPOT_CLIENT_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("HUBSPOT_CLIENT_SECRET", value)
    with pytest.raises(RuntimeError, match="HUBSPOT_CLIENT_SECRET is not set"):
        from_environment()


def test_the_access_log_has_no_signatures_of_ours(
    outbox_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads a callback's URL can report on its message."""
    settings = {"OUTBOX_URL": outbox_url, "WEBHOOK_URL": PUBLIC, "CALLBACK_SECRET": "x", "HUBSPOT_CLIENT_SECRET": "y"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    from_environment()
    caplog.set_level(logging.INFO)
    with served(Starlette(), log_level="info") as url:
        requests.post(f"{url}/receipts?client_ref=m-1&signature=5ec4e7", timeout=30)
    assert '"POST /receipts HTTP/1.1" 404' in caplog.text
    assert "5ec4e7" not in caplog.text


def post_all(url: str, message_ids: Iterable[str], now: float, answered: Counter[Any]) -> None:
    """Send webhooks by eight threads, as HubSpot does when many agents write; count what was answered, by id and status."""
    lock, local = threading.Lock(), threading.local()

    def send(message_id: str) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        try:
            status = post(url, reply_event(message_id), now, local.session)
        except requests.RequestException:
            return
        with lock:
            answered[message_id, status] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, message_ids))


@pytest.mark.slow
def test_a_burst_is_stored_whole(receiver: str, outbox: Outbox) -> None:
    """A thousand messages, each sent twice: each is confirmed both times and stored once."""
    messages = [f"m-{number}" for number in range(1000)]
    answered: Counter[Any] = Counter()
    post_all(receiver, [each for message in messages for each in (message, message)], NOW, answered)
    assert answered == {(message, 200): 2 for message in messages}
    assert sorted(ids(outbox)) == sorted(messages)


@contextmanager
def receiver_process(outbox_url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The receiver as its docstring says to run it."""
    settings = {
        "OUTBOX_URL": outbox_url,
        "HUBSPOT_CLIENT_SECRET": SECRET,
        "WEBHOOK_URL": PUBLIC,
        "CALLBACK_SECRET": CALLBACK_SECRET,
    }
    command = ["uvicorn", "--factory", "hubspot_bridge.receiver:from_environment", "--app-dir", str(EXAMPLES)]
    with process_at(port, *command, "--log-level", "critical", **settings) as process:
        yield process


@pytest.mark.slow
def test_a_receiver_that_is_killed_loses_nothing_it_has_confirmed(tmp_path: Path) -> None:
    """SIGKILL in the middle of a burst; then it is started anew, and HubSpot repeats what was not confirmed, or all."""
    url, port = f"sqlite:///{tmp_path}/outbox.db", free_port()
    messages = [f"m-{number}" for number in range(600)]
    answered: Counter[Any] = Counter()
    with receiver_process(url, port) as process:

        def kill() -> None:
            wait_until(lambda: len(answered) >= 100)
            os.kill(process.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        post_all(f"http://127.0.0.1:{port}", messages, time.time(), answered)
        killer.join()
        assert process.wait() == -signal.SIGKILL
    confirmed = {message_id for message_id, status in answered if status == 200}
    assert 100 <= len(confirmed) < len(messages)
    with Outbox(url, TWILIO) as outbox:
        assert confirmed <= set(ids(outbox))

        with receiver_process(url, port):
            post_all(f"http://127.0.0.1:{port}", messages, time.time(), answered)
        assert {message_id for message_id, status in answered if status == 200} == set(messages)
        assert sorted(ids(outbox)) == sorted(messages), "and each once"
