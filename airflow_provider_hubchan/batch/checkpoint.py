"""Progress of a batch, kept between the tries of a task: a retry goes on where the last try ended.

What is kept is bound to what it describes. It holds a fingerprint of rows and arguments; if these are others now, the batch
starts over and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from airflow_provider_hubchan.batch.marks import Marks
from airflow_provider_hubchan.batch.report import Report

VERSION = 1
#: Seconds between two checkpoints: what a killed worker may cost in repeats.
EVERY = 2.0
#: Characters of the marks at most: with the rest it stays under the 64 KB that Airflow's store warns about.
MOST = 40_000
#: Characters of the named problems at most.
ROOM = 20_000


class Keeper(Protocol):
    """Keeps one JSON object between the tries of a task.

    :param attempt: number of this try, from 1.
    """

    attempt: int

    def load(self) -> dict[str, Any] | None:
        """What an earlier try saved; None if there is nothing to go on with."""

    def save(self, progress: dict[str, Any]) -> None:
        """Keep it. Must not raise: a batch does not end because its progress cannot be kept."""

    def drop(self) -> None:
        """Forget it: the batch is finished. Must not raise."""


class Nowhere:
    """Keeps nothing."""

    attempt = 1

    def load(self) -> dict[str, Any] | None:
        """Nothing."""
        return None

    def save(self, progress: dict[str, Any]) -> None:
        """No."""

    def drop(self) -> None:
        """No."""


class Checkpoint:
    """The progress of one batch.

    :param fingerprint: equal for equal batches only.
    :param size: updates in the batch.
    :param report: this try's; it takes over the requests and times of earlier tries.
    :param say: takes a line for the log.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        keeper: Keeper,
        fingerprint: str,
        size: int,
        report: Report,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper, self._fingerprint, self._report, self._clock = keeper, fingerprint, report, clock
        self._saved = clock()
        self.marks, self.attempt = Marks(size), keeper.attempt
        self.problems: list[dict[str, Any]] = []
        self.resumed = False
        if (earlier := keeper.load()) is not None and self._is_ours(earlier, say):
            self.resumed, self.problems = True, earlier["problems"]
            report.take_over(earlier["spent"])
            say(f"Going on where an earlier try ended ({earlier['counts']}).")

    def due(self) -> bool:
        """True if it is time to save."""
        return self._clock() - self._saved >= EVERY

    def save(self) -> None:
        """Keep what has been done so far."""
        self._saved = self._clock()
        self._keeper.save(
            {
                "version": VERSION,
                "fingerprint": self._fingerprint,
                "counts": self._report.counts(),
                "marks": self.marks.pack(MOST),
                "spent": self._report.spent(),
                "problems": _within(ROOM, [each for each in self._report.problems if each["outcome"] == "rejected"]),
            }
        )

    def end(self) -> None:
        """The batch has ended: nothing is left to go on with, or a retry will."""
        if self._report.unresolved:
            self.save()
        else:
            self._keeper.drop()

    def _is_ours(self, earlier: dict[str, Any], say: Callable[[str], None]) -> bool:
        if earlier.get("version") != VERSION or earlier.get("fingerprint") != self._fingerprint:
            say("Rows or arguments are not those of the last try: starting over.")
            return False
        try:
            self.marks.unpack(earlier["marks"])
        except (ValueError, KeyError) as fault:
            say(f"The progress that was kept cannot be read ({fault}): starting over.")
            return False
        return True


def _within(most: int, problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    while len(json.dumps(problems)) > most:
        problems.pop()
    return problems
