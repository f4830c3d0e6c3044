"""Threads that pull work from one source, one by one, and as many of them as are of use.

How many that is says Little's law, twice: in flight = rate * latency, and the rate is that of the pace, or that of this
interpreter. While a thread waits for the pace, those that are there are all it can feed. And while one request is on its way,
the interpreter has time for so many others as its own work for one goes into the fastest reply: more would stand in line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

#: Seconds between two looks of a waiting main thread, which must stay open to signals.
TICK = 0.5
#: Results for each thread that may wait for the caller, who may be slower than HubSpot: they must not pile up.
ROOM = 4


class Crew(Generic[S, T]):
    """One thread at first; each that begins with a piece of work may call another.

    :param do: performs one piece of work, in a thread.
    :param source: the work, pulled by one thread at a time.
    :param most: threads at most.
    :param enough: says whether a thread waits for the pace now.
    :param ended: set when nobody waits for the results any more, or nothing more is to be done.
    """

    def __init__(self, do: Callable[[S], T], source: Iterable[S], most: int, enough: Callable[[], bool], ended: Event) -> None:
        self._do, self._source, self._most, self._enough, self._ended = do, iter(source), most, enough, ended
        self._fastest, self._cost = 0.0, math.inf
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._results: Queue[tuple[str, Any]] = Queue()

    @property
    def size(self) -> int:
        """How many threads there have been."""
        return len(self._threads)

    def results(self) -> Generator[T | None, None, None]:
        """Results as they come, and None now and then while there is none, so that the caller can tell its own story."""
        self._call_another()
        done = 0
        while done < self.size:
            try:
                kind, value = self._results.get(timeout=TICK)
            except Empty:
                yield None
                continue
            if kind == "error":
                raise value
            if kind == "end":
                done += 1
            else:
                yield value

    def measured(self, latency: float, work: float) -> None:
        """Take note of one reply.

        :param latency: seconds from send to reply.
        :param work: seconds of CPU that a thread spent on it.
        """
        with self._lock:
            first = self._cost == math.inf
            self._fastest = latency if first else min(latency, self._fastest)
            self._cost = work if first else self._cost + (work - self._cost) / 16

    def join(self) -> None:
        """Wait until all threads are gone."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _another_is_of_use(self) -> bool:
        return self.size < self._most and self.size < 1 + self._fastest / max(self._cost, 1e-6) and not self._enough()

    def _call_another(self) -> None:
        thread = Thread(target=self._work, name=f"hubchan-{self.size}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        try:
            while True:
                with self._lock:
                    piece = next(self._source, None)
                    if piece is not None and self._another_is_of_use():
                        self._call_another()
                if piece is None:
                    return self._results.put(("end", None))
                while self._results.qsize() > ROOM * self.size and not self._ended.wait(0.01):
                    pass
                self._results.put(("result", self._do(piece)))
        except BaseException as error:  # a defect: the caller's thread must see it, or it would wait for ever
            self._results.put(("error", error))
