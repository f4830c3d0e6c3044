"""Which DAG and task the code runs in, as far as Airflow tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import get_current_context


def dag_and_task(context: Mapping[str, Any] | None = None) -> dict[str, str]:
    """``dag_id`` and ``task_id``, as Airflow's own metrics call them; what is not known is left out.

    :param context: of a callback, which has no other way to know; None, or one that names neither, for the task that runs in
        this process.
    """
    if context and (names := _named_in(context)):
        return names
    try:
        return _named_in(get_current_context())
    except RuntimeError:  # no task runs here
        return {}


def _named_in(context: Mapping[str, Any]) -> dict[str, str]:
    """What a context names: that of a task's callback is rich, that of a DAG run's or a deadline's is thin."""
    ti, run = context.get("ti"), context.get("dag_run")
    run_names = run if isinstance(run, dict) else {}
    names = {
        "dag_id": getattr(context.get("dag") or ti, "dag_id", None) or run_names.get("dag_id"),
        # with a reason it is the run's context, and the task is any of it
        "task_id": None if context.get("reason") else getattr(ti, "task_id", None),
    }
    return {name: value for name, value in names.items() if value}
