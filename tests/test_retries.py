"""The retry policy: each error of ours, and what becomes of the task."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRow, BadRows, CallFailed, Problem
from airflow_provider_hubchan.client.report import BatchIncomplete, Report
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

retries = pytest.importorskip(
    "airflow_provider_hubchan.retries", reason="Airflow 3.2 has no retry policies", exc_type=ImportError
)

NO = Problem("HubSpot answered 403: no. Grant the scope.", "403")


@pytest.mark.parametrize(
    ("error", "action", "delay", "reason"),
    [
        (BadRows([BadRow(1, "no")], 1), "fail", None, "BadRows: a retry would find the same"),
        (BadInput("text"), "fail", None, "BadInput: a retry would find the same"),
        (BadConnection("c", ["no"]), "fail", None, "BadConnection: a retry would find the same"),
        (CallFailed(NO, permanent=True), "fail", None, "until a person acts: HubSpot answered 403: no. Grant the scope."),
        (CallFailed(NO, permanent=False), "default", None, "a fault that may pass"),
        (CallFailed(NO, permanent=False, retry_after=90.0), "retry", 90.0, "HubSpot asked to come back in 90 s"),
        (BatchIncomplete("3 left", Report()), "default", None, "a fault that may pass"),
        (BatchIncomplete("3 left", Report(), 18_720.0), "retry", 18_720.0, "HubSpot asked to come back in 18,720 s"),
        (KeyError("x"), "default", None, "KeyError is nothing of HubSpot's"),
    ],
)
def test_what_becomes_of_a_task(error: Exception, action: str, delay: float | None, reason: str) -> None:
    """Every decision has a reason for the task's record."""
    decision = retries.HubchanRetryPolicy().evaluate(error, 1, 3)
    assert decision.action.value == action
    assert decision.retry_delay == (None if delay is None else timedelta(seconds=delay))
    assert reason in decision.reason


def test_an_error_of_ours_is_found_behind_another() -> None:
    """A task of the user's own may raise its own error from ours."""
    error = RuntimeError("my task")
    error.__cause__ = CallFailed(NO, permanent=True)
    assert retries.HubchanRetryPolicy().evaluate(error, 1, 3).action.value == "fail"


def test_an_error_that_only_came_while_ours_was_handled_is_the_users() -> None:
    """A lost connection of the user's own may pass, whatever they were handling."""
    error = ConnectionError("their alert service")
    error.__context__ = BadRows([BadRow(1, "no")], 1)
    assert retries.HubchanRetryPolicy().evaluate(error, 1, 3).action.value == "default"


def test_the_operator_has_the_policy_unless_the_user_set_one() -> None:
    """Plain tasks and mapped ones; the user's own policy stays in charge."""
    from airflow.sdk import DAG, ExceptionRetryPolicy

    mine = ExceptionRetryPolicy(rules=[])
    with DAG("policies", schedule=None):
        assert isinstance(UpdateMessageStatusOperator(task_id="a").retry_policy, retries.HubchanRetryPolicy)
        assert UpdateMessageStatusOperator(task_id="b", retry_policy=mine).retry_policy is mine
        mapped = UpdateMessageStatusOperator.partial(task_id="c", status="READ").expand(messages=[["m"]])
        assert isinstance(mapped.unmap({"messages": ["m"]}).retry_policy, retries.HubchanRetryPolicy)
