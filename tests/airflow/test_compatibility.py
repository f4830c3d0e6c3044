"""What Airflow 3.2 does less than 3.3: each row of the table in docs/compatibility.md is so, on both of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, task
from airflow.triggers.base import BaseTrigger

from airflow_provider_hubchan.client.errors import BadInput
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.sensors import MessageStatusSensor
from airflow_provider_hubchan.triggers import MessageStatusTrigger
from tests.airflow.api_server import api_server
from tests.airflow.dag_runs import Ran, mark
from tests.paths import DOCS
from tests.versions import SINCE_3_3

pytestmark = pytest.mark.usefixtures("airflow_database")

PAGE = (DOCS / "compatibility.md").read_text(encoding="utf-8")
IDS = ["m-0", "m-1", "m-2"]
ROWS: dict[str, str] = {}


def row(name: str) -> Callable[[Any], Any]:
    """Say which row of the table a test proves."""

    def note(test: Any) -> Any:
        assert name not in ROWS, f"two tests for the row {name!r}"
        ROWS[name] = test.__name__
        return test

    return note


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    """Asks to wait for a second when it comes to the second message."""
    hubspot_emulator.world.seed(IDS)
    hubspot_emulator.fault(message_id="m-1", method="PATCH", status=503, headers={"Retry-After": "1"})
    return hubspot_emulator


def run(**arguments: Any) -> Ran:
    """Mark one message after the other; a second is too long to be waited for in the worker."""
    return mark(**{"messages": IDS, "status": "READ", "concurrency": 1, "defer_after": 0.0, "retry_delay": 0, **arguments})


def test_every_row_has_its_test() -> None:
    """A difference that the page names is proved, and one that is proved is on the page."""
    table = PAGE[PAGE.index("## What Airflow 3.2 lacks") :]
    assert set(re.findall(r"^\| ([^|]+?) \|", table, flags=re.MULTILINE)) - {"", "---"} == set(ROWS)


@pytest.mark.slow
@row("A retry of a batch")
def test_a_retry_goes_on_or_begins_anew(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Without task state the second try has no outcomes of the first: its rows are sent again, and the log says so."""
    ran = run(retries=1)
    report = ran.xcom()
    assert (ran.state(), report["rows"], report["skipped"] + report["updated"]) == ("success", 3, 3)
    assert len(hubspot.ledger.patches("m-0", status=200)) == (1 if SINCE_3_3 else 2)
    assert report["skipped"] == (1 if SINCE_3_3 else 0)
    text = "This Airflow keeps no task state (3.3 does): a retry will send the whole batch again."
    assert (text in capsys.readouterr().out) is not SINCE_3_3


@pytest.mark.slow
@row("The time of a retry")
def test_a_retry_comes_when_hubspot_or_the_task_says(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The delay of HubSpot's answer needs a retry policy; without one it is the task's own."""
    assert run(retries=1).state() == "success"
    assert ("HubSpot asked to come back in 1 s" in capsys.readouterr().out) is SINCE_3_3


@pytest.mark.slow
@row("A long wait with `deferrable=True`")
def test_a_wait_leaves_the_slot_or_the_task_fails(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Who begins anew after each wait never ends: without task state the task does not defer, and says so."""
    ran = run(deferrable=True)
    assert ran.state() == ("success" if SINCE_3_3 else "failed")
    log = capsys.readouterr().out
    assert ("Waiting outside the worker slot." in log) is SINCE_3_3
    assert ("Not deferred: without a checkpoint (Airflow 3.3, durable=True)" in log) is not SINCE_3_3
    assert len(hubspot.ledger.patches("m-0")) == 1


@pytest.mark.slow
@row("`max_wait`")
def test_waits_are_counted_together_or_one_by_one(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is five seconds at least. When the first began is task state: without it no number of them is too long."""
    hubspot.fault(status=503, headers={"Retry-After": "1"}, times=100)
    ran = run(retries=2, max_wait=5.5)
    assert ran.state() == "failed"
    assert ("That is longer than max_wait" in capsys.readouterr().out) is SINCE_3_3


@row("A task of your own that calls the hook")
def test_an_error_that_stays_is_not_retried_or_it_is() -> None:
    """The policy fails it at once; without one the task has to say so itself."""
    calls = list[None]()

    def call_hubspot() -> None:
        calls.append(None)
        raise BadInput("the same in every try")

    arguments: dict[str, Any] = {"task_id": "call", "retries": 1, "retry_delay": 0}
    if SINCE_3_3:
        arguments["retry_policy"] = import_module("airflow_provider_hubchan.retries").HubchanRetryPolicy()
    else:
        with pytest.raises(ImportError, match=r"HubchanRetryPolicy needs Airflow 3\.3"):
            import_module("airflow_provider_hubchan.retries")
    with DAG("batch", schedule=None) as dag:
        task(**arguments)(call_hubspot)()
    assert Ran(dag).state("call") == "failed"
    assert len(calls) == (1 if SINCE_3_3 else 2)


@pytest.mark.slow
@row('The sensor with `mode="reschedule"`')
def test_a_poke_knows_of_the_last_or_asks_for_all(hubspot: Emulator) -> None:
    """Each poke is a process of its own: what the last one has seen is task state."""
    for message in hubspot.world.messages.values():
        message.status = "READ"
    hubspot.fault(message_id="m-1", method="GET", status=200, body={"id": "m-1"})  # without a status: not yet
    with DAG("batch", schedule=None) as dag:
        MessageStatusSensor(task_id="wait", message_ids=IDS, statuses=("READ",), mode="reschedule", poke_interval=1.0)
    ran = Ran(dag)
    gets = [entry.path.rsplit("/", 1)[-1] for entry in hubspot.ledger.entries if entry.method == "GET"]
    assert (ran.state("wait"), ran.xcom("wait")) == ("success", dict.fromkeys(IDS, "READ"))
    assert (gets.count("m-1"), gets.count("m-0")) == (2, 1 if SINCE_3_3 else 2)


@row("`on_kill` of a trigger")
def test_no_trigger_needs_to_be_told_of_its_end() -> None:
    """Airflow calls it from 3.3 on; ours only reads, so there is nothing to be undone."""
    assert hasattr(BaseTrigger, "on_kill") is SINCE_3_3
    assert "on_kill" not in vars(MessageStatusTrigger)


@row("The notifier in `dag.test()`")
def test_a_callback_in_a_test_run_knows_the_exception_or_the_run(hubspot: Emulator) -> None:
    """Only there: a worker gives it to the callback in both."""
    with DAG("batch", schedule=None) as dag:

        @task(on_failure_callback=MessageStatusNotifier(messages=["m-2"]))
        def deliver() -> None:
            raise RuntimeError("gateway unavailable")

        deliver()
    Ran(dag)
    reason = "RuntimeError: gateway unavailable" if SINCE_3_3 else "Not delivered: DAG batch, task deliver, run manual__"
    assert str(hubspot.world.messages["100200", "m-2"].error_message).startswith(reason)


@row("`ApprovalOperator` in `dag.test()`")
def test_a_person_can_be_asked_in_a_test_run_or_cannot(answers: Any) -> None:
    """There is nobody to answer 3.2's: the task fails, and with it recipe 6."""
    if SINCE_3_3:
        answers("batch", "Approve")
    with DAG("batch", schedule=None) as dag:
        ApprovalOperator(task_id="approve", subject="Mark them?")
    assert Ran(dag).state("approve") == ("success" if SINCE_3_3 else "failed")


@row("[The page of a batch](watch.md) that runs")
def test_airflow_tells_how_far_a_task_is_or_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page asks Airflow's API for the task's state store, which is new in 3.3."""
    with api_server(monkeypatch) as server:
        paths = server.app.openapi()["paths"]
    assert any(path.endswith("/taskInstances/{task_id}/state-store") for path in paths) == SINCE_3_3
