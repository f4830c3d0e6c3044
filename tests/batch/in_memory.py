"""A checkpoint store and a dead-letter sink in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_provider_hubchan.batch.checkpoint import Nowhere
from airflow_provider_hubchan.batch.dead_letters import NoFile
from airflow_provider_hubchan.batch.rows import Outcome


class RecordingSink(NoFile):
    """A sink that keeps the outcomes it is given, and calls a function with each.

    :param at: the function.
    """

    def __init__(self, at: Callable[[Outcome], None] = lambda outcome: None) -> None:
        self.outcomes: list[Outcome] = []
        self._at = at

    def write(self, outcome: Outcome, attempt: int) -> None:
        self.outcomes.append(outcome)
        self._at(outcome)


class MemoryStore(Nowhere):
    """A checkpoint store in memory. It keeps copies: a later change of what was saved is not saved.

    :param frozen: whether the process counts as dead: what it saves then is not kept.
    """

    def __init__(self) -> None:
        self.text: str | None = None
        self.saved, self.frozen = 0, False

    def load(self) -> dict[str, Any] | None:
        return json.loads(self.text) if self.text else None

    def save(self, progress: dict[str, Any]) -> None:
        if not self.frozen:
            self.text = json.dumps(progress)
            self.saved += 1

    def drop(self) -> None:
        if not self.frozen:
            self.text = None
