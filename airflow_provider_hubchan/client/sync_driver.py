"""The driver for threads: it performs the actions of flows with ``requests``. It has no rules; these are in the flows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_hubchan.client import headers
from airflow_provider_hubchan.client.actions import (
    OUT_OF_RUNTIME,
    READ_TIMEOUT,
    STOPPED,
    Abort,
    Aborted,
    Action,
    Flow,
    NeedToken,
    NoResponse,
    Request,
    Response,
    Wait,
)
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, Quota, Token
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.reentrant_event import ReentrantEvent
from airflow_provider_hubchan.client.request_counters import RequestCounters
from airflow_provider_hubchan.client.transport import ConnectionPool
from airflow_provider_hubchan.client.worker_pool import GRACE, WorkerPool

T = TypeVar("T")


class SyncDriver:
    """Performs flows: sends, sleeps, hands out the token. One for each batch or call; use it as a context manager.

    :param limiter: the account's, shared with every other driver of the process.
    :param tokens: the account's, shared likewise.
    :param share: part of the account's quota that this driver may use, in (0, 1].
    :param deadline: seconds of *clock* at which everything ends.
    :param out_of_time: why, for what has no answer then.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        account: Account,
        limiter: RateLimiter,
        tokens: TokenProvider,
        retry: RetryConfig,
        *,
        share: float = 1.0,
        deadline: float = math.inf,
        out_of_time: Abort = OUT_OF_RUNTIME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account, self.limiter, self._tokens, self.retry = account, limiter, tokens, retry
        self._share, self._deadline, self._clock = limiter.share(share, account.requests_per_10s), deadline, clock
        self._out_of_time = out_of_time
        self._connections = ConnectionPool(account.base_url)
        self.aborted: Abort | None = None
        self._abort_event = ReentrantEvent()
        self.counters = RequestCounters()
        self._workers: WorkerPool[Flow[Any], Any] | None = None
        self._waiting = 0  # for a permit or for the token
        self._leave_at = math.inf  # workers that have not ended by then are left behind
        self._lock = Lock()

    def __enter__(self) -> SyncDriver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._workers and not self._workers.join(0.0):  # an exception came while they were ended
                self.abort(STOPPED)
                self._workers.stop(0.0, self._connections.abort)
        finally:
            self._connections.close()

    @property
    def quota(self) -> Quota:
        """How many requests this driver may send, as far as is known."""
        return Quota(self._share.max_permits(self.limiter.limit, self.limiter.window), self.limiter.window)

    @property
    def is_overdue(self) -> bool:
        """True if everything should have ended by now, after a stop or at the deadline."""
        return self._clock() >= min(self._leave_at, self._deadline + GRACE)

    @property
    def waited(self) -> float:
        """Seconds so far in which nothing was sent because everybody waited; see `RequestCounters`."""
        return self.counters.waited(self._clock())

    @property
    def blocked_for(self) -> float:
        """Seconds until HubSpot takes requests of the account again, as far as is known; 0 if it does."""
        return self.limiter.blocked_for(self._clock())

    def abort(self, abort: Abort) -> None:
        """End the batch: no flow sends anything more. The first reason stays. For any thread, and for a signal handler."""
        self.aborted = self.aborted or abort
        # Who is told to stop, or has run out of time, cannot wait for the last responses.
        grace = GRACE if abort in (STOPPED, self._out_of_time) else GRACE + self.account.total_timeout
        self._leave_at = min(self._leave_at, self._clock() + grace, self._deadline + GRACE)
        self._abort_event.set()

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow's actions until it returns."""
        try:
            action = next(flow)
            while True:
                try:
                    result = self._perform(action)
                except Aborted as aborted:
                    action = flow.throw(aborted)
                else:
                    action = flow.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def run_all(self, flows: Iterable[Flow[T]], concurrency: int) -> Generator[T | None, None, None]:
        """Perform many flows in at most *concurrency* threads. Close the generator: then nothing is sent any more, and `drain`
        has the results that nobody took.

        :return: results as they come, and None now and then while there is none, so that the caller can do something else.
        """
        self._workers = workers = WorkerPool(self.run, flows, concurrency, self._needs_more_threads)
        try:
            for result in workers.results():
                yield result
                now = self._clock()
                if now >= self._deadline:  # nobody else may notice: all threads may be waiting for a server
                    self.abort(self._out_of_time)
                if now > self._leave_at:  # a server that answers a byte at a time, a name service that hangs
                    return
        except BaseException:  # the caller has gone, or a signal ended it
            self.abort(STOPPED)
            raise
        finally:
            workers.stop(self._leave_at - self._clock(), self._connections.abort)

    def drain(self) -> Iterable[Any]:
        """Results of `run_all` that nobody took."""
        return self._workers.drain() if self._workers else ()

    def _needs_more_threads(self) -> bool:
        """While a thread waits for a permit or for the token, those that are there can use up the quota. Nothing else counts:
        not what HubSpot answers, nor how busy the process is with something else.
        """
        return self._waiting == 0

    @contextmanager
    def _counted_as_waiting(self) -> Iterator[None]:
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _perform(self, action: Action) -> Any:
        if isinstance(action, Abort):
            return self.abort(action)
        self._check()
        match action:
            case Request():
                return self._send(action, self._acquire() if action.uses_quota else None)
            case Wait(seconds, whole_account=True):
                self.limiter.block(self._clock(), seconds)
            case Wait(seconds):
                self._sleep(seconds or 0.0)
            case NeedToken():
                return self._token(action)

    def _check(self) -> None:
        if self._clock() >= self._deadline:
            self.abort(self._out_of_time)
        if self.aborted:
            raise Aborted(self.aborted)

    def _acquire(self) -> Permit:
        permit = self.limiter.acquire(self._clock(), self._share)
        if isinstance(permit, Permit):
            return permit
        with self._counted_as_waiting():
            while isinstance(permit, float):
                self._sleep(permit)
                permit = self.limiter.acquire(self._clock(), self._share)
            return permit

    def _sleep(self, seconds: float) -> None:
        start = self._clock()
        self.counters.wait_began(start)
        try:
            self._abort_event.wait(min(seconds, max(0.0, self._deadline - start)))
        finally:
            self.counters.wait_ended(self._clock())
        self._check()

    def _token(self, need: NeedToken) -> Token:
        token = self._tokens.current(self._clock(), need.refused)
        if token is None:
            with self._counted_as_waiting(), self._tokens.exclusive(self._check):
                token = self._tokens.current(self._clock(), need.refused)  # another thread may have fetched it meanwhile
                if token is None:
                    token = self.run(self._tokens.refresh_flow(self.retry, need, self._clock))
        return token

    def _send(self, request: Request, permit: Permit | None) -> Response | NoResponse:
        sent_at = self._clock()
        left = max(0.001, self._deadline - sent_at)
        response: Response | NoResponse = NoResponse(READ_TIMEOUT)
        self.counters.request_began(sent_at)
        try:
            total = min(self.account.total_timeout, left)
            response = self._connections.send(request, sent_at, min(self.account.timeout, left), total)
        finally:
            now = self._clock()
            if permit:
                self.limiter.release(now, permit, headers.quota(response.headers))
            self.counters.request_ended(now, counts=permit is not None, status=response.status, failure=response.reason)
        return response
