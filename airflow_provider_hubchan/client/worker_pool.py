"""Threads that share one source of work, as many of them as are needed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Empty, Queue
from threading import TIMEOUT_MAX, Event, Lock, Thread
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

#: Seconds between two looks of a waiting main thread, which must stay open to signals.
POLL_INTERVAL = 0.1
#: Seconds that threads have for their last response once they are to end, and again once their calls have been aborted.
#: Airflow kills a task five seconds after it has told it to stop.
GRACE = 0.5
#: Results for each thread that may wait for the caller, who may be slower than HubSpot: they must not pile up.
MAX_WAITING_RESULTS = 64
#: Seconds between two looks at the results while they come: to be woken for each costs more than the result.
RESULT_INTERVAL = 0.005


class WorkerPool(Generic[S, T]):
    """One thread at first; each that takes a piece of work may start another, up to *max_workers*.

    :param function: performs one piece of work, in a thread.
    :param source: the work, taken by one thread at a time.
    :param max_workers: threads at most.
    :param needs_more: says whether another thread would be of use now.
    """

    def __init__(
        self, function: Callable[[S], T], source: Iterable[S], max_workers: int, needs_more: Callable[[], bool]
    ) -> None:
        self._function, self._source = function, iter(source)
        self._max_workers, self._needs_more = max_workers, needs_more
        self._stopped = Event()  # nobody waits for results any more
        self._threads: list[Thread] = []
        #: How many threads have had work.
        self.used = 0
        self._lock = Lock()
        self._results: Queue[tuple[str, Any]] = Queue()

    @property
    def size(self) -> int:
        """How many threads there have been."""
        return len(self._threads)

    def results(self) -> Generator[T | None, None, None]:
        """Results as they come, and None now and then while there is none, so that the caller can do something else."""
        with self._lock:  # the thread must not begin before it is counted
            self._start_thread()
        ended = 0
        try:
            while ended < self.size:
                try:
                    kind, value = self._results.get(timeout=POLL_INTERVAL)
                except Empty:
                    with self._lock:  # every thread waits for a response that is long in coming
                        self._start_thread_if_useful()
                    yield None
                    continue
                if kind == "error":
                    raise value
                if kind == "end":
                    ended += 1
                else:
                    yield value
                if self._results.empty():
                    time.sleep(RESULT_INTERVAL)
        finally:
            self._stopped.set()

    def join(self, seconds: float = math.inf) -> bool:
        """Wait until all threads have ended, for so many *seconds* at most.

        :return: True if they have.
        """
        self._stopped.set()
        deadline = time.monotonic() + max(0.0, min(seconds, TIMEOUT_MAX))
        for thread in self._threads:
            if thread.ident is not None:  # else an exception came before it began
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float, abort: Callable[[], None]) -> None:
        """Wait until all threads have ended, for so many *seconds* at most; *abort* the calls of those that have not, and leave
        behind what is still there then.
        """
        if not self.join(seconds):
            abort()
            self.join(GRACE)

    def drain(self) -> Iterator[T]:
        """Results that came when nobody waited for them any more."""
        while not self._results.empty():
            kind, value = self._results.get()
            if kind == "result":
                yield value

    def _start_thread_if_useful(self) -> None:
        if self.size < self._max_workers and not self._stopped.is_set() and self._needs_more():
            self._start_thread()

    def _start_thread(self) -> None:
        thread = Thread(target=self._work, name=f"hubchan-{self.size}", daemon=True)
        self._threads.append(thread)  # before it begins: after an exception right then, it must be waited for
        try:
            thread.start()
        except RuntimeError:  # the machine gives no more threads: those that are there have to do
            self._threads.pop()
            if not self._threads:
                raise
            self._max_workers = self.size

    def _work(self) -> None:
        has_worked = False
        try:
            while not self._stopped.is_set():
                with self._lock:
                    piece = next(self._source, None)
                    if piece is not None:
                        self.used, has_worked = self.used + (not has_worked), True
                        self._start_thread_if_useful()
                if piece is None:
                    return self._results.put(("end", None))
                while self._results.qsize() > MAX_WAITING_RESULTS * self.size and not self._stopped.wait(0.01):
                    pass
                self._results.put(("result", self._function(piece)))
        except BaseException as error:  # a defect: the caller's thread must see it, or it would wait for ever
            self._results.put(("error", error))
