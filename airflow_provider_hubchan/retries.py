"""Whether and when a failed task is tried again. Needs Airflow 3.3; on 3.2 this module cannot be imported."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision

from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows, CallFailed, HubchanError
from airflow_provider_hubchan.client.report import BatchIncomplete

if TYPE_CHECKING:
    from airflow.sdk import Context


class HubchanRetryPolicy(RetryPolicy):
    """Fail at once where a retry cannot help, come back when HubSpot said, and else as the task says.

        bad rows, a faulty connection, revoked credentials, missing scopes, rejected      fail
        throttling, a daily limit, an account that is being moved, Retry-After            retry at HubSpot's time
        faults, a stopped task, anything that is not ours                                 the task's own delay

    The default of this provider's operators. In a task of your own that calls the hook: ``retry_policy=HubchanRetryPolicy()``.
    It cannot give more tries than the task's ``retries``.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide; the reason goes into the task's record."""
        ours = _ours(exception)
        if ours is None:
            reason = f"{type(exception).__name__} is nothing of HubSpot's: the task's own delay"
            return RetryDecision(RetryAction.DEFAULT, reason=reason)
        kind = type(ours).__name__
        if isinstance(ours, BadConnection | BadInput | BadRows):
            return RetryDecision.fail(f"{kind}: a retry would find the same")
        if isinstance(ours, CallFailed) and ours.permanent:
            return RetryDecision.fail(f"{kind}: nothing changes until a person acts: {ours}")
        if isinstance(ours, CallFailed | BatchIncomplete) and ours.retry_after is not None:
            delay = timedelta(seconds=ours.retry_after)
            return RetryDecision.retry(delay, f"{kind}: HubSpot asked to come back in {ours.retry_after:,.0f} s")
        return RetryDecision(RetryAction.DEFAULT, reason=f"{kind}: a fault that may pass: the task's own delay")


def _ours(exception: BaseException | None) -> HubchanError | None:
    """The first of our errors in the chain of causes."""
    while exception is not None and not isinstance(exception, HubchanError):
        exception = exception.__cause__
    return exception
