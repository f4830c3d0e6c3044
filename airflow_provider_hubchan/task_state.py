"""What a task keeps between its tries, in Airflow's task state store (3.3 and later)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_hubchan.best_effort import best_effort
from airflow_provider_hubchan.client.error_texts import readable
from airflow_provider_hubchan.validation import is_count, is_number

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

#: Seconds of the shortest deferral: a trigger that fires at once is a race that Airflow can lose.
MIN_DEFERRAL = 5.0
#: The highest moment that is believed, in seconds since the epoch: the end of the year 9999.
MAX_TIME = 253_402_300_799.0
CHECKPOINT_KEY = "hubchan_progress"


@dataclass(frozen=True)
class Kept:
    """What a task keeps between its tries.

    :param max_tries: Airflow's, of the try that kept it.
    :param batch: the checkpoint of the batch, as `batch.checkpoint.Checkpoint` reads it; None if none was saved yet.
    :param waiting_since: since when the task waits without getting on, in seconds since the epoch; None if it does not.
    :param waiting_with: how many rows were accounted for then.
    :param waiting_until: when it goes on, in seconds since the epoch; None if it does not wait. For people: never read back.
    :param waiting_for: why it waits, in words; for people, too.
    """

    max_tries: int
    batch: dict[str, Any] | None = None
    waiting_since: float | None = None
    waiting_with: int = 0
    waiting_until: float | None = None
    waiting_for: str = ""

    @classmethod
    def parse(cls, value: object) -> Kept:
        """Read what the store gave back: all of it, or nothing.

        :raises ValueError: it is not what `as_json` writes.
        """
        if not isinstance(value, dict) or not isinstance(value.get("batch"), dict):
            raise ValueError("it is no progress of a batch")
        max_tries: Any = value.get("max_tries")
        batch = value["batch"]
        if not is_count(max_tries, 0):
            raise ValueError("it does not say of which tries it is")
        if (wait := value.get("wait")) is None:
            return cls(max_tries, batch)
        since: Any = wait.get("since") if isinstance(wait, dict) else None
        done: Any = wait.get("done") if isinstance(wait, dict) else None
        if not is_number(since) or not 0.0 <= since <= MAX_TIME or not is_count(done, 0):
            raise ValueError("it does not say since when the task waits")
        return cls(max_tries, batch, since, done)

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        fields: dict[str, Any] = {"max_tries": self.max_tries, "batch": self.batch}
        if self.waiting_since is not None:
            fields["wait"] = {"since": self.waiting_since, "done": self.waiting_with}
            if self.waiting_until is not None:
                fields["wait"] |= {"until": self.waiting_until, "reason": self.waiting_for}
        return fields


class TaskCheckpointStore:
    """Keeps the checkpoint of one task instance (see `batch.checkpoint.CheckpointStore`).

    The store survives a retry, a killed worker and a deferral, and also a clear. Who clears a task wants it to start over: a
    clear raises the instance's ``max_tries``, a retry does not, so what is kept says with which it was written.

    Each call costs a request to Airflow's API server. A first try has nothing to go on with, so it asks for nothing; and what
    was not stored is not deleted.

    :param context: of the task; without ``task_state_store`` (Airflow 3.2) nothing is kept, and the log says so.
    :param durable: False to keep nothing.
    :param is_resumed: True if this try has begun already, and was deferred.
    """

    def __init__(self, context: Mapping[str, Any], log: Logger, *, durable: bool = True, is_resumed: bool = False) -> None:
        instance = context["ti"]
        self.try_number = max(1, getattr(instance, "try_number", 1))
        self._max_tries = getattr(instance, "max_tries", 0)
        self._log = log
        self._store = context.get("task_state_store") if durable else None
        self._kept = Kept(self._max_tries)
        self._is_lost = False
        self._may_be_stored = self._has_earlier = is_resumed or self.try_number > 1
        if durable and self._store is None and self._max_tries > 0:
            log.info("This Airflow keeps no task state (3.3 does): a retry will send the whole batch again.")

    @property
    def is_durable(self) -> bool:
        """True if a retry goes on where this try ends: there is a store, and it has taken what was last saved."""
        return self._store is not None and not self._is_lost

    @property
    def what_next(self) -> str:
        """What becomes of the rows that are left when this try ends, as a sentence."""
        if self.try_number > self._max_tries:
            return "No retry is left: clear the task to send the whole batch, or send the rows of its report file, if any."
        return f"A retry {'goes on with the rows that are left' if self.is_durable else 'sends the batch again'}."

    def load(self) -> dict[str, Any] | None:
        """What an earlier try saved; None after a clear, and if there is nothing, or nothing that can be read. Never raises."""
        if self._store is None or not self._has_earlier:
            return None
        kept = None
        # a repeat does less harm than a red task, whatever the API server or its answer is like
        with best_effort(self._log.warning, "The progress of an earlier try could not be read; starting over"):
            value = self._store.get(CHECKPOINT_KEY)
            self._may_be_stored = value is not None
            if value is not None:
                kept = Kept.parse(value)
        if kept is None:
            return None
        if kept.max_tries != self._max_tries:
            self._log.info("The task was cleared: starting over.")
            return None
        self._kept = kept
        return kept.batch

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Store *checkpoint*; never raises."""
        self._kept = replace(self._kept, batch=checkpoint, waiting_until=None)
        self._write()

    def clear(self) -> None:
        """Delete the stored checkpoint, if there may be one; never raises."""
        if self._store is not None and self._may_be_stored:
            with best_effort(self._log.warning, "The progress of the finished batch could not be deleted; a clear starts over"):
                self._store.delete(CHECKPOINT_KEY)

    def waiting_since(self, done: int, seconds: float = 0.0, reason: str = "") -> float:
        """Note that the task waits with *done* rows accounted for.

        :param seconds: how long it is going to wait from now on.
        :param reason: why, in words.
        :return: since when it has been waiting without getting on, in seconds since the epoch.
        """
        now, since = time.time(), self._kept.waiting_since
        if since is None or self._kept.waiting_with != done:
            since = now
        since = min(since, now)  # the clock of another worker may be ahead
        self._kept = replace(
            self._kept, waiting_since=since, waiting_with=done, waiting_until=now + seconds, waiting_for=readable(reason)
        )
        self._write()
        return since

    def _write(self) -> None:
        if self._store is None:
            return
        self._is_lost = self._may_be_stored = True
        with best_effort(self._log.warning, "Progress could not be kept; a retry may repeat what this try has done"):
            self._store.set(CHECKPOINT_KEY, self._kept.as_json())
            self._is_lost = False
