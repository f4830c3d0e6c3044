"""The example DAGs, run as they are against the local HubSpot."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from tests.airflow.dag_runs import Ran
from tests.examples import load, tasks_with_multiple_outputs
from tests.paths import EXAMPLES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_database")]


def read_lines(name: str) -> list[str]:
    """Of a file of the examples' data."""
    return (EXAMPLES / "data" / name).read_text(encoding="utf-8").splitlines()


def test_a_delivery_report_is_marked(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """What HubSpot holds afterwards is what the gateway's report says, by a count of its own."""
    outbox = [json.loads(line)["message_id"] for line in read_lines("outbox.jsonl")]
    events = [json.loads(line) for line in read_lines("delivery_report.jsonl")]
    hubspot_emulator.world.seed(outbox)
    ran = Ran(load("mark_delivery_report").mark_delivery_report(), folder=str(tmp_path))
    assert ran.state("mark_statuses") == "success"

    read = {event["message_id"] for event in events if event["state"] == "READ"}
    last = {event["message_id"]: event["state"] for event in events if event["state"] not in ("READ", "BUFFRD")}
    failed = {message_id for message_id, state in last.items() if state != "DELIVRD" and message_id not in read}
    in_outbox = set(outbox)
    assert hubspot_emulator.world.counts() == Counter(
        {"READ": len(read & in_outbox), "FAILED": len(failed & in_outbox), "SENT": len(in_outbox - read - failed)}
    )
    summary = ran.xcom("mark_statuses")
    assert (summary["rows"], summary["updated"]) == (len(events), len((read | set(last)) & in_outbox))
    reasons = {event["text"] for event in events}
    failures = [message for message in hubspot_emulator.world.messages.values() if message.status == "FAILED"]
    assert all(message.error_message in reasons for message in failures), "and every failure says why"


def test_codes_that_nobody_knows_are_in_the_reports_account(
    hubspot_emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rejected beside the ids that HubSpot does not know, fewer than one row in a hundred; in the report file as they came."""
    hubspot_emulator.world.seed(json.loads(line)["message_id"] for line in read_lines("outbox.jsonl"))
    events = [json.loads(line) for line in read_lines("delivery_report.jsonl")]
    ran = Ran(load("mark_delivery_report").mark_delivery_report(), folder=str(tmp_path))
    summary = ran.xcom("mark_statuses")
    assert (ran.state("mark_statuses"), summary["rejected"]) == ("success", 10)
    assert "6 rejected: 404 " in (log := capsys.readouterr().out)
    assert "4 rejected: unknown status 'BUFFRD'" in log

    left = [json.loads(line) for line in Path(summary["report_file"]).read_text().splitlines()]
    unsendable = {line["row"]: line for line in left if line.get("sendable") is False}
    unknown = {number: event for number, event in enumerate(events, 1) if event["state"] == "BUFFRD"}
    assert unsendable.keys() == unknown.keys()
    assert all(event.items() <= unsendable[number].items() for number, event in unknown.items())


def test_no_example_writes_an_xcom_for_each_key() -> None:
    """A ``@task`` function that is annotated with a mapping does, unless it says otherwise: one row of the database and some
    milliseconds for each message.
    """
    from airflow.dag_processing.dagbag import DagBag

    dags = DagBag(dag_folder=EXAMPLES).dags.values()
    read = {Path(dag.fileloc).stem for dag in dags}
    assert {path.stem for path in EXAMPLES.glob("*.py")} - read == {"run_demo", "run_demo_ui"}
    assert [task for dag in dags for task in tasks_with_multiple_outputs(dag)] == []


def test_the_demo_removes_no_folder_that_is_not_airflows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that was mistyped keeps its files, and one line says why nothing is started."""
    (tmp_path / "thesis.txt").write_text("years of work")
    assert load("run_demo_ui").main(tmp_path) == 2
    assert (
        capsys.readouterr().out
        == f"{tmp_path} is not empty, and no Airflow's home: name another folder, or empty it yourself.\n"
    )
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_what_dags_write_in_the_demo_is_in_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a cluster policy, as the files of the DAGs stay as they are; a folder to read from is not changed."""
    monkeypatch.setenv("AIRFLOW_HOME", "/home/of/the/demo")
    policy: dict[str, Any] = {}
    exec(load("run_demo_ui").POLICY, policy)
    folders = {}
    for name in ("deliver_outbox", "mark_receipts", "mark_delivery_report", "mark_callbacks"):
        dag = getattr(load(name), name)()
        policy["dag_policy"](dag)
        folders[name] = (dag.params["folder"], dag.timetable.can_be_scheduled)
    home = "/home/of/the/demo"
    assert folders == {
        "deliver_outbox": (home, True),
        "mark_receipts": (home, True),
        "mark_delivery_report": (home, False),
        "mark_callbacks": ("/tmp/callbacks", True),
    }


def test_the_demo_notices_when_the_two_sides_differ(
    hubspot_emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit status is 0 only if every count is the same on both sides."""
    hubspot_emulator.world.seed(["m-1", "m-2"])
    left, statuses = tmp_path / "left.jsonl", {"DELIVRD": "SENT", "SEEN": "READ", "ENROUTE": None}
    counters = dict.fromkeys(("updated", "rejected", "requests", "rate_limited"), 0)
    compare = load("run_demo").compare

    def compared(*states: str, message_id: str = "m-1", line: Any = None, **counts: int) -> int:
        left.write_text("" if line is None else json.dumps({"outcome": "rejected", "message_id": message_id, **line}))
        report = {**counters, "problems": [], "report_file": str(left), **counts}
        events = [{"message_id": message_id, "state": state} for state in states]
        status: int = compare(events, statuses, report, hubspot_emulator)
        return status

    assert compared() == 0
    assert compared("DELIVRD", "ENROUTE") == 0
    assert compared("BUFFRD", line={"row": 1, "sendable": False}, rejected=1) == 0
    capsys.readouterr()
    assert compared("SEEN") == 1, "a message is not READ that should be"
    assert compared("DELIVRD", message_id="unknown") == 1, "HubSpot has no such message"
    assert compared("BUFFRD") == 1, "an unknown code is not in the report's account"
    assert compared("DELIVRD", message_id="unknown", line={"row": 1}, rejected=1) == 1, "HubSpot did not refuse it"
    assert compared(updated=1) == 1, "HubSpot accepted nothing"
    assert capsys.readouterr().out.count("THE TWO SIDES DO NOT AGREE.") == 5


@pytest.mark.parametrize(
    ("fail", "states", "counts"),
    [
        (False, {"deliver": "success", "mark_sent": "success", "mark_failed": "skipped"}, {"SENT": 3}),
        (True, {"deliver": "failed", "mark_sent": "upstream_failed", "mark_failed": "success"}, {"FAILED": 3}),
    ],
)
def test_a_batch_is_marked_by_branch(hubspot_emulator: Emulator, fail: bool, states: Any, counts: Any) -> None:
    """SENT when the delivery succeeded, FAILED with the run's id when it did not."""
    hubspot_emulator.world.seed(["message-1", "message-2", "message-3"])
    ran = Ran(load("mark_by_branch").mark_by_branch(), fail=fail)
    assert {task_id: ran.state(task_id) for task_id in states} == states
    assert hubspot_emulator.world.counts() == counts
    if fail:
        error_message = hubspot_emulator.world.messages["100200", "message-1"].error_message
        assert str(error_message).startswith("gateway unavailable, run manual__")


def test_read_receipts_are_a_gate(hubspot_emulator: Emulator) -> None:
    """What comes after it sees how many have read."""
    hubspot_emulator.world.seed(["message-1", "message-2", "message-3"])
    for message in hubspot_emulator.world.messages.values():
        message.status = "READ"
    ran = Ran(load("gate_on_read").gate_on_read())
    assert (ran.state("wait_until_read"), ran.xcom("follow_up")) == ("success", 3)


def test_what_is_left_is_sent_at_night(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """Nothing left: nothing is done. A dead letter whose cause is fixed is sent, the other stays in the file."""
    dead_letters = tmp_path / "not_updated-today.jsonl"
    nightly = load("reconcile_nightly").reconcile_nightly
    dead_letters.write_text('{"message_id": "old", "status": "READ", "outcome": "skipped"}\n')
    assert Ran(nightly(), folder=str(tmp_path)).state("send_again") == "skipped"
    lines = [{"message_id": name, "status": "READ", "outcome": "rejected"} for name in ("fixed", "gone")]
    dead_letters.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    hubspot_emulator.world.seed(["fixed"])
    ran = Ran(nightly(), folder=str(tmp_path))
    assert (ran.state("send_again", 0), ran.xcom("send_again", 0)["updated"]) == ("success", 1)
    assert [json.loads(line)["message_id"] for line in dead_letters.read_text().splitlines()] == ["gone"]


def test_what_was_written_triggers_the_dag_that_looks(hubspot_emulator: Emulator) -> None:
    """One asset between the two DAGs; the second one adds up the counters of the events, and fails if they are too many."""
    hubspot_emulator.world.seed(["m-1"])
    module = load("follow_up")
    writer, looker = module.write_statuses(), module.look_at_statuses()
    assert writer.get_task("mark").outlets == [module.CHANNEL]
    assert Ran(writer, read=["m-1"]).state() == "success"
    look = looker.get_task("look").python_callable
    events = {module.CHANNEL: [SimpleNamespace(extra={"rejected": 60})] * 2}
    assert look(triggering_asset_events=events, params={"most": 120}) == 120
    with pytest.raises(ValueError, match="HubSpot refused 120 updates since the last look"):
        look(triggering_asset_events=events, params={"most": 100})


def callbacks_dag() -> Any:
    """The example; a retry comes at once."""
    dag = load("mark_callbacks").mark_callbacks()
    dag.get_task("mark").retry_delay = timedelta(0)
    return dag


def leave_callbacks(folder: Path, **events: str) -> None:
    """As the webhook receiver does."""
    for name, event in events.items():
        reason = {"reason": "30003: gone"} if event == "undeliverable" else {}
        (folder / f"{name}.json").write_text(json.dumps({"reference": name, "event": event} | reason))


def names(folder: Path) -> list[str]:
    """What is in the folder."""
    return sorted(each.name for each in folder.iterdir())


def test_callbacks_are_marked_with_the_hook(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """The files are put aside when HubSpot has answered, be it that it refuses one; then the task is red, once."""
    hubspot_emulator.world.seed(["a", "b", "c"])
    dag = callbacks_dag()
    leave_callbacks(tmp_path, a="delivered", b="seen", c="undeliverable")
    ran = Ran(dag, folder=str(tmp_path))
    assert (ran.state(), ran.xcom()["updated"], names(tmp_path)) == ("success", 3, ["a.done", "b.done", "c.done"])
    assert hubspot_emulator.world.counts() == {"SENT": 1, "READ": 1, "FAILED": 1}
    assert hubspot_emulator.world.messages["100200", "c"].error_message == "30003: gone"
    assert Ran(dag, folder=str(tmp_path)).xcom()["rows"] == 0

    leave_callbacks(tmp_path, a="seen", nobody="seen")
    ran = Ran(dag, folder=str(tmp_path))
    assert (ran.state(), ran.tries(), names(tmp_path)[-1]) == ("failed", 1, "nobody.done")


def test_callbacks_without_an_answer_are_sent_again(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """HubSpot asks to wait for an hour: the task is red, and the files stay."""
    hubspot_emulator.world.seed(["a"])
    leave_callbacks(tmp_path, a="seen")
    hubspot_emulator.fault(status=503, headers={"Retry-After": "3600"}, times=100)
    ran = Ran(callbacks_dag(), folder=str(tmp_path))
    assert (ran.state(), ran.tries(), names(tmp_path)) == ("failed", 3, ["a.json"])


@pytest.mark.parametrize(
    ("callback", "revoked"),
    [pytest.param("", False, id="a callback about nothing"), pytest.param("a", True, id="revoked credentials")],
)
def test_callbacks_that_a_person_has_to_look_at_are_tried_once(
    hubspot_emulator: Emulator, tmp_path: Path, callback: str, revoked: bool
) -> None:
    """Neither goes away by itself: no retry, and the files stay."""
    hubspot_emulator.world.install.revoked = revoked
    (tmp_path / "1.json").write_text(json.dumps({"reference": callback, "event": "seen"}))
    ran = Ran(callbacks_dag(), folder=str(tmp_path))
    assert (ran.state(), ran.tries(), names(tmp_path)) == ("failed", 1, ["1.json"])
    assert hubspot_emulator.ledger.patches() == []
