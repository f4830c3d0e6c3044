"""Whether and when a failed task is tried again. Needs Airflow 3.3; on 3.2 this module cannot be imported."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

try:
    from airflow.sdk import RetryPolicy
    from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision
except ImportError as error:
    raise ImportError("HubchanRetryPolicy needs Airflow 3.3. Leave it out: the task's retries and retry_delay hold.") from error

from airflow_provider_hubchan.batch.report import BatchIncomplete
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows, CallFailed, HubchanError

if TYPE_CHECKING:
    from airflow.sdk import Context


class HubchanRetryPolicy(RetryPolicy):
    """Fail at once where a retry cannot help, retry when HubSpot asked to, else as the task says.

        bad rows, a faulty connection, revoked credentials, missing scopes, rejected      fail
        rate limits, a daily limit, an account that is being moved, Retry-After           retry at HubSpot's time
        transient failures, a stopped task, errors that are not ours                      the task's own delay

    The default of this provider's operators. In a task of your own that calls the hook: ``retry_policy=HubchanRetryPolicy()``.
    It cannot give more tries than the task's ``retries``.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide; the reason goes into the task's record."""
        error = _first_of_ours(exception)
        if error is None:
            reason = f"{type(exception).__name__} is not an error of this provider: the task's own delay"
            return RetryDecision(RetryAction.DEFAULT, reason=reason)
        name = type(error).__name__
        if isinstance(error, BadConnection | BadInput | BadRows):
            return RetryDecision(RetryAction.FAIL, reason=f"{name}: a retry would find the same")
        if isinstance(error, CallFailed) and error.permanent:
            return RetryDecision(RetryAction.FAIL, reason=f"{name}: nothing changes until a person acts: {error}")
        if isinstance(error, CallFailed | BatchIncomplete) and error.retry_after is not None:
            reason = f"{name}: HubSpot asked to come back in {error.retry_after:,.0f} s"
            return RetryDecision(RetryAction.RETRY, retry_delay=timedelta(seconds=error.retry_after), reason=reason)
        return RetryDecision(RetryAction.DEFAULT, reason=f"{name}: a failure that may pass: the task's own delay")


def _first_of_ours(exception: BaseException | None) -> HubchanError | None:
    """The first of our errors in the chain of causes."""
    while exception is not None and not isinstance(exception, HubchanError):
        exception = exception.__cause__
    return exception
