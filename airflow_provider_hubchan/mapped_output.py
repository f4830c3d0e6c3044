"""What the instances of a mapped task returned (``messages=deliver.output``), read in slices.

Airflow gives it as a sequence that asks the API server for each item by itself, and for a slice once. This is the only module
that knows that sequence, which is of no public module of the SDK.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_hubchan.batch.rows import ROW_KEYS, numbered
from airflow_provider_hubchan.best_effort import best_effort
from airflow_provider_hubchan.client.error_texts import shorten
from airflow_provider_hubchan.client.errors import BadInput
from airflow_provider_hubchan.client.models import WRITABLE

log = logging.getLogger(__name__)
#: Values of one slice. It is in memory as a whole, and each may be a list of thousands of rows; the API server has no bound.
SLICE = 100
#: Where the sequences are that ``.map()``, ``.zip()`` and ``.concat()`` of a task's output become.
_COMBINED = "airflow.sdk.definitions.xcom_arg"
_MISSING = (
    "Instances of mapped task %r that left no value (failed, skipped, or returned None) and so have no row here: %d of %d."
)
_NOT_COUNTED = (
    "How many instances of a mapped task returned nothing could not be counted; the batch has what the others returned"
)


class MappedOutput:
    """The rows that the instances of a mapped task returned, in the order of the map indexes: each one row, or a list of rows.

    An instance that returned None, failed or was skipped has left no value and so no row; how many these are is logged as a
    warning when the rows have been read.

    :param source: their values, as Airflow gives them.
    :param mapping: what ``.map()`` made of *source*; None for the values themselves.
    """

    def __init__(self, source: Any, mapping: Any = None) -> None:
        self._source, self._mapping = source, mapping

    def __iter__(self) -> Iterator[object]:
        return itertools.chain.from_iterable(self.by_instance())

    def __repr__(self) -> str:
        """What Airflow's UI shows in place of the rows."""
        return f"what mapped task {self._task_id!r} returned"

    def by_instance(self) -> Iterator[list[object]]:
        """The rows of each instance that has left a value.

        :raises BadInput: a value may be something else than a row or a list of rows.
        """
        found = 0
        ahead = _ReadAhead(self._source)
        if self._mapping is not None:
            self._mapping.value = ahead
        for index, value in enumerate(ahead):
            found += value is not None
            # By its index: an IndexError of the user's function must not be taken for the end of the values.
            yield self._rows_of(index + 1, value if self._mapping is None else self._mapping[index])
        self._warn_of_missing(found)

    @property
    def _task_id(self) -> str:
        """Empty in an Airflow whose sequence does not tell it."""
        return str(getattr(getattr(getattr(self._source, "_xcom_arg", None), "operator", None), "task_id", ""))

    def _rows_of(self, number: int, value: object) -> list[object]:
        """:param number: of the value, from 1."""
        if value is None:
            return []
        if isinstance(value, list | tuple | set | frozenset):
            rows = [row for _, row in numbered(value)]
            if any(isinstance(row, str) and row in WRITABLE for row in rows):
                raise self._bad_value(
                    number, value, "a list with a status in it: let the task return a dict with names", '{"message_id": …}'
                )
            return rows
        if isinstance(value, Mapping) and value and ROW_KEYS.isdisjoint(value) and all(map(_is_status, value.values())):
            raise self._bad_value(
                number,
                value,
                "a mapping of id to status, which from a mapped task would be one row: let the task return a list of rows",
                '[{"message_id": id, "status": status} for id, status in statuses.items()]',
            )
        return [value]

    def _bad_value(self, number: int, value: object, reason: str, example: str) -> BadInput:
        return BadInput(f"value {number:,} of mapped task {self._task_id!r} is {shorten(value)}, {reason}, {example}.")

    def _warn_of_missing(self, found: int) -> None:
        with best_effort(log.warning, _NOT_COUNTED):
            instance, task = self._source._ti, self._source._xcom_arg.operator
            instances = instance.get_ti_count(dag_id=task.dag_id, task_ids=[task.task_id], run_ids=[instance.run_id])
            if found < instances:
                log.warning(_MISSING, task.task_id, instances - found, instances)


class _ReadAhead(Sequence[object]):
    """A sequence of Airflow's that is asked for a slice when one of its items is needed, and keeps the last one."""

    def __init__(self, sequence: Any) -> None:
        self._sequence = sequence
        self._start, self._part = 0, list[object]()

    def __len__(self) -> int:
        return len(self._sequence)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, int) or index < 0:
            return self._sequence[index]
        start = index - index % SLICE
        if not self._part or start != self._start:
            self._start, self._part = start, self._sequence[start : start + SLICE]
        return self._part[index - start]


def in_slices(rows: object) -> object:
    """What the instances of a mapped task returned as `MappedOutput`, also after ``.map()``; anything else as it is, but what
    ``.zip()`` or ``.concat()`` made of it is read in slices, too.
    """
    from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence  # not needed to read a DAG

    if isinstance(rows, LazyXComSequence):
        return MappedOutput(rows)
    if type(rows).__module__ != _COMBINED:
        return rows
    combined: Any = rows
    if isinstance(values := getattr(combined, "values", None), list | tuple):
        combined.values = [_ReadAhead(each) if isinstance(each, LazyXComSequence) else each for each in values]
    if isinstance(source := getattr(combined, "value", None), LazyXComSequence):
        return MappedOutput(source, combined)
    return rows


def _is_status(value: object) -> bool:
    return isinstance(value, str) and value in WRITABLE
