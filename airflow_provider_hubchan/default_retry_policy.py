"""The retry policy of operator and sensor if their user gives none. Not in retries.py, which Airflow 3.2 cannot import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


def use_retry_policy(task: BaseOperator) -> None:
    """Give *task* a `HubchanRetryPolicy` if it has none. For ``__init__``, so that mapped tasks have it, too."""
    if getattr(task, "retry_policy", "Airflow 3.2 has none") is None:
        from airflow_provider_hubchan.retries import HubchanRetryPolicy

        task.retry_policy = HubchanRetryPolicy()
