"""An event that a signal handler may set.

`threading.Event.set` takes a lock. A signal handler runs between two instructions of the main thread; if these are in a ``set``
of the same event, the handler would wait for ever for a lock that its own thread holds. `queue.SimpleQueue.put` is re-entrant
(Python's documentation promises it), so an item in a queue is what says that the event is set.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue

#: Seconds of the longest single wait: longer ones are refused by some platforms.
MAX_WAIT = 86_400.0


class ReentrantEvent:
    """Not set at first; once it is set it stays so."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake all who wait. For any thread, and for signal handlers."""
        self._queue.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, for so many *seconds* at most.

        :return: True if it is set.
        """
        try:
            self._queue.get(timeout=min(max(0.0, seconds), MAX_WAIT))
        except Empty:
            return False
        self._queue.put(None)  # for the others who wait
        return True
