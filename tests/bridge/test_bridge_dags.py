"""The whole way over real HTTP: HubSpot's webhook, the receiver, the DAGs, the gateway, its callbacks, HubSpot's statuses."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from hubspot_bridge.delivery import LEASE_SIZE, RUN_SECONDS, TIMEOUT
from hubspot_bridge.gateway import StandIn
from hubspot_bridge.marking import note_marked
from hubspot_bridge.outbox import Outbox
from hubspot_bridge.receiver import create_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.gateways import TWILIO
from tests.airflow.dag_runs import Ran
from tests.bridge.serving import served
from tests.bridge.webhooks import CALLBACK_SECRET, PUBLIC, SECRET, post, reply_event, stored
from tests.examples import load
from tests.local_hubspot import REFUSAL
from tests.paths import EXAMPLES, ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_database")]


@dataclass(frozen=True)
class Bridge:
    """All parts, running."""

    hubspot: Emulator
    outbox: Outbox
    receiver: str
    gateway: str
    folder: Path

    def reply(self, texts: dict[str, str], *, is_known: bool = True) -> None:
        """Agents write; HubSpot knows the messages, and sends a webhook for each."""
        if is_known:
            self.hubspot.world.seed(texts)
        with requests.Session() as session:
            assert {post(self.receiver, reply_event(*each), time.time(), session) for each in texts.items()} == {200}

    def control(self, **what: Any) -> None:
        requests.post(f"{self.gateway}/control", json=what, timeout=30).raise_for_status()

    def ledger(self) -> dict[str, Any]:
        """What the gateway says of its messages, by HubSpot's id."""
        return {each["key"]: each for each in requests.get(f"{self.gateway}/ledger", timeout=30).json()}

    def wait_for_callbacks(self, *words: str) -> None:
        """Until each message of the gateway has one of these words, and the receiver has it."""
        wait_until(
            lambda: all(
                each["status"] == "failed" or (each["status"] in words and each["callbacks"] == each["words"][1:])
                for each in self.ledger().values()
            )
        )

    def deliver(self) -> Ran:
        """A run of the DAG; its retries come at once."""
        dag = load("deliver_outbox").deliver_outbox()
        dag.get_task("deliver").retry_delay = timedelta(0)
        return Ran(dag, folder=str(self.folder))

    def mark(self) -> Ran:
        return Ran(load("mark_receipts").mark_receipts(), folder=str(self.folder))

    def statuses(self) -> dict[str, str]:
        """What HubSpot shows, by id."""
        return {message_id: str(each.status) for (_, message_id), each in self.hubspot.world.messages.items()}

    def implied(self) -> dict[str, str]:
        """What HubSpot should show, by the gateway's own ledger: what is on its way is SENT as it was from the start."""
        return {key: TWILIO[each["status"]] or "SENT" for key, each in self.ledger().items()}


@pytest.fixture
def bridge(hubspot_emulator: Emulator, outbox: Outbox, outbox_url: str, tmp_path: Path, monkeypatch: Any) -> Iterator[Bridge]:
    app = create_app(outbox, client_secret=SECRET, webhook_url=PUBLIC, callback_secret=CALLBACK_SECRET)
    with served(app) as receiver, served(StandIn(late=3600, pause=0.01).app) as gateway:
        settings = {
            "OUTBOX_URL": outbox_url,
            "GATEWAY_URL": gateway,
            "CALLBACK_URL": f"{receiver}/receipts",
            "CALLBACK_SECRET": CALLBACK_SECRET,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield Bridge(hubspot_emulator, outbox, receiver, gateway, tmp_path)


def test_every_reply_ends_with_the_status_that_the_gateways_ledger_implies(bridge: Bridge) -> None:
    """200 replies, of which many fail and many are late: each is handed over once, and HubSpot is told only what is news."""
    texts = ["Hello", "please fail", "refuse this", "late fail", "late", "read", "late read"]
    replies = {f"m-{number:03}": texts[number % len(texts)] for number in range(200)}
    bridge.reply(replies)

    ran = bridge.deliver()
    refused = {message_id for message_id, text in replies.items() if "refuse" in text}
    assert (ran.run_state(), ran.xcom("mark")["updated"]) == ("success", len(refused))
    assert {message_id for message_id, status in bridge.statuses().items() if status == "FAILED"} == refused
    bridge.wait_for_callbacks("sent", "delivered", "undelivered", "read")
    assert bridge.mark().run_state() == "success"
    assert bridge.statuses() == bridge.implied()
    assert Counter(bridge.statuses().values()) == {"SENT": 114, "FAILED": 58, "READ": 28}

    bridge.control(release=True)
    bridge.wait_for_callbacks("delivered", "undelivered", "read")
    assert bridge.mark().run_state() == "success"
    assert bridge.statuses() == bridge.implied()
    assert Counter(bridge.statuses().values()) == {"SENT": 57, "FAILED": 87, "READ": 56}
    assert {each["posts"] for each in bridge.ledger().values()} == {1}
    told = {message_id for message_id, status in bridge.statuses().items() if status != "SENT"}
    assert bridge.hubspot.ledger.updates() == dict.fromkeys(told, 1)
    reasons = {each.error_message for each in bridge.hubspot.world.messages.values() if each.status == "FAILED"}
    assert reasons == {"21211: The 'To' number is not a valid phone number.", "30003: Unreachable destination handset"}

    assert (bridge.deliver().state("mark"), bridge.mark().state("mark")) == ("skipped", "skipped")
    assert sum(bridge.hubspot.ledger.updates().values()) == len(told), "and nobody is told twice"


def test_while_the_gateway_is_broken_all_waits(bridge: Bridge) -> None:
    """Three retries, a red run, nothing marked; once it works again each message is delivered, once."""
    bridge.control(broken=True)
    bridge.reply({"a": "Hello", "b": "refuse", "c": "fail"})
    ran = bridge.deliver()
    assert (ran.run_state(), ran.state("deliver"), ran.tries("deliver")) == ("failed", "failed", 4)
    assert (ran.state("mark"), bridge.ledger(), bridge.hubspot.ledger.patches()) == ("upstream_failed", {}, [])
    assert {row["state"] for row in bridge.outbox.all()} == {"pending"}
    assert bridge.mark().run_state() == "success", "the other DAG does not need it"

    bridge.control(broken=False)
    assert bridge.deliver().run_state() == "success"
    bridge.wait_for_callbacks("delivered", "undelivered")
    bridge.mark()
    assert bridge.statuses() == bridge.implied() == {"a": "SENT", "b": "FAILED", "c": "FAILED"}


@pytest.mark.parametrize(("dag_id", "task_id"), [("deliver_outbox", "deliver"), ("mark_receipts", "look_up")])
def test_a_gateway_that_hangs_is_left(bridge: Bridge, monkeypatch: Any, dag_id: str, task_id: str) -> None:
    """One that sends its answer byte by byte is within every timeout of a socket: the task's own time ends it, and what has had
    no answer stays, behind the others.
    """

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.1)

    async def answer(_: Request) -> Response:
        return StreamingResponse(drip())

    bridge.reply({"a": "silent", "b": "silent"})
    if dag_id == "mark_receipts":
        bridge.deliver()
        bridge.outbox.ask_again("a", 0.0)
    with served(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])) as url:
        monkeypatch.setenv("GATEWAY_URL", url)
        dag = getattr(load(dag_id), dag_id)()
        dag.get_task(task_id).execution_timeout = timedelta(seconds=1)
        dag.get_task(task_id).retries = 0
        assert Ran(dag, folder=str(bridge.folder)).state(task_id) == "failed"
    if dag_id == "deliver_outbox":
        assert [message.message_id for message in bridge.outbox.lease(2, time.time(), 60)[1]] == ["b", "a"]


def test_a_run_that_is_only_slow_is_not_ended() -> None:
    """Its last lease may take as long as all its calls may."""
    limit = load("deliver_outbox").deliver_outbox().get_task("deliver").execution_timeout
    assert limit.total_seconds() > RUN_SECONDS + LEASE_SIZE * sum(TIMEOUT)


def test_what_the_gateway_took_without_an_answer_is_not_delivered_again(bridge: Bridge) -> None:
    """The first try does not know, and fails; the retry hands over the same keys, and marks what was refused."""
    bridge.control(unanswered=2)
    bridge.reply({"a": "refuse", "b": "Hello", "c": "Hello"})
    ran = bridge.deliver()
    assert (ran.run_state(), ran.tries("deliver"), ran.xcom("mark")["updated"]) == ("success", 2, 1)
    assert {key: each["posts"] for key, each in bridge.ledger().items()} == {"a": 2, "b": 2, "c": 1}
    assert bridge.statuses() == {"a": "FAILED", "b": "SENT", "c": "SENT"}


def test_a_webhook_may_be_faster_than_hubspots_database(bridge: Bridge) -> None:
    """HubSpot answers 404 at first: the task waits for it, and the message is marked in the same run."""
    bridge.reply({"m-1": "refuse"}, is_known=False)

    def know() -> None:
        wait_until(lambda: bool(bridge.hubspot.ledger.patches(status=404)))
        bridge.hubspot.world.seed(["m-1"])

    knowing = Thread(target=know)
    knowing.start()
    assert bridge.deliver().run_state() == "success"
    knowing.join()
    assert bridge.statuses() == {"m-1": "FAILED"}
    assert bridge.mark().state("mark") == "skipped", "it is noted"


def test_what_could_not_be_marked_is_marked_later(bridge: Bridge) -> None:
    """HubSpot asks to wait for an hour: the run is red, nothing is noted, and a later run marks all."""
    bridge.reply({"a": "fail", "b": "read"})
    bridge.deliver()
    bridge.wait_for_callbacks("undelivered", "read")
    bridge.hubspot.fault(status=503, headers={"Retry-After": "3600"}, times=100)
    dag = load("mark_receipts").mark_receipts()
    dag.get_task("mark").retries = 0
    assert Ran(dag, folder=str(bridge.folder)).run_state() == "failed"
    bridge.hubspot.schedule.clear()
    assert bridge.mark().run_state() == "success"
    assert bridge.statuses() == {"a": "FAILED", "b": "READ"}


def test_replies_are_delivered_while_hubspot_accepts_nothing(bridge: Bridge) -> None:
    """The day's quota is used up: the run that cannot mark ends at once, the next one delivers, and what is left is marked
    when HubSpot accepts it.
    """
    bridge.reply({"a": "refuse"})
    bridge.hubspot.fault(status=429, headers={"Retry-After": "7200"}, times=100)
    ran = bridge.deliver()
    assert (ran.state("deliver"), ran.state("mark"), ran.run_state()) == ("success", "failed", "failed")
    bridge.reply({"b": "Hello"})
    assert bridge.deliver().run_state() == "success"
    assert bridge.ledger().keys() == {"a", "b"}
    bridge.hubspot.schedule.clear()
    assert bridge.mark().run_state() == "success"
    assert bridge.statuses() == bridge.implied() == {"a": "FAILED", "b": "SENT"}


def test_a_status_that_hubspot_rejects_makes_one_run_red(bridge: Bridge) -> None:
    """It is not sent again, and its reason stays in the outbox; the other messages are marked."""
    bridge.reply({"a": "fail", "b": "read"})
    bridge.deliver()
    bridge.wait_for_callbacks("undelivered", "read")
    bridge.hubspot.fault(status=400, body=REFUSAL, message_id="a")
    ran = bridge.mark()
    assert (ran.run_state(), ran.state("mark"), ran.tries("mark")) == ("failed", "failed", 1)
    assert bridge.statuses() == {"a": "SENT", "b": "READ"}
    assert [row["marked_error"] is None for row in bridge.outbox.all()] == [False, True]
    assert bridge.mark().run_state() == "success"
    assert bridge.hubspot.ledger.updates() == {"b": 1}


def report_file(folder: Path, **outcomes: str) -> dict[str, Any]:
    """The report of a batch, with its file."""
    lines = [{"message_id": name, "outcome": outcome, "reason": f"{outcome} it is"} for name, outcome in outcomes.items()]
    (folder / "left.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    unresolved = list(outcomes.values()).count("unresolved")
    return {"report_file": str(folder / "left.jsonl"), "unresolved": unresolved}


@pytest.mark.parametrize(("keep_rejected", "left"), [(False, ["b"]), (True, ["b", "c"])])
def test_only_what_hubspot_has_answered_is_noted(bridge: Bridge, keep_rejected: bool, left: list[str]) -> None:
    """What is unresolved is sent again; what is rejected only if another DAG is to try it for longer."""
    for message_id in ("a", "b", "c"):
        bridge.outbox.add(stored(message_id))
        bridge.outbox.note_word(message_id, "undelivered", "30003")
    rows = bridge.outbox.unmarked(10)
    report = report_file(bridge.folder, b="unresolved", c="rejected")
    assert note_marked.function(rows, report, keep_rejected) == 3 - len(left)
    assert [row["message_id"] for row in bridge.outbox.unmarked(10)] == left


@pytest.mark.parametrize(
    ("rows", "report"),
    [
        pytest.param(None, None, id="nothing to mark"),
        pytest.param([{"message_id": "a", "status": "failed"}], None, id="the worker was killed"),
        pytest.param([{"message_id": "a", "status": "failed"}], {"report_file": None}, id="no report file"),
    ],
)
def test_without_a_report_nothing_is_noted(bridge: Bridge, rows: Any, report: Any) -> None:
    """The next run sends the same rows again."""
    assert note_marked.function(rows, report) == 0


def test_a_report_file_on_another_worker_is_named_with_what_to_do(bridge: Bridge) -> None:
    """Else the same statuses would be sent again every minute, and nobody would know why."""
    report = {"report_file": str(bridge.folder / "elsewhere.jsonl"), "unresolved": 0}
    with pytest.raises(FileNotFoundError, match=r"cannot see .*/elsewhere\.jsonl. Set the DAG's param folder to a place"):
        note_marked.function([{"message_id": "a", "status": "failed"}], report)


def test_a_report_file_that_is_not_whole_notes_nothing(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    """Else a row whose line is missing would look as if HubSpot had accepted it."""
    report = report_file(bridge.folder, a="unresolved") | {"unresolved": 2}
    assert note_marked.function([{"message_id": "a", "status": "failed"}], report) == 0
    assert "does not have all rows that are unresolved: nothing is noted" in caplog.text


def test_airflow_finds_the_package_by_the_bundle() -> None:
    """Whose folder it puts on ``sys.path``: nothing else has to be set, and nothing to be installed."""
    code = f"""
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
dags = BundleDagBag(dag_folder={str(EXAMPLES)!r}, bundle_path=Path({str(EXAMPLES)!r}), bundle_name="examples")
assert not dags.import_errors, dags.import_errors
assert {{"deliver_outbox", "mark_receipts"}} <= dags.dags.keys()
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, timeout=200, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_the_dag_processor_reads_the_dags_and_not_their_package() -> None:
    """The package speaks of DAGs and of Airflow, so without .airflowignore its modules would be imported as DAG files."""
    from airflow.utils.file import list_py_file_paths, might_contain_dag

    read = {Path(path).relative_to(EXAMPLES) for path in list_py_file_paths(EXAMPLES)}
    package = [path.relative_to(EXAMPLES) for path in (EXAMPLES / "hubspot_bridge").glob("*.py")]
    assert read >= {Path("deliver_outbox.py"), Path("mark_receipts.py")}
    assert not read & set(package)
    assert any(might_contain_dag(str(EXAMPLES / path), safe_mode=True) for path in package)
