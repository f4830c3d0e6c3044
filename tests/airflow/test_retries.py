"""The retry policy: each error of ours, and what becomes of the task."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from airflow import sdk
from airflow.sdk import DAG

from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.client.advice import advise
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRow, BadRows, CallFailed, Problem
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.versions import SINCE_3_3

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
    advice = advise(error)
    assert (advice.action, advice.delay) == (action, delay)
    assert reason in advice.reason


def test_an_error_of_ours_is_found_behind_another() -> None:
    """A task of the user's own may raise its own error from ours."""
    error = RuntimeError("my task")
    error.__cause__ = CallFailed(NO, permanent=True)
    assert advise(error).action == "fail"


def test_an_error_that_only_came_while_ours_was_handled_is_the_users() -> None:
    """A lost connection of the user's own may pass, whatever they were handling."""
    error = ConnectionError("their alert service")
    error.__context__ = BadRows([BadRow(1, "no")], 1)
    assert advise(error).action == "default"


def policy_class() -> Any:
    return import_module("airflow_provider_hubchan.retries").HubchanRetryPolicy


def test_the_policy_says_it_in_airflows_words() -> None:
    """The same action, delay and reason; an Airflow without policies is told what to do without one."""
    if SINCE_3_3:
        for error in (BadInput("text"), CallFailed(NO, permanent=False, retry_after=90.0), KeyError("x")):
            decision, advice = policy_class()().evaluate(error, 1, 3), advise(error)
            assert (decision.action.value, decision.reason) == (advice.action, advice.reason)
            assert decision.retry_delay == (advice.delay and timedelta(seconds=advice.delay))
    else:
        with pytest.raises(ImportError, match=r"needs Airflow 3\.3\. Leave it out: the task's retries and retry_delay hold"):
            policy_class()


def test_the_operator_has_the_policy_unless_the_user_set_one() -> None:
    """Plain tasks and mapped ones; the user's own policy stays in charge. Airflow 3.2 takes none."""
    with DAG("policies", schedule=None):
        plain = UpdateMessageStatusOperator(task_id="a")
        if SINCE_3_3:
            mine = getattr(sdk, "ExceptionRetryPolicy")(rules=[])  # noqa: B009  # no such name in 3.2
            assert isinstance(plain.retry_policy, policy_class())
            assert UpdateMessageStatusOperator(task_id="b", retry_policy=mine).retry_policy is mine
            mapped = UpdateMessageStatusOperator.partial(task_id="c", status="READ").expand(messages=[["m"]])
            assert isinstance(mapped.unmap({"messages": ["m"]}).retry_policy, policy_class())
        else:
            assert not hasattr(plain, "retry_policy")
            with pytest.raises(TypeError, match="retry_policy"):
                UpdateMessageStatusOperator(task_id="b", retry_policy=None)
