"""Whether and when a failed task is tried again. Needs Airflow 3.3; on 3.2 this module cannot be imported."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

try:
    from airflow.sdk import RetryPolicy
    from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision
except ImportError as missing:
    raise ImportError(
        "HubchanRetryPolicy needs Airflow 3.3. Leave it out: the task's retries and retry_delay hold."
    ) from missing

from airflow_provider_hubchan.client.advice import advise

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
        advice = advise(exception)
        delay = None if advice.delay is None else timedelta(seconds=advice.delay)
        return RetryDecision(RetryAction(advice.action), retry_delay=delay, reason=advice.reason)
