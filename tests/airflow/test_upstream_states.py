"""Statuses from delivery tasks: in real DAG runs against the local HubSpot, and by themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, TaskInstanceState, TriggerRule, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from airflow_provider_hubchan.batch.row_reader import read_rows
from airflow_provider_hubchan.batch.rows import Resolved, numbered
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.error_texts import count_of
from airflow_provider_hubchan.client.errors import BadInput, BadRow, Problem
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Outcome, Update
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.upstream_states import DOES_NOT_RUN, DeliveryStates, fetch_states, statuses_from_task
from tests.airflow.dag_runs import Ran
from tests.examples import load
from tests.paths import DOCS, EXAMPLES

airflow_runs = pytest.mark.usefixtures("airflow_database")
PAGE = (DOCS / "delivery.md").read_text(encoding="utf-8")


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(10))
    return hubspot_emulator


def end_as(what: str, ti: Any) -> None:
    """Deliver: words that begin with ``ok``, ``fail`` or ``skip``; what follows a colon is pushed."""
    end, _, text = what.partition(":")
    if text:
        ti.xcom_push(key="error_message", value=text)
    if end == "fail":
        raise AirflowException("the gateway is away")
    if end == "skip":
        raise AirflowSkipException


@task(task_id="deliver")
def deliver(what: str, ti: Any = None) -> None:
    end_as(what, ti)


def marker(**arguments: Any) -> UpdateMessageStatusOperator:
    return UpdateMessageStatusOperator(
        **{"task_id": "mark", "delivery_task_id": "deliver", "trigger_rule": "all_done"} | arguments
    )


def mapped(ends: list[str], **arguments: Any) -> Ran:
    """Run a DAG whose delivery is mapped, message *m-i* at map index *i*."""
    with DAG("batch", schedule=None) as dag:
        deliver.expand(what=ends) >> marker(**{"messages": [f"m-{number}" for number in range(len(ends))]} | arguments)
    return Ran(dag)


def single(what: str, **arguments: Any) -> Ran:
    with DAG("batch", schedule=None) as dag:
        deliver(what) >> marker(**{"messages": ["m-0", "m-1"]} | arguments)
    return Ran(dag)


def sent(hubspot: Emulator, name: str | int) -> str | None:
    """The one update of a message that HubSpot accepted: why it failed, or its status; None if there was none."""
    patches = hubspot.ledger.patches(f"m-{name}" if isinstance(name, int) else name, status=200)
    assert len(patches) < 2
    return next((each.body.get("errorMessage") or each.body["statusType"] for each in patches), None)


@airflow_runs
def test_each_message_takes_the_end_of_its_instance(hubspot: Emulator, tmp_path: Path) -> None:
    """Success is SENT, failed is FAILED and why, skipped is left alone and accounted for; the task is green."""
    left = tmp_path / "left.jsonl"
    ran = mapped(["ok", "fail:30003: gone", "fail", "skip"], report_file=str(left))
    assert ran.state() == "success"
    report = ran.xcom()
    assert [report[key] for key in ("rows", "updated", "skipped", "rejected", "unresolved")] == [4, 3, 1, 0, 0]
    assert [sent(hubspot, number) for number in (0, 1, 3)] == ["SENT", "30003: gone", None]
    assert re.fullmatch(r"delivery task deliver, map index 2, ended as failed in run \S+", sent(hubspot, 2) or "")
    (line,) = map(json.loads, left.read_text().splitlines())
    assert (line["message_id"], line["outcome"], line["reason"]) == ("m-3", "skipped", "the delivery task was skipped")


@airflow_runs
@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("ok", ["SENT", "SENT"]),
        ("ok:not so bad", ["SENT", "SENT"]),
        ("fail:30008: unknown", ["30008: unknown", "30008: unknown"]),
        ("fail", [None, None]),
    ],
)
def test_messages_of_one_delivery_share_its_end(hubspot: Emulator, what: str, seen: list[str | None]) -> None:
    """A task that is not mapped delivers all of them, or none."""
    ran = single(what, error_message="{task_id} {map_index} {state} {{ dag.dag_id }} {else}")
    assert (ran.state(), ran.xcom()["updated"]) == ("success", 2)
    assert [sent(hubspot, number) for number in (0, 1)] == [each or "deliver -1 failed batch {else}" for each in seen]


@airflow_runs
def test_a_delivery_that_was_skipped_leaves_all_alone(hubspot: Emulator) -> None:
    """Nothing is sent, and the report says so."""
    ran = single("skip")
    assert (ran.state(), ran.xcom()["skipped"]) == ("success", 2)
    assert hubspot.ledger.patches() == []


@pytest.mark.slow
@airflow_runs
def test_messages_are_told_apart_whoever_pushed(hubspot: Emulator) -> None:
    """As many values as failures, but not theirs: a success has pushed one, a failure has not."""
    ran = mapped(["ok:a warning", "fail", "fail:mine", "fail: "], error_message="index {map_index} of {{ dag.dag_id }}")
    assert ran.state() == "success"
    assert [sent(hubspot, number) for number in range(4)] == ["SENT", "index 1 of batch", "mine", "index 3 of batch"]


@pytest.mark.slow
@airflow_runs
def test_when_everybody_has_pushed_each_gets_its_own(hubspot: Emulator) -> None:
    """All values come in one round trip, in the order of the map indexes."""
    mapped(["fail:zero", "ok:one", "fail:two", *(f"fail:{number}" for number in range(3, 10))])
    assert [sent(hubspot, number) for number in range(10)] == ["zero", "SENT", "two", *map(str, range(3, 10))]


@airflow_runs
def test_what_an_earlier_try_pushed_is_gone(hubspot: Emulator) -> None:
    """The last try counts, and what it says."""

    @task(task_id="deliver", retries=1, retry_delay=timedelta(0))
    def tries(index: int, ti: Any = None) -> None:
        if ti.try_number == 1:
            ti.xcom_push(key="error_message", value="of the first try")
        if ti.try_number == 1 or index == 1:
            raise AirflowException("the gateway is away")

    with DAG("batch", schedule=None) as dag:
        tries.expand(index=[0, 1]) >> marker(messages=["m-0", "m-1"], error_message="of the last try")
    assert Ran(dag).state() == "success"
    assert [sent(hubspot, number) for number in (0, 1)] == ["SENT", "of the last try"]


@airflow_runs
@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_number_of_messages_is_an_error(hubspot: Emulator, capsys: pytest.CaptureFixture[str], count: int) -> None:
    """It says both numbers, and nothing is sent."""
    assert mapped(["ok"] * 3, messages=[f"m-{number}" for number in range(count)], retries=1).state() == "failed"
    assert (
        f"{count_of(count, 'message')} and 3 mapped instances of deliver do not match, so nothing was sent."
        in capsys.readouterr().out
    )
    assert hubspot.ledger.entries == []


@pytest.mark.slow
@airflow_runs
def test_a_task_in_a_group_has_the_groups_name(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Who leaves it out finds the whole name in the error."""
    for name, state in (("gateway.deliver", "success"), ("deliver", "failed")):
        with DAG("batch", schedule=None) as dag:
            with TaskGroup("gateway") as gateway:
                deliver.expand(what=["ok", "fail:gone"])
            gateway >> marker(messages=["m-0", "m-1"], delivery_task_id=name)
        assert Ran(dag).state() == state
    assert sent(hubspot, 1) == "gone"
    assert "delivery_task_id is 'deliver', no task of this DAG: it has gateway.deliver." in capsys.readouterr().out


@pytest.mark.slow
@airflow_runs
def test_in_a_mapped_group_the_neighbour_counts(hubspot: Emulator) -> None:
    """Both tasks in one mapped group: each mark looks at the delivery of its own map index, which has a batch."""
    with DAG("batch", schedule=None) as dag:

        @task_group
        def batch(ids_and_end: Any) -> None:
            @task
            def ids(pair: Any) -> Any:
                return pair["ids"]

            @task(task_id="deliver")
            def deliver_batch(pair: Any, ti: Any = None) -> None:
                end_as(pair["end"], ti)

            deliver_batch(ids_and_end) >> marker(messages=ids(ids_and_end), delivery_task_id="batch.deliver")

        pairs = [("ok:well", ["m-0", "m-1"]), ("fail:gone", ["m-2", "m-3", "m-4"]), ("fail", ["m-5"])]
        batch.expand(ids_and_end=[{"end": what, "ids": ids} for what, ids in pairs])
    ran = Ran(dag)
    assert [ran.xcom("batch.mark", index)["updated"] for index in (0, 1, 2)] == [2, 3, 1]
    assert [sent(hubspot, number) for number in range(5)] == ["SENT", "SENT", "gone", "gone", "gone"]
    assert "batch.deliver, map index 2, ended as failed" in (sent(hubspot, 5) or "")


@pytest.mark.slow
@airflow_runs
def test_a_thousand_instances_and_more(hubspot: Emulator) -> None:
    """1,200 of them; they end without running, because a task before them fails."""
    ids = [f"n-{number}" for number in range(1200)]
    hubspot.world.seed(ids)
    with DAG("batch", schedule=None) as dag:

        @task
        def connect() -> None:
            raise AirflowException("the gateway is away")

        connect() >> deliver.expand(what=["ok"] * len(ids)) >> marker(messages=ids)
    ran = Ran(dag)
    assert (ran.state(), ran.xcom()["updated"]) == ("success", 1200)
    assert all(f"map index {name[2:]}, ended as upstream_failed" in (sent(hubspot, name) or "") for name in ids)


@airflow_runs
def test_a_delivery_that_has_not_ended_is_unresolved(
    hubspot: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its rows turn the task red with a retry that can help; a mark before its delivery looks at nothing, and says so."""
    left = tmp_path / "left.jsonl"
    with DAG("batch", schedule=None) as dag:
        marker(messages=["m-0", "m-1"], report_file=str(left)) >> deliver.expand(what=["ok", "ok"])
    ran = Ran(dag)
    assert (ran.state(), ran.xcom()["unresolved"]) == ("failed", 2)
    lines = [json.loads(line) for line in left.read_text().splitlines()]
    assert all(line["reason"].startswith("the delivery has not ended (state none)") for line in lines)
    assert "deliver is not upstream of this task, so it may not have ended yet" in capsys.readouterr().out
    assert hubspot.ledger.patches() == []


@airflow_runs
def test_a_retry_looks_again(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Here the task waits for itself, which runs in the first try and in the second."""
    with DAG("batch", schedule=None) as dag:
        marker(messages=["m-0"], delivery_task_id="mark", retries=1, retry_delay=timedelta(0))
    ran = Ran(dag)
    assert (ran.state(), capsys.readouterr().out.count("1 unresolved; 0 requests")) == ("failed", 2)
    assert ran.xcom()["problems"][0]["reason"].startswith("the delivery has not ended (state running)")


@pytest.mark.slow
@airflow_runs
def test_what_a_mapped_task_returned_is_in_order(hubspot: Emulator) -> None:
    """The ids may come from the instances of another mapped task."""
    with DAG("batch", schedule=None) as dag:

        @task
        def store(number: int) -> str:
            return f"m-{number}"

        ids = store.expand(number=[2, 0, 1])
        deliver.expand(what=["ok", "fail:zero", "fail:one"]) >> marker(messages=ids)
    assert Ran(dag).state() == "success"
    assert [sent(hubspot, number) for number in range(3)] == ["zero", "one", "SENT"]


def lists_marked(lists: list[list[int] | None], ends: list[str]) -> Ran:
    """Run a DAG in which instance *i* of a mapped task lists the messages that instance *i* of the delivery takes."""
    with DAG("batch", schedule=None) as dag:

        @task
        def store(numbers: list[int] | None) -> list[str] | None:
            return None if numbers is None else [f"m-{number}" for number in numbers]

        ids = store.expand(numbers=lists)
        deliver.expand(what=ends) >> marker(messages=ids)
    return Ran(dag)


@pytest.mark.slow
@airflow_runs
def test_a_list_of_a_mapped_task_shares_the_end_of_one_instance(hubspot: Emulator) -> None:
    """Of the same map index; its rows are counted on through the lists, and an empty one shifts nothing."""
    ran = lists_marked([[4, 5], [], [2], [0, 1, 9, 77]], ["skip", "fail:nobody's", "fail:gone", "ok"])
    assert [sent(hubspot, number) for number in (4, 5, 2, 0, 1, 9)] == [None, None, "gone", "SENT", "SENT", "SENT"]
    report = ran.xcom()
    assert (report["rows"], report["updated"], report["skipped"], report["rejected"]) == (7, 4, 2, 1)
    assert (report["problems"][0]["row"], report["problems"][0]["message_id"]) == (7, "m-77")


@pytest.mark.slow
@airflow_runs
def test_a_delivery_that_is_mapped_over_the_lists_has_none_for_a_missing_one(hubspot: Emulator) -> None:
    """As the page of deliveries has it: Airflow maps over the values that there are, so nothing shifts."""
    with DAG("batch", schedule=None) as dag:

        @task
        def list_batch(number: int) -> list[str] | None:
            return [f"m-{number}", f"m-{number + 5}"] if number != 1 else None

        @task(task_id="deliver")
        def deliver_all(message_ids: list[str]) -> None:
            end_as("fail:gone" if "m-2" in message_ids else "ok", get_current_context()["ti"])

        batches = list_batch.expand(number=[0, 1, 2])
        deliver_all.expand(message_ids=batches) >> marker(messages=batches)
    assert Ran(dag).state() == "success"
    assert [sent(hubspot, number) for number in (0, 5, 1, 6, 2, 7)] == ["SENT", "SENT", None, None, "gone", "gone"]


@pytest.mark.slow
@airflow_runs
def test_a_list_that_is_missing_shifts_no_status(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An instance that returned None leaves no XCom, and Airflow does not tell whose the others are: nothing is sent."""
    ran = lists_marked([[0], None, [2]], ["ok", "ok", "fail"])
    assert (ran.state(), hubspot.ledger.patches()) == ("failed", [])
    assert "2 messages and 3 mapped instances of deliver do not match, so nothing was sent." in capsys.readouterr().out
    assert "Instances of mapped task 'store' that left no value" in caplog.text
    assert "and so have no row here: 1 of 3." in caplog.text


@airflow_runs
def test_rows_may_be_in_a_file_and_the_task_in_a_template(hubspot: Emulator, tmp_path: Path) -> None:
    """A row's own error message wins, and is left out where nothing failed."""
    rows = tmp_path / "rows.csv"
    rows.write_text("message_id,error_message\nm-0,mine\nm-1,mine too\nm-2,\n")
    ran = mapped(
        ["ok", "fail:theirs", "fail:theirs"], messages=None, messages_file=str(rows), delivery_task_id="{{ 'deliver' }}"
    )
    assert ran.state() == "success"
    assert [sent(hubspot, number) for number in range(3)] == ["SENT", "mine too", "theirs"]


@airflow_runs
@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"status": "{{ 'SENT' }}"}, "status and delivery_task_id are both given"),
        ({"delivery_task_id": "{{ '' }}"}, "delivery_task_id is empty: its template rendered to nothing"),
        ({"messages": {"m-0": "SENT"}}, "messages is a dict, which says nothing of map indexes"),
        ({"messages": [{"message_id": "m-0", "status": "READ"}]}, "row 1: status is 'READ', but delivery_task_id is to tell"),
        ({"messages": "{{ 'm-0' }}"}, "messages is a str, not a list"),
        ({"messages": [{}]}, "row 1: message_id is missing"),
    ],
)
def test_wrong_arguments_send_nothing(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], cause: str
) -> None:
    """The error says what to give."""
    assert single("ok", **{"messages": ["m-0"]} | arguments).state() == "failed"
    assert cause in capsys.readouterr().out
    assert hubspot.ledger.entries == []


@airflow_runs
def test_a_trigger_rule_under_which_failures_are_never_sent_is_warned_of(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow's default: the task is upstream_failed on the day it is needed. With the right rule nothing is said."""
    assert single("ok", trigger_rule="all_success").state() == "success"
    assert "With trigger_rule 'all_success' this task does not run when a delivery failed" in capsys.readouterr().out
    single("ok")
    log = capsys.readouterr().out
    assert "With trigger_rule" not in log
    assert "is not upstream" not in log


#: How deliveries may end, one of them failed; and what the warning calls it.
WITH_A_FAILURE = {
    ("fail",): {"a delivery failed", "no delivery succeeded", "no delivery succeeded, or one was skipped"},
    ("fail", "ok"): {"a delivery failed", "a delivery succeeded or was skipped"},
    ("fail", "skip"): {
        "a delivery failed",
        "no delivery succeeded",
        "no delivery succeeded, or one was skipped",
        "a delivery succeeded or was skipped",
        "a delivery was skipped",
    },
    ("fail", "ok", "skip"): {
        "a delivery failed",
        "no delivery succeeded, or one was skipped",
        "a delivery succeeded or was skipped",
        "a delivery was skipped",
    },
}


@pytest.mark.slow
@airflow_runs
@pytest.mark.parametrize(("ends", "causes"), WITH_A_FAILURE.items(), ids=[" ".join(ends) for ends in WITH_A_FAILURE])
def test_the_warning_says_when_airflow_does_not_run_the_task(ends: tuple[str, ...], causes: set[str]) -> None:
    """Every rule that Airflow has, in a run of its own scheduler: the task runs unless the warning says that it does not."""
    with DAG("batch", schedule=None) as dag:
        delivered = deliver.expand(what=list(ends))
        for rule in TriggerRule:
            delivered >> EmptyOperator(task_id=rule.value, trigger_rule=rule)
    ran = Ran(dag)
    assert {rule.value for rule in TriggerRule if ran.state(rule.value) != "success"} == {
        rule for rule, cause in DOES_NOT_RUN.items() if cause in causes
    }


@pytest.mark.parametrize("rule", TriggerRule)
def test_a_rule_is_warned_of_by_its_name(rule: TriggerRule) -> None:
    """With the advice; and a rule under which the task runs whenever a delivery failed is not."""
    warnings = list[str]()
    Sdk(["success"], {}).fetch_states(rule, warnings)
    fine = {"all_done", "all_done_setup_success", "one_done", "one_failed", "always"}
    cause = DOES_NOT_RUN.get(rule.value)
    expected = f"With trigger_rule '{rule.value}' this task does not run when {cause}: set it to 'all_done'."
    assert warnings == ([] if rule.value in fine else [expected])


@pytest.mark.slow
@airflow_runs
def test_the_example_marks_each_message(hubspot_emulator: Emulator) -> None:
    """One gateway error, two deliveries."""
    ids = ["message-1", "message-2", "message-3"]
    hubspot_emulator.world.seed(ids)
    ran = Ran(load("mark_mapped_delivery").mark_mapped_delivery(), unreachable=["message-2"])
    assert ran.state() == "success"
    assert [sent(hubspot_emulator, name) for name in ids] == ["SENT", "30003: Unreachable destination handset", "SENT"]


def test_the_page_shows_the_example_as_it_is() -> None:
    """The text of docs/delivery.md is the file that the tests run."""
    (snippet,) = re.findall(r"<!-- example_dags/mark_mapped_delivery.py -->\n```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert snippet == (EXAMPLES / "mark_mapped_delivery.py").read_text(encoding="utf-8")


def meaning(state: str | None) -> str:
    row: Any = DeliveryStates("deliver", "run", {0: state}).apply_to("m-0", 0, None)
    return f"*{row.result}*" if isinstance(row, Resolved) else str(row.status)


def test_the_page_says_of_every_state_what_it_means() -> None:
    """Each state of this Airflow is in the table, with what the code makes of it."""
    lines = re.findall(r"^\| (`.*?) \| ([^|]+?) \|", PAGE, flags=re.MULTILINE)
    table = {name: meaning.split(",")[0] for names, meaning in lines for name in re.findall(r"`(\w+)`", names)}
    states = {str(state.value): meaning(state.value) for state in TaskInstanceState} | {"none": meaning(None)}
    assert table.items() >= states.items()  # older ones know fewer


class Sdk:
    """The task SDK's answers on one run, in place of a thousand task instances; it counts its round trips."""

    dag_id, run_id, map_index = "batch", "run", -1

    def __init__(self, states: Iterable[str | None], pushed: dict[int, Any]) -> None:
        self.states, self.pushed, self.trips = list(states), pushed, 0

    def get_task_states(self, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        self.trips += 1
        (task_id,) = task_ids
        return {run_ids[0]: {f"{task_id}_{index}": state for index, state in enumerate(self.states)}}

    def xcom_pull(self, task_ids: Any, key: str, map_indexes: int | None = None) -> Any:
        self.trips += 1
        assert key == "error_message"
        return self.pushed.get(map_indexes) if map_indexes is not None else list(self.pushed.values()) or [None]

    def get_relevant_upstream_map_indexes(self, upstream: Any, ti_count: Any, session: Any) -> None:
        return None

    def fetch_states(self, trigger_rule: str = "all_done", warnings: list[str] | None = None) -> DeliveryStates:
        dag = SimpleNamespace(has_task=lambda name: True, get_task=lambda name: None)
        log = SimpleNamespace(warning=lambda text, *values: None if warnings is None else warnings.append(text % values))
        mark = SimpleNamespace(trigger_rule=trigger_rule, log=log, get_flat_relative_ids=lambda upstream: {"deliver"})
        context: Any = {"ti": self, "dag": dag, "task": mark}
        return fetch_states("deliver", context)


FAILED = ["failed"] * 2000


@pytest.mark.parametrize(
    ("states", "pushed", "trips"),
    [
        pytest.param(["success"] * 2000, {}, 1, id="no failure"),
        pytest.param(FAILED, {}, 2, id="nobody has pushed"),
        pytest.param(FAILED, {index: f"of {index}" for index in range(2000)}, 2, id="everybody has"),
        pytest.param(FAILED, {3: "of 3", 9: "of 9"}, 12, id="until all have turned up"),
        pytest.param(["success", "failed"] * 1000, {1: "of 1"}, 3, id="one has"),
        pytest.param(["failed", "success"], {0: "of 0"}, 2, id="one failure is read at once"),
        pytest.param(["upstream_failed"] * 2000, {1: "of a time before a clear"}, 1, id="what has not run is not read"),
    ],
)
def test_round_trips_are_few(states: list[str], pushed: dict[int, str], trips: int) -> None:
    """One for all states, one for all values; more only where the SDK does not tell whose they are."""
    sdk = Sdk(states, pushed)
    delivery = sdk.fetch_states()
    assert len(delivery.states) == len(states)
    assert delivery.error_messages == {index: text for index, text in pushed.items() if states[index] == "failed"}
    assert sdk.trips == trips


@pytest.mark.parametrize(
    ("value", "text"), [({"code": 7}, '{"code": 7}'), (30003, "30003"), (" x ", "x"), ("", None), (None, None)]
)
def test_what_was_pushed_becomes_text(value: Any, text: str | None) -> None:
    """Numbers and dicts, too; nothing is as good as not pushed."""
    assert Sdk(["failed"], {0: value}).fetch_states().error_messages == ({} if text is None else {0: text})


@pytest.mark.parametrize(
    ("states", "fits"),
    [
        (["success", "failed", "success"], [3]),
        (["success", "success", "removed"], [2, 3]),
        (["removed", "success", "removed"], [2, 3]),
        (["removed", "removed"], [0, 1, 2]),
    ],
)
def test_instances_that_a_clear_has_removed_need_no_message(states: list[str], fits: list[int]) -> None:
    """A list that was shorter the second time leaves removed ones at its end."""
    delivery = DeliveryStates("deliver", "run", dict(enumerate(states)))

    def fit(count: int) -> bool:
        try:
            delivery.check_count(count)
        except BadInput:
            return False
        return True

    assert [count for count in range(5) if fit(count)] == fits


def test_a_delivery_that_was_partly_cleared_is_partly_open() -> None:
    """What has not ended again is unresolved, the rest is as it was."""
    delivery = DeliveryStates("deliver", "run", {0: "success", 1: "running", 2: None, 3: "failed", 4: "removed"})
    rows: list[Any] = [delivery.apply_to(f"m-{index}", index, "no answer") for index in range(5)]
    entries = list(read_rows(numbered(rows)))
    assert [entry.result if isinstance(entry, Outcome) else getattr(entry, "status", entry) for entry in entries] == [
        "SENT",
        "unresolved",
        "unresolved",
        "FAILED",
        "skipped",
    ]
    problems = [entry.problem for entry in entries if isinstance(entry, Outcome)]
    assert [problem.reason.split(":")[0] for problem in problems if problem] == [
        "the delivery has not ended (state running)",
        "the delivery has not ended (state none)",
        "the delivery task was removed",
    ]


def test_a_resolved_row_is_an_outcome_of_the_store() -> None:
    """With its reason; it counts as a row, and supersedes nothing."""
    resolved = Resolved({"message_id": "m-1", "batch": 7}, "unresolved", Problem("not yet", "open"))

    def store(*rows: object) -> UpdateStore:
        return UpdateStore(read_rows(numbered(rows), status="SENT"))

    with store("m-1", resolved, "m-2") as mixed:
        assert (mixed.rows, mixed.size, [update.row for update in mixed.updates()]) == (3, 2, [1, 3])
        (outcome,) = mixed.not_sent()
        assert outcome == Outcome(Update(2, "m-1", None, None, '{"batch": 7}'), "unresolved", Problem("not yet", "open"))
    (faulty,) = read_rows(numbered([Resolved({}, "skipped", Problem("never", "no"))]))
    assert faulty == BadRow(1, "message_id is missing", "no message_id", "", "{}")


@pytest.mark.parametrize("columns", [None, {"message_id": "ref", "status": "state", "error_message": "error"}])
def test_rows_with_their_own_columns_take_the_status_of_their_delivery(columns: dict[str, str | None] | None) -> None:
    """A status in the row, under whatever name, is a fault; a reason of its own comes first."""
    names = columns or {name: name for name in ("message_id", "status", "error_message")}
    reference, state, error = names["message_id"], names["status"], names["error_message"]
    delivery = DeliveryStates("deliver", "run", {0: "success", 1: "failed", 2: "failed", 3: "failed"})
    rows: list[Any] = [
        {reference: "m-0", error: "No error"},
        {reference: "m-1", error: "switched off"},
        {reference: "m-2", error: float("nan")},
        {reference: "m-3", state: "SENT"},
    ]
    entries = list(read_rows(numbered([delivery.apply_to(row, i, "no answer") for i, row in enumerate(rows)]), columns=columns))
    assert [(entry.status, entry.error_message) for entry in entries if isinstance(entry, Update)] == [
        ("SENT", None),
        ("FAILED", "switched off"),
        ("FAILED", "no answer"),
    ]
    assert isinstance(entries[3], BadRow)
    assert entries[3].reason == "status is 'SENT', but delivery_task_id is to tell the status: leave one of them out"


def test_a_report_file_with_resolved_rows_is_fed_back(tmp_path: Path) -> None:
    """A skipped one needs no status; an unresolved one has to be given one, because it had none."""
    line = {"row": 1, "reason": "r", "category": None, "correlation_id": None, "try": 1, "time": "now", "status": ""}
    rows = [line | {"message_id": "m-0", "outcome": "skipped"}, line | {"message_id": "m-1", "outcome": "unresolved"}]
    skipped, unresolved = read_rows(numbered(rows))
    assert isinstance(skipped, Outcome)
    assert isinstance(skipped.update, Update)
    assert (skipped.result, skipped.update.status) == ("skipped", None)
    assert isinstance(unresolved, BadRow)
    assert unresolved.reason == "status is missing, in the row and as the task's argument"


@pytest.mark.parametrize("messages", [{"m-0"}, frozenset({"m-0"}), {"m-0": None}])
def test_rows_without_an_order_are_refused(messages: Any) -> None:
    """Which map index would be whose?"""
    context: Any = {}
    with pytest.raises(BadInput, match="give a list of ids or dicts, in the order of the map indexes"):
        statuses_from_task(messages, "deliver", context, None)


def test_rows_that_came_as_unresolved_say_nothing_of_hubspot(hubspot_emulator: Emulator) -> None:
    """They do not count among the rows in a row without an answer after which a batch ends."""
    hubspot_emulator.world.seed(f"m-{number}" for number in range(50))
    hubspot_emulator.fault(message_id="m-0", status=503, times=2)
    rows: list[Any] = [f"m-{number}" for number in range(50)]
    rows += [Resolved(f"n-{number}", "unresolved", Problem("the delivery has not ended", "not ended")) for number in range(30)]
    report = HubchanHook(retry=RetryConfig(max_attempts=1)).update_message_statuses(rows, status="READ", concurrency=1)
    assert (report.updated, report.unresolved, report.aborted) == (49, 31, None)
