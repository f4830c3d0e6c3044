"""Threads that pull work from one source, one by one, and as many of them as are of use.

How many that is says Little's law, twice: in flight = rate * latency, and the rate is that of the pace, or that of this
interpreter. While a thread waits for the pace, those that are there are all it can feed. And in the time of the fastest reply
the interpreter can do its own work for so many requests and not more: another thread would stand in line, and cost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import TIMEOUT_MAX, Event, Lock, Thread
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

#: Seconds between two looks of a waiting main thread, which must stay open to signals.
TICK = 0.5
#: Seconds that threads have for their last answer once they are to end, and again once they have been cut off. Airflow kills
#: a task five seconds after it has told it to stop.
GRACE = 0.5
#: Results for each thread that may wait for the caller, who may be slower than HubSpot: they must not pile up.
ROOM = 64
#: Seconds between two looks at the results while they come: to be woken for each costs more than the result.
GATHERED = 0.005


class Crew(Generic[S, T]):
    """One thread at first; each that begins with a piece of work may call another.

    :param do: performs one piece of work, in a thread.
    :param source: the work, pulled by one thread at a time.
    :param most: threads at most.
    :param enough: says whether a thread waits for the pace now.
    """

    def __init__(self, do: Callable[[S], T], source: Iterable[S], most: int, enough: Callable[[], bool]) -> None:
        self._do, self._source, self._most, self._enough = do, iter(source), most, enough
        self._left = Event()  # nobody waits for results any more
        self._fastest, self._cost = 0.0, math.inf
        self._idle = 0
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._results: Queue[tuple[str, Any]] = Queue()

    @property
    def size(self) -> int:
        """How many threads there have been."""
        return len(self._threads)

    def results(self) -> Generator[T | None, None, None]:
        """Results as they come, and None now and then while there is none, so that the caller can tell its own story."""
        with self._lock:  # it must not begin before it is counted
            self._call_another()
        done = 0
        try:
            while done < self.size:
                try:
                    kind, value = self._results.get(timeout=TICK)
                except Empty:
                    with self._lock:  # whoever is there waits for a reply that is long in coming
                        if self.size < self._most and not self._enough():
                            self._call_another()
                    yield None
                    continue
                if kind == "error":
                    raise value
                if kind == "end":
                    done += 1
                else:
                    yield value
                if self._results.empty():
                    time.sleep(GATHERED)
        finally:
            self._left.set()

    def measured(self, latency: float, work: float) -> None:
        """Take note of one reply.

        :param latency: seconds from send to reply.
        :param work: seconds of CPU that a thread spent on it.
        """
        with self._lock:
            first = self._cost == math.inf
            self._fastest = latency if first else min(latency, self._fastest + (latency - self._fastest) / 64)
            self._cost = work if first else self._cost + (work - self._cost) / 16

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """A thread of the crew pauses after a fault: another may do its work."""
        with self._lock:
            self._idle += 1
            if self._another_is_of_use():
                self._call_another()
        try:
            yield
        finally:
            with self._lock:
                self._idle -= 1

    def join(self, seconds: float = math.inf) -> bool:
        """Wait until all threads are gone, for so many *seconds* at most; True if they are."""
        self._left.set()
        ends = time.monotonic() + max(0.0, min(seconds, TIMEOUT_MAX))
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def dismiss(self, seconds: float, cut: Callable[[], None]) -> None:
        """Wait until all threads are gone, for so many *seconds*; *cut* off those that are not, and leave behind who stays."""
        if not self.join(seconds):
            cut()
            self.join(GRACE)

    def left_over(self) -> Iterator[T]:
        """Results that came when nobody looked any more."""
        while not self._results.empty():
            kind, value = self._results.get()
            if kind == "result":
                yield value

    def _another_is_of_use(self) -> bool:
        working = self.size - self._idle
        room = not working or (working + 1) * self._cost <= self._fastest
        return room and self.size < self._most and not self._enough() and not self._left.is_set()

    def _call_another(self) -> None:
        thread = Thread(target=self._work, name=f"hubchan-{self.size}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine gives no more threads: those that are there will do
            if not self._threads:
                raise
            self._most = self.size
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        try:
            while not self._left.is_set():
                with self._lock:
                    piece = next(self._source, None)
                    if piece is not None and self._another_is_of_use():
                        self._call_another()
                if piece is None:
                    return self._results.put(("end", None))
                while self._results.qsize() > ROOM * self.size and not self._left.wait(0.01):
                    pass
                self._results.put(("result", self._do(piece)))
        except BaseException as error:  # a defect: the caller's thread must see it, or it would wait for ever
            self._results.put(("error", error))
