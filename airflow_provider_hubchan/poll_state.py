"""What a sensor in reschedule mode keeps between its looks, in Airflow's task state store (3.3 and later)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow_provider_hubchan.best_effort import best_effort

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from airflow_provider_hubchan.client.status_poll import StatusPoll

SNAPSHOT_KEY = "hubchan_seen"


class PollSnapshotStore:
    """Keeps the snapshot of a `StatusPoll` between the looks of one try, each of which is a process of its own.

    The store survives a clear and a retry. A snapshot is of one try: who clears the task wants to know what HubSpot says now,
    and a message may have lost its status since. A retry asks anew, too: that is one look.

    :param context: of the task; without ``task_state_store`` (Airflow 3.2) nothing is kept.
    :param scope: what decides beside ids and statuses which messages are asked for: the channel and the connection.
    """

    def __init__(self, context: Mapping[str, Any], log: Logger, *scope: str | None) -> None:
        instance = context["ti"]
        self._try = [getattr(instance, "try_number", 1), getattr(instance, "max_tries", 0)]
        self._store, self._log, self._scope = context.get("task_state_store"), log, scope
        self._kept: Any = None  # what is in the store

    def restore(self, poll: StatusPoll) -> None:
        """Take over what was seen of the messages of *poll* in this try, if there is anything. Never raises: what is damaged is
        as good as nothing, and the poll asks for all messages.
        """
        if self._store is None:
            return
        with best_effort(self._log.warning, "The statuses that were seen before could not be read; asking for all"):
            self._kept = self._store.get(SNAPSHOT_KEY)
            if self._kept is None:
                return
            if not isinstance(self._kept, dict):
                raise ValueError("it is no snapshot")
            if self._kept.get("try") == self._try and self._kept.get("of") == self._fingerprint(poll):
                poll.restore(self._kept.get("seen"))

    def save(self, poll: StatusPoll) -> None:
        """Store what was seen so far, if it is not stored yet; never raises."""
        kept = {"try": self._try, "of": self._fingerprint(poll), "seen": poll.snapshot()}
        if self._store is None or kept == self._kept:
            return
        with best_effort(self._log.warning, "The statuses that were seen could not be stored; the next poke asks for all"):
            self._kept = kept  # also if the store does not answer: it may have taken it
            self._store.set(SNAPSHOT_KEY, kept)

    def clear(self) -> None:
        """Delete what is stored, if there is anything; never raises."""
        if self._store is not None and self._kept is not None:
            with best_effort(self._log.warning, "The statuses that were seen could not be deleted; another try asks anew"):
                self._store.delete(SNAPSHOT_KEY)
                self._kept = None

    def _fingerprint(self, poll: StatusPoll) -> str:
        waited_for = [poll.message_ids, poll.target.statuses, poll.target.fail_on, self._scope]
        return blake2b(json.dumps(waited_for).encode(), digest_size=16).hexdigest()
