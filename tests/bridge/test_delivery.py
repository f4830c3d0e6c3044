"""Delivery: exactly once, whatever is killed, slow, away or refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from hubspot_bridge.delivery import (
    LEASE_SECONDS,
    LEASE_SIZE,
    MAX_FAILURES,
    RUN_SECONDS,
    TIMEOUT,
    Accepted,
    Gateway,
    GatewayUnavailable,
    Refused,
    ask_gateway,
    deliver_pending,
)
from hubspot_bridge.gateway import StandIn
from hubspot_bridge.outbox import ASK_AFTER, Message, Outbox
from hubspot_bridge.signatures import callback_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.serving import served
from tests.bridge.webhooks import NOW, stored
from tests.paths import EXAMPLES, ROOT


class Killed(BaseException):
    """The worker is no more."""


class Life:
    """The steps that a worker lives: it is killed before one of them, and then does nothing more, not even what it would do
    at its end.
    """

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self, *_: Any) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed


class Ledger:
    """A gateway that knows messages by their keys.

    :ivar posts: how often each was handed over.
    :ivar delivered: the id of each message, which was delivered once.
    """

    def __init__(self) -> None:
        self.posts: Counter[str] = Counter()
        self.delivered: dict[str, str] = {}

    def send(self, message: Message) -> Accepted | Refused:
        self.posts[message.message_id] += 1
        if "refuse" in message.text:
            return Refused("21211: no")
        return Accepted(self.delivered.setdefault(message.message_id, f"SM{len(self.delivered)}"))


def work(url: str, ledger: Ledger, now: float, steps: int) -> bool:
    """A worker with an outbox of its own, that is killed after so many steps: statements, commits, calls and answers.

    :return: whether it came to its end.
    """
    life = Life(steps)

    def send(message: Message) -> Accepted | Refused:
        life.step()
        answer = ledger.send(message)
        life.step()
        return answer

    with Outbox(url, TWILIO) as outbox:
        event.listen(outbox.engine, "before_cursor_execute", life.step)
        event.listen(outbox.engine, "commit", life.step)
        try:
            deliver_pending(outbox, send, lambda: now)
        except Killed:
            return False
    return True


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.sampled_from(["Hello", "refuse this"]), min_size=1, max_size=4),
    lives=st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1.0, LEASE_SECONDS])), max_size=4),
)
def test_a_message_is_delivered_once_wherever_workers_are_killed(texts: list[str], lives: list[tuple[int, float]]) -> None:
    """Between any two steps, one worker after the other; the last one lives. Then all is at the gateway and in the outbox; and
    none was handed over more often than there were workers that could not know of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        url, ledger, now = f"sqlite:///{folder}/outbox.db", Ledger(), NOW
        messages = {f"m-{number}": text for number, text in enumerate(texts)}
        with Outbox(url, TWILIO) as outbox:
            for message_id, text in messages.items():
                outbox.add(stored(message_id, text))
        killed = 0
        for steps, pause in lives:
            killed += not work(url, ledger, now, steps)
            now += pause
        assert work(url, ledger, now + LEASE_SECONDS, 1000)

        with Outbox(url, TWILIO) as outbox:
            rows = {row["message_id"]: row for row in outbox.all()}
        accepted = {message_id for message_id, text in messages.items() if "refuse" not in text}
        assert ledger.delivered == {message_id: rows[message_id]["gateway_id"] for message_id in accepted}
        assert len(set(ledger.delivered.values())) == len(accepted)
        assert {row["state"] for row in rows.values()} <= {"handed_over", "refused"}
        assert {name for name, row in rows.items() if row["gateway_word"] == "failed"} == messages.keys() - accepted
        assert sum(ledger.posts.values()) <= len(messages) + killed


def test_a_lease_outlasts_the_slowest_answers() -> None:
    """Else a second worker would have the same messages while the first one is still at it."""
    assert LEASE_SIZE * sum(TIMEOUT) < LEASE_SECONDS


def test_a_slow_worker_and_its_successor_deliver_once(outbox: Outbox) -> None:
    """The first one hangs in its call for longer than its lease; the second one delivers meanwhile, under the same key."""
    ledger = Ledger()
    outbox.add(stored("m-1"))

    def hang(message: Message) -> Accepted | Refused:
        assert deliver_pending(outbox, ledger.send, lambda: NOW + LEASE_SECONDS) == []
        return ledger.send(message)

    assert deliver_pending(outbox, hang, lambda: NOW) == []
    assert (ledger.posts["m-1"], ledger.delivered) == (2, {"m-1": "SM0"})
    (row,) = outbox.all()
    assert (row["state"], row["gateway_id"]) == ("handed_over", "SM0")


def test_what_is_refused_is_returned_with_its_reason(outbox: Outbox) -> None:
    """As rows for the operator; the others are with the gateway."""
    outbox.add(stored("m-1"))
    outbox.add(stored("m-2", "refuse this"))
    rows = deliver_pending(outbox, Ledger().send, lambda: NOW)
    assert rows == outbox.unmarked(10) == [{"message_id": "m-2", "status": "failed", "error_message": "21211: no"}]


def test_one_message_without_an_answer_holds_up_no_other(outbox: Outbox) -> None:
    """It stays pending and is free at once, the others are handed over, and the task fails."""
    ledger = Ledger()
    for message_id in ("a", "b", "c"):
        outbox.add(stored(message_id))

    def send(message: Message) -> Accepted | Refused:
        if message.message_id == "b":
            raise requests.ConnectionError("reset")
        return ledger.send(message)

    with pytest.raises(
        GatewayUnavailable, match="did not answer about some messages, which stay pending: b: ConnectionError: reset"
    ):
        deliver_pending(outbox, send, lambda: NOW)
    assert set(ledger.delivered) == {"a", "c"}
    assert [message.message_id for message in outbox.lease(10, NOW, 60)[1]] == ["b"]


@pytest.mark.parametrize("poisoned", [1, MAX_FAILURES, LEASE_SIZE, 2 * LEASE_SIZE + 1])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(requests.HTTPError("422"), id="an answer that is none"),
        pytest.param(requests.Timeout("no answer"), id="no answer"),
        pytest.param(UnicodeEncodeError("latin-1", "\u20ac", 0, 1, "no"), id="a fault of ours"),
        pytest.param(Killed(), id="a call that is stopped from outside"),
    ],
)
def test_messages_that_always_fail_hold_up_no_other(outbox: Outbox, poisoned: int, fault: BaseException) -> None:
    """However many of them are the oldest: they come behind the others, which are delivered in a few runs, in their order."""
    ledger = Ledger()
    for number in range(poisoned + 5):
        outbox.add(stored(f"m-{number:03}", "poison" if number < poisoned else "Hello"))

    def send(message: Message) -> Accepted | Refused:
        if message.text == "poison":
            raise fault
        return ledger.send(message)

    for _ in range(poisoned + 1):
        with pytest.raises((GatewayUnavailable, type(fault))):
            deliver_pending(outbox, send, lambda: NOW)
    assert list(ledger.delivered) == [f"m-{number:03}" for number in range(poisoned, poisoned + 5)]
    assert {row["state"] for row in outbox.all()} == {"pending", "handed_over"}, "and what fails is not lost"


def test_a_gateway_that_is_away_is_not_called_for_each_message(outbox: Outbox) -> None:
    """Three calls are enough; all messages are free at once."""
    calls = []
    for number in range(50):
        outbox.add(stored(f"m-{number:02}"))

    def send(message: Message) -> Accepted | Refused:
        calls.append(message.message_id)
        raise requests.Timeout("no answer")

    with pytest.raises(GatewayUnavailable):
        deliver_pending(outbox, send, lambda: NOW)
    assert len(calls) == MAX_FAILURES
    assert len(outbox.lease(100, NOW, 60)[1]) == 50


def test_a_run_ends_by_the_clock(outbox: Outbox) -> None:
    """With the lease in which its time is over: a slow gateway must not keep what was refused from being marked."""
    ledger, times = Ledger(), iter([NOW, NOW + RUN_SECONDS - 0.1, *[NOW + RUN_SECONDS] * 100])
    for number in range(50):
        outbox.add(stored(f"m-{number:02}"))
    deliver_pending(outbox, ledger.send, lambda: next(times))
    assert len(ledger.delivered) == LEASE_SIZE


def test_a_run_ends(outbox: Outbox) -> None:
    """At its limit, give or take a lease, however many messages there are."""
    for number in range(50):
        outbox.add(stored(f"m-{number:02}"))
    ledger = Ledger()
    deliver_pending(outbox, ledger.send, lambda: NOW, limit=21)
    assert len(ledger.delivered) == 2 * LEASE_SIZE


@pytest.fixture
def stand_in() -> Iterator[str]:
    """The stand-in's address; what is late waits until it is released."""
    with served(StandIn(late=3600, pause=0.01).app) as url:
        yield url


@pytest.fixture
def gateway(stand_in: str) -> Iterator[Gateway]:
    with Gateway(stand_in, "http://127.0.0.1:9/receipts", "secret") as gateway:
        yield gateway


def ledger_of(url: str) -> dict[str, Any]:
    return {each["key"]: each for each in requests.get(f"{url}/ledger", timeout=30).json()}


def control(url: str, **what: Any) -> None:
    requests.post(f"{url}/control", json=what, timeout=30).raise_for_status()


def test_the_gateway_knows_a_message_by_its_key(gateway: Gateway, stand_in: str) -> None:
    """Handed over twice it has one id, and is in the ledger once."""
    first, second = gateway.send(stored("m-1", "late")), gateway.send(stored("m-1", "late"))
    assert isinstance(first, Accepted)
    assert first == second
    assert ledger_of(stand_in)["m-1"]["posts"] == 2
    assert gateway.look_up(first.gateway_id)[0] in ("queued", "sent")


def test_the_gateways_refusal_is_one_and_a_fault_is_none(gateway: Gateway, stand_in: str) -> None:
    """A refusal has the gateway's code; a gateway that is broken, or has nothing at this address, refuses nothing."""
    assert gateway.send(stored("m-1", "refuse")) == Refused("21211: The 'To' number is not a valid phone number.")
    control(stand_in, unanswered=1)
    with pytest.raises(requests.HTTPError, match="502"):
        gateway.send(stored("m-2", "late"))
    assert isinstance(gateway.send(stored("m-2", "late")), Accepted)
    control(stand_in, broken=True)
    with pytest.raises(requests.HTTPError, match="503"):
        gateway.send(stored("m-3"))
    with pytest.raises(requests.HTTPError, match="404"):
        Gateway(f"{stand_in}/elsewhere", "http://127.0.0.1:9", "secret").send(stored("m-3"))
    assert ledger_of(stand_in).keys() == {"m-1", "m-2"}


class Recorded:
    """A gateway that keeps the requests, and answers them with a status.

    :ivar requests: path, Authorization and JSON of each.
    """

    def __init__(self, status: int) -> None:
        self.requests: list[tuple[str, str | None, Any]] = []
        self._status = status
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        path = request.scope["raw_path"].decode()
        self.requests.append((path, request.headers.get("Authorization"), json.loads(body) if body else None))
        headers = {"Location": "/elsewhere"} if 300 <= self._status < 400 else {}
        return JSONResponse({"sid": "SM1"}, self._status, headers)


@pytest.mark.parametrize("status", [401, 301, 307, 503])
def test_an_account_is_used_and_shown_in_no_error(status: int) -> None:
    """Errors stand in Airflow's log. A redirect is an error, and not followed."""
    recorded = Recorded(status)
    with (
        served(recorded.app) as url,
        Gateway(url.replace("//", "//user:pass%20word@"), "http://r.example.com/receipts?tenant=a", "secret") as gateway,
        pytest.raises(requests.RequestException) as error,
    ):
        gateway.send(stored("m-1"))
    ((path, authorization, body),) = recorded.requests
    assert (path, authorization) == ("/messages", f"Basic {b64encode(b'user:pass word').decode()}")
    assert "pass" not in str(error.value)
    signature = callback_signature("secret", "m-1")
    assert body["status_callback"] == f"http://r.example.com/receipts?tenant=a&client_ref=m-1&signature={signature}"


def test_a_gateways_id_is_one_part_of_the_path() -> None:
    """Whatever is in it."""
    recorded = Recorded(200)
    with served(recorded.app) as url, Gateway(url, "http://r.example.com", "secret") as gateway:
        gateway.look_up("a/b?c=d e")
    assert recorded.requests[0][0] == "/messages/a%2Fb%3Fc%3Dd%20e"


@pytest.mark.parametrize("recipients", [(), ("+1", "+2")])
def test_a_message_that_has_not_one_recipient_is_refused(gateway: Gateway, stand_in: str, recipients: Any) -> None:
    """By us, with a reason that an agent understands."""
    message = Message("m-1", "100200", "300", (), recipients, "Hello", (), NOW)
    assert gateway.send(message) == Refused(f"the message has {len(recipients)} recipients, one is needed")
    assert ledger_of(stand_in) == {}


def test_where_no_callback_came_the_gateway_is_asked(outbox: Outbox, gateway: Gateway, stand_in: str) -> None:
    """Not before its time; what has ended is noted with its reason, and what has not is asked for later."""
    for message_id, text in (("a", "silent fail"), ("b", "silent"), ("c", "late silent")):
        outbox.add(stored(message_id, text))
    deliver_pending(outbox, gateway.send, lambda: NOW)
    assert ask_gateway(outbox, gateway.look_up, lambda: NOW + ASK_AFTER - 1) == 0
    assert ask_gateway(outbox, gateway.look_up, lambda: NOW + ASK_AFTER) == 3
    assert outbox.unmarked(10) == [
        {"message_id": "a", "status": "undelivered", "error_message": "30003: Unreachable destination handset"}
    ]
    assert ask_gateway(outbox, gateway.look_up, lambda: NOW + 2 * ASK_AFTER) == 1


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        pytest.param(requests.ConnectionError("away"), MAX_FAILURES, id="the gateway is away"),
        pytest.param(requests.ReadTimeout("slow"), MAX_FAILURES, id="the gateway hangs"),
        pytest.param(requests.HTTPError("404"), 5, id="the gateway does not know them"),
        pytest.param(KeyError("exploded"), 5, id="in words that nobody knows"),
    ],
)
def test_a_gateway_that_gives_no_answer_is_said_to(outbox: Outbox, fault: Exception, calls: int) -> None:
    """The task is red. Who is away is not called for each message, and no message is in the way of the others for long."""
    for number in range(5):
        outbox.add(stored(f"m-{number}"))
    deliver_pending(outbox, Ledger().send, lambda: NOW)
    asked = []

    def look_up(gateway_id: str) -> tuple[str, str]:
        asked.append(gateway_id)
        raise fault

    with pytest.raises(GatewayUnavailable, match=type(fault).__name__):
        ask_gateway(outbox, look_up, lambda: NOW + ASK_AFTER)
    assert len(asked) == calls
    with suppress(GatewayUnavailable):
        ask_gateway(outbox, look_up, lambda: NOW + ASK_AFTER)
    assert sorted(asked) == [f"SM{number}" for number in range(5)], "each was asked for once"


#: A worker that is killed when the gateway has accepted its third message, and before that is noted.
WORKER = """
import os, signal, sys, time
from hubspot_bridge.delivery import Gateway, deliver_pending
from hubspot_bridge.outbox import Outbox
from airflow_provider_hubchan.gateways import TWILIO

gateway, taken = Gateway(sys.argv[2], "http://127.0.0.1:9/receipts", "secret"), []

def send(message):
    answer = gateway.send(message)
    taken.append(answer)
    if len(taken) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

deliver_pending(Outbox(sys.argv[1], TWILIO), send, time.time)
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_for_good_delivers_nothing_twice(tmp_path: Path, gateway: Gateway, stand_in: str) -> None:
    """SIGKILL between the gateway's answer and our note: the next worker has to wait for the end of the lease."""
    url = f"sqlite:///{tmp_path}/outbox.db"
    messages = [f"m-{number}" for number in range(6)]
    environment = os.environ | {"PYTHONPATH": f"{EXAMPLES}{os.pathsep}{ROOT}"}
    with Outbox(url, TWILIO) as outbox:
        for message_id in messages:
            outbox.add(stored(message_id, "late"))
        ended = subprocess.run([sys.executable, "-c", WORKER, url, stand_in], env=environment, timeout=120, check=False)
        assert ended.returncode == -signal.SIGKILL
        assert len(ledger_of(stand_in)) == 3

        deliver_pending(outbox, gateway.send, time.time)
        assert len(ledger_of(stand_in)) == 3, "nobody else gets them before the lease is over"
        deliver_pending(outbox, gateway.send, lambda: time.time() + LEASE_SECONDS)
        ledger = ledger_of(stand_in)
        assert {row["message_id"]: row["gateway_id"] for row in outbox.all()} == {
            key: each["sid"] for key, each in ledger.items()
        }
    assert {key: each["posts"] for key, each in ledger.items()} == {each: 1 + (each == "m-2") for each in messages}
