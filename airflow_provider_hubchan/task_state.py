"""Where a task keeps the progress of its batch between its tries: Airflow's task state store, 3.3 and later."""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.types import Logger as Log

KEY, SEEN = "hubchan_progress", "hubchan_seen"


class TaskProgress:
    """Keeps the progress of one task instance.

    The store survives a retry, a killed worker and a deferral, and also a clear. Who clears a task wants it to start over: a
    clear raises the instance's ``max_tries``, a retry does not, so what is kept says with which it was written.

    :param context: of the task; without ``task_state_store`` (Airflow 3.2) nothing is kept, and the log says so.
    :param resume: False to keep nothing.
    """

    def __init__(self, context: Mapping[str, Any], log: Log, *, resume: bool = True) -> None:
        instance = context["ti"]
        self.attempt = max(1, getattr(instance, "try_number", 1))
        self._max_tries = getattr(instance, "max_tries", 0)
        self._log = log
        self._store = context.get("task_state_store") if resume else None
        self._kept: dict[str, Any] = {"max_tries": self._max_tries}
        if resume and self._store is None and self._max_tries > 0:
            log.info("This Airflow keeps no task state (3.3 does): a retry will send the whole batch again.")

    @property
    def is_kept(self) -> bool:
        """True if who comes back goes on where this try ends."""
        return self._store is not None

    @property
    def what_next(self) -> str:
        """What becomes of the rows that are left when this try ends."""
        if self.attempt > self._max_tries:
            return "No retry is left: clear the task to send the whole batch, or send the rows of its report file, if any."
        return f"A retry {'sends the batch again' if self._store is None else 'goes on with the rows that are left'}."

    def load(self) -> dict[str, Any] | None:
        """What an earlier try saved; None after a clear, and if there is nothing."""
        if self._store is None:
            return None
        try:
            kept = self._store.get(KEY)
        except Exception as fault:  # the API server is away: a repeat does less harm than a red task
            self._log.warning("The progress of an earlier try could not be read (%s): starting over.", fault)
            return None
        if not isinstance(kept, dict) or "batch" not in kept:
            return None
        if kept.get("max_tries") != self._max_tries:
            self._log.info("The task was cleared: starting over.")
            return None
        self._kept = kept
        batch: dict[str, Any] = kept["batch"]
        return batch

    def save(self, progress: dict[str, Any]) -> None:
        """Keep it; never raises."""
        self._kept = {**self._kept, "batch": progress}
        self._write()

    def drop(self) -> None:
        """Forget it; never raises."""
        if self._store is not None:
            self._try("delete", KEY)

    def waits_since(self, done: int) -> float:
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
            self._try("set", KEY, self._kept)

    def _try(self, what: str, *values: Any) -> None:
        try:
            getattr(self._store, what)(*values)
        except Exception as fault:
            self._log.warning("Progress could not be kept (%s: %s); a retry may repeat what this try has done.", what, fault)


class Seen:
    """What a sensor has seen, kept between its looks where each is a process of its own.

    A status that was wanted once stays: unlike a batch's progress, it holds after a clear, too.
    """

    def __init__(self, context: Mapping[str, Any], log: Log) -> None:
        self._store, self._log = context.get("task_state_store"), log

    def load(self, ids: list[str]) -> str | None:
        """What was seen of these messages; None if nothing was."""
        try:
            kept = self._store.get(SEEN) if self._store is not None else None
        except Exception as fault:
            self._log.warning("What was seen before could not be read (%s): asking for all.", fault)
            return None
        return kept["seen"] if isinstance(kept, dict) and kept.get("of") == _of(ids) else None

    def save(self, ids: list[str], seen: str) -> None:
        """Keep it; never raises."""
        try:
            if self._store is not None:
                self._store.set(SEEN, {"of": _of(ids), "seen": seen})
        except Exception as fault:
            self._log.warning("What was seen could not be kept (%s); the next look asks for all.", fault)


def _of(ids: list[str]) -> str:
    return blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()
