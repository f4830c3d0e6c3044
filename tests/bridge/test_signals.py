"""Signals: after the commit, never in the way of an answer, repeated until somebody has heard them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import Asset, AssetAll, AssetOrTimeSchedule
from airflow.serialization.serialized_objects import DagSerialization
from hubspot_bridge.outbox import Outbox
from hubspot_bridge.receiver import create_app
from hubspot_bridge.schedules import POLL_INTERVAL, every_minute_or_on
from hubspot_bridge.settings import open_signals
from hubspot_bridge.signals import RECEIPTS, REPLIES, Signals
from hubspot_bridge.signatures import callback_signature

from tests.bridge.serving import free_port, is_listening, served
from tests.bridge.webhooks import CALLBACK_SECRET, NOW, PUBLIC, SECRET, post, reply_event, stored
from tests.examples import load
from tests.waiting import wait_until


class Receiver:
    """A receiver; whenever it asks for a signal, what the outbox holds is noted."""

    def __init__(self, outbox: Outbox) -> None:
        self.signals: list[tuple[str, list[tuple[str, str | None]]]] = []

        def signal(channel: str) -> None:
            self.signals.append((channel, [(row["message_id"], row["gateway_word"]) for row in outbox.all()]))

        arguments: dict[str, Any] = {"client_secret": SECRET, "webhook_url": PUBLIC, "callback_secret": CALLBACK_SECRET}
        self.app = create_app(outbox, **arguments, signal=signal, clock=lambda: NOW)


def call_back(url: str, word: str) -> int:
    """The gateway says something about m-1."""
    query = {"client_ref": "m-1", "signature": callback_signature(CALLBACK_SECRET, "m-1")}
    return requests.post(f"{url}/receipts", params=query, data={"MessageStatus": word}, timeout=30).status_code


def test_a_reply_is_signalled_when_it_is_committed(outbox: Outbox) -> None:
    """What looks on the signal finds it. A repeat is signalled again: the first signal may be what was lost."""
    receiver = Receiver(outbox)
    with served(receiver.app) as url:
        assert post(url, reply_event("m-1")) == 200
        assert post(url, reply_event("m-1")) == 200
        assert post(url, {"type": "CHANNEL_ACCOUNT_CREATED"}) == 200
        assert post(url, reply_event("m-2"), secret="another") == 401
    assert receiver.signals == [(REPLIES, [("m-1", None)])] * 2


@pytest.mark.parametrize(
    ("word", "is_signalled"), [("read", True), ("undelivered", True), ("sent", False), ("delivered", False)]
)
def test_only_words_that_hubspot_does_not_show_are_signalled(outbox: Outbox, word: str, is_signalled: bool) -> None:
    """A reply is SENT from the start, so of most callbacks there is nothing to mark."""
    outbox.add(stored("m-1"))
    receiver = Receiver(outbox)
    with served(receiver.app) as url:
        assert call_back(url, word) == 200
    assert receiver.signals == [(RECEIPTS, [("m-1", word)])] * is_signalled


class Redis:
    """Answers `publish` as it is told to: a number of listeners, or an error; the last answer again and again."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers, self.published = list(answers), list[str]()

    def publish(self, channel: str) -> int:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.published.append(channel)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("answers", [(0, 0, 1), (ConnectionError("refused"), TimeoutError(), 1)], ids=["nobody", "no Redis"])
def test_a_signal_is_repeated_until_somebody_has_heard_it(answers: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Airflow's trigger is away for a moment after each signal; then nothing is logged, and nothing is sent again."""
    redis = Redis(*answers)
    signals = Signals(redis.publish, pause=0.001)
    signals(REPLIES)
    wait_until(lambda: len(redis.published) == 3)
    signals(RECEIPTS)
    wait_until(lambda: len(redis.published) == 4)
    assert redis.published == [REPLIES] * 3 + [RECEIPTS]
    assert not caplog.messages


def test_what_nobody_hears_is_given_up_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """And once more when it is heard again; the thread goes on, whatever was raised."""
    redis = Redis(ValueError("no such command"), ConnectionError("refused"), 0, 1, 1)
    signals = Signals(redis.publish, give_up=0)
    for number in range(1, 6):
        signals(REPLIES)
        wait_until(lambda number=number: len(redis.published) == number)  # type: ignore[misc]
    wait_until(lambda: len(caplog.messages) == 2)
    assert caplog.messages == [
        "Signals are lost, the DAGs run by the clock: ValueError: no such command",
        "Signals are heard again.",
    ]


def test_a_redis_that_hangs_holds_up_nothing(outbox: Outbox) -> None:
    """Every webhook is answered while the first signal is on its way; all that came meanwhile are one more."""
    goes_on, published = threading.Event(), list[str]()

    def publish(channel: str) -> int:
        published.append(channel)
        goes_on.wait(30)
        return 1

    app = create_app(
        outbox,
        client_secret=SECRET,
        webhook_url=PUBLIC,
        callback_secret=CALLBACK_SECRET,
        signal=Signals(publish),
        clock=lambda: NOW,
    )
    with served(app) as url:
        assert post(url, reply_event("first")) == 200
        wait_until(lambda: len(published) == 1)
        with requests.Session() as session:
            assert {post(url, reply_event(f"m-{number}"), session=session) for number in range(60)} == {200}
        assert published == [REPLIES]
    goes_on.set()
    wait_until(lambda: len(published) == 2)
    assert len(outbox.all()) == 61


def test_without_a_setting_there_are_no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a thread nor the client of Redis, which not everybody has installed."""
    before = threading.active_count()
    monkeypatch.setenv("SIGNAL_URL", "")
    open_signals()(REPLIES)
    assert threading.active_count() == before
    monkeypatch.setenv("SIGNAL_URL", "http://127.0.0.1")
    with pytest.raises(ValueError, match="redis://"):
        open_signals()


def timetables() -> list[dict[str, Any]]:
    """Those of the two DAGs, as Airflow stores them."""
    dags = [load("deliver_outbox").deliver_outbox(), load("mark_receipts").mark_receipts()]
    return [DagSerialization.to_dict(dag)["dag"]["timetable"]["__var"] for dag in dags]


def test_without_a_connection_the_dags_run_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but Airflow is needed."""
    monkeypatch.delenv("SIGNAL_CONN_ID", raising=False)
    assert [each["expression"] for each in timetables()] == ["* * * * *"] * 2


def test_with_a_connection_they_run_on_signals_and_every_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on a channel of its own, and the triggerer looks often enough."""
    monkeypatch.setenv("SIGNAL_CONN_ID", "redis_default")
    assert [each["timetable"]["__var"]["expression"] for each in timetables()] == ["*/5 * * * *"] * 2
    watchers = [
        watcher for each in timetables() for asset in each["asset_condition"]["objects"] for watcher in asset["watchers"]
    ]
    assert [watcher["trigger"]["kwargs"] for watcher in watchers] == [
        {"channels": [channel], "redis_conn_id": "redis_default", "poll_interval": POLL_INTERVAL}
        for channel in (REPLIES, RECEIPTS)
    ]


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A server of this test's own, with a password."""
    port = free_port()
    options = {"bind": "127.0.0.1", "port": str(port), "requirepass": "secret", "dir": str(tmp_path), "save": ""}
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: is_listening(port))
            yield f"redis://:secret@127.0.0.1:{port}"
        finally:
            server.kill()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("redis-server"), reason=".ci/servers redis-server installs it")
@pytest.mark.usefixtures("airflow_database")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Airflow's trigger leaves its connection to the garbage collector
def test_the_receiver_wakes_the_trigger_that_the_dag_has(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a real Redis: a signal from before it listens, one while it does, and one after it has ended."""
    for name, value in {"SIGNAL_URL": redis_url, "SIGNAL_CONN_ID": "its", "AIRFLOW_CONN_ITS": redis_url}.items():
        monkeypatch.setenv(name, value)
    schedule = every_minute_or_on(REPLIES)
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert isinstance(schedule.asset_condition, AssetAll)
    (asset,) = schedule.asset_condition.objects
    assert isinstance(asset, Asset)
    (watcher,) = asset.watchers
    assert isinstance(watcher.trigger, MessageQueueTrigger)
    watcher.trigger.kwargs["poll_interval"] = 0.01

    async def events() -> list[Any]:
        return [event.payload["data"] async for event in watcher.trigger.run()]

    signals = open_signals()
    signals(REPLIES)
    assert asyncio.run(asyncio.wait_for(events(), 30)) == ["look"]
    signals(REPLIES)
    assert asyncio.run(asyncio.wait_for(events(), 30)) == ["look"]
