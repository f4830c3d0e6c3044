"""What the pages show and no file holds: Python is run, and commands, connections, faults and dead letters are read by ours."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.sdk import DAG, task, task_group
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from packaging.requirements import Requirement

from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.__main__ import command_line
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.airflow.dag_runs import mark
from tests.docs.pages import FENCE, PAGES, fences, page, table
from tests.examples import load, tasks_with_multiple_outputs

pytestmark = pytest.mark.usefixtures("airflow_database")

ALL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@task
def map_codes() -> list[dict[str, str]]:
    return [{"message_id": "m-1", "status": "READ"}]


@task
def list_batches() -> list[list[str]]:
    return [["m-1"], ["m-2"]]


@task
def deliver(message_ids: list[str]) -> None: ...


def called_back(callback: type, kwargs: dict[str, Any]) -> AsyncCallback:
    """As Airflow does when a deadline is missed, but at once: an argument that there is not must not wait for that."""
    callback(**kwargs)
    return AsyncCallback(callback, kwargs=kwargs)


#: What a fragment takes for granted: what a reader has imported, and tasks of the reader's own.
GIVEN: dict[str, Any] = {
    "__name__": __name__,
    "AsyncCallback": called_back,
    "DeadlineAlert": DeadlineAlert,
    "DeadlineReference": DeadlineReference,
    "Emulator": Emulator,
    "MessageStatusNotifier": MessageStatusNotifier,
    "UpdateMessageStatusOperator": UpdateMessageStatusOperator,
    "deliver": deliver,
    "list_batches": list_batches,
    "map_codes": map_codes,
    "my_dag": lambda: load("mark_statuses").mark_statuses(),
    "pytest": pytest,
    "requests": requests,
    "task": task,
    "task_group": task_group,
    "timedelta": timedelta,
}


def run(where: str, text: str, **names: Any) -> dict[str, Any]:
    """Run a fragment, and return the names that there are afterwards."""
    names = GIVEN | names
    exec(compile(text, where, "exec"), names)
    return names


PYTHON = fences("python")
TESTS = {where: text for where, text in PYTHON.items() if "def test_" in text}
for _where, _text in TESTS.items():  # tests themselves, which pytest runs as it would a reader's
    globals()["test_" + re.sub(r"\W", "_", _where)] = pytest.mark.slow(run(_where, _text)["test_my_dag"])


def test_every_kind_of_fence_is_known() -> None:
    """Of another kind nothing would be held."""
    assert {fence[1] for fence in FENCE.findall(ALL)} == {"", "json", "python", "yaml"}


@pytest.mark.slow
@pytest.mark.parametrize("where", [where for where in PYTHON if where not in TESTS])
def test_a_fragment_runs(where: str, hubspot_emulator: Emulator) -> None:
    """In a DAG and beside a HubSpot, as it stands there."""
    with DAG("batch", schedule=None) as dag:
        run(where, PYTHON[where], hubspot=hubspot_emulator)
    assert tasks_with_multiple_outputs(dag) == []


def test_the_emulators_commands_can_be_given() -> None:
    """Each command line, and each option that is shown with its value."""
    lines = re.findall(r"python -m airflow_provider_hubchan\.emulator([^`\n]*)", ALL) + re.findall(r"`(--[a-z-]+ [^`]+)`", ALL)
    assert len(lines) >= 8
    for line in lines:
        command_line().parse_args(shlex.split(line))


def test_what_is_installed_can_be() -> None:
    """Each ``pip install`` names us as we are called, and extras that we have."""
    ours = metadata("airflow-provider-hubchan")
    wanted = [Requirement(word) for line in re.findall(r"pip install ([^`\n]+)", ALL) for word in shlex.split(line)]
    assert {each.name for each in wanted} == {ours["Name"], "pytest"}
    assert set().union(*(each.extras for each in wanted)) <= set(ours.get_all("Provides-Extra", ()))


EXPORTS = [
    word.partition("=")[::2]
    for text in fences("").values()
    if text.startswith("export ")
    for word in shlex.split(text)
    if word != "export"
]


@pytest.mark.parametrize(("variable", "connection"), EXPORTS)
def test_an_exported_connection_is_what_it_says(variable: str, connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON and as a URI alike."""
    monkeypatch.setenv(variable, connection)
    account = HubchanHook(variable.removeprefix("AIRFLOW_CONN_").lower()).account
    share = 50.0 if variable.endswith("_BACKFILL") else None
    credentials = ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")
    assert account == Account("https://api.hubapi.com", *credentials, channel_id="100200", requests_per_10s=share)


def test_a_file_of_faults_is_read(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """Each line is a fault, and so is each that the pages give to ``fault``."""
    (text,) = (text for text in fences("yaml").values() if text.startswith("- "))
    (tmp_path / "faults.yaml").write_text(text)
    assert len(hubspot_emulator.faults(tmp_path / "faults.yaml")) == len(text.splitlines())
    calls = re.findall(r"`(?:hubspot\.)?(fault\([^`]*\))`", ALL)
    assert len(calls) >= 5
    for call in calls:
        eval(call, {"fault": hubspot_emulator.fault})


#: The dead letters that the pages show: of a row that HubSpot refused, and of one that could not be sent.
REFUSED, UNSENDABLE = (json.loads(text) for text in fences("json").values())


@pytest.mark.parametrize(
    ("shown", "names", "statuses"),
    [
        pytest.param(REFUSED, ("message_id", "status", "error_message", "phone"), None, id="refused"),
        pytest.param(UNSENDABLE, ("client_ref", "state"), {"SENT": "SENT"}, id="could not be sent"),
    ],
)
def test_a_dead_letter_is_as_shown(
    hubspot_emulator: Emulator, tmp_path: Path, shown: dict[str, Any], names: tuple[str, ...], statuses: Any
) -> None:
    """The same keys in the same order, and the same values but for what is new each time, or left out with "…"."""
    message_id, status = names[:2]
    good = [{message_id: f"m-{number}", status: "SENT"} for number in range(1, shown["row"])]
    hubspot_emulator.world.seed(row[message_id] for row in good)
    row = {key: shown[key] for key in shown if key in names}
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in [*good, row]))
    mark(
        messages_file=str(tmp_path / "rows.jsonl"),
        columns={"message_id": message_id, "status": status},
        statuses=statuses,
        max_rejected=1,
        report_file=str(tmp_path / "left.jsonl"),
    )
    dead_letter = json.loads((tmp_path / "left.jsonl").read_text())
    assert list(dead_letter) == list(shown)
    assert str(dead_letter["reason"]).startswith(shown["reason"].removesuffix("…"))
    assert list(dead_letter["task_instance"]) == list(shown["task_instance"])
    varying = {name: dead_letter[name] for name in ("reason", "correlation_id", "time", "task_instance")}
    assert dead_letter == shown | varying


def gateway_task() -> tuple[str, Any]:
    """The gateway's file that the operator's page shows, and the task that reads it."""
    section = page("operator").split("\n## ")[1]
    (_, _, file), (_, _, text) = FENCE.findall(section)
    with DAG("batch", schedule=None) as dag:
        run("operator.md", text)
    return file, dag.get_task("mark_report")


def test_a_gateways_file_becomes_what_the_table_says(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """With the arguments of the page, but for the places, and for the share: of four rows one is more than one in a hundred."""
    (file, task), report_file = gateway_task(), tmp_path / "left.jsonl"
    (tmp_path / "twilio.csv").write_text(file)
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 5))
    messages = {message_id: message for (_, message_id), message in hubspot_emulator.world.messages.items()}
    arguments = {"messages_file": str(tmp_path / "twilio.csv"), "columns": task.columns, "statuses": task.statuses}
    mark(**arguments, max_rejected=1, report_file=str(report_file))
    left = {line["client_ref"]: line for line in map(json.loads, report_file.read_text().splitlines())}
    became = {name: left[name]["outcome"] if name in left else message.status for name, message in messages.items()}
    assert became == {row[0].strip("`"): row[1] for row in table(page("operator"), "row | becomes |")}
    assert (messages["message-1"].error_message, messages["message-2"].error_message) == (None, "30003")


def test_what_could_not_be_sent_is_fixed_and_fed_back(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """By a further word in ``statuses``, by another word in the line, by a whole new line; the rest of the file as it is."""
    file, task = gateway_task()
    rows, left, still_left = (tmp_path / name for name in ("twilio.csv", "left.jsonl", "still_left.jsonl"))
    rows.write_text(f"{file}message-5;odd;;\nmessage-6;too;many;cells;here\n")
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 7))
    ran = mark(messages_file=str(rows), columns=task.columns, statuses=task.statuses, report_file=str(left))
    assert (ran.state(), ran.xcom()["rejected"], ran.xcom()["unresolved"]) == ("failed", 3, 2)
    assert hubspot_emulator.ledger.patches() == []

    lines = left.read_text().splitlines()
    assert len(lines) == 6
    (broken,) = (number for number, line in enumerate(lines) if "line" in json.loads(line))
    lines[broken] = json.dumps({"client_ref": "message-6", "MessageStatus": "read"})
    left.write_text("\n".join(lines).replace('"odd"', '"failed"'))
    statuses = task.statuses | {"on_hold": None}
    report = mark(messages_file=str(left), columns=task.columns, statuses=statuses, report_file=str(still_left)).xcom()
    assert (report["updated"], report["skipped"], report["rejected"]) == (4, 2, 0)
    assert hubspot_emulator.world.counts() == {"SENT": 3, "FAILED": 2, "READ": 1}
