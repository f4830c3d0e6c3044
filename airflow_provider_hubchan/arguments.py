"""The arguments of our tasks: what is rendered, what they bring, what can be wrong with them, all at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_hubchan.batch.rows import STATUSES
from airflow_provider_hubchan.connection import channel_faults
from airflow_provider_hubchan.row_files import as_data

#: What Airflow renders before the task begins.
TEMPLATED: Sequence[str] = (
    "messages",
    "messages_file",
    "status",
    "error_message",
    "delivery_task_id",
    "channel_id",
    "hubchan_conn_id",
    "report_file",
)


def bring_retry_policy(task: Any) -> None:
    """Give a task our policy where its user gave none. For ``__init__``: so mapped tasks have it, too. Airflow 3.2 has none."""
    if getattr(task, "retry_policy", "none in Airflow 3.2") is None:
        from airflow_provider_hubchan.retries import HubchanRetryPolicy

        task.retry_policy = HubchanRetryPolicy()


def faults_of(task: Any) -> list[str]:
    """Every fault, each with what to give instead; empty if the task can begin."""
    faults = channel_faults(task.channel_id, "channel_id")
    if task.messages is None and task.messages_file is None:
        faults.append(
            "there are neither messages nor a messages_file. If messages is another task's output, that task returned "
            "None: for nothing to do let it return []"
        )
    elif task.messages is not None and task.messages_file is not None:
        faults.append("messages and messages_file are both given: leave one of them out")
    elif task.messages_file is not None and not str(task.messages_file).strip():
        faults.append("messages_file is empty: its template rendered to nothing")
    if task.delivery_task_id is not None:
        if not str(task.delivery_task_id).strip():
            faults.append("delivery_task_id is empty: its template rendered to nothing")
        if task.status is not None:
            faults.append("status and delivery_task_id are both given: the delivery tells the status, leave one of them out")
    if task.report_file is not None and not str(task.report_file).strip():
        faults.append("report_file is empty: its template rendered to nothing")
    for name in ("messages_file", "report_file"):
        scheme, is_uri, _ = str(getattr(task, name) or "").partition("://")
        if is_uri and (why := _unopenable(str(getattr(task, name)))):
            faults.append(
                f"{name} is at {scheme}://, which nothing here can open ({why}): install Airflow's provider for it, with "
                "apache-airflow-providers-amazon[s3fs] for s3:// and apache-airflow-providers-google for gs://"
            )
    is_share = isinstance(task.max_rejected, float) and 0.0 <= task.max_rejected <= 1.0
    if not is_share and not _is_count(task.max_rejected, least=0):
        faults.append(f"max_rejected is {task.max_rejected!r}: give a count like 10, or a share of the rows like 0.01")
    seconds = ("defer_after", "max_wait", "max_runtime", "not_found_grace")
    return faults + _numbers(task, *(name for name in seconds if name != "max_runtime" or task.max_runtime is not None))


def watched(sensor: Any) -> tuple[list[str], list[str]]:
    """The ids that a sensor waits for; and every fault, each with what to give instead, empty if it can begin."""
    faults = channel_faults(sensor.channel_id, "channel_id")
    ids = as_data(sensor.message_ids)
    if isinstance(ids, str | bytes | Mapping) or not isinstance(ids, Iterable):
        faults.append(
            f"message_ids is a {type(ids).__name__}: give a list of ids, or the output of the task that has them. If it is "
            "templated, pass the task's output instead, or set render_template_as_native_obj=True on the DAG"
        )
        ids = []
    ids = list(ids)
    if bad := [each for each in ids if isinstance(each, bool) or not isinstance(each, str | int) or not str(each).strip()]:
        faults.append(f"message_ids holds {len(bad)} that are no ids, the first is {bad[0]!r}")
    for name, least in (("statuses", 1), ("fail_on", 0)):
        given = getattr(sensor, name)
        several = isinstance(given, Collection) and not isinstance(given, str)
        if not several or len(given) < least or not all(each in STATUSES for each in given):
            faults.append(f"{name} is {given!r}: give some of {', '.join(STATUSES)} as a tuple")
    if not _is_number(sensor.min_share) or not 0.0 <= sensor.min_share <= 1.0:
        faults.append(f"min_share is {sensor.min_share!r}: give a part of the messages, from 0 to 1")
    if not _is_number(sensor.share) or not 0.0 < sensor.share <= 1.0:
        faults.append(f"share is {sensor.share!r}: give a part of the account's quota, above 0 and at most 1")
    return [str(each).strip() for each in ids], faults + _numbers(sensor, "not_found_grace")


def _numbers(task: Any, *seconds: str) -> list[str]:
    """Faults of *concurrency*, and of the arguments that are *seconds*."""
    faults = []
    if not _is_count(task.concurrency, least=1):
        faults.append(f"concurrency is {task.concurrency!r}: give the number of requests in flight at most, from 1")
    for name in seconds:
        value = getattr(task, name)
        if not _is_number(value) or not 0 <= value < math.inf:
            faults.append(f"{name} is {value!r}: give a number of seconds, not negative")
    return faults


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _unopenable(uri: str) -> str | None:
    """Why Airflow's object storage cannot open such places, None if it can. Other troubles show when it is opened."""
    try:
        ObjectStoragePath(uri).fs  # noqa: B018  # what is missing is missed here
    except (ImportError, ValueError) as missing:
        return str(missing)
    return None
