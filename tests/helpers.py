"""Canned replies, and a driver that is a list."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import psutil
from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client.account import Account
from airflow_provider_hubchan.client.checkpoint import Nowhere
from airflow_provider_hubchan.client.letter import NoFile
from airflow_provider_hubchan.client.status import Outcome
from airflow_provider_hubchan.client.steps import Halt, Lost, NeedToken, Reply, Request, Step, Story, Wait
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.entry import Entry
from airflow_provider_hubchan.emulator.ledger import Ledger
from airflow_provider_hubchan.emulator.shapes import Call
from airflow_provider_hubchan.emulator.world import World

T = TypeVar("T")

MESSAGE = {"id": "m-1", "status": {"statusType": "READ"}}


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    """A reply; header names may be written with underscores."""
    raw = body if isinstance(body, bytes) else json.dumps(MESSAGE if body is None and status == 200 else body).encode()
    return Reply(status, CaseInsensitiveDict({name.replace("_", "-"): text for name, text in headers.items()}), raw)


def play(story: Story[T], *answers: Reply | Lost) -> tuple[list[str], T]:
    """Perform a story against canned answers; tokens are t-1, t-2 … , a new one after each refused one.

    :return: the steps in words, and the result.
    """
    waiting, steps, token = list(answers), list[str](), 1
    try:
        step: Step = next(story)
        while True:
            answer: Any = None
            match step:
                case NeedToken(refused):
                    token += refused is not None
                    answer = f"t-{token}"
                    steps.append("token" if refused is None else f"token, not {refused}")
                case Request():
                    answer = waiting.pop(0)
                    steps.append("send")
                case Wait(seconds, everyone):
                    who = "all wait" if everyone else "wait"
                    steps.append(who if seconds is None else f"{who} {seconds:g}")
                case Halt(_, permanent):
                    steps.append("halt for good" if permanent else "halt")
            step = story.send(answer)
    except StopIteration as end:
        assert not waiting, f"the story ended with {len(waiting)} answers unheard"
        return steps, end.value


class Letters(NoFile):
    """Remembers outcomes, and calls somebody at each.

    :param at: what to call.
    """

    def __init__(self, at: Callable[[Outcome], None] = lambda outcome: None) -> None:
        self.outcomes: list[Outcome] = []
        self._at = at

    def write(self, outcome: Outcome, attempt: int) -> None:
        self.outcomes.append(outcome)
        self._at(outcome)


class Kept(Nowhere):
    """What a task keeps, in memory. A copy: what is changed later was not kept.

    :param frozen: True once the process is dead: whatever it still does here, in truth it did not do.
    """

    def __init__(self) -> None:
        self.text: str | None = None
        self.saved, self.frozen = 0, False

    def load(self) -> dict[str, Any] | None:
        return json.loads(self.text) if self.text else None

    def save(self, progress: dict[str, Any]) -> None:
        if not self.frozen:
            self.text = json.dumps(progress)
            self.saved += 1

    def drop(self) -> None:
        if not self.frozen:
            self.text = None


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread brings about; half a minute is long enough for any machine."""
    for _ in range(3000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise TimeoutError("it did not come about in half a minute")


@contextmanager
def before_midnight(emulator: Emulator, seconds: float) -> Iterator[None]:
    """The emulator's clock stands still, so many seconds before midnight, until it has refused a call with 429."""
    clock = emulator.world.clock
    clock.run(0)
    emulator.world.before_midnight(seconds)

    def go_on() -> None:
        wait_until(lambda: bool(emulator.ledger.chosen(status=429)))
        clock.run(1)

    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    thread.join()


def sockets_to(emulator: Emulator) -> list[Any]:
    """Our ends of connections to the emulator."""
    port = int(emulator.url.rsplit(":", 1)[1])
    return [each for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == port]


class HeadersToo(Ledger):
    """A ledger that keeps what the other leaves out: the headers of every request."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[Mapping[str, str]] = []

    def begin(self, call: Call, world: World) -> Entry:
        self.headers.append(call.headers)
        return super().begin(call, world)


def account_of(emulator: Emulator, **other: Any) -> Account:
    """The account of an emulator, without Airflow."""
    connection = emulator.connection()
    return Account(
        base_url=connection["host"],
        client_id=connection["login"],
        client_secret=connection["password"],
        refresh_token=connection["extra"]["refresh_token"],
        channel_id=connection["extra"]["channel_id"],
        **other,
    )
