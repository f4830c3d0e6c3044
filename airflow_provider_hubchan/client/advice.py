"""Whether a failed task should be tried again, and when: by what our errors say, without Airflow's words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_hubchan.batch.report import BatchIncomplete
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows, CallFailed, HubchanError


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with a failed task.

    :param action: *fail* for no further try, *retry* after *delay*, or *default* for what the task itself says.
    :param reason: for the task's record.
    :param delay: seconds, for *retry*.
    """

    action: Literal["fail", "retry", "default"]
    reason: str
    delay: float | None = None


def advise(exception: BaseException) -> Advice:
    """Fail at once where a retry cannot help, come back when HubSpot said, and else as the task says."""
    ours = _ours(exception)
    if ours is None:
        return Advice("default", f"{type(exception).__name__} is nothing of HubSpot's: the task's own delay")
    kind = type(ours).__name__
    if isinstance(ours, BadConnection | BadInput | BadRows):
        return Advice("fail", f"{kind}: a retry would find the same")
    if isinstance(ours, CallFailed) and ours.permanent:
        return Advice("fail", f"{kind}: nothing changes until a person acts: {ours}")
    if isinstance(ours, CallFailed | BatchIncomplete) and ours.retry_after is not None:
        return Advice("retry", f"{kind}: HubSpot asked to come back in {ours.retry_after:,.0f} s", ours.retry_after)
    return Advice("default", f"{kind}: a fault that may pass: the task's own delay")


def _ours(exception: BaseException | None) -> HubchanError | None:
    """The first of our errors in the chain of causes."""
    while exception is not None and not isinstance(exception, HubchanError):
        exception = exception.__cause__
    return exception
