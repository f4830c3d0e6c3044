"""What a task keeps between its tries, in Airflow's task state store (3.3 and later)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

#: Seconds of the shortest deferral: a trigger that fires at once is a race that Airflow can lose.
MIN_DEFERRAL = 5.0
CHECKPOINT_KEY, SNAPSHOT_KEY = "hubchan_progress", "hubchan_seen"


class TaskCheckpointStore:
    """Keeps the checkpoint of one task instance (see `batch.checkpoint.CheckpointStore`).

    The store survives a retry, a killed worker and a deferral, and also a clear. Who clears a task wants it to start over: a
    clear raises the instance's ``max_tries``, a retry does not, so what is kept says with which it was written.

    :param context: of the task; without ``task_state_store`` (Airflow 3.2) nothing is kept, and the log says so.
    :param durable: False to keep nothing.
    """

    def __init__(self, context: Mapping[str, Any], log: Logger, *, durable: bool = True) -> None:
        instance = context["ti"]
        self.try_number = max(1, getattr(instance, "try_number", 1))
        self._max_tries = getattr(instance, "max_tries", 0)
        self._log = log
        self._store = context.get("task_state_store") if durable else None
        self._kept: dict[str, Any] = {"max_tries": self._max_tries}
        if durable and self._store is None and self._max_tries > 0:
            log.info("This Airflow keeps no task state (3.3 does): a retry will send the whole batch again.")

    @property
    def is_durable(self) -> bool:
        """True if a retry goes on where this try ends."""
        return self._store is not None

    @property
    def what_next(self) -> str:
        """What becomes of the rows that are left when this try ends, as a sentence."""
        if self.try_number > self._max_tries:
            return "No retry is left: clear the task to send the whole batch, or send the rows of its report file, if any."
        return f"A retry {'sends the batch again' if self._store is None else 'goes on with the rows that are left'}."

    def load(self) -> dict[str, Any] | None:
        """What an earlier try saved; None after a clear, and if there is nothing."""
        if self._store is None:
            return None
        try:
            kept = self._store.get(CHECKPOINT_KEY)
        except Exception as error:  # the API server is away: a repeat does less harm than a red task
            self._log.warning("The progress of an earlier try could not be read (%s): starting over.", error)
            return None
        if not isinstance(kept, dict) or "batch" not in kept:
            return None
        if kept.get("max_tries") != self._max_tries:
            self._log.info("The task was cleared: starting over.")
            return None
        self._kept = kept
        checkpoint: dict[str, Any] = kept["batch"]
        return checkpoint

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Store *checkpoint*; never raises."""
        self._kept = {**self._kept, "batch": checkpoint}
        self._write()

    def clear(self) -> None:
        """Delete the stored checkpoint; never raises."""
        if self._store is not None:
            self._try("delete", CHECKPOINT_KEY)

    def waiting_since(self, done: int) -> float:
        """Note that the task waits with *done* rows accounted for.

        :return: since when it has been waiting without getting on, in seconds since the epoch.
        """
        wait = self._kept.get("wait") or {}
        since: float = wait["since"] if wait.get("done") == done else time.time()
        self._kept = {**self._kept, "wait": {"since": since, "done": done}}
        self._write()
        return since

    def _write(self) -> None:
        if self._store is not None:
            self._try("set", CHECKPOINT_KEY, self._kept)

    def _try(self, method: str, *values: Any) -> None:
        try:
            getattr(self._store, method)(*values)
        except Exception as error:
            self._log.warning("Progress could not be kept (%s: %s); a retry may repeat what this try has done.", method, error)


class PollSnapshotStore:
    """Keeps the snapshot of a `StatusPoll` between the pokes of a sensor, each of which may be a process of its own.

    A message that has had a wanted status keeps it: unlike a batch's checkpoint, a snapshot holds after a clear, too.
    """

    def __init__(self, context: Mapping[str, Any], log: Logger) -> None:
        self._store, self._log = context.get("task_state_store"), log

    def load(self, message_ids: list[str]) -> str | None:
        """The snapshot of these messages; None if there is none."""
        try:
            kept = self._store.get(SNAPSHOT_KEY) if self._store is not None else None
        except Exception as error:
            self._log.warning("The statuses that were seen before could not be read (%s): asking for all.", error)
            return None
        return kept["seen"] if isinstance(kept, dict) and kept.get("of") == _fingerprint(message_ids) else None

    def save(self, message_ids: list[str], snapshot: str) -> None:
        """Store *snapshot*; never raises."""
        try:
            if self._store is not None:
                self._store.set(SNAPSHOT_KEY, {"of": _fingerprint(message_ids), "seen": snapshot})
        except Exception as error:
            self._log.warning("The statuses that were seen could not be stored (%s); the next poke asks for all.", error)


def _fingerprint(message_ids: list[str]) -> str:
    return blake2b("\n".join(message_ids).encode(), digest_size=16).hexdigest()
