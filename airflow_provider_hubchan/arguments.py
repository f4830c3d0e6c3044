"""The arguments of our tasks: what is rendered, what they bring, what can be wrong with them, all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from airflow_provider_hubchan.connection import channel_faults

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
    share = isinstance(task.max_rejected, float) and 0.0 <= task.max_rejected <= 1.0
    count = isinstance(task.max_rejected, int) and task.max_rejected >= 0
    if not share and not count:
        faults.append(f"max_rejected is {task.max_rejected!r}: give a count like 10, or a share of the rows like 0.01")
    if task.concurrency < 1:
        faults.append(f"concurrency is {task.concurrency!r}: give the number of requests in flight at most, from 1")
    for name in ("defer_after", "max_wait", "max_runtime", "not_found_grace"):
        value = getattr(task, name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
        if value is not None and not good:
            faults.append(f"{name} is {value!r}: give a number of seconds, not negative")
    return faults
