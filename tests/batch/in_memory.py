"""A checkpoint store and a dead-letter sink in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_hubchan.batch.checkpoint import NullStore
from airflow_provider_hubchan.batch.dead_letters import NullSink
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Outcome, Update


class RecordingSink(NullSink):
    """A sink that keeps the outcomes it is given, and calls a function with each.

    :param on_write: the function.
    """

    def __init__(self, on_write: Callable[[Outcome], None] = lambda outcome: None) -> None:
        self.outcomes: list[Outcome] = []
        self._on_write = on_write

    @property
    def written(self) -> int:
        return len(self.outcomes)

    def write(self, outcome: Outcome, try_number: int) -> None:
        self.outcomes.append(outcome)
        self._on_write(outcome)

    def write_unresolved(self, updates: Iterable[Update], problem: Problem, try_number: int) -> None:
        for update in updates:
            self.write(Outcome(update, "unresolved", problem), try_number)


class MemoryStore(NullStore):
    """A checkpoint store in memory. It keeps copies: a later change of what was saved is not saved.

    :ivar frozen: True if the process counts as dead: what it saves then is not kept.
    """

    def __init__(self) -> None:
        self.text: str | None = None
        self.saved, self.frozen = 0, False

    def load(self) -> dict[str, Any] | None:
        return json.loads(self.text) if self.text else None

    def save(self, checkpoint: dict[str, Any]) -> None:
        if not self.frozen:
            self.text = json.dumps(checkpoint)
            self.saved += 1

    def clear(self) -> None:
        if not self.frozen:
            self.text = None
