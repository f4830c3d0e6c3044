"""The notifier as Airflow calls it, against the local HubSpot: in DAG runs, in the triggerer's and the executor's callbacks."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import threading
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from airflow.sdk import DAG, task
from airflow.sdk.definitions.callback import AsyncCallback, SyncCallback
from airflow.sdk.log import mask_secret

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from tests.airflow.callback_runs import BOTH, PATH, Call, on_a_loop
from tests.airflow.dag_runs import Ran
from tests.dripping_server import DrippingServer, call_in_time
from tests.examples import load
from tests.paths import DOCS, EXAMPLES
from tests.versions import SINCE_3_3

pytestmark = pytest.mark.usefixtures("airflow_database")

#: What a deadline's callback is given (airflow.models.deadline).
DEADLINE = {
    "dag_run": {"dag_id": "send", "dag_run_id": "manual__1", "conf": {"ids": ["m-1", "m-2"]}},
    "deadline": {"id": "d-1", "deadline_time": "2026-11-22T10:00:00Z"},
}


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(60))
    return hubspot_emulator


def failing(
    notifier: MessageStatusNotifier, error: BaseException | None = None, ids: Any = ("m-1", "m-2"), **arguments: Any
) -> Ran:
    """Run a DAG whose delivery fails, after a task that lists its messages."""
    with DAG("batch", schedule=None) as dag:

        @task
        def outbox() -> Any:
            return list(ids) if isinstance(ids, tuple) else ids

        @task(on_failure_callback=notifier, **arguments)
        def deliver(ids: Any) -> None:
            raise error or RuntimeError("gateway unavailable")

        deliver(outbox())
    return Ran(dag)


def reasons(hubspot: Emulator) -> dict[str, str]:
    """Why messages FAILED, as HubSpot has it; the time in a run's id is left out."""
    failed = (each for each in hubspot.world.messages.values() if each.status == "FAILED")
    return {each.id: re.sub(r"(run manual__)20\S+", r"\1", str(each.error_message)) for each in failed}


def expected_reason(reason: str, dag_id: str = "batch") -> str:
    """The reason that a callback gives in ``dag.test()``: Airflow 3.2 keeps the exception from it there."""
    return reason if SINCE_3_3 else f"Not delivered: DAG {dag_id}, task deliver, run manual__"


def test_a_failed_task_marks_its_messages(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The ids come from XCom, the reason is the exception's class and first line, and the log has the report."""
    ran = failing(MessageStatusNotifier(messages_task_id="outbox"), RuntimeError("gateway\tunavailable\nat line 7\n"))
    assert ran.state("deliver") == "failed"
    assert reasons(hubspot) == dict.fromkeys(["m-1", "m-2"], expected_reason("RuntimeError: gateway unavailable"))
    assert "Marked by a callback: 2 rows: 2 updated, 0 skipped, 0 rejected, 0 unresolved." in capsys.readouterr().out


def test_a_task_can_leave_what_it_did_not_deliver(hubspot: Emulator) -> None:
    """Pushed before the raise, under a key of its own, it is there for the callback of the same task."""
    with DAG("batch", schedule=None) as dag:

        @task(on_failure_callback=MessageStatusNotifier(messages_task_id="deliver", messages_key="left"))
        def deliver(ti: Any = None) -> None:
            ti.xcom_push(key="left", value=[{"message_id": "m-3", "error_message": "30003: gone"}, "m-4"])
            raise ValueError("2 of 60 were not delivered")

        deliver()
    assert Ran(dag).state("deliver") == "failed"
    assert reasons(hubspot) == {"m-3": "30003: gone", "m-4": expected_reason("ValueError: 2 of 60 were not delivered")}


def test_each_mapped_task_marks_its_own_messages(hubspot: Emulator) -> None:
    """One notifier serves many tasks: its templates are rendered anew for each of them."""
    with DAG("batch", schedule=None) as dag:
        notifier = MessageStatusNotifier(
            messages="{{ task.op_kwargs['ids'] | tojson }}",
            error_message="chunk {{ ti.map_index }}: {{ exception | default('see the run') }}",
        )

        @task(on_failure_callback=notifier)
        def deliver(ids: list[str]) -> None:
            raise RuntimeError("gateway unavailable")

        deliver.expand(ids=[["m-1", "m-2"], ["m-3"]])
    Ran(dag)
    first, second = (f"chunk {index}: {'gateway unavailable' if SINCE_3_3 else 'see the run'}" for index in (0, 1))
    assert reasons(hubspot) == {"m-1": first, "m-2": first, "m-3": second}


def test_a_success_marks_as_well(hubspot: Emulator) -> None:
    """The status is the notifier's; a row's own goes before it."""
    with DAG("batch", schedule=None) as dag:

        @task(
            on_success_callback=MessageStatusNotifier(
                messages=["m-1", {"message_id": "m-2", "status": "FAILED"}], status="READ"
            )
        )
        def deliver() -> None:
            pass

        deliver()
    assert Ran(dag).state("deliver") == "success"
    assert hubspot.world.counts() == {"SENT": 58, "READ": 1, "FAILED": 1}
    assert reasons(hubspot) == {"m-2": "Not delivered: DAG batch, task deliver, run manual__"}


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        pytest.param(
            {"dag": DAG("send", schedule=None), "run_id": "manual__1", "reason": "task_failure"},
            "Not delivered: DAG send, run manual__1, reason task_failure",
            id="of a DAG run",
        ),
        pytest.param(
            {"ti": SimpleNamespace(dag_id="send", task_id="any", run_id="manual__1"), "reason": "timed_out"},
            "Not delivered: DAG send, run manual__1, reason timed_out",
            id="of a DAG run, with its last task",
        ),
        pytest.param(DEADLINE, "Not delivered before the deadline: DAG send, run manual__1", id="of a deadline"),
        pytest.param({"exception": "worker lost"}, "worker lost", id="a text"),
        pytest.param({"exception": KeyError()}, "KeyError", id="without a text"),
        pytest.param({}, "Not delivered", id="empty"),
    ],
)
@BOTH
def test_a_thin_context_will_do(hubspot: Emulator, call: Call, context: dict[str, Any], reason: str) -> None:
    """The reason names what the context has; what is not there is left out."""
    call(dict(context), messages=["m-1"])
    assert reasons(hubspot) == {"m-1": reason}


class Broken(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@BOTH
def test_an_exception_without_a_text_is_named(hubspot: Emulator, call: Call) -> None:
    """A mistake in its text must not hide that messages were not delivered."""
    call({"exception": Broken()}, messages=["m-1"])
    assert reasons(hubspot) == {"m-1": "Broken"}


@BOTH
def test_a_reason_is_short_whole_and_without_secrets(hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """What Airflow masks and what the connection holds is covered before the cut: no half of a secret is left."""
    mask_secret("gateway-s3cr3t")
    hubspot.world.install.app.client_secret = "tiny"  # too short for Airflow's masker
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(hubspot.connection()))
        error = RuntimeError(f"tiny gateway-s3cr3t half \ud800 {'x' * 253} gateway-s3cr3t {'y' * 900}\nsecond line")
        call({"exception": error}, messages=["m-1"])
        call({"exception": error}, messages=["m-2"], error_message="gateway-s3cr3t of {{ dag_run }}the gateway")
    reason_of = reasons(hubspot)
    whole = f"RuntimeError: *** *** half ? {'x' * 253} *** {'y' * 900}"
    assert (reason_of["m-1"], len(str(reason_of["m-1"]))) == (f"{whole[:299]}…", 300)
    assert reason_of["m-2"] == "*** of the gateway"
    assert "s3cr3t" not in capsys.readouterr().out


def test_the_triggerer_calls_it_for_a_deadline(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """`AsyncCallback` takes it; templates see the run's conf; what is superseded or unknown is in the same report."""
    rows = "{{ (dag_run.conf.ids + ['m-1', 'nobody']) | tojson }}"
    callback = AsyncCallback(MessageStatusNotifier, kwargs={"messages": rows})
    assert json.loads(json.dumps(callback.serialize()))["path"] == PATH
    *_, last = on_a_loop(DEADLINE, **callback.kwargs)
    assert last["state"] == "success"
    assert set(reasons(hubspot)) == {"m-1", "m-2"}
    log = capsys.readouterr().out
    assert "4 rows: 2 updated, 1 skipped, 1 rejected, 0 unresolved. Not updated: 1 skipped: superseded; " in log
    assert "The first is row 4, nobody: HubSpot answered 404" in log
    assert len(hubspot.ledger.grants()) == 1


def executed(path: str, arguments: dict[str, Any]) -> Any:
    """What an executor does with a callback: from 3.3 in a process as a task's, on 3.2 in its own."""
    if SINCE_3_3:
        supervisor: Any = import_module("airflow.sdk.execution_time.callback_supervisor")
        return supervisor.execute_callback(path, arguments, Path(), None, structlog.get_logger())
    runner: Any = import_module("airflow.executors.workloads.callback")
    data = {"path": path, "kwargs": arguments}
    callback = runner.CallbackDTO(id="c-1", fetch_method="import_path", data=data)
    return runner.execute_callback_workload(callback, structlog.get_logger())


def test_the_executor_calls_it_for_a_deadline(hubspot: Emulator) -> None:
    """`SyncCallback` takes it, too."""
    callback = SyncCallback(MessageStatusNotifier, kwargs={"messages": "{{ dag_run.conf.ids | tojson }}"})
    arguments = {**callback.kwargs, "context": DEADLINE}
    assert executed(callback.path, arguments) == (True, None)
    assert set(reasons(hubspot)) == {"m-1", "m-2"}


@BOTH
def test_what_is_beyond_the_limit_is_counted(hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """A callback is no place for a batch."""
    call({}, messages=[f"m-{number}" for number in range(60)], limit=50)
    assert len(reasons(hubspot)) == 50
    assert (
        "50 rows: 50 updated, 0 skipped, 0 rejected, 0 unresolved. Not sent, for the limit is 50: 10 more rows. "
        in capsys.readouterr().out
    )


@pytest.mark.slow
@BOTH
def test_the_deadline_ends_it(hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """A HubSpot that does not answer: every message is accounted for, and Airflow is not kept."""
    hubspot.fault(message_id="m-0", delay=5.0)
    call({}, messages=["m-1", "m-1", "m-0"], deadline=1.0)
    log = capsys.readouterr().out
    assert re.search(r"Marked by a callback: 3 rows: [01] updated, 1 skipped, 0 rejected, [12] unresolved\.", log)
    assert ": Given up: the callback's deadline was over before there was an answer." in log


@BOTH
@pytest.mark.parametrize("login", [{}, {"access_token": None, "refresh_token": "r3fr3sh"}], ids=["messages", "token"])
def test_the_deadline_ends_it_whatever_the_server_does(
    call: Call, login: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then comes in time for each read: every message is accounted for all the same, and Airflow is not kept."""
    with DrippingServer() as server:
        connection = json.loads(server.connection(**login)) | ({"login": "id", "password": "dr1pping"} if login else {})
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))
        call_in_time(lambda: call({}, messages=[f"m-{number}" for number in range(60)], deadline=2.0))
        assert server.requests
    log = capsys.readouterr().out
    assert "Marked by a callback: 60 rows: 0 updated, 0 skipped, 0 rejected, 60 unresolved." in log
    assert "Given up: the callback's deadline was over before there was an answer." in log
    assert "The callback could not mark the messages" not in log


class SilentTaskInstance:
    """A task instance whose XCom does not answer.

    :ivar answered: set it to end what waits.
    """

    def __init__(self) -> None:
        self.answered = threading.Event()

    def xcom_pull(self, **where: Any) -> Any:
        self.answered.wait(30.0)
        return ["m-1"]


@BOTH
def test_the_deadline_ends_it_if_airflow_does_not_answer(
    hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """The messages are in an XCom that cannot be read; nothing is sent later, either."""
    ti = SilentTaskInstance()
    release = threading.Timer(4.0, ti.answered.set)  # an event loop ends when its threads have
    release.start()
    try:
        call_in_time(lambda: call({"ti": ti}, messages_task_id="outbox", deadline=0.2))
    finally:
        release.cancel()
        ti.answered.set()
    log = capsys.readouterr().out
    assert "its deadline of 0.2 s was over while something did not answer that it needs beside HubSpot" in log
    assert hubspot.ledger.patches() == []


@BOTH
def test_what_the_log_says_of_a_message_is_short(hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """An id may have a thousand characters, and HubSpot's words any number."""
    hubspot.fault(status=400, body={"message": "gone " * 10_000, "category": "X" * 10_000}, times=100)
    call({}, messages=["m" * 1000])
    line = next(line for line in capsys.readouterr().out.splitlines() if "Marked by a callback" in line)
    assert len(line) < 1700  # with what the log adds


@BOTH
def test_a_longer_wait_than_the_deadline_is_not_begun(
    hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """HubSpot asks for an hour: nothing more is sent, and the rest is unresolved."""
    hubspot.fault(status=503, headers={"Retry-After": "3600"}, times=100)
    call({}, messages=[f"m-{number}" for number in range(60)])
    assert "60 rows: 0 updated, 0 skipped, 0 rejected, 60 unresolved" in capsys.readouterr().out
    assert len(hubspot.ledger.patches()) <= 16


@BOTH
def test_revoked_credentials_are_tried_once(hubspot: Emulator, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """What concerns all messages ends the call."""
    hubspot.world.install.revoked = True
    call({}, messages=[f"m-{number}" for number in range(60)])
    assert "60 rows: 0 updated, 0 skipped, 0 rejected, 60 unresolved" in capsys.readouterr().out
    assert len(hubspot.ledger.grants()) == 1
    assert hubspot.ledger.patches() == []


@BOTH
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param({"messages": ["m-1", ""]}, "1 of 2 rows cannot be sent (row 2: message_id is blank)", id="bad rows"),
        pytest.param({"messages": "{{ ['m-1'] }}"}, "is no JSON: let its template end with | tojson", id="Python's spelling"),
        pytest.param(
            {"messages": """{{ '{"m-1": "READ", "m-1": "SENT"}' }}"""},
            "messages is JSON text that has 'm-1' twice in one object",
            id="a key twice",
        ),
        pytest.param(
            {"messages": "{{ none }}", "channel_id": "{{ none }}"},
            " arguments: messages is None: its template rendered to None; channel_id is None: its template rendered to None.",
            id="None",
        ),
        pytest.param({"messages": 7}, "messages is a int, not a list of ids or dicts", id="no rows"),
        pytest.param({"messages": "{{ ti.xcom_pull('a') }}"}, "'ti' is undefined", id="a template that fails"),
        pytest.param({"messages_task_id": "a"}, "there is no task instance here", id="no task instance"),
        pytest.param(
            {"messages": ["m-1"], "hubchan_conn_id": "nope"}, "Connection 'nope' is not defined: define it", id="no connection"
        ),
        pytest.param(
            {"messages": ["m-1"], "hubchan_conn_id": "empty"}, "Connection 'empty' cannot be used", id="empty connection"
        ),
    ],
)
def test_it_never_raises(
    hubspot: Emulator,
    call: Call,
    arguments: dict[str, Any],
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log says what went wrong; the task's own error stays the one that people see."""
    monkeypatch.setenv("AIRFLOW_CONN_EMPTY", json.dumps({"conn_type": "hubchan"}))
    call({}, **arguments)
    log = capsys.readouterr().out
    assert "The callback could not mark the messages: " in log
    assert text in log
    assert hubspot.ledger.patches() == []


@BOTH
def test_a_reason_that_rendered_to_none_is_not_given(hubspot: Emulator, call: Call) -> None:
    """An agent does not read the word None, but what is known of the failure."""
    call({"exception": RuntimeError("gateway away")}, messages=["m-1"], error_message="{{ none }}")
    assert reasons(hubspot) == {"m-1": "RuntimeError: gateway away"}


def test_a_task_that_pushed_nothing_is_named(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing says which messages to mark; the failed task fails as it would have."""
    assert failing(MessageStatusNotifier(messages_task_id="outbox", messages_key="ids")).state("deliver") == "failed"
    assert (
        "task 'outbox' has pushed no 'ids' in this run, so it is not known which messages to mark." in capsys.readouterr().out
    )


def test_what_ends_the_process_passes(hubspot: Emulator) -> None:
    """A triggerer that shuts down cancels; that is no fault to be swallowed."""
    hubspot.fault(delay=5.0)

    async def run() -> None:
        running = asyncio.create_task(MessageStatusNotifier(messages=["m-1"]).async_notify({}))
        while not hubspot.ledger.patches():
            await asyncio.sleep(0.01)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param({}, "give either messages or messages_task_id", id="nothing"),
        pytest.param({"messages": ["m-1"], "messages_task_id": "a"}, "give either messages or messages_task_id", id="both"),
        pytest.param(
            {"messages": ["m-1"], "status": "failed"}, "status is 'failed', not one of SENT, FAILED, READ", id="status"
        ),
        pytest.param({"messages": ["m-1"], "status": None}, "status is 'None', not one of SENT, FAILED, READ", id="no status"),
        pytest.param({"messages": ["m-1"], "channel_id": "abc"}, "channel_id is 'abc', not the number of a", id="channel"),
        pytest.param({"messages": ["m-1"], "hubchan_conn_id": ""}, "hubchan_conn_id is empty", id="connection"),
        pytest.param({"messages_task_id": ""}, "messages_task_id is empty", id="empty task id"),
        pytest.param({"messages": ["m-1"], "limit": 0}, "limit is 0: give the number of messages to mark", id="limit"),
        pytest.param(
            {"messages": ["m-1"], "deadline": float("inf")}, "deadline is inf: give a number of seconds", id="deadline"
        ),
    ],
)
def test_wrong_arguments_are_named_when_the_dag_is_read(arguments: dict[str, Any], text: str) -> None:
    """Later nobody would see it."""
    with pytest.raises(ValueError, match=re.escape(text)):
        MessageStatusNotifier(**arguments)


def test_the_page_has_every_argument_and_the_example() -> None:
    """Every argument is in the docstring and in the page's table, and the page's snippet is the example."""
    arguments = set(inspect.signature(MessageStatusNotifier.__init__).parameters) - {"self", "kwargs"}
    assert set(re.findall(r":param (\w+):", MessageStatusNotifier.__doc__ or "")) == arguments
    page = (DOCS / "notifier.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE)))) == arguments
    example = (EXAMPLES / "mark_failed_delivery.py").read_text(encoding="utf-8")
    assert f"<!-- example_dags/mark_failed_delivery.py -->\n```python\n{example}```" in page


@pytest.mark.parametrize(
    ("fail", "states", "counts"),
    [
        (False, {"deliver": "success", "mark_failed": "skipped"}, {"SENT": 3}),
        (True, {"deliver": "failed", "mark_failed": "success"}, {"FAILED": 3}),
    ],
)
def test_the_example_marks_at_once_and_for_certain(
    hubspot_emulator: Emulator, fail: bool, states: dict[str, str], counts: dict[str, int]
) -> None:
    """The callback has marked them; the task after it finds nothing left to do."""
    hubspot_emulator.world.seed(["message-1", "message-2", "message-3"])
    ran = Ran(load("mark_failed_delivery").mark_failed_delivery(), fail=fail)
    assert {task_id: ran.state(task_id) for task_id in states} == states
    assert hubspot_emulator.world.counts() == counts
    if fail:
        assert ran.xcom("mark_failed")["skipped"] == 3
        error = "RuntimeError: gateway unavailable, 3 messages not delivered"
        assert set(reasons(hubspot_emulator).values()) == {expected_reason(error, "mark_failed_delivery")}
