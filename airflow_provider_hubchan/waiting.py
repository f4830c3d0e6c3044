"""What a task does when HubSpot asks to be left alone for longer than a worker should sit out."""

from __future__ import annotations

import time
from typing import Any

import pendulum
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.batch.progress_log import words
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.task_state import TaskProgress

#: Seconds of the shortest wait outside the slot: a trigger that fires at once is a race that Airflow can lose.
SHORTEST = 5.0


def wait(task: Any, report: Report, progress: TaskProgress) -> None:
    """Defer the task if it is to wait outside its slot; return if it is to fail, with the time to come back or without one.

    :param task: the operator, with its arguments.
    :raises AirflowFailException: the wait is longer than ``max_wait``: no retry.
    :raises TaskDeferred: by Airflow, when the task waits.
    """
    halt = report.halt
    if halt is None or halt.retry_after is None or halt.permanent:
        return
    seconds = max(halt.retry_after, SHORTEST)
    waited = time.time() - progress.waits_since(report.rows - report.unresolved)
    left = f"{report.unresolved:,} rows left; {halt.until} {words(seconds)}."
    if waited + seconds > task.max_wait:
        left += f" It has waited {words(waited)} already." if waited > SHORTEST else ""
        raise AirflowFailException(f"{left} That is longer than max_wait, {words(task.max_wait)}: run the task again then.")
    if task.deferrable and progress.is_kept:  # else it would begin anew each time, and never end
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger  # few tasks ever wait

        task.log.info("%s Waiting outside the worker slot.", left)
        task.defer(trigger=DateTimeTrigger(moment=pendulum.now("UTC").add(seconds=seconds)), method_name="execute_complete")
    if task.deferrable:
        task.log.warning("Not deferred: without progress (Airflow 3.3, resume=True) the batch would begin anew each time.")
    task.log.info("%s", left)
