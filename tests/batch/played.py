"""A driver in virtual time: it plays a batch against a function that answers, and nothing waits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from airflow_provider_hubchan.client.actions import Abort, Aborted, Flow, NeedToken, NoResponse, Request, Response, Wait
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, Quota, Token
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.request_counters import RequestCounters

#: Results that may wait while others overtake them.
IN_FLIGHT = 16


class Clock:
    """Seconds of a monotonic clock that moves when somebody moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class PlayedDriver:
    """In the place of a `SyncDriver`. Results come out of order, as from threads; each request takes some seconds.

    :param answer: HubSpot's answer to a request.
    :param seconds: that a request takes.
    """

    def __init__(
        self, clock: Clock, answer: Callable[[Request], Response | NoResponse], seconds: float, rng: random.Random
    ) -> None:
        self.account, self.retry, self.limiter = Account(access_token="t"), RetryConfig(), RateLimiter()
        self.counters, self.quota = RequestCounters(), Quota(100, 10.0)
        self.aborted: Abort | None = None
        self.is_overdue, self.waited, self.blocked_for = False, 0.0, 0.0
        self._clock, self._answer, self._seconds, self._rng = clock, answer, seconds, rng
        self._results = list[Any]()

    def abort(self, abort: Abort) -> None:
        """Nothing more is sent."""
        self.aborted = self.aborted or abort

    def run_all(self, flows: Iterable[Flow[Any]], concurrency: int) -> Iterator[Any]:
        """Results as they come."""
        for flow in flows:
            self._results.append(self._run(flow))
            if len(self._results) >= IN_FLIGHT:
                yield self._results.pop(self._rng.randrange(len(self._results)))
        while self._results:
            yield self._results.pop()

    def drain(self) -> Iterator[Any]:
        """Results that nobody took."""
        while self._results:
            yield self._results.pop()

    def _run(self, flow: Flow[Any]) -> Any:
        try:
            action = next(flow)
            while True:
                if isinstance(action, Abort):
                    self.abort(action)
                    action = flow.send(None)
                elif self.aborted:
                    action = flow.throw(Aborted(self.aborted))
                else:
                    action = flow.send(self._perform(action))
        except StopIteration as end:
            return end.value

    def _perform(self, action: Request | Wait | NeedToken) -> Any:
        match action:
            case NeedToken():
                return Token("t")
            case Wait(seconds):
                self._clock.now += seconds or 0.0
            case Request():
                started = self._clock.now
                self.counters.request_began(started)
                self._clock.now += self._seconds
                response = self._answer(action)
                self.counters.request_ended(self._clock.now, counts=True, status=response.status, failure=response.reason)
                return response
