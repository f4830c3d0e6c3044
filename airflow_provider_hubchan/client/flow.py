"""The story of one call: what to send, when to try again, when to stop. Written once, for threads and for asyncio.

A story is a generator. It yields a step (see steps.py), is sent the answer, and returns its result; it does no I/O, so a
test feeds it replies by hand and reads what it does:

    replies                    steps                                    outcome
    200                        token, send                              updated
    503, 200                   token, send, wait 1 s, token, send       updated
    401, 200                   token, send, another token, send         updated
    429, 200                   token, send, all wait, token, send       updated
    404                        token, send                              rejected
    403                        token, send, halt                        unresolved
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_hubchan.batch.rows import Outcome, Update
from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Halt, NeedToken, Request, Stopped, Story, Wait
from airflow_provider_hubchan.client.errors import CallFailed, Problem
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.responses import (
    Accepted,
    Closure,
    Fault,
    Refusal,
    Rejected,
    Throttle,
    Unauthorized,
    meaning,
)


@dataclass(frozen=True, slots=True)
class GaveUp:
    """No final answer came.

    :param permanent: True if trying again cannot help until a person changes something.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    """

    problem: Problem
    permanent: bool = False
    retry_after: float | None = None


Answer = Accepted | Rejected | GaveUp


def call(
    request: Request,
    patience: Patience,
    secrets: Iterable[str] = (),
    spread: Callable[[], float] = random.random,
) -> Story[Answer]:
    """Send *request* until there is an answer.

    :param secrets: texts that may not appear in a problem's reason.
    :param spread: gives random numbers in [0, 1), so that retries do not come back in step.
    """
    faults = throttles = 0
    need = NeedToken()
    try:
        while True:
            token = yield need
            reply = yield replace(request, token=token)
            answer = meaning(reply, (*secrets, token))
            refused, need = need.refused, NeedToken()
            match answer:
                case Accepted() | Rejected():
                    return answer
                case Unauthorized(problem) if refused is None:
                    need = NeedToken(token, problem)
                    continue
                case Unauthorized(problem) | Refusal(problem):
                    halt = Halt(problem, permanent=True)
                case Closure(problem, after, refused_at):
                    halt = Halt(problem, permanent=False, retry_after=after, refused_at=refused_at)
                case Fault(problem, after) | Throttle(problem, after) if (after or 0.0) > patience.longest:
                    halt = Halt(problem, permanent=False, retry_after=after)
                case Throttle(problem, after):
                    throttles += 1
                    if throttles > patience.throttles:
                        return GaveUp(problem)
                    yield Wait(after, everyone=True)
                    continue
                case Fault(problem, after, tries):
                    faults += 1
                    if faults >= min(patience.tries, tries or patience.tries):
                        return GaveUp(_tried(problem, faults))
                    yield Wait(patience.pause(faults, after, spread()))
                    continue
            yield halt
            return GaveUp(halt.problem, halt.permanent, halt.retry_after)
    except Stopped as stopped:
        halt = stopped.halt
        return GaveUp(given_up(halt), halt.permanent, halt.retry_after)


def given_up(halt: Halt) -> Problem:
    """Why an update that was not tried to the end is *unresolved*."""
    return replace(halt.problem, reason=f"Given up: {halt.problem.reason}", label=f"given up: {halt.problem.label}")


def deliver(
    account: Account, channel_id: str, update: Update, patience: Patience, compare_before_write: bool = False
) -> Story[Outcome]:
    """Bring one update to HubSpot.

    :param compare_before_write: read the message first, and leave it alone if HubSpot says the same already, or READ.
    """
    secrets = account.secrets()
    if compare_before_write:
        answer = yield from call(endpoints.get_message(account, channel_id, update.message_id), patience, secrets)
        if isinstance(answer, Accepted):
            if (has := _already(answer.body, update)) is not None:
                return Outcome(update, "skipped", Problem(f"HubSpot has it as {has} already", f"already {has}"))
            answer = yield from call(endpoints.update_message(account, channel_id, update), patience, secrets)
    else:
        answer = yield from call(endpoints.update_message(account, channel_id, update), patience, secrets)
    match answer:
        case Accepted():
            return Outcome(update, "updated")
        case Rejected(problem):
            return Outcome(update, "rejected", problem)
        case GaveUp(problem):
            return Outcome(update, "unresolved", problem)


def _already(message: dict[str, Any], update: Update) -> str | None:
    """The status that makes *update* needless, None if it is needed. HubSpot need not tell a status, nor why one FAILED."""
    status = message.get("status")
    has = status.get("statusType") if isinstance(status, dict) else None
    if has == "FAILED" and update.error_message:
        details = status.get("failureDetails") if isinstance(status, dict) else None
        why = details.get("errorMessage") if isinstance(details, dict) else None
        return has if update.status == has and why == update.error_message else None
    return has if has in (update.status, "READ") else None


def pause(seconds: float) -> Story[None]:
    """Wait, in a thread of the crew: the main thread must stay open to signals."""
    with suppress(Stopped):
        yield Wait(seconds)


def fetch(account: Account, request: Request, patience: Patience) -> Story[dict[str, Any]]:
    """Make one call whose body the caller wants.

    :raises CallFailed: if there is no good answer.
    """
    answer = yield from call(request, patience, secrets=account.secrets())
    match answer:
        case Accepted(body):
            return body
        case Rejected(problem):
            raise CallFailed(problem, permanent=True)
        case GaveUp(problem, permanent, retry_after):
            raise CallFailed(problem, permanent=permanent, retry_after=retry_after)


def _tried(problem: Problem, times: int) -> Problem:
    return replace(problem, reason=f"{problem.reason} Tried {times} times.") if times > 1 else problem
