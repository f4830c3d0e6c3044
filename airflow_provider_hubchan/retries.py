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
from airflow_provider_hubchan.client.error_texts import format_error, readable
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows, CallFailed, HubchanError
from airflow_provider_hubchan.validation import MAX_SECONDS

if TYPE_CHECKING:
    from typing import TypeGuard

    from airflow.sdk import Context

#: How many causes are followed: a chain may be a ring, or have a link for each retry of a library.
MAX_CAUSES = 100
#: Characters of a reason: Airflow's table holds 500.
MAX_REASON = 500


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
        """Decide; the reason goes into the task's record. Never raises, whatever *exception* is."""
        try:
            return self._decide(exception)
        except Exception as fault:  # of the exception: what it says of itself cannot be read
            reason = f"this exception cannot be read ({format_error(fault)}): the task's own delay"
            return RetryDecision(RetryAction.DEFAULT, reason=readable(reason, MAX_REASON))

    def _decide(self, exception: BaseException) -> RetryDecision:
        error = _first_of_ours(exception)
        if error is None:
            reason = f"{readable(type(exception).__name__, 100)} is not an error of this provider: the task's own delay"
            return RetryDecision(RetryAction.DEFAULT, reason=reason)
        name = readable(type(error).__name__, 100)
        if isinstance(error, BadConnection | BadInput | BadRows):
            return RetryDecision(RetryAction.FAIL, reason=f"{name}: a retry would find the same")
        if isinstance(error, CallFailed) and error.permanent:
            reason = f"{name}: nothing changes until a person acts: {_text_of(error)}"
            return RetryDecision(RetryAction.FAIL, reason=readable(reason, MAX_REASON))
        if isinstance(error, CallFailed | BatchIncomplete) and _is_delay(error.retry_after):
            reason = f"{name}: HubSpot asked to come back in {error.retry_after:,.0f} s"
            return RetryDecision(RetryAction.RETRY, retry_delay=timedelta(seconds=error.retry_after), reason=reason)
        return RetryDecision(RetryAction.DEFAULT, reason=f"{name}: a failure that may pass: the task's own delay")


def _first_of_ours(exception: BaseException | None) -> HubchanError | None:
    """The first of our errors in the chain of causes, as far as that is followed: it may be a ring."""
    for _ in range(MAX_CAUSES):
        if exception is None or isinstance(exception, HubchanError):
            return exception
        exception = exception.__cause__
    return None


def _is_delay(seconds: object) -> TypeGuard[float]:
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0.0 <= seconds <= MAX_SECONDS


def _text_of(error: HubchanError) -> str:
    try:
        return str(error)
    except Exception:  # of a derived class; the decision does not depend on it
        return "its text cannot be read"
