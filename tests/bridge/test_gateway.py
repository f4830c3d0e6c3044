"""The stand-in for a gateway: what it says, in which order, and that it can be started by its docstring's command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from hubspot_bridge import gateway
from hubspot_bridge.gateway import CALLS, StandIn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.serving import free_port, process_at, served
from tests.paths import EXAMPLES
from tests.waiting import wait_until


class Callbacks:
    """Who is called back.

    :ivar forms: what came.
    :ivar status: what is answered.
    """

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.status = 200
        self.app = Starlette(routes=[Route("/receipts", self._note, methods=["POST"])])

    async def _note(self, request: Request) -> Response:
        self.forms.append(dict(parse_qsl((await request.body()).decode())))
        return Response(status_code=self.status)


@pytest.fixture
def callbacks() -> Callbacks:
    return Callbacks()


@pytest.fixture
def sender(callbacks: Callbacks) -> Iterator[Any]:
    """Hands a text to the gateway; gives its answer and a way to look at its ledger."""
    with served(callbacks.app) as url, served(StandIn(late=3600, pause=0.001).app) as at:

        def send(text: str, key: str = "m-1") -> requests.Response:
            body = {"to": "+15550100", "body": text, "status_callback": f"{url}/receipts"}
            return requests.post(f"{at}/messages", json=body, headers={"Idempotency-Key": key}, timeout=30)

        yield send


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello", ["sent", "delivered"]),
        ("please fail", ["sent", "undelivered"]),
        ("read", ["sent", "delivered", "read"]),
        ("late", ["sent"]),
    ],
)
def test_the_text_decides_what_becomes_of_a_message(sender: Any, callbacks: Callbacks, text: str, words: list[str]) -> None:
    """The answer says that it is queued; the callbacks come one after the other, in Twilio's words."""
    reply = sender(text)
    assert (reply.status_code, reply.json()["status"]) == (201, "queued")
    wait_until(lambda: len(callbacks.forms) == len(words))
    assert [form["MessageStatus"] for form in callbacks.forms] == words
    assert {form["MessageSid"] for form in callbacks.forms} == {reply.json()["sid"]}
    assert set(words) <= TWILIO.keys()
    failed = [form for form in callbacks.forms if "ErrorCode" in form]
    assert [form["ErrorCode"] for form in failed] == ["30003"] * words.count("undelivered")


def test_a_callback_that_is_not_answered_is_repeated(sender: Any, callbacks: Callbacks) -> None:
    """So often, and then the next word comes."""
    callbacks.status = 500
    sender("Hello")
    wait_until(lambda: len(callbacks.forms) == 2 * CALLS)
    assert [form["MessageStatus"] for form in callbacks.forms] == ["sent"] * CALLS + ["delivered"] * CALLS


@pytest.mark.slow
def test_it_is_started_by_the_command_that_it_shows() -> None:
    """In the folder of the examples; an empty ledger is its first answer."""
    (line,) = re.findall(r"^    python -m (.+) --port \d+(.*)$", gateway.__doc__ or "", flags=re.MULTILINE)
    port = free_port()
    with process_at(port, *shlex.split(" ".join(line)), PYTHONPATH=str(EXAMPLES)):
        assert requests.get(f"http://127.0.0.1:{port}/ledger", timeout=30).json() == []
