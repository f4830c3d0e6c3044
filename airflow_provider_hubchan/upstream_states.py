"""Statuses from the tasks that delivered: the end state of a task instance becomes the status of its messages.

States and error messages are read through the task SDK, in one round trip each where the SDK has one for it: a task may not
touch Airflow's database.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.batch.rows import Delivered, NumberedRows, Resolved, numbered
from airflow_provider_hubchan.client.error_texts import count_of
from airflow_provider_hubchan.client.errors import BadInput, BadRow, Problem
from airflow_provider_hubchan.mapped_output import MappedOutput, in_slices

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Under this XCom key an instance may leave why it failed.
ERROR_MESSAGE_KEY = "error_message"
#: Map index of the only instance of a task that is not mapped, or not expanded.
UNMAPPED = -1
#: States in which a delivery has ended; in any other it may yet become one of these.
SUCCEEDED, FAILED, NOT_RUN = "success", ("failed", "upstream_failed"), ("skipped", "removed")
#: When the task does not run, by its trigger rule: it is *upstream_failed* or skipped although a delivery failed, of which
#: HubSpot is to be told (Airflow's ``TriggerRuleDep``). Under the other rules it runs whenever a delivery failed.
DOES_NOT_RUN = {
    "all_success": "a delivery failed",
    "none_failed": "a delivery failed",
    "none_failed_min_one_success": "a delivery failed",
    "all_skipped": "a delivery failed",
    "one_success": "no delivery succeeded",
    "all_done_min_one_success": "no delivery succeeded, or one was skipped",
    "all_failed": "a delivery succeeded or was skipped",
    "none_skipped": "a delivery was skipped",
}
_PLACEHOLDER = re.compile(r"\{(task_id|map_index|state|run_id)\}")


@dataclass(frozen=True)
class DeliveryStates:
    """The instances of a delivery task in one run, and how they ended.

    :param states: by map index; None for an instance that is not scheduled yet.
    :param shared_index: map index of the one instance that delivered all messages; None if each message has its own.
    :param error_messages: why instances failed, by map index, as they pushed it.
    """

    task_id: str
    run_id: str
    states: Mapping[int, str | None]
    shared_index: int | None = None
    error_messages: Mapping[int, str] = field(default_factory=dict)

    def apply_to(self, row: object, position: int, error_message: str | None) -> Delivered | Resolved | BadRow:
        """A row with the status that its delivery gives it.

        :param position: map index of the row's delivery, if each has its own.
        :param error_message: for a failed delivery that pushed none; None for a text that names the instance.
        """
        if isinstance(row, BadRow):
            return row
        index = position if self.shared_index is None else self.shared_index
        state = self.states.get(index)
        if state == SUCCEEDED:
            return Delivered(row, "SENT")
        if state in FAILED:
            return Delivered(row, "FAILED", self._error_message(index, error_message))
        if state in NOT_RUN:
            return Resolved(row, "skipped", Problem(f"the delivery task was {state}", f"delivery {state}"))
        text = f"the delivery has not ended (state {state or 'none'}): make {self.task_id} an upstream task, or try again later"
        return Resolved(row, "unresolved", Problem(text, "delivery not ended"))

    def check_count(self, messages: int) -> None:
        """See that each message has its instance. Instances at the end that were removed, as a clear does, need none.

        :raises BadInput: if the numbers differ.
        """
        instances = len(self.states)
        needed = max((index + 1 for index, state in self.states.items() if state != "removed"), default=0)
        if self.shared_index is None and not needed <= messages <= instances:
            raise BadInput(
                f"{count_of(messages, 'message')} and {count_of(instances, 'mapped instance')} of {self.task_id} do not match, "
                "so nothing was sent. Give one message for each instance, in the order of the map indexes; if an instance "
                "delivers many messages, put both tasks into one mapped task group, or give the output of the mapped task that "
                "listed them."
            )

    def _error_message(self, index: int, error_message: str | None) -> str:
        values = {"task_id": self.task_id, "map_index": str(index), "state": str(self.states[index]), "run_id": self.run_id}
        if index in self.error_messages:
            return self.error_messages[index]
        if error_message is not None and (template := str(error_message).strip()):
            return _PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], template)
        instance = "" if index == UNMAPPED else f", map index {index},"
        return f"delivery task {self.task_id}{instance} ended as {values['state']} in run {self.run_id}"


def statuses_from_task(rows: object, task_id: str, context: Context, error_message: str | None) -> NumberedRows:
    """Rows with the status of their delivery; those that it has none for come as `Resolved`.

    :param rows: ids or dicts in the order of the map indexes, or the rows of a file; of what a mapped task returned, the list
        of an instance is for one map index.
    :param task_id: of the delivery task, with the ids of its groups.
    :param error_message: see `DeliveryStates.apply_to`.
    :raises AirflowFailException: if the DAG has no such task.
    :raises BadInput: if *rows* has no order, and if their number is not that of the instances: when the last row is read.
    """
    if isinstance(rows, Mapping | Set):
        raise BadInput(
            f"messages is a {type(rows).__name__}, which says nothing of map indexes: with delivery_task_id give a list of ids "
            "or dicts, in the order of the map indexes."
        )
    return NumberedRows(_with_status(_by_position(in_slices(rows)), fetch_states(task_id, context), error_message))


def _by_position(rows: object) -> Iterable[list[tuple[int, object]]]:
    """The numbered rows of each map index: one, or all that an instance of a mapped task returned."""
    if isinstance(rows, MappedOutput):
        numbers = itertools.count(1)
        return ([(next(numbers), row) for row in each] for each in rows.by_instance())
    return ([pair] for pair in numbered(rows))


def _with_status(
    positions: Iterable[list[tuple[int, object]]], states: DeliveryStates, error_message: str | None
) -> Iterator[tuple[int, object]]:
    count = 0
    for pairs in positions:
        for number, row in pairs:
            yield number, states.apply_to(row, count, error_message)
        count += 1
    states.check_count(count)  # nothing is sent before all rows are read


def fetch_states(task_id: str, context: Context) -> DeliveryStates:
    """Ask Airflow for the end states of a task in this run, and why its instances failed.

    In a mapped task group, only the instance of the same map index counts.

    :raises AirflowFailException: if the DAG has no such task.
    """
    instance: Any = context["ti"]  # its protocol does not have get_relevant_upstream_map_indexes
    task, dag, run_id = context["task"], context["dag"], instance.run_id
    if not dag.has_task(task_id):
        name = task_id.split(".")[-1]
        similar = [other for other in dag.task_ids if other.split(".")[-1] == name] or sorted(dag.task_ids)
        raise AirflowFailException(f"delivery_task_id is {task_id!r}, no task of this DAG: it has {', '.join(similar[:20])}.")
    rule = getattr(task.trigger_rule, "value", task.trigger_rule)  # the text of this enum is not its value
    if when := DOES_NOT_RUN.get(rule):
        task.log.warning("With trigger_rule '%s' this task does not run when %s: set it to 'all_done'.", rule, when)
    if task_id not in task.get_flat_relative_ids(upstream=True):
        task.log.warning("%s is not upstream of this task, so it may not have ended yet: make it upstream.", task_id)
    states_of_runs = instance.get_task_states(dag_id=instance.dag_id, task_ids=[task_id], run_ids=[run_id])
    states: dict[int, str | None] = {
        UNMAPPED if name == task_id else int(name.removeprefix(f"{task_id}_")): state
        for name, state in states_of_runs.get(run_id, {}).items()
    }
    shared_index = UNMAPPED if UNMAPPED in states else None
    if shared_index is None:
        relevant = instance.get_relevant_upstream_map_indexes(upstream=dag.get_task(task_id), ti_count=None, session=None)
        shared_index = relevant if isinstance(relevant, int) else None
    error_messages = _fetch_error_messages(instance, task_id, states, shared_index)
    return DeliveryStates(task_id, run_id, states, shared_index, error_messages)


def _fetch_error_messages(
    instance: Any, task_id: str, states: Mapping[int, str | None], shared_index: int | None
) -> dict[int, str]:
    """Why instances failed, for those that have pushed it.

    Airflow gives all values of a key in one round trip, in the order of the map indexes, but does not tell whose they are:
    that is enough if nobody has pushed one, or everybody. Else every failed instance is asked until all values have turned up.
    One that is *upstream_failed* is not asked: it has not run, so what it may have pushed is of the time before a clear.
    """
    failed = sorted(index for index in states if states[index] == "failed" and shared_index in (None, index))
    error_messages: dict[int, str] = {}
    missing = len(failed)
    if missing > 1:
        values = instance.xcom_pull(task_ids=[task_id], key=ERROR_MESSAGE_KEY)  # without any, there is one None
        if len(values) == len(states):
            pairs = zip(sorted(states), values, strict=True)
            return {index: text for index, value in pairs if (text := _text(value))}
        missing = sum(value is not None for value in values)
    for index in failed:
        if not missing:
            break
        if text := _text(instance.xcom_pull(task_ids=task_id, key=ERROR_MESSAGE_KEY, map_indexes=index)):
            error_messages[index] = text
            missing -= 1
    return error_messages


def _text(value: object) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)).strip()
