"""The flow of one call: what to send, when to try again, when to give up. Written once, for threads and for asyncio.

A flow is a generator (see actions.py). It does no I/O, so a test sends it canned responses and reads its actions:

    responses                  actions                                            outcome
    200                        token, send                                        updated
    503, 200                   token, send, wait 1 s, token, send                 updated
    401, 200                   token, send, another token, send                   updated
    429, 200                   token, send, the account waits, token, send        updated
    404                        token, send                                        rejected
    403                        token, send, abort                                 unresolved
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import Abort, Aborted, Flow, NeedToken, Request, Wait
from airflow_provider_hubchan.client.errors import CallFailed, Problem
from airflow_provider_hubchan.client.models import Account, MessageStatus, Outcome, Token, Update
from airflow_provider_hubchan.client.responses import (
    Accepted,
    Blocked,
    QuotaExhausted,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
    classify,
    message_status,
    other_message_warning,
)


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How often and how long to try again. Every number is a bound.

    :param max_attempts: requests for one row that may fail in a way that passes (5xx, 423, timeout, reset) before the row is
        *unresolved*.
    :param max_throttles: 429s of a burst limit for one row before it is *unresolved*. Many, because the whole account waits
        after each.
    :param base_delay: seconds before the second attempt; doubled for each further one.
    :param max_delay: seconds of the longest of these doubled pauses.
    :param max_retry_after: seconds of the longest wait of a worker for a time that HubSpot names (``Retry-After``). If HubSpot
        asks for more, the batch ends with HubSpot's time. What HubSpot names no time for is retried all the same.
    :param break_after: rows in a row that may end *unresolved* before the batch ends, 0 for any number: a server that is down
        is not asked ten thousand times.
    """

    max_attempts: int = 5
    max_throttles: int = 30
    base_delay: float = 1.0
    max_delay: float = 60.0
    max_retry_after: float = 60.0
    break_after: int = 20

    def delay(self, attempt: int, retry_after: float | None, jitter: float) -> float:
        """Seconds to wait after an attempt that failed.

        :param attempt: 1 after the first attempt.
        :param retry_after: seconds from ``Retry-After`` or from HubSpot's rule for the status, None if there is neither.
        :param jitter: a random number in [0, 1): retries of many rows must not come back at the same time.
        :return: between half and all of ``base_delay * 2 ** (attempt - 1)``, at most *max_delay*; never less than
            *retry_after*.
        """
        backoff = min(self.max_delay, self.base_delay * 2.0 ** (attempt - 1)) * (0.5 + jitter / 2)
        return backoff if retry_after is None else max(backoff, retry_after + self.base_delay * jitter / 2)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """No final answer came.

    :param permanent: True if trying again cannot help until a person changes something.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    """

    problem: Problem
    permanent: bool = False
    retry_after: float | None = None


Answer = Accepted | Rejected | Unresolved


def request_flow(
    request: Request,
    retry: RetryConfig,
    secrets: Iterable[str] = (),
    jitter: Callable[[], float] = random.random,
) -> Flow[Answer]:
    """Send *request* until there is a final answer, or no more attempt is left.

    :param secrets: texts that may not appear in a problem's reason.
    :param jitter: gives random numbers in [0, 1), see `RetryConfig.delay`.
    """
    attempts, need = _Attempts(retry, jitter), NeedToken()
    try:
        while True:
            token: Token = yield need
            response = yield replace(request, token=token.value)
            verdict = classify(response, (*secrets, *token.secrets()))
            if isinstance(verdict, Accepted | Rejected):
                return verdict
            if isinstance(verdict, Unauthorized) and need.refused is None:
                need = NeedToken(token.value, verdict.problem)
                continue
            need = NeedToken()
            match attempts.failed(verdict):
                case Wait() as wait:
                    yield wait
                case Abort() as abort:
                    yield abort
                    return Unresolved(abort.problem, abort.permanent, abort.retry_after)
                case Unresolved() as unresolved:
                    return unresolved
    except Aborted as aborted:
        abort = aborted.abort
        return Unresolved(given_up(abort), abort.permanent, abort.retry_after)


class _Attempts:
    """The attempts of one request so far."""

    def __init__(self, retry: RetryConfig, jitter: Callable[[], float]) -> None:
        self._retry, self._jitter = retry, jitter
        self._failures = self._throttles = 0

    def failed(self, verdict: Transient | Throttled | Unauthorized | QuotaExhausted | Blocked) -> Wait | Abort | Unresolved:
        """Say what follows an attempt that failed: another one after a wait, the end of the batch, or the end of this row."""
        retry = self._retry
        match verdict:
            case Unauthorized(problem) | Blocked(problem):
                return Abort(problem, permanent=True)
            case QuotaExhausted(problem, retry_after, refused_at):
                return Abort(problem, permanent=False, retry_after=retry_after, refused_at=refused_at)
            case Transient(problem, float(wait), is_named=True) | Throttled(problem, float(wait), is_named=True) if (
                wait > retry.max_retry_after
            ):
                return Abort(problem, permanent=False, retry_after=wait)
            case Throttled(problem, retry_after, max_attempts):
                self._throttles += 1
                too_many = self._throttles > min(retry.max_throttles, max_attempts or retry.max_throttles)
                return Unresolved(problem) if too_many else Wait(retry_after, whole_account=True)
            case Transient(problem, retry_after, max_attempts):
                self._failures += 1
                if self._failures >= min(retry.max_attempts, max_attempts or retry.max_attempts):
                    return Unresolved(_with_attempts(problem, self._failures))
                return Wait(retry.delay(self._failures, retry_after, self._jitter()))


def given_up(abort: Abort) -> Problem:
    """Why an update that got no final answer before the batch ended is *unresolved*."""
    return replace(abort.problem, reason=f"Given up: {abort.problem.reason}", label=f"given up: {abort.problem.label}")


def deliver(
    account: Account, channel_id: str, update: Update, retry: RetryConfig, compare_before_write: bool = False
) -> Flow[Outcome]:
    """Bring one update to HubSpot.

    :param compare_before_write: read the message first, and send nothing if HubSpot has that status already, or READ.
    """
    secrets = account.secrets()
    if compare_before_write:
        answer = yield from request_flow(endpoints.get_message(account, channel_id, update.message_id), retry, secrets)
        if isinstance(answer, Accepted):
            if (status := _needless_because(answer.body, update)) is not None:
                return Outcome(update, "skipped", Problem(f"HubSpot has it as {status} already", f"already {status}"))
            answer = yield from request_flow(endpoints.update_message(account, channel_id, update), retry, secrets)
    else:
        answer = yield from request_flow(endpoints.update_message(account, channel_id, update), retry, secrets)
    match answer:
        case Accepted(body):
            return Outcome(update, "updated", warning=other_message_warning(body, update.message_id))
        case Rejected(problem):
            return Outcome(update, "rejected", problem)
        case Unresolved(problem):
            return Outcome(update, "unresolved", problem)


def fetch(account: Account, request: Request, retry: RetryConfig) -> Flow[dict[str, Any]]:
    """Make one call whose response body is wanted.

    :raises CallFailed: if there is no usable answer.
    """
    answer = yield from request_flow(request, retry, account.secrets())
    match answer:
        case Accepted(body):
            return body
        case Rejected(problem):
            raise CallFailed(problem, permanent=True)
        case Unresolved(problem, permanent, retry_after):
            raise CallFailed(problem, permanent=permanent, retry_after=retry_after)


def pause(seconds: float) -> Flow[None]:
    """Wait in a worker thread: the main thread must stay open to signals."""
    with suppress(Aborted):
        yield Wait(seconds)


def _needless_because(message: dict[str, Any], update: Update) -> str | None:
    """The status that makes *update* needless; None if it is needed. A FAILED with another reason is needed."""
    name, error_message = message_status(message)
    status = MessageStatus.parse(name)
    if status is None or update.status is None:
        return None
    if status.is_failure and update.error_message:
        return name if update.status is status and error_message == update.error_message else None
    return name if status.supersedes(update.status) else None


def _with_attempts(problem: Problem, attempts: int) -> Problem:
    return replace(problem, reason=f"{problem.reason} Tried {attempts} times.") if attempts > 1 else problem
