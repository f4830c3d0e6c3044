"""Data is never rendered, on any way that Airflow maps; what a DAG file wrote is, on each of them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from airflow.sdk import DAG, task, task_group

from airflow_provider_hubchan.decorators import hubchan_status
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor
from airflow_provider_hubchan.validation import WrongArguments
from tests.airflow.dag_runs import Ran, mark

pytestmark = pytest.mark.usefixtures("airflow_database")

#: What a gateway sends to get the client secret into the inbox.
ATTACK = "{{ conn.hubchan_default.password }}"
#: What a DAG file may say, and what it becomes.
TEMPLATE, RENDERED = "{{ dag.dag_id }}: {{ 6 * 7 }}", "batch: 42"


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(60))
    return hubspot_emulator


def row(message_id: str, error_message: str = ATTACK) -> dict[str, str]:
    return {"message_id": message_id, "status": "FAILED", "error_message": error_message}


@task
def give(value: str) -> Any:
    """A task whose output is written as Python, so that nothing of it is in the DAG file as a template."""
    return eval(value, {"row": row, "ATTACK": ATTACK})


def reasons(hubspot: Emulator) -> dict[str, str]:
    """The error message of each message that was updated."""
    entries = [entry for entry in hubspot.ledger.patches() if entry.status == 200]
    return {entry.path.rsplit("/", 1)[1]: entry.body["errorMessage"] for entry in entries}


def operators() -> Iterator[str]:
    """Rows from another task, one way of giving them after the other; the ids of the messages."""
    operator = UpdateMessageStatusOperator
    operator(task_id="output", messages=give("[row('m-1')]"))
    operator(task_id="list", messages=[give("row('m-2')"), give("row('m-3')")])
    operator(task_id="map", messages=give("['m-4']").map(row))
    batches = give("[[row('m-5')], [row('m-6')]]")
    operator.partial(task_id="expand").expand(messages=batches)
    operator.partial(task_id="expand_map").expand(messages=give("['m-7']").map(lambda message_id: [row(message_id)]))
    operator.partial(task_id="expand_zip").expand(messages=give("[row('m-8')]").zip(give("[row('m-9')]")))
    operator.partial(task_id="expand_outputs").expand(messages=[give("[row('m-10')]"), give("[row('m-11')]")])
    kwargs = "{'messages': [row('%s'), {'message_id': '%s', 'status': 'FAILED'}], 'error_message': ATTACK}"
    operator.partial(task_id="expand_kwargs").expand_kwargs(give(f"[{kwargs % ('m-12', 'm-13')}]"))
    operator.partial(task_id="expand_kwargs_map").expand_kwargs(
        give("['m-14']").map(lambda message_id: {"messages": [row(message_id)]})
    )
    operator.partial(task_id="expand_kwargs_outputs").expand_kwargs([give(kwargs % ("m-15", "m-16"))])
    rows = give("[row('m-17')]")
    rows >> operator.partial(task_id="expand_kwargs_dicts").expand_kwargs([{"messages": rows}])
    operator.partial(task_id="partial", messages=give("[row('m-18')]")).expand(max_rejected=[0])
    operator.partial(task_id="partial_kwargs", messages=give("[row('m-19')]")).expand_kwargs(give("[{'max_rejected': 0}]"))
    operator.partial(task_id="overridden", messages=[row("m-0", TEMPLATE)]).expand_kwargs(
        give("[{'messages': [row('m-20')]}]"), strict=False
    )

    @task_group
    def group(one: Any) -> None:
        operator(task_id="mark", messages=[one])

    group.override(group_id="group_expand").expand(one=give("[row('m-21')]"))

    @task_group
    def group_of_kwargs(rows: Any, reason: Any) -> None:
        operator(task_id="mark", messages=rows, status="FAILED", error_message=reason)

    group_of_kwargs.override(group_id="group_kwargs").expand_kwargs(give("[{'rows': [row('m-22'), 'm-23'], 'reason': ATTACK}]"))
    yield from (f"m-{number}" for number in range(1, 24))


def decorated() -> Iterator[str]:
    """The same for the arguments of a decorated function."""

    def rows(given: Any) -> Any:
        return given

    def mark_as(task_id: str, **arguments: Any) -> Any:
        return hubchan_status(task_id=task_id, **arguments)(rows)

    mark_as("argument")(give("[row('m-31')]"))
    mark_as("op_kwargs", op_kwargs={}).partial().expand(given=give("[[row('m-32')]]"))
    mark_as("expand_map").expand(given=give("['m-33']").map(lambda message_id: [row(message_id)]))
    mark_as("expand_outputs").expand(given=[give("[row('m-34')]")])
    mark_as("expand_kwargs").expand_kwargs(give("[{'given': [row('m-35')]}]"))
    mark_as("expand_kwargs_text").expand_kwargs(
        give("['m-36']").map(lambda message_id: {"given": [{**row(message_id), "error_message": ATTACK}]})
    )
    mark_as("expand_kwargs_outputs").expand_kwargs([give("{'given': [row('m-37')]}")])
    output = give("[row('m-38')]")
    output >> mark_as("expand_kwargs_dicts").expand_kwargs([{"given": output}])

    @hubchan_status(task_id="partial")
    def with_more(given: Any, more: Any) -> Any:
        return [*given, *more]

    with_more.partial(given=give("[row('m-39')]")).expand(more=give("[[row('m-40')]]"))

    @task_group
    def group(rows: Any) -> None:
        mark_as("mark")(rows)

    group.override(group_id="group_expand").expand(rows=give("[[row('m-41')]]"))
    group.override(group_id="group_kwargs").expand_kwargs(give("[{'rows': [row('m-42')]}]"))
    yield from (f"m-{number}" for number in range(31, 43))


@pytest.mark.slow
@pytest.mark.parametrize("ways", [operators, decorated])
def test_what_came_from_another_task_is_not_rendered(hubspot: Emulator, ways: Any) -> None:
    """However it was mapped: what HubSpot gets is the text, and never the secret that it asks for."""
    with DAG("batch", schedule=None) as dag:
        expected = list(ways())
    assert Ran(dag).run_state() == "success"
    assert reasons(hubspot) == dict.fromkeys(expected, ATTACK)


@pytest.mark.slow
def test_what_a_dag_file_wrote_is_rendered(hubspot: Emulator) -> None:
    """However it was mapped: as a text, in a list or a dict, in partial arguments and in defaults."""
    operator = UpdateMessageStatusOperator
    written = row("m-1", TEMPLATE)
    text = '[{"message_id": "%s", "status": "FAILED", "error_message": "{{ dag.dag_id }}: {{ 6 * 7 }}"}]'
    with DAG("batch", schedule=None, default_args={"error_message": TEMPLATE}) as dag:
        operator(task_id="list", messages=[written])
        operator(task_id="text", messages=text % "m-2")
        operator.partial(task_id="expand").expand(messages=[[row("m-3", TEMPLATE)], text % "m-4"])
        operator.partial(task_id="partial", messages=[row("m-5", TEMPLATE)]).expand(status=["SENT"])
        operator.partial(task_id="partial_text", messages=text % "m-6").expand_kwargs(give("[{'status': 'SENT'}]"))
        operator.partial(task_id="kwargs").expand_kwargs([{"messages": [row("m-7", TEMPLATE)]}, {"messages": text % "m-8"}])
        operator.partial(task_id="default").expand_kwargs(give("[{'messages': ['m-9'], 'status': 'FAILED'}]"))
        operator.partial(task_id="mixed", error_message=TEMPLATE).expand_kwargs(
            [give("{'messages': ['m-10'], 'status': 'FAILED'}")]
        )

        @hubchan_status
        def listed(written: Any, data: Any = ()) -> Any:
            return [written, *data]

        listed.override(task_id="argument")(row("m-11", TEMPLATE))
        listed.override(task_id="fn_expand").expand(written=[row("m-12", TEMPLATE)])
        listed.override(task_id="fn_partial").partial(written=row("m-13", TEMPLATE)).expand(data=give("[[row('m-14')]]"))
        listed.override(task_id="fn_kwargs").expand_kwargs([{"written": row("m-15", TEMPLATE)}])
        listed.override(task_id="fn_partial_kwargs").partial(written=row("m-16", TEMPLATE)).expand_kwargs(
            give("[{'data': [row('m-17')]}]")
        )
        listed.override(task_id="fn_argument_of_task", status="FAILED", error_message=TEMPLATE).expand(written=["m-18"])
        listed.override(task_id="fn_default", status="FAILED").expand(written=["m-19"])
    assert Ran(dag).run_state() == "success"
    data = dict.fromkeys(("m-14", "m-17"), ATTACK)
    assert reasons(hubspot) == {**{f"m-{number}": RENDERED for number in range(1, 20)}, **data}


@pytest.mark.slow
def test_the_ids_that_a_sensor_waits_for_are_not_rendered(hubspot: Emulator) -> None:
    """An id is data, too: the URL that is asked for has its text."""
    with DAG("batch", schedule=None) as dag:
        MessageStatusSensor.partial(task_id="output", timeout=60).expand_kwargs(give("[{'message_ids': [ATTACK]}]"))
        MessageStatusSensor.partial(task_id="listed", timeout=60).expand_kwargs([give("{'message_ids': [ATTACK]}")])
        MessageStatusSensor.partial(task_id="expand", timeout=60).expand(message_ids=give("[[ATTACK]]"))
        MessageStatusSensor(task_id="plain", message_ids=["m-{{ 6 * 7 }}"], timeout=60)
    assert Ran(dag).state("plain") == "success"
    paths = [entry.path for entry in hubspot.ledger.entries if entry.method == "GET"]
    assert {path.rsplit("/", 1)[1] for path in paths if "/messages/" in path} == {"m-42", quote(ATTACK)}


@pytest.mark.slow
def test_rows_are_not_rendered_after_a_wait_outside_the_slot(hubspot: Emulator) -> None:
    """The task that goes on is another process, which renders its arguments anew."""
    hubspot.fault(message_id="m-2", status=503, headers={"Retry-After": "1"})
    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator.partial(
            task_id="mark", deferrable=True, defer_after=0.0, concurrency=1, retries=1, retry_delay=0
        ).expand_kwargs(give("[{'messages': [row('m-1'), row('m-2')]}]"))
    assert Ran(dag).run_state() == "success"
    assert reasons(hubspot) == {"m-1": ATTACK, "m-2": ATTACK}


NOTHING = "{{ params.get('nothing') }}"


@pytest.mark.slow
@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
def test_no_row_has_the_word_none(hubspot: Emulator, native: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever in the rows a template renders to None: it is an absent value, or a row that cannot be sent."""
    operator = UpdateMessageStatusOperator
    with DAG("batch", schedule=None, render_template_as_native_obj=native) as dag:
        operator(task_id="rows", messages=[row("m-1", NOTHING)])
        operator.partial(task_id="mapped").expand_kwargs([{"messages": [row("m-2", NOTHING)]}])
        operator(task_id="ids", messages=[NOTHING, "m-3"], status="READ", retries=2)
        MessageStatusSensor(task_id="sensor", message_ids=[NOTHING, "m-4"], timeout=30, retries=2)

        @hubchan_status
        def function(rows: Any) -> Any:
            return rows

        function([row("m-5", NOTHING)])
        operator(task_id="data", messages=give("[row('m-6', 'None')]"))
    ran = Ran(dag)
    states = [ran.state(name) for name in ("rows", "ids", "sensor", "function", "data")]
    assert states == ["success", "failed", "failed", "success", "success"]
    assert [ran.tries(name) for name in ("ids", "sensor")] == [1, 1]
    bodies = {entry.path.rsplit("/", 1)[1]: entry.body for entry in hubspot.ledger.patches()}
    absent = {"statusType": "FAILED"}
    assert bodies == {**dict.fromkeys(("m-1", "m-2", "m-5"), absent), "m-6": {**absent, "errorMessage": "None"}}
    assert "message_ids holds 1 that are no ids: None" in capsys.readouterr().out


@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
@pytest.mark.parametrize("name", ["messages", "messages_file", "status", "error_message", "channel_id", "hubchan_conn_id"])
def test_a_template_with_a_name_that_is_not_defined_is_named(hubspot: Emulator, name: str, native: bool) -> None:
    """The template, and not the value of it, which is none; with all other faults, in lists and dicts, too."""
    rows: dict[str, Any] = {} if name.startswith("messages") else {"messages": ["m-1"]}
    with DAG("batch", schedule=None, render_template_as_native_obj=native):
        given = [{"message_id": "{{ nope }}"}] if name == "messages" else "{{ nope }}"
        arguments = {**rows, "report_file": NOTHING, name: given}
        operator = UpdateMessageStatusOperator(task_id="mark", **arguments)
        sensor = MessageStatusSensor(task_id="wait", message_ids="{{ nope.nope }}")
    operator.render_template_fields({"params": {}})
    why = "has no value: its template uses a name that is not defined ('nope' is undefined)"
    assert set(operator.argument_faults()) == {f"{name} {why}", "report_file is None: its template rendered to None"}
    sensor.render_template_fields({"params": {}})
    assert sensor.argument_faults() == [f"message_ids {why}"]


NOT_WANTED: dict[str, dict[str, Any]] = {
    "messages": {},
    "messages_file": {},
    "status": {"messages": ["m-1"]},
    "delivery_task_id": {"messages": ["m-1"]},
    "channel_id": {"messages": ["m-1"]},
    "hubchan_conn_id": {"messages": ["m-1"]},
    "report_file": {"messages": ["m-1"]},
}


def operator_of(name: str, native: bool) -> tuple[DAG, UpdateMessageStatusOperator]:
    with DAG("batch", schedule=None, render_template_as_native_obj=native) as dag:
        arguments = {**NOT_WANTED[name], name: "{{ params.get('nothing') }}"}
        operator = UpdateMessageStatusOperator(task_id="mark", **arguments)
    return dag, operator


@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
@pytest.mark.parametrize("name", NOT_WANTED)
def test_a_template_that_rendered_to_none_is_named(hubspot: Emulator, name: str, native: bool) -> None:
    """Whether the DAG renders native objects or text: it is not taken for "not given", nor for the word None."""
    _, operator = operator_of(name, native)
    operator.render_template_fields({"params": {}})
    faults = operator.argument_faults()
    assert faults == [f"{name} is None: its template rendered to None"]


@pytest.mark.slow
@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
def test_no_agent_reads_the_word_none(hubspot: Emulator, native: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """An error message that rendered to None is none; a report file of that name is not written, and the task fails at once."""

    @task
    def give_nothing() -> None:
        return None

    missing: Any = give_nothing
    with DAG("batch", schedule=None, render_template_as_native_obj=native) as dag:
        nothing = "{{ params.get('nothing') }}"
        UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="FAILED", error_message=nothing)
        UpdateMessageStatusOperator(task_id="report", messages=["m-2"], status="READ", report_file=nothing, retries=2)
        UpdateMessageStatusOperator(task_id="output", messages=["m-3"], status="READ", channel_id=missing(), retries=2)
    ran = Ran(dag)
    assert (ran.state(), ran.state("report"), ran.tries("report")) == ("success", "failed", 1)
    assert [entry.body for entry in hubspot.ledger.patches()] == [{"statusType": "FAILED"}]
    assert (ran.state("output"), ran.tries("output")) == ("failed", 1)
    assert "channel_id is None: the task whose output it is returned None" in capsys.readouterr().out


def test_what_was_not_given_is_not_missed(hubspot: Emulator) -> None:
    """None that the author wrote means what it always meant, and so does a blank channel."""
    given: dict[str, Any] = {
        "messages": ["m-1"],
        "status": "READ",
        "channel_id": None,
        "report_file": None,
        "hubchan_conn_id": None,
    }
    assert mark(**given).state() == "success"
    assert mark(**{**given, "channel_id": "{{ '' }}", "error_message": None}).state() == "success"
    assert len(hubspot.ledger.patches()) == 2


@pytest.mark.slow
def test_a_fault_of_a_mapped_task_is_no_reason_to_try_again(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """It is found when Airflow makes the task from its mapped arguments: before rows are sent, and without a retry."""
    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator.partial(task_id="mark", messages=["m-1"], retries=3, retry_delay=0).expand(
            status=["READ", "delivered"]
        )
    ran = Ran(dag)
    assert [ran.state(map_index=index) for index in (0, 1)] == ["success", "failed"]
    log = capsys.readouterr().out
    assert "status is 'delivered', not one of SENT, FAILED, READ; for a gateway's words use statuses=" in log
    assert log.count("Task failed with exception") == 1
    assert len(hubspot.ledger.patches()) == 1


WRONG_IN_PARTIAL: dict[str, Any] = {"dry_run": "False", "max_rejected": "1", "status": "sent", "report_file": 3}


def test_wrong_arguments_of_a_mapped_task_fail_the_import() -> None:
    """Those of ``partial``, all at once; what is still to be mapped is not missed."""
    named = r"task 'mark': (?=.*dry_run is 'False')(?=.*max_rejected is '1')(?=.*status is 'sent')(?=.*report_file is 3)"
    with DAG("batch", schedule=None):
        with pytest.raises(WrongArguments, match=named):
            UpdateMessageStatusOperator.partial(task_id="mark", **WRONG_IN_PARTIAL)
        with pytest.raises(WrongArguments, match=named):
            hubchan_status(task_id="mark", **WRONG_IN_PARTIAL)
        with pytest.raises(WrongArguments, match=named.replace("task 'mark'", "@task.hubchan_status")):
            hubchan_status(**WRONG_IN_PARTIAL)
        with pytest.raises(WrongArguments, match=r"task 'mark': messages is given: .*; messages_file is given: the rows are"):
            hubchan_status(task_id="mark", messages=["m-1"], messages_file="rows.csv")

        with pytest.raises(WrongArguments, match=r"task 'wait': share is 2: .*; not_found_grace is 'long'"):
            MessageStatusSensor.partial(task_id="wait", share=2, not_found_grace="long")
        with pytest.raises(WrongArguments, match="messages and messages_file are both given"):
            UpdateMessageStatusOperator.partial(task_id="both", messages=["m-1"], messages_file="rows.csv")
        right: dict[str, Any] = {"status": "{{ params.s }}", "report_file": give("'x'"), "messages_file": None}
        mapped = UpdateMessageStatusOperator.partial(task_id="right", **right).expand(messages=[["m-1"]])
        assert mapped.is_mapped
        single = UpdateMessageStatusOperator(task_id="single", messages=["m-1"])
        with pytest.raises(TypeError, match="partial can only be called on Operator classes"):
            single.partial(task_id="again")


def test_a_dag_has_markers_of_its_own() -> None:
    """What has no DAG when it is made, as a notifier, may have a template with others; what cannot be a template is checked."""
    markers = {"variable_start_string": "[[", "variable_end_string": "]]"}
    templates: dict[str, Any] = {"messages": "[[ params.rows | tojson ]]", "channel_id": "[[ params.channel ]]"}
    operator = UpdateMessageStatusOperator(task_id="mark", status="[[ params.status ]]", **templates)
    with DAG("batch", schedule=None, jinja_environment_kwargs=markers, render_template_as_native_obj=True) as dag:
        MessageStatusNotifier(**templates)
        UpdateMessageStatusOperator.partial(task_id="mapped", status="[[ params.status ]]").expand(messages=[["m-1"]])
    dag.add_task(operator)
    operator.render_template_fields({"params": {"rows": ["m-1"], "channel": 100200, "status": "READ"}})
    assert operator.argument_faults() == []
    for channel_id in ("abc", "my channel"):
        with pytest.raises(WrongArguments, match=f"channel_id is '{channel_id}'"):
            MessageStatusNotifier(messages=["m-1"], channel_id=channel_id)
    with pytest.raises(WrongArguments, match="status is 'sent'"):
        UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="sent")


class Status(str, enum.Enum):
    """As SDKs of gateways have them."""

    SENT = "SENT"
    DELIVERED = "delivered"


@pytest.mark.slow
def test_a_member_of_an_enumeration_is_its_value(hubspot: Emulator) -> None:
    """As an argument, in a row, and as what a gateway's word leads to."""
    operator = UpdateMessageStatusOperator
    with DAG("batch", schedule=None) as dag:
        operator(task_id="argument", messages=["m-1"], status=Status.SENT)
        operator(task_id="row", messages=[{"message_id": "m-2", "status": Status.SENT}])
        words: Any = {"statuses": {"seen": Status.SENT}}
        operator(task_id="word", messages=[{"message_id": "m-3", "status": "Seen"}], **words)
        operator.partial(task_id="mapped", status=Status.SENT).expand(messages=[["m-4"]])
    assert Ran(dag).run_state() == "success"
    assert [entry.body for entry in hubspot.ledger.patches()] == [{"statusType": "SENT"}] * 4
    rows = ["m-5", {"message_id": "m-6", "status": "SEEN"}]
    report = HubchanHook().update_message_statuses(rows, status=Status.SENT, **words)
    assert report.updated == 2
    with pytest.raises(WrongArguments, match=r"statuses has .*'delivered'.* with several meanings"):
        operator(task_id="twice", messages=["m-1"], statuses={Status.DELIVERED: "SENT", "Delivered": "READ"})
