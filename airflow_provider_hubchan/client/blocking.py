"""The driver that performs stories with ``requests`` and threads. It decides nothing: every rule is in the stories."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Queue
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_hubchan.client import wire
from airflow_provider_hubchan.client.account import Account
from airflow_provider_hubchan.client.errors import NO_REPLY
from airflow_provider_hubchan.client.pace import Pace
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.report import Counts
from airflow_provider_hubchan.client.sessions import Sessions
from airflow_provider_hubchan.client.steps import (
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
from airflow_provider_hubchan.client.token import Bearer

T = TypeVar("T")

#: Seconds between two looks of a waiting main thread, which must stay open to signals.
TICK = 0.5
#: Seconds between two looks of a thread that waits for somebody else to fetch the token.
LOCKED = 0.05


class Driver:
    """Performs stories: sends, sleeps, hands out the token. One for each batch or call; use it as a context manager.

    :param pace: the account's, shared with every other driver of the process.
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
        deadline: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account, self.pace, self._bearer, self.patience = account, pace, bearer, patience
        self._deadline, self._clock = deadline, clock
        self._ended = Event()
        self._sessions = Sessions(account.base_url)
        self.halt: Halt | None = None
        self.counts = Counts()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sessions.close()

    def end(self, halt: Halt) -> None:
        """End the batch: no story sends anything more. The first reason stays. Safe in a signal handler and any thread."""
        self.halt = self.halt or halt
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

    def run_all(self, stories: Iterable[Story[T]], workers: int) -> Generator[T | None, None, None]:
        """Perform many stories in *workers* threads, which pull them one by one.

        :return: results as they come, and None now and then while there is none, so that the caller can tell its own story.
        """
        source, source_lock = iter(stories), Lock()
        results: Queue[tuple[str, Any]] = Queue()
        room = workers * 4  # the caller may be slower than HubSpot: results must not pile up

        def work() -> None:
            try:
                while True:
                    with source_lock:
                        story = next(source, None)
                    if story is None:
                        return results.put(("end", None))
                    while results.qsize() > room and not self._ended.wait(0.01):
                        pass
                    results.put(("result", self.run(story)))
            except BaseException as error:  # a defect: the caller's thread must see it, or it would wait for ever
                results.put(("error", error))

        threads = [Thread(target=work, name=f"hubchan-{number}", daemon=True) for number in range(workers)]
        try:
            for thread in threads:
                thread.start()
            working = workers
            while working:
                try:
                    kind, value = results.get(timeout=TICK)
                except Empty:
                    yield None
                    continue
                if kind == "error":
                    raise value
                if kind == "end":
                    working -= 1
                else:
                    yield value
        except BaseException:  # the caller has gone, or a signal took it out of here
            self.end(STOPPED)
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Halt):
            return self.end(step)
        self._check()
        match step:
            case Request():
                if step.paced:
                    self._keep_pace()
                return self._send(step)
            case Wait(seconds, everyone=True):
                self.pace.hold(self._clock(), seconds)
            case Wait(seconds):
                self._sleep(seconds or 0.0)
            case NeedToken():
                return self._token(step)

    def _check(self) -> None:
        if self._clock() >= self._deadline:
            self.end(OUT_OF_TIME)
        if self.halt:
            raise Stopped(self.halt)

    def _keep_pace(self) -> None:
        while wait := self.pace.ask(self._clock()):
            self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        begin = self._clock()
        self._ended.wait(min(seconds, max(0.0, self._deadline - begin)))
        self.counts.add(waited=self._clock() - begin)
        self._check()

    def _token(self, need: NeedToken) -> str:
        token = self._bearer.value(self._clock(), need.refused)
        if token is None:
            while not self._bearer.lock.acquire(timeout=LOCKED):  # somebody fetches; that can take long, a stop must not
                self._check()
            try:  # whoever waited here finds the token that the first one fetched, or the halt
                self._check()
                token = self._bearer.value(self._clock(), need.refused)
                if token is None:
                    token = self.run(self._bearer.fetch(self.patience, need.because))
            finally:
                self._bearer.lock.release()
        return token

    def _send(self, request: Request) -> Reply | Lost:
        sent = self._clock()
        reply: Reply | Lost = Lost(NO_REPLY)
        try:
            reply = self._sessions.send(request, sent, min(self.account.timeout, max(0.001, self._deadline - sent)))
        finally:
            if request.paced:
                self.pace.answered(self._clock(), wire.quota(reply) if isinstance(reply, Reply) else None)
        if request.paced:
            self.counts.add(requests=1, rate_limited=int(isinstance(reply, Reply) and reply.status == 429))
        return reply
