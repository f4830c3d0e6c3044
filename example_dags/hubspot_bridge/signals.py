"""Signals on Redis: there is something new in the outbox, look now. They are never the truth, that is the outbox.

The receiver asks for a signal when a message is committed, and a thread of its own publishes it: a Redis that is away neither
fails a webhook nor delays its answer. Airflow's trigger reads one message of the channel, ends, and subscribes again a
moment later, and Redis keeps nothing for those who do not listen. So a signal is repeated until somebody has heard it, for a
while. One that is lost all the same costs minutes, until the DAG runs by the clock: ``schedules.py``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Channels, and names of assets: a reply is pending; the gateway says something that HubSpot does not show.
REPLIES, RECEIPTS = "hubspot_replies", "hubspot_receipts"
#: Seconds to connect to Redis, and to wait for its answer.
TIMEOUT = 2.0
#: Seconds from one publication of a signal that nobody has heard to the next, and until it is given up.
PAUSE, GIVE_UP = 1.0, 15.0


class Signals:
    """Publishes in the background, and repeats what nobody has heard.

    :param publish: on a channel; how many have heard it. It may take its time, and raise what it wants.
    :param pause: seconds until the next try.
    :param give_up: seconds until the last try. Not forever: on a Redis cluster, nobody is what an answer may say of many.
    """

    def __init__(self, publish: Callable[[str], int], pause: float = PAUSE, give_up: float = GIVE_UP) -> None:
        self._publish, self._pause, self._give_up = publish, pause, give_up
        self._wanted: set[str] = set()
        self._changed = threading.Condition()
        self._failing = False
        threading.Thread(target=self._run, name="signals", daemon=True).start()

    def __call__(self, channel: str) -> None:
        """Ask for a signal, and return at once. What is asked for until the thread gets to it becomes one signal."""
        with self._changed:
            self._wanted.add(channel)
            self._changed.notify()

    def _run(self) -> None:
        unheard: dict[str, float] = {}  # channels, and until when they are repeated
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted, self._pause if unheard else None)
                wanted, self._wanted = self._wanted, set()
            unheard |= dict.fromkeys(wanted, time.monotonic() + self._give_up)
            for channel, end in sorted(unheard.items()):
                problem = self._try(channel)
                if not problem or time.monotonic() >= end:
                    del unheard[channel]
                    self._log(problem)

    def _try(self, channel: str) -> str:
        """Why nobody has heard it; empty if somebody has."""
        try:
            if self._publish(channel):
                return ""
        except Exception as error:  # the thread must live, whatever the client raises
            return f"{type(error).__name__}: {error}"
        return f"nobody listens to {channel}: is the DAG on, is a triggerer running, is its Redis the same?"

    def _log(self, problem: str) -> None:
        """Once, and not for each of a thousand webhooks."""
        if problem and not self._failing:
            log.warning("Signals are lost, the DAGs run by the clock: %s", problem)
        if self._failing and not problem:
            log.warning("Signals are heard again.")
        self._failing = bool(problem)


def redis_publisher(url: str) -> Callable[[str], int]:
    """Publishes on a Redis server; how many have heard it.

    :param url: ``redis://:password@host:6379``, or ``rediss://`` for TLS.
    :raises ValueError: it is no such URL.
    """
    from redis import Redis  # only for those who use signals
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Another try at once, because the connection of the last signal may have been closed since.
    once_more = Retry(NoBackoff(), 1)
    client = Redis.from_url(url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=once_more)
    return lambda channel: int(client.publish(channel, "look"))
