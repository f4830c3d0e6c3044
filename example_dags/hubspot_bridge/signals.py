"""Signals on Redis: there is something new in the outbox, look now. They are never the truth, that is the outbox.

A signal is published after the message is committed, and by a thread of its own: a Redis that is away neither fails a webhook nor
delays its answer. A signal that is lost costs minutes, until the DAG runs by the clock; ``schedules.py`` has both.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Channels, and names of assets: a reply is pending; the gateway says something that HubSpot does not show.
REPLIES, RECEIPTS = "hubspot_replies", "hubspot_receipts"
#: Seconds to connect to Redis, and to wait for its answer.
TIMEOUT = 2.0


class Signals:
    """Publishes in the background.

    :param publish: of a channel; it may take its time, and raise what it wants.
    """

    def __init__(self, publish: Callable[[str], object]) -> None:
        self._publish = publish
        self._wanted: set[str] = set()
        self._changed = threading.Condition()
        self._failing = False
        threading.Thread(target=self._run, name="signals", daemon=True).start()

    def __call__(self, channel: str) -> None:
        """Publish as soon as possible. It returns at once; what is asked for while Redis is slow becomes one signal."""
        with self._changed:
            self._wanted.add(channel)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted)
                wanted, self._wanted = self._wanted, set()
            for channel in sorted(wanted):
                self._try(channel)

    def _try(self, channel: str) -> None:
        try:
            self._publish(channel)
        except Exception as error:  # the thread must live, whatever the client raises
            if not self._failing:  # once, and not for each of a thousand webhooks
                log.warning("No signals until Redis is back, the DAGs run by the clock: %s: %s", type(error).__name__, error)
            self._failing = True
        else:
            if self._failing:
                log.warning("Redis is back, and so are the signals.")
            self._failing = False


def redis_publisher(url: str) -> Callable[[str], object]:
    """Publishes on a Redis server.

    :param url: ``redis://:password@host:6379``, or ``rediss://`` for TLS.
    :raises ValueError: it is no such URL.
    """
    from redis import Redis  # only for those who use signals
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Another try, because the connection of the last signal may have been closed since.
    once_more = Retry(NoBackoff(), 1)
    client = Redis.from_url(url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=once_more)
    return lambda channel: client.publish(channel, "look")
