"""The operator in real DAG runs against the local HubSpot."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, ObjectStoragePath, Param, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.batch.report import BatchIncomplete
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.report_file import ReportFile
from airflow_provider_hubchan.validation import WrongArguments
from tests.airflow.dag_runs import Ran, mark
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(100))
    return hubspot_emulator


def test_a_batch_of_ids_is_green(hubspot: Emulator) -> None:
    """Every row valid and updated: success, and the summary in XCom."""
    ran = mark(messages=["m-1", "m-2"], status="READ")
    assert ran.state() == "success"
    summary = ran.xcom()
    assert summary.pop("elapsed_seconds") > 0
    assert summary.pop("waited_seconds") >= 0
    assert summary == {
        "rows": 2,
        "updated": 2,
        "skipped": 0,
        "rejected": 0,
        "unresolved": 0,
        "requests": 2,
        "rate_limited": 0,
        "report_file": None,
        "portal": 62515,
        "reasons": [],
        "problems": [],
    }
    assert hubspot.world.counts() == {"SENT": 98, "READ": 2}


def test_a_rejected_row_turns_the_task_red_and_the_report_is_there(hubspot: Emulator, tmp_path: Path) -> None:
    """Every other row is updated, the report is in XCom and in the file, and the task has failed."""
    ran = mark(messages=["m-1", "nobody", "m-2"], status="READ", report_file=f"{tmp_path}/left.jsonl")
    assert ran.state() == "failed"
    summary = ran.xcom()
    assert (summary["updated"], summary["rejected"], summary["report_file"]) == (2, 1, f"{tmp_path}/left.jsonl")
    (problem,) = summary["problems"]
    assert (problem["row"], problem["message_id"], problem["outcome"]) == (2, "nobody", "rejected")
    (line,) = (tmp_path / "left.jsonl").read_text().splitlines()
    assert json.loads(line)["correlation_id"] == problem["correlation_id"]


def test_who_wants_no_xcom_gets_none(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """``do_xcom_push=False`` holds for a red task, too, and the error does not point to what is not there."""
    ran = mark(messages=["nobody"], status="READ", do_xcom_push=False)
    assert (ran.state(), ran.xcom()) == ("failed", None)
    log = capsys.readouterr().out
    assert "1 row: 0 updated, 0 skipped, 1 rejected" in log
    assert "The report is in XCom" not in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("max_rejected", "state"),
    [(0, "failed"), (2, "failed"), (3, "success"), (0.02, "failed"), (0.03, "success"), (1.0, "success")],
)
def test_rejected_rows_are_judged_by_count_or_share(hubspot: Emulator, max_rejected: float, state: str) -> None:
    """Three of a hundred rows are rejected."""
    rows = [f"m-{number}" for number in range(97)] + ["a", "b", "c"]
    assert mark(messages=rows, status="READ", max_rejected=max_rejected).state() == state


@pytest.mark.slow
def test_a_share_is_kept_to_the_row(hubspot: Emulator) -> None:
    """29 of 100 are not more than 0.29, whatever 0.29 * 100 is in floating point."""
    rows = [f"m-{number}" for number in range(71)] + [f"nobody-{number}" for number in range(29)]
    assert mark(messages=rows, status="READ", max_rejected=0.29).state() == "success"


def test_a_report_file_that_breaks_costs_no_report(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk: every row is tried, the report is in XCom, and the task fails naming the file."""
    rows = [f"m-{number}" for number in range(100)] + [f"nobody-{number}" for number in range(100)]
    ran = mark(messages=rows, status="READ", max_rejected=1.0, report_file="/dev/full")
    assert ran.state() == "failed"
    assert (ran.xcom()["updated"], ran.xcom()["rejected"]) == (100, 100)
    assert "The report file /dev/full could not be written to its end" in capsys.readouterr().out


def test_a_report_file_is_fed_back(hubspot: Emulator, tmp_path: Path) -> None:
    """Redrive: once the cause is fixed, the same file brings the rest, and nothing that was superseded is sent."""
    left, again = f"{tmp_path}/left.jsonl", f"{tmp_path}/again.jsonl"
    rows = [{"message_id": id_, "status": status} for id_, status in (("m-1", "READ"), ("late", "READ"), ("m-1", "SENT"))]
    assert mark(messages=rows, report_file=left).state() == "failed"
    hubspot.world.seed(["late"])
    ran = mark(messages_file=left, report_file=again)
    assert ran.state() == "success"
    assert (ran.xcom()["updated"], ran.xcom()["skipped"]) == (1, 1)
    assert hubspot.world.messages["100200", "m-1"].status == hubspot.world.messages["100200", "late"].status == "READ"


def test_a_report_file_may_be_its_own_redrive(hubspot: Emulator, tmp_path: Path) -> None:
    """The rows are read before the file is opened for writing."""
    file = tmp_path / "left.jsonl"
    file.write_text('"m-1"\n"nobody"\n')
    assert mark(messages_file=str(file), status="READ", report_file=str(file)).state() == "failed"
    assert [json.loads(line)["message_id"] for line in file.read_text().splitlines()] == ["nobody"]


def test_rows_that_are_wanted_again_are_not_replaced(
    hubspot: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A redrive in place that is not finished leaves its file as it was, and nobody is sent there for a report."""
    file = tmp_path / "left.jsonl"
    file.write_text('"m-1"\n"nobody"\n')
    hubspot.fault(message_id="m-1", status=503, headers={"Retry-After": "3600"})
    ran = mark(messages_file=str(file), status="READ", report_file=str(file))
    assert (ran.state(), ran.xcom()["report_file"]) == ("failed", None)
    assert file.read_text() == '"m-1"\n"nobody"\n'
    assert "holds the rows themselves, and some are unresolved: it stays as it was." in capsys.readouterr().out


def test_an_unresolved_row_turns_the_task_red(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A row without a final answer is never green, whatever max_rejected says; the error says that a retry sends it again."""
    hubspot.fault(message_id="m-1", status=503, headers={"Retry-After": "3600"})
    ran = mark(messages=["m-1"], status="READ", max_rejected=1.0)
    assert ran.state() == "failed"
    assert ran.xcom()["unresolved"] == 1
    assert "No retry is left: clear the task to send the whole batch" in capsys.readouterr().out


@pytest.mark.slow
def test_unresolved_rows_are_retried(hubspot: Emulator) -> None:
    """With retries the next try brings what the first could not."""
    hubspot.fault(message_id="m-1", status=477, headers={"Retry-After": "1"})
    ran = mark(messages=["m-1", "m-2"], status="READ", retries=1, retry_delay=0, defer_after=0.0)
    assert ran.state() == "success"
    assert hubspot.world.counts()["READ"] == 2


@pytest.mark.parametrize(
    ("break_it", "cause"),
    [
        pytest.param(
            lambda world: setattr(world.install, "revoked", True), "Install the app in the account again", id="revoked"
        ),
        pytest.param(lambda world: setattr(world.install, "scopes", ("oauth",)), "custom_channels.write", id="scopes"),
        pytest.param(lambda world: world.channels.clear(), "does not own the channel", id="channel"),
    ],
)
def test_what_a_person_must_fix_is_not_retried(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], break_it: Any, cause: str
) -> None:
    """Revoked credentials, missing scopes, a foreign channel: the cause and the next step, one try."""
    break_it(hubspot.world)
    ran = mark(messages=[f"m-{number}" for number in range(100)], status="READ", retries=3, retry_delay=0)
    assert ran.state() == "failed"
    assert ran.xcom()["unresolved"] == 100
    assert cause in capsys.readouterr().out
    assert len(hubspot.ledger.grants()) == 1
    assert len(hubspot.ledger.patches()) <= 16


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"messages_file": "{{ ' ' }}"}, "messages_file is empty: its template rendered to nothing"),
        ({"messages": "{{ ['m-1'] }}", "messages_file": "x"}, "messages and messages_file are both given"),
        ({"messages_file": "nowhere://x/y.jsonl"}, "messages_file is at nowhere://, which nothing here can open"),
        ({"messages_file": "gs://conn@x/y.jsonl"}, "messages_file is at gs://, which nothing here can open"),
        ({"messages": ["m-1"], "report_file": "s3://x/y"}, "report_file is at s3://, which nothing here can open"),
        ({"messages": ["m-1"], "channel_id": "{{ 'my channel' }}"}, "channel_id is 'my channel', not the number of a channel"),
        ({"messages": ["m-1", {}]}, "1 of 2 rows cannot be sent (row 2: message_id is missing)"),
        ({"messages": "{{ 'm-1' }}"}, "messages is a str, not a list of ids or dicts"),
        ({"messages": ["m-1"], "hubchan_conn_id": "nowhere"}, "nowhere"),
        ({"messages_file": "/nowhere.jsonl"}, "'/nowhere.jsonl' does not exist"),
        ({"messages": ["m-1"], "report_file": "/nowhere/at/all.jsonl"}, "/nowhere/at/all.jsonl"),
    ],
)
def test_wrong_arguments_fail_before_anything_is_sent(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], cause: str
) -> None:
    """The error says what to give, and HubSpot has got no request."""
    assert mark(status="READ", **arguments).state() == "failed"
    assert cause in capsys.readouterr().out
    assert hubspot.ledger.patches() == []


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        pytest.param({"messages": None}, ["there are neither messages nor a messages_file"], id="no rows"),
        pytest.param({"messages_file": "x"}, ["messages and messages_file are both given"], id="rows from two places"),
        pytest.param({"messages": "m-1"}, ["messages is a str, not a list of ids or dicts"], id="no list"),
        pytest.param({"messages_file": " ", "messages": None}, ["messages_file is empty"], id="empty path"),
        pytest.param({"report_file": 3}, ["report_file is 3: give a path, a URI or an ObjectStoragePath"], id="no path"),
        pytest.param({"report_file": Path("s3://x/y")}, ["report_file begins with s3:/, which is no URI"], id="URI as Path"),
        pytest.param(
            {"status": "sent"}, ["status is 'sent', not one of SENT, FAILED, READ; for a gateway's words"], id="status"
        ),
        pytest.param({"status": "RECEIVED"}, ["status is 'RECEIVED', not one of"], id="status of incoming messages"),
        pytest.param({"error_message": ["gone"]}, ["error_message is ['gone']: give a text"], id="error message"),
        pytest.param({"channel_id": "abc"}, ["channel_id is 'abc', not the number of a channel"], id="channel"),
        pytest.param({"hubchan_conn_id": ""}, ["hubchan_conn_id is empty"], id="connection"),
        pytest.param(
            {"status": "SENT", "statuses": {}, "delivery_task_id": "deliver"},
            ["status and delivery_task_id are both given", "statuses and delivery_task_id are both given"],
            id="status from several places",
        ),
        pytest.param(
            {"dry_run": "False", "durable": 1, "deferrable": None, "compare_before_write": "{{ params.compare }}"},
            [
                "dry_run is 'False': give True or False",
                "durable is 1: give True or False",
                "deferrable is None: give True or False",
                "compare_before_write is '{{ params.compare }}': give True or False; it is no template",
            ],
            id="flags",
        ),
        pytest.param({"max_rejected": 1.5}, ["max_rejected is 1.5"], id="share"),
        pytest.param({"columns": ["message_id"]}, ["columns is a list: give our names with those of the rows"], id="columns"),
        pytest.param(
            {"columns": {"id": "client_ref", "message_id": None, "status": " ", "error_message": 5}},
            [
                "columns has 'id', not of message_id, status, error_message, channel_id",
                "columns has 'status': ' ', 'error_message': 5: give the name of a column, or None",
                "columns has None for message_id",
            ],
            id="names of columns",
        ),
        pytest.param({"statuses": "delivered"}, ["statuses is a str: give a mapping of words to statuses"], id="statuses"),
        pytest.param(
            {"statuses": {"delivered": "sent", 8: 1, True: "SENT", "": "READ", "Seen": "READ", "seen ": None, "ok": "SENT"}},
            [
                "statuses has True, '': a gateway's word is a text or a whole number",
                "statuses has 'delivered': 'sent', 8: 1: give SENT, FAILED, READ, or None",
                "statuses has 'Seen', 'seen ' with several meanings",
            ],
            id="words of statuses",
        ),
    ],
)
def test_what_is_wrong_in_a_dag_file_fails_its_import(arguments: dict[str, Any], faults: list[str]) -> None:
    """All at once, in a short text, whether it is a literal of a template field or an argument that is no template."""
    with pytest.raises(WrongArguments) as caught:
        UpdateMessageStatusOperator(task_id="mark", **{"messages": ["m-1"], **arguments})
    text = str(caught.value)
    assert text.startswith("Wrong arguments of task 'mark': ")
    assert [fault in text for fault in faults] == [True] * len(faults), text
    assert len(caught.value.faults) == len(faults)


def test_what_only_a_run_can_tell_does_not_fail_an_import() -> None:
    """Templates, other tasks' outputs, and what a DAG with delimiters of its own calls a template."""
    templates: dict[str, Any] = dict.fromkeys(UpdateMessageStatusOperator.template_fields, "{{ params.it }}")
    with DAG("batch", schedule=None):
        UpdateMessageStatusOperator(task_id="templates", **templates)
        outputs: dict[str, Any] = dict.fromkeys(
            UpdateMessageStatusOperator.template_fields, BaseOperator(task_id="other").output
        )
        UpdateMessageStatusOperator(task_id="outputs", **outputs)
    with DAG("batch", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        UpdateMessageStatusOperator(task_id="brackets", messages=["m-1"], status="[[ params.status ]]")


def test_a_thousand_faults_are_a_short_text() -> None:
    """Twenty are named, and the text says how many more there are."""
    with pytest.raises(WrongArguments) as caught:
        UpdateMessageStatusOperator(
            task_id="mark",
            messages=["m-1"],
            status="x" * 5000,
            columns={f"{number} {'x' * 100}": "y" for number in range(1000)},
            statuses={f"{number} {'x' * 100}": "y" * 100 for number in range(1000)},
        )
    text = str(caught.value)
    assert len(text) <= 1500
    assert " and 980 more" in text
    assert text.endswith(("more.", "statuses=."))


def test_paths_are_taken_as_their_text(hubspot: Emulator, tmp_path: Path) -> None:
    """A Path, with a template in it, and Airflow's own for object stores."""
    (tmp_path / "rows.jsonl").write_text('{"message_id": "m-1"}\n{"message_id": "nobody"}\n')
    ran = mark(
        messages_file=tmp_path / "{{ 'rows' }}.jsonl",
        report_file=ObjectStoragePath(f"file://{tmp_path}/left.jsonl"),
        status="READ",
        max_rejected=1,
    )
    assert (ran.state(), ran.xcom()["report_file"]) == ("success", f"file://{tmp_path}/left.jsonl")
    assert '"message_id": "nobody"' in (tmp_path / "left.jsonl").read_text()
    s3 = UpdateMessageStatusOperator(task_id="mark", messages_file=ObjectStoragePath("s3://my_aws@mailroom/rows.jsonl"))
    assert s3.messages_file == "s3://my_aws@mailroom/rows.jsonl"


def test_a_status_from_a_template_is_a_fault_of_the_task(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Said once, and not for every row."""
    ran = mark(messages=["m-1", "m-2"], status="{{ 'delivered' }}", retries=2, retry_delay=0)
    assert (ran.state(), ran.tries()) == ("failed", 1)
    log = capsys.readouterr().out
    assert (
        "so nothing was sent: status is 'delivered', not one of SENT, FAILED, READ; for a gateway's words use statuses=" in log
    )
    assert "rows cannot be sent" not in log


SECONDS = ("defer_after", "max_wait", "max_runtime", "not_found_grace")


@pytest.mark.parametrize("value", [None, "8", True, [1], float("nan"), -1])
def test_every_wrong_number_is_named_at_once(value: Any) -> None:
    """By what it is before by how much: none may break the batch in its middle. Only ``max_runtime`` may be left open."""
    numbers = dict.fromkeys(("max_rejected", "concurrency", *SECONDS), value)
    with pytest.raises(WrongArguments) as caught:
        UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="READ", **numbers)
    named = [name for name in numbers if f"{name} is {value!r}: give " in str(caught.value)]
    assert named == [name for name in numbers if name != "max_runtime" or value is not None]
    assert str(caught.value).count(": give ") == len(named)


@pytest.mark.slow
def test_a_batch_may_run_as_long_as_it_takes(hubspot: Emulator) -> None:
    """``max_runtime=None`` is no fault, and whole numbers are seconds, too."""
    numbers: dict[str, Any] = {**dict.fromkeys(SECONDS, 60), "max_runtime": None}
    assert mark(messages=["m-1"], status="READ", **numbers).state() == "success"


def test_a_store_whose_package_is_missing_is_not_tried_again(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A retry would find it missing, too; the error names what to install."""
    ran = mark(messages_file="s3://x/y.jsonl", status="READ", retries=3, retry_delay=0)
    assert (ran.state(), ran.tries()) == ("failed", 1)
    assert "install apache-airflow-providers-amazon[s3fs] on the workers" in capsys.readouterr().out


@pytest.mark.parametrize("rows", [[], {}])
def test_an_empty_batch_is_green_with_a_warning(hubspot: Emulator, capsys: pytest.CaptureFixture[str], rows: Any) -> None:
    """Nothing to do is no failure, and not silent either."""
    ran = mark(messages=rows, status="READ")
    assert (ran.state(), ran.xcom()["rows"]) == ("success", 0)
    assert "There are no rows, so nothing was sent" in capsys.readouterr().out


def test_a_dry_run_plans_and_writes_nothing(hubspot: Emulator, tmp_path: Path) -> None:
    """Rows are checked, the plan is in the log, HubSpot gets no request, and no report file is written."""
    ran = mark(messages=["m-1", "m-1"], status="READ", dry_run=True, report_file=f"{tmp_path}/left.jsonl")
    assert (ran.state(), ran.xcom()["skipped"], ran.xcom()["report_file"]) == ("success", 2, None)
    assert hubspot.ledger.entries == []
    assert not (tmp_path / "left.jsonl").exists()


def test_every_templated_field_is_rendered(hubspot: Emulator, tmp_path: Path) -> None:
    """Lists and dicts from the run's conf, text around macros, paths."""
    ran = mark(
        conf={"rows": [{"message_id": "m-1"}, {"message_id": "m-2"}], "channel": "100200", "folder": str(tmp_path)},
        messages="{{ dag_run.conf['rows'] }}",
        status="{{ 'FAILED' }}",
        error_message="gateway unavailable, run {{ run_id }}",
        channel_id="{{ dag_run.conf['channel'] }}",
        hubchan_conn_id="hubchan_{{ 'default' }}",
        report_file="{{ dag_run.conf['folder'] }}/left.jsonl",
    )
    assert ran.state() == "success"
    assert hubspot.world.counts() == {"SENT": 98, "FAILED": 2}
    error_message = hubspot.world.messages["100200", "m-1"].error_message
    assert error_message is not None
    assert error_message.startswith("gateway unavailable, run manual__")
    assert (tmp_path / "left.jsonl").read_text() == ""


def test_text_that_is_json_is_read(hubspot: Emulator) -> None:
    """Without native rendering ``| tojson`` brings a list, too."""
    with DAG("batch", schedule=None, params={"ids": Param(["m-1", "m-2"], type="array")}) as dag:
        UpdateMessageStatusOperator(task_id="mark", messages="{{ params.ids | tojson }}", status="READ")
    assert Ran(dag).state() == "success"
    assert hubspot.world.counts()["READ"] == 2


@pytest.mark.parametrize(
    ("body", "key"),
    [
        pytest.param('[{"message_id": "m-1", "status": "FAILED", "status": "SENT"}]', "status", id="a row"),
        pytest.param('{"m-1": "FAILED", "m-1": "SENT"}', "m-1", id="a mapping"),
    ],
)
def test_text_that_is_json_with_a_key_twice_is_refused(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], body: str, key: str
) -> None:
    """An HTTP body that a template renders: which of the statuses counts is not known, and a retry would not know either."""
    with DAG("batch", schedule=None, params={"body": Param(body, type="string")}) as dag:
        UpdateMessageStatusOperator(task_id="mark", messages="{{ params.body }}", retries=3)
    ran = Ran(dag)
    assert (ran.state(), ran.tries()) == ("failed", 1)
    assert f"messages is JSON text that has '{key}' twice in one object" in capsys.readouterr().out
    assert hubspot.ledger.entries == []


def test_another_tasks_output_is_the_input(hubspot: Emulator) -> None:
    """An XComArg of a TaskFlow task, as a mapping."""
    with DAG("batch", schedule=None) as dag:

        @task(multiple_outputs=False)  # without it, Airflow writes an XCom for each message
        def collect() -> dict[str, str]:
            return {"m-1": "READ", "m-2": "FAILED"}

        UpdateMessageStatusOperator(task_id="mark", messages=collect(), error_message="no answer")
    assert Ran(dag).state() == "success"
    assert hubspot.world.counts() == {"SENT": 98, "READ": 1, "FAILED": 1}


def test_batches_are_mapped(hubspot: Emulator) -> None:
    """``partial().expand()`` over shards: each has its own report."""
    with DAG("batch", schedule=None) as dag:

        @task
        def shards() -> list[list[str]]:
            return [["m-1", "m-2"], ["m-3"]]

        UpdateMessageStatusOperator.partial(task_id="mark", status="READ").expand(messages=shards())
    ran = Ran(dag)
    assert [ran.xcom(map_index=index)["updated"] for index in (0, 1)] == [2, 1]
    assert hubspot.world.counts()["READ"] == 3


def test_a_csv_file_is_marked(hubspot: Emulator, tmp_path: Path) -> None:
    """A file of rows, addressed by URI."""
    (tmp_path / "rows.csv").write_text("message_id,status,error_message\nm-1,READ,\nm-2,FAILED,30003: gone\n")
    assert mark(messages_file=f"file://{tmp_path}/rows.csv").state() == "success"
    assert hubspot.world.messages["100200", "m-2"].error_message == "30003: gone"


def test_a_kill_before_the_batch_begins_counts(hubspot: Emulator) -> None:
    """A task that is killed while its templates are rendered sends nothing."""
    operator = UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="READ")
    operator.on_kill()
    with pytest.raises(BatchIncomplete, match="1 unresolved"):
        operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]
    assert hubspot.ledger.entries == []


class Instance:
    """A task instance that keeps what is pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def test_on_kill_ends_the_batch(hubspot: Emulator) -> None:
    """A signal handler calls it while the batch runs: what is left is unresolved, and the report is pushed."""
    hubspot.fault(delay=0.2, times=1000)
    instance = Instance()
    operator = UpdateMessageStatusOperator(
        task_id="mark", messages=[f"m-{n}" for n in range(100)], status="READ", concurrency=2
    )

    def kill_once_it_runs() -> None:
        wait_until(lambda: len(hubspot.ledger.patches(status=200)) >= 2)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, lambda *_: operator.on_kill())
    try:
        threading.Thread(target=kill_once_it_runs).start()
        with pytest.raises(BatchIncomplete, match="stopped before there was an answer") as caught:
            operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    finally:
        signal.signal(signal.SIGALRM, before)
    report = caught.value.report
    assert report.updated + report.unresolved == 100
    assert 2 <= report.updated < 20
    assert instance.pushed["return_value"] == report.summary()


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


BAD_ROWS = [{"message_id": "m-1", "status": "READ"}, {"message_id": "m-2", "status": "gone", "to": "Ann"}, {"status": "READ"}]


def test_bad_rows_are_rejected_rows(hubspot: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Within max_rejected the others are sent; the log counts them by reason, the plan line and the report as rejected."""
    ran = mark(messages=BAD_ROWS, max_rejected=2, report_file=f"{tmp_path}/left.jsonl")
    assert (ran.state(), hubspot.world.counts()) == ("success", {"SENT": 99, "READ": 1})
    summary = ran.xcom()
    assert (summary["updated"], summary["rejected"], summary["requests"]) == (1, 2, 1)
    assert [(each["row"], each["message_id"], each["reason"]) for each in summary["problems"]] == [
        (2, "m-2", "status is 'gone', not one of SENT, FAILED, READ"),
        (3, "", "message_id is missing (the keys are 'status')"),
    ]
    assert [line.get("to") for line in rows_of(tmp_path / "left.jsonl")] == ["Ann", None]
    log = capsys.readouterr().out
    assert "3 rows: 1 to send, 0 skipped, 2 that cannot be sent." in log
    assert "Not updated: 1 rejected: unknown status 'gone'; 1 rejected: no message_id." in log


def test_bad_rows_and_refused_ones_count_together(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Two that cannot be sent are allowed, with one that HubSpot does not know there are three."""
    ran = mark(messages=[*BAD_ROWS, {"message_id": "nobody", "status": "READ"}], max_rejected=2)
    assert (ran.state(), hubspot.world.counts()["READ"]) == ("failed", 1)
    assert "max_rejected allows 2: fix the rows and send those again." in capsys.readouterr().out


@pytest.mark.parametrize("max_rejected", [0, 1, 0.6])
def test_too_many_bad_rows_stop_the_batch_before_it_begins(
    hubspot: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str], max_rejected: float
) -> None:
    """Nothing is sent, there is no retry, and every row is accounted for: in XCom, and in the report file to be fed back."""
    ran = mark(messages=BAD_ROWS, max_rejected=max_rejected, retries=3, report_file=f"{tmp_path}/left.jsonl")
    assert (ran.state(), ran.tries(), hubspot.ledger.patches()) == ("failed", 1, [])
    summary = ran.xcom()
    assert (summary["rows"], summary["rejected"], summary["unresolved"]) == (3, 2, 1)
    lines = rows_of(tmp_path / "left.jsonl")
    assert [(line["row"], line["outcome"]) for line in lines] == [(2, "rejected"), (3, "rejected"), (1, "unresolved")]
    log = capsys.readouterr().out
    assert (
        "2 of 3 rows cannot be sent (row 2: status is 'gone', not one of SENT, FAILED, READ; "
        "row 3: message_id is missing (the keys are 'status'))" in log
    )
    assert f"nothing was sent. All of them, with their reasons: {tmp_path}/left.jsonl." in log

    lines[0]["status"], lines[1]["message_id"] = "FAILED", "m-3"
    (tmp_path / "left.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert mark(messages_file=f"{tmp_path}/left.jsonl").state() == "success"
    assert hubspot.world.counts() == {"SENT": 97, "FAILED": 1, "READ": 2}


def test_rows_that_stopped_their_own_redrive_stay_where_they_are(
    hubspot: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report file is the source: a person fixes it and sends it again."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in BAD_ROWS))
    before = path.read_text()
    assert mark(messages_file=str(path), report_file=str(path)).state() == "failed"
    assert path.read_text() == before
    assert "Set report_file, another one than messages_file" in capsys.readouterr().out


def test_a_dry_run_names_bad_rows_too(hubspot: Emulator, tmp_path: Path) -> None:
    """It writes nothing."""
    ran = mark(messages=BAD_ROWS, dry_run=True, report_file=f"{tmp_path}/left.jsonl")
    assert (ran.state(), ran.xcom()["rejected"], list(tmp_path.iterdir())) == ("failed", 2, [])


def test_a_report_that_cannot_be_pushed_does_not_change_the_verdict(hubspot: Emulator) -> None:
    """An XCom backend that is away is no reason to try rejected rows again."""

    class TaskInstance:
        try_number = 1

        def xcom_push(self, **_: Any) -> None:
            raise RuntimeError("the database is away")

    operator = UpdateMessageStatusOperator(task_id="mark", messages=["nobody"], status="READ")
    with pytest.raises(AirflowFailException, match="max_rejected allows 0"):
        operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]


def test_a_dry_run_is_not_told_to_set_a_report_file(hubspot: Emulator) -> None:
    """It writes none, so the advice would lead nowhere."""
    operator = UpdateMessageStatusOperator(task_id="mark", messages=[""], status="READ", report_file="left.jsonl", dry_run=True)
    with pytest.raises(AirflowFailException, match="A dry run writes no report_file"):
        operator.execute({"ti": None})  # type: ignore[typeddict-item]


def mapped_batches(rows: list[list[str]], **arguments: Any) -> Ran:
    """A task for each list of rows."""
    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator.partial(task_id="mark", status="READ", **arguments).expand(messages=rows)
    return Ran(dag)


def test_mapped_instances_with_one_report_file_do_not_overwrite_each_other(
    hubspot: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second fails without a retry, before anything is sent, and names the template; with it each has its own."""
    path = f"{tmp_path}/left.jsonl"
    ran = mapped_batches([["m-0", "nobody-0"], ["m-1", "nobody-1"]], max_rejected=1, retries=2, report_file=path)
    states = [ran.state(map_index=index) for index in (0, 1)]
    assert sorted(states) == ["failed", "success"]
    first, second = states.index("success"), states.index("failed")  # they run in any order
    assert [json.loads(line)["message_id"] for line in Path(path).read_text().splitlines()] == [f"nobody-{first}"]
    assert hubspot.ledger.patches(f"m-{second}") == []
    log = capsys.readouterr().out
    assert f"holds what task 'mark', map index {first}, of this run wrote, so nothing was sent." in log
    assert "put {{ ti.map_index }}, {{ ti.task_id }} or {{ run_id }} into the name of report_file." in log
    assert "UP_FOR_RETRY" not in log
    own = f"{tmp_path}/left-{{{{ ti.map_index }}}}.jsonl"
    ran = mapped_batches([["m-1", "nobody-0"], ["m-2", "nobody-1"]], max_rejected=1, report_file=own)
    assert [ran.state(map_index=index) for index in (0, 1)] == ["success", "success"]


class MappedInstance:
    """A mapped task instance outside a run."""

    try_number, max_tries = 1, 2
    dag_id, run_id, task_id = "batch", "run-1", "mark"

    def __init__(self, map_index: int) -> None:
        self.map_index, self.pushed = map_index, dict[str, Any]()

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def test_a_sibling_that_writes_meanwhile_turns_the_task_red(hubspot: Emulator, tmp_path: Path) -> None:
    """Also if rows are unresolved there is no retry: it would be refused. The sibling's lines stay, those of this task are in a
    file beside, and the report in XCom and the error name it.
    """
    path, instance = tmp_path / "left.jsonl", MappedInstance(1)
    hubspot.fault(message_id="m-1", delay=30.0)
    operator = UpdateMessageStatusOperator(
        task_id="mark", messages=["", "m-1"], status="READ", max_rejected=1, report_file=str(path)
    )

    def write_once_it_sends() -> None:
        wait_until(lambda: len(hubspot.ledger.patches()) > 0)
        with ReportFile(str(path), ti=MappedInstance(0)) as file:
            file.begin()
            file.write(Outcome(Update(1, "theirs", MessageStatus.READ), "rejected", Problem("no", "no")), 1)
        operator.on_kill()

    sibling = threading.Thread(target=write_once_it_sends)
    sibling.start()
    with pytest.raises(AirflowFailException) as caught:
        operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    sibling.join()
    report = instance.pushed["return_value"]
    assert [json.loads(line)["message_id"] for line in path.read_text().splitlines()] == ["theirs"]
    own = [json.loads(line) for line in Path(report["report_file"]).read_text().splitlines()]
    assert [(line["message_id"], line["outcome"]) for line in own] == [("", "rejected"), ("m-1", "unresolved")]
    assert str(caught.value).startswith("2 rows: 0 updated, 0 skipped, 1 rejected, 1 unresolved.")
    assert f"The lines of this task are in {report['report_file']!r}." in str(caught.value)
