"""The driver that performs stories with ``requests`` and threads. It decides nothing: every rule is in the stories."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext
from threading import Event, Lock
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_hubchan.batch.report import Counts
from airflow_provider_hubchan.client import responses
from airflow_provider_hubchan.client.actions import (
    OUT_OF_TIME,
    STOPPED,
    Halt,
    Lost,
    NeedToken,
    Reply,
    Request,
    Step,
    Stopped,
    Story,
    Wait,
)
from airflow_provider_hubchan.client.errors import NO_REPLY
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.ratelimit.fair_share import Quota
from airflow_provider_hubchan.client.ratelimit.lanes import Ticket
from airflow_provider_hubchan.client.ratelimit.limiter import Pace
from airflow_provider_hubchan.client.transport import Sessions
from airflow_provider_hubchan.client.worker_pool import GRACE, Crew

T = TypeVar("T")


class Driver:
    """Performs stories: sends, sleeps, hands out the token. One for each batch or call; use it as a context manager.

    :param pace: the account's, shared with every other driver of the process.
    :param share: part of the pace that this driver may use, in (0, 1].
    :param bearer: the account's, shared likewise.
    :param deadline: seconds of *clock* at which everything ends.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        account: Account,
        pace: Pace,
        bearer: Bearer,
        patience: Patience,
        *,
        share: float = 1.0,
        deadline: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account, self.pace, self._bearer, self.patience = account, pace, bearer, patience
        self._lane, self._deadline, self._clock = pace.lane(share, account.requests_per_10s), deadline, clock
        self._ended = Event()
        self._sessions = Sessions(account.base_url)
        self.halt: Halt | None = None
        self.counts = Counts()
        self._crew: Crew[Story[Any], Any] | None = None
        self._threads = self._at_the_pace = 0  # how many there were at most; how many wait for a ticket
        self._over_by = math.inf  # threads that are still there by then are left behind
        self._lock = Lock()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sessions.close()

    @property
    def quota(self) -> Quota:
        """How many requests this driver may send, as far as is known."""
        return Quota(self._lane.bound(self.pace.limit, self.pace.window), self.pace.window)

    def end(self, halt: Halt) -> None:
        """End the batch: no story sends anything more. The first reason stays. For any thread; while `run_all` runs, also for
        a signal handler.
        """
        self.halt = self.halt or halt
        grace = GRACE if halt is STOPPED else GRACE + 2 * self.account.timeout
        self._over_by = min(self._over_by, self._clock() + grace)
        self._ended.set()

    def run(self, story: Story[T]) -> T:
        """Perform a story's steps until it returns."""
        try:
            step = next(story)
            while True:
                try:
                    answer = self._perform(step)
                except Stopped as stopped:
                    step = story.throw(stopped)
                else:
                    step = story.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def run_all(self, stories: Iterable[Story[T]], concurrency: int) -> Generator[T | None, None, None]:
        """Perform many stories in at most *concurrency* threads. Close it: then nothing is sent any more, and `left_over`
        has what came when nobody looked.

        :return: results as they come, and None now and then while there is none, so that the caller can tell its own story.
        """
        self._crew = crew = Crew(self.run, stories, concurrency, lambda: self._at_the_pace > 0)
        try:
            for result in crew.results():
                yield result
                if self._clock() > self._over_by:  # a server that answers a byte at a time, a name service that hangs
                    return
        except BaseException:  # the caller has gone, or a signal took it out of here
            self.end(STOPPED)
            raise
        finally:
            self._threads = max(self._threads, crew.size)
            crew.dismiss(self._over_by - self._clock(), self._sessions.cut)

    def left_over(self) -> Iterable[Any]:
        """Results that nobody took from `run_all`."""
        return self._crew.left_over() if self._crew else ()

    @property
    def waited(self) -> float:
        """Seconds that a thread of `run_all` waited, on average."""
        return self.counts.waited / max(1, self._threads)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Halt):
            return self.end(step)
        self._check()
        match step:
            case Request():
                return self._send(step, self._ticket() if step.paced else None)
            case Wait(seconds, everyone=True):
                self.pace.hold(self._clock(), seconds)
            case Wait(seconds):
                with self._crew.pausing() if self._crew else nullcontext():
                    self._sleep(seconds or 0.0)
            case NeedToken():
                return self._token(step)

    def _check(self) -> None:
        if self._clock() >= self._deadline:
            self.end(OUT_OF_TIME)
        if self.halt:
            raise Stopped(self.halt)

    def _ticket(self) -> Ticket:
        ticket = self.pace.ask(self._clock(), self._lane)
        if isinstance(ticket, Ticket):
            return ticket
        with self._lock:
            self._at_the_pace += 1
        try:
            while isinstance(ticket, float):
                self._sleep(ticket)
                ticket = self.pace.ask(self._clock(), self._lane)
            return ticket
        finally:
            with self._lock:
                self._at_the_pace -= 1

    def _sleep(self, seconds: float) -> None:
        begin = self._clock()
        self._ended.wait(min(seconds, max(0.0, self._deadline - begin)))
        self.counts.add(waited=self._clock() - begin)
        self._check()

    def _token(self, need: NeedToken) -> str:
        token = self._bearer.value(self._clock(), need.refused)
        if token is None:
            with self._bearer.alone(self._check):
                token = self._bearer.value(self._clock(), need.refused)  # whoever waited here finds what the first one fetched
                if token is None:
                    token = self.run(self._bearer.fetch(self.patience, need.because))
        return token

    def _send(self, request: Request, ticket: Ticket | None) -> Reply | Lost:
        sent, work = self._clock(), time.thread_time()
        reply: Reply | Lost = Lost(NO_REPLY)
        try:
            reply = self._sessions.send(request, sent, min(self.account.timeout, max(0.001, self._deadline - sent)))
        finally:
            if ticket:
                self.pace.answered(self._clock(), ticket, responses.quota(reply) if isinstance(reply, Reply) else None)
        if self._crew and isinstance(reply, Reply) and reply.status < 300:
            self._crew.measured(self._clock() - sent, time.thread_time() - work)
        if ticket:
            self.counts.add(requests=1, rate_limited=int(isinstance(reply, Reply) and reply.status == 429))
        return reply
