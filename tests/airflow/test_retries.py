"""The retry policy: each error of ours, and what becomes of the task. Airflow 3.2 has no policies, and says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from airflow import sdk
from airflow.sdk import DAG

from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.client.errors import (
    BadConnection,
    BadInput,
    BadRow,
    BadRows,
    CallFailed,
    Problem,
    StatusPollFailed,
)
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.versions import SINCE_3_3

PROBLEM = Problem("HubSpot answered 403: no. Grant the scope.", "403")


def policy_class() -> Any:
    return import_module("airflow_provider_hubchan.retries").HubchanRetryPolicy


def check_decision(error: BaseException, action: str, delay: float | None, reason: str) -> None:
    """The policy's decision on an error; on an Airflow without policies its import says what to do instead."""
    if SINCE_3_3:
        decision = policy_class()().evaluate(error, 1, 3)
        assert decision.action.value == action
        assert decision.retry_delay == (None if delay is None else timedelta(seconds=delay))
        assert reason in decision.reason
    else:
        with pytest.raises(ImportError, match=r"needs Airflow 3\.3\. Leave it out: the task's retries and retry_delay hold"):
            policy_class()


@pytest.mark.parametrize(
    ("error", "action", "delay", "reason"),
    [
        (BadRows([BadRow(1, "no")], 1), "fail", None, "BadRows: a retry would find the same"),
        (BadInput("text"), "fail", None, "BadInput: a retry would find the same"),
        (BadConnection("c", ["no"]), "fail", None, "BadConnection: a retry would find the same"),
        (
            CallFailed(PROBLEM, permanent=True),
            "fail",
            None,
            "CallFailed: nothing changes until a person acts: HubSpot answered 403: no. Grant the scope.",
        ),
        (CallFailed(PROBLEM, permanent=False), "default", None, "CallFailed: a failure that may pass: the task's own delay"),
        (
            CallFailed(PROBLEM, permanent=False, retry_after=90.0),
            "retry",
            90.0,
            "CallFailed: HubSpot asked to come back in 90 s",
        ),
        (BatchIncomplete("3 left", Report()), "default", None, "BatchIncomplete: a failure that may pass"),
        (
            BatchIncomplete("3 left", Report(), 18_720.0),
            "retry",
            18_720.0,
            "BatchIncomplete: HubSpot asked to come back in 18,720 s",
        ),
        (StatusPollFailed("2 of 3 messages will not be READ"), "default", None, "StatusPollFailed: a failure that may pass"),
        (KeyError("x"), "default", None, "KeyError is not an error of this provider: the task's own delay"),
    ],
)
def test_every_error_has_a_decision(error: Exception, action: str, delay: float | None, reason: str) -> None:
    """Every decision has a reason for the task's record."""
    check_decision(error, action, delay, reason)


def test_an_error_of_ours_is_found_behind_another() -> None:
    """A task of the user's own may raise its own error from ours."""
    error = RuntimeError("my task")
    error.__cause__ = CallFailed(PROBLEM, permanent=True)
    check_decision(error, "fail", None, "CallFailed: nothing changes until a person acts")


def test_an_error_that_only_came_while_ours_was_handled_is_the_users() -> None:
    """A lost connection of the user's own may pass, whatever they were handling."""
    error = ConnectionError("their alert service")
    error.__context__ = BadRows([BadRow(1, "no")], 1)
    check_decision(error, "default", None, "ConnectionError is not an error of this provider")


def test_the_operator_has_the_policy_unless_the_user_set_one() -> None:
    """Plain tasks and mapped ones; the user's own policy stays in charge. Airflow 3.2 takes none."""
    with DAG("policies", schedule=None):
        plain = UpdateMessageStatusOperator(task_id="a", messages=["m"])
        if SINCE_3_3:
            mine = getattr(sdk, "ExceptionRetryPolicy")(rules=[])  # noqa: B009  # no such name in 3.2
            assert isinstance(plain.retry_policy, policy_class())
            assert UpdateMessageStatusOperator(task_id="b", messages=["m"], retry_policy=mine).retry_policy is mine
            mapped = UpdateMessageStatusOperator.partial(task_id="c", status="READ").expand(messages=[["m"]])
            assert isinstance(mapped.unmap({"messages": ["m"]}).retry_policy, policy_class())
        else:
            assert not hasattr(plain, "retry_policy")
            with pytest.raises(TypeError, match="retry_policy"):
                UpdateMessageStatusOperator(task_id="b", messages=["m"], retry_policy=None)


def chain_of_causes(length: int, last: BaseException | None = None) -> BaseException:
    """So many errors, each of which has the next for its cause.

    :param last: the cause of the last, None for the first: a ring.
    """
    errors = [RuntimeError(number) for number in range(length)]
    for error, cause in zip(errors, [*errors[1:], last or errors[0]], strict=True):
        error.__cause__ = error.__context__ = cause
    return errors[0]


@pytest.mark.parametrize("length", [1, 2, 3, 100_000])
def test_a_ring_of_causes_has_a_decision(length: int) -> None:
    """A library that keeps an error and raises it again makes one; no error of ours is in it."""
    check_decision(chain_of_causes(length), "default", None, "RuntimeError is not an error of this provider")


def test_an_error_of_ours_is_found_behind_many() -> None:
    """As far as anybody wraps errors; behind a hundred thousand it is not looked for."""
    ours = CallFailed(PROBLEM, permanent=True)
    check_decision(chain_of_causes(50, ours), "fail", None, "CallFailed: nothing changes until a person acts")
    check_decision(chain_of_causes(100_000, ours), "default", None, "RuntimeError is not an error of this provider")


class HiddenCause(RuntimeError):
    """An error that raises another one when its cause is read."""

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise KeyError("the cause is gone")


class HiddenClass(RuntimeError):
    """The same when its class is asked for."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise KeyError("the class is gone")


class NoText(CallFailed):
    """An error of ours whose text cannot be made."""

    def __str__(self) -> str:
        raise KeyError("the text is gone")


class NoFields(CallFailed):
    """An error of ours whose fields were lost."""

    def __init__(self) -> None:
        Exception.__init__(self, "no")


@pytest.mark.parametrize(
    ("make", "action", "reason"),
    [
        pytest.param(HiddenCause, "default", "this exception cannot be read (KeyError", id="cause"),
        pytest.param(HiddenClass, "default", "this exception cannot be read (KeyError", id="class"),
        pytest.param(NoFields, "default", "this exception cannot be read (AttributeError", id="fields"),
        pytest.param(lambda: NoText(PROBLEM, permanent=True), "fail", "NoText: nothing changes until a person acts", id="text"),
    ],
)
def test_an_exception_that_cannot_be_read_has_a_decision(make: Callable[[], Exception], action: str, reason: str) -> None:
    """The task's own delay holds, if it is not known that no retry helps."""
    check_decision(make(), action, None, reason)


@pytest.mark.parametrize(
    "retry_after",
    [math.nan, math.inf, -1.0, 1e300, 10**400, "7", True, [7]],
    ids=["NaN", "infinite", "negative", "large", "huge", "text", "truth value", "list"],
)
def test_a_delay_that_is_none_is_the_tasks_own(retry_after: Any) -> None:
    """It is no information."""
    error = CallFailed(PROBLEM, permanent=False, retry_after=retry_after)
    check_decision(error, "default", None, "CallFailed: a failure that may pass: the task's own delay")
    check_decision(
        BatchIncomplete("3 left", Report(), retry_after), "default", None, "BatchIncomplete: a failure that may pass"
    )


def test_a_reason_fits_into_airflows_table() -> None:
    """It holds 500 characters, on one line."""
    if SINCE_3_3:
        error = CallFailed(Problem("no\n" * 2000, "no"), permanent=True)
        reason = policy_class()().evaluate(error, 1, 3).reason
        assert len(reason) <= 500
        assert reason.isprintable()
        assert reason.startswith("CallFailed: nothing changes until a person acts: no")
    else:
        check_decision(CallFailed(PROBLEM, permanent=True), "fail", None, "")
