"""What a mapped task returned, as messages: how it is read, and how often Airflow is asked for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.definitions.xcom_arg import _MapResult

from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.client.errors import BadInput
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.mapped_output import SLICE, MappedOutput, in_slices
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor
from tests.airflow.dag_runs import Ran
from tests.api_calls import ApiCalls

INSTANCES = 20
LOGGER = "airflow_provider_hubchan.mapped_output"


class Values(Sequence[Any]):
    """The values of a mapped task as Airflow gives them: it counts how often it is asked.

    :param instances: of the task, None if Airflow does not answer how many there are.
    """

    def __init__(self, values: Sequence[object], instances: int | None = 0) -> None:
        self.values, self.instances, self.trips = values, instances, 0
        self._xcom_arg = SimpleNamespace(operator=SimpleNamespace(dag_id="batch", task_id="deliver"))
        self._ti = SimpleNamespace(run_id="run", get_ti_count=self.get_ti_count)

    def __len__(self) -> int:
        raise AssertionError("the length costs a call, and the last slice tells it")

    def __getitem__(self, index: Any) -> Any:
        self.trips += 1
        return self.values[index]

    def get_ti_count(self, dag_id: str, task_ids: list[str], run_ids: list[str]) -> int:
        if self.instances is None:
            raise RuntimeError("the API server is away")
        assert (dag_id, task_ids, run_ids) == ("batch", ["deliver"], ["run"])
        return self.instances


def read(*values: object, **arguments: Any) -> list[object]:
    return list(MappedOutput(Values(values, **arguments)))


@pytest.mark.parametrize(
    ("values", "trips"), [(0, 1), (1, 1), (INSTANCES, 1), (SLICE - 1, 1), (SLICE, 2), (SLICE + 1, 2), (1024, 11)]
)
def test_one_call_fetches_a_slice(values: int, trips: int) -> None:
    """Not one for each value; a slice that is full may not be the last."""
    source = Values([f"m-{number}" for number in range(values)])
    assert list(MappedOutput(source)) == source.values
    assert source.trips == trips


def test_lists_of_instances_follow_each_other() -> None:
    """Rows are counted on through them; an empty list is none, and a set is sorted, so that a retry finds the same order."""
    row = {"message_id": "m-5", "status": "READ"}
    output = MappedOutput(Values([["m-1", "m-2"], [], "m-3", ("m-4",), row, {"m-7", "m-6"}]))
    assert list(numbered(output)) == [(1, "m-1"), (2, "m-2"), (3, "m-3"), (4, "m-4"), (5, row), (6, "m-6"), (7, "m-7")]
    assert [len(rows) for rows in output.by_instance()] == [2, 0, 1, 1, 1, 2]


def test_instances_without_a_value_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """They have no row, and the log says how many they are: of the values alone nobody would see it."""
    caplog.set_level(logging.WARNING, LOGGER)
    assert read("m-1", None, "m-3", instances=5) == ["m-1", "m-3"]
    assert "Instances of mapped task 'deliver' that left no value" in caplog.text
    assert "and so have no row here: 3 of 5." in caplog.text


def test_where_all_have_a_value_there_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """However many rows they are."""
    assert read(["m-1", "m-2", "m-3"], [], instances=2) == ["m-1", "m-2", "m-3"]
    assert caplog.text == ""


def test_a_count_that_fails_leaves_the_rows(caplog: pytest.LogCaptureFixture) -> None:
    """It is for the log alone."""
    assert read("m-1", instances=None) == ["m-1"]
    assert "How many instances of a mapped task returned nothing could not be counted" in caplog.text
    assert "the API server is away" in caplog.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"m-1": "SENT", "m-2": "READ"},
            'a mapping of id to status, .*: let the task return a list of rows, [{"message_id": id',
        ),
        (["m-1", "SENT"], 'a list with a status in it: let the task return a dict with names, {"message_id": …}'),
        (("FAILED", "m-1", "gone"), "a list with a status in it"),
    ],
)
def test_what_may_mean_two_things_is_refused(value: object, text: str) -> None:
    """By its number among the values, before anything is sent: a mapping looks like a row, a row without names like ids."""
    with pytest.raises(BadInput) as caught:
        read("m-0", value)
    assert str(caught.value).startswith("value 2 of mapped task 'deliver' is ")
    assert all(part in str(caught.value) for part in text.split(".*"))


def test_a_function_that_fails_does_not_end_the_rows() -> None:
    """Python takes an IndexError for the end of a sequence: the rows after it would be lost, and the task green."""
    values = Values([["m-1"], [], ["m-3"]])
    mapping: Any = _MapResult(values, [lambda value: value[0]])
    output = MappedOutput(values, mapping)
    with pytest.raises(IndexError):
        list(output)


@pytest.mark.parametrize("row", [{"message_id": "SENT"}, {"status": "SENT"}, {"client_ref": "m-1", "state": "SENT"}, {}])
def test_a_dict_is_a_row(row: dict[str, str]) -> None:
    """Whatever it lacks is named by its row number, as of other rows."""
    assert read(row) == [row]


def test_what_is_no_output_of_a_mapped_task_stays_as_it_is() -> None:
    """Lists in a list, too: they may be rows without names, which are refused one by one."""
    for rows in (["m-1"], [["m-1", "SENT"]], {"m-1": "SENT"}, "m-1", None, iter(())):
        assert in_slices(rows) is rows


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_many_instances_are_read_at_once(hubspot_emulator: Emulator) -> None:
    """By the operator, the decorator, the hook, the sensor and after ``map``: one slice, and how many instances there are. What
    ``zip`` and ``concat`` made of two outputs takes a slice and a length of each.
    """
    hubspot_emulator.world.seed(f"m-{number}{copy}" for number in range(INSTANCES + 1) for copy in ("", "-copy"))

    @task
    def prepare(number: int) -> str:
        return f"m-{number}"

    with DAG("batch", schedule=None) as dag:
        ids = prepare.expand(number=list(range(INSTANCES)))

        def marking(task_id: str, messages: Any) -> UpdateMessageStatusOperator:
            return UpdateMessageStatusOperator(task_id=task_id, messages=messages, status="READ", durable=False)

        @task.hubchan_status(status="READ", durable=False)
        def returned(rows: Any) -> Any:
            return rows

        @task
        def hooked(rows: Any) -> int:
            return HubchanHook().update_message_statuses(rows, status="READ").updated

        mark = marking("mark", ids)
        mark >> returned(ids)
        mark >> hooked(ids)
        mark >> MessageStatusSensor(task_id="wait", message_ids=ids, statuses=["READ"], timeout=0)
        mark >> marking("added", ids.map(lambda message_id: [message_id, f"{message_id}-copy"]))
        mark >> marking("joined", ids.concat(prepare.override(task_id="another").expand(number=[INSTANCES])))
        mark >> marking("zipped", ids.zip(ids))
    with ApiCalls() as calls:
        ran = Ran(dag)
    assert [ran.xcom(task_id)["updated"] for task_id in ("mark", "returned", "joined")] == [INSTANCES, INSTANCES, INSTANCES + 1]
    assert (ran.xcom("hooked"), len(ran.xcom("wait"))) == (INSTANCES, INSTANCES)
    assert ran.xcom("added")["updated"] == 2 * INSTANCES
    assert (ran.state("zipped"), ran.xcom("zipped")["problems"][0]["reason"].partition(":")[0]) == (
        "failed",
        "message_id is a tuple, not a string",
    )
    reads = sorted(call for call in calls.calls if call.startswith(("GET xcoms", "HEAD xcoms", "GET task-instances")))
    assert reads == ["GET task-instances/count"] * 5 + ["GET xcoms/slice"] * 9 + ["HEAD xcoms/return_value"] * 4
    assert ran.rendered()["messages"] == "what mapped task 'prepare' returned"
