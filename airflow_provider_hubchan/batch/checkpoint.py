"""What is kept of a batch between the tries of a task: a retry goes on where the last try ended.

A checkpoint is bound to what it describes. It holds a fingerprint of rows and arguments; if these are others now, the batch
starts over and the log says so.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from airflow_provider_hubchan.batch.dead_letters import DeadLetterSink
from airflow_provider_hubchan.batch.report import CUMULATIVE, Report
from airflow_provider_hubchan.batch.rows import REPORT_KEYS
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.compressed_text import COUNTED_BEYOND, compress, decompress
from airflow_provider_hubchan.client.error_texts import count_of, format_error, readable
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import RESULTS, Outcome, Result

VERSION = 2
#: Seconds between two checkpoints: what a killed worker may cost in repeats.
INTERVAL = 2.0
#: Characters of the outcomes at most: with the rest it stays under the 64 KB that Airflow's store warns about.
MAX_OUTCOMES_LENGTH = 40_000
#: Characters of the named problems at most.
MAX_PROBLEMS_LENGTH = 20_000
#: The highest counter that is believed: a hundred years of seconds, or as many requests.
MAX_COUNTER = 100 * 365 * 24 * 3600

#: Outcomes that hold in the next try, and how many tries are told apart.
_LASTING: tuple[Result, ...] = ("updated", "rejected", "skipped")
_TRIES = 80
#: Not done: without a final answer in this try, or to be tried again at the end of the batch.
_HELD, _UNRESOLVED, _RETRY_LATER = 253, 254, 255
_LASTING_ONLY = bytes(code if code < _HELD else 0 for code in range(256))
#: 1 for an update without an outcome in this try, 0 for the others.
_WITHOUT_OUTCOME = bytes(int(code in (0, _HELD, _RETRY_LATER)) for code in range(256))
_IS_UPDATED = bytes(int(1 <= code <= _TRIES) for code in range(256))


class OutcomeMap:
    """What became of each update of a batch, by its position from 0, in one byte each. 0 is an update that is still to be sent.

    :param size: updates in the batch.
    :ivar not_durable: positions of updates that have an outcome and a dead letter which could still be lost.
    """

    def __init__(self, size: int) -> None:
        self.size, self._codes = size, bytearray(size)
        self.not_durable: list[int] = []

    def set(self, position: int, result: Result, try_number: int) -> None:
        """Note an outcome.

        :param try_number: number of the task's try, from 1.
        """
        if result in _LASTING:
            self._codes[position] = 1 + _LASTING.index(result) * _TRIES + min(try_number, _TRIES) - 1
            if result != "updated":
                self.not_durable.append(position)
        else:
            self._codes[position] = _UNRESOLVED

    def get(self, position: int) -> tuple[Result, int] | None:
        """The outcome of an update and the try that had it; None if there is no lasting one."""
        code = self._codes[position] - 1
        return (_LASTING[code // _TRIES], code % _TRIES + 1) if 0 <= code < len(_LASTING) * _TRIES else None

    def is_open(self, position: int) -> bool:
        """True if there is no outcome yet."""
        return self._codes[position] == 0

    def without_outcome(self) -> bytearray:
        """1 for each update that has no outcome yet, 0 for each that has one, in their order."""
        return self._codes.translate(_WITHOUT_OUTCOME)

    @property
    def has_updated(self) -> bool:
        """True if HubSpot has accepted an update, in this try or in an earlier one."""
        return 1 in self._codes.translate(_IS_UPDATED)

    def hold(self, position: int) -> None:
        """Note that there is an answer, which says nothing of the update yet: it is not to be sent again in this try."""
        self._codes[position] = _HELD

    def retry_later(self, position: int) -> None:
        """Leave an update for the end of the batch: HubSpot may know its message then."""
        self._codes[position] = _RETRY_LATER

    def is_retried_later(self, position: int) -> bool:
        """True if it was left for the end of the batch."""
        return self._codes[position] == _RETRY_LATER

    @property
    def retry_later_count(self) -> int:
        """How many updates were left for the end of the batch."""
        return self._codes.count(_RETRY_LATER)

    def pack(self, max_length: int, left_out: Iterable[int] = ()) -> str:
        """All lasting outcomes, as a text of at most so many characters; what does not fit is forgotten, and sent again.

        :param left_out: positions of updates to be sent again, too.
        """
        codes = self._codes.translate(_LASTING_ONLY)
        for position in left_out:
            codes[position] = 0
        codes = codes.rstrip(b"\0")
        while len(text := compress(bytes(codes))) > max_length:
            codes = codes[: int(len(codes) * 0.9 * max_length / len(text))]
        return text

    def unpack(self, text: object) -> None:
        """Take over what another try packed.

        :raises ValueError: if it is not such a text, or that of a longer batch.
        """
        codes = decompress(text, len(self._codes) + COUNTED_BEYOND)
        if len(codes) > len(self._codes):
            raise ValueError(f"{count_of(len(codes), 'outcome')} for {count_of(len(self._codes), 'update')}")
        if codes != codes.translate(_LASTING_ONLY) or max(codes, default=0) > len(_LASTING) * _TRIES:
            raise ValueError("an outcome that is none")
        self._codes[: len(codes)] = codes


@dataclass(frozen=True)
class Progress:
    """What an earlier try kept, of the same batch and undamaged.

    :param counts: its four outcomes as a text.
    :param outcomes: of the updates.
    :param cumulative: the counters of `Report.cumulative`.
    :param problems: the rejected rows that it named, each with ``row``, ``message_id``, ``outcome`` and ``reason``.
    """

    counts: str
    outcomes: OutcomeMap
    cumulative: dict[str, float]
    problems: list[dict[str, Any]]

    @classmethod
    def parse(cls, kept: dict[str, Any], size: int) -> Progress:
        """Read what a `CheckpointStore` gave back: all of it, or nothing.

        :param size: updates in the batch.
        :raises ValueError: naming the first thing that is not as `Checkpoint.save` writes it.
        """
        counts, cumulative, problems = (kept.get(key) for key in ("counts", "cumulative", "problems"))
        outcomes = OutcomeMap(size)
        outcomes.unpack(kept.get("outcomes"))
        if not isinstance(counts, str):
            raise ValueError("counts that are no text")
        counters: dict[str, Any] = {name: cumulative.get(name) for name in CUMULATIVE} if isinstance(cumulative, dict) else {}
        if not counters or not all(map(_is_counter, counters.values())):
            raise ValueError("a counter that is none")
        if counters["waited_seconds"] > counters["elapsed_seconds"]:
            raise ValueError("more waiting than time")
        if not isinstance(problems, list) or not all(map(_is_problem, problems)):
            raise ValueError("problems that are not those of a report")
        return cls(readable(counts, 200), outcomes, counters, problems)


class CheckpointStore(Protocol):
    """Keeps one JSON object between the tries of a task.

    :ivar try_number: number of this try, from 1.
    """

    try_number: int

    def load(self) -> dict[str, Any] | None:
        """What an earlier try saved, damaged or not; None if there is nothing to go on with."""

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Keep it. Must not raise: a batch does not end because its progress cannot be kept."""

    def clear(self) -> None:
        """Forget it: the batch is finished. Must not raise."""


class NullStore:
    """Keeps no checkpoint."""

    try_number = 1

    def load(self) -> dict[str, Any] | None:
        """There is nothing to go on with."""
        return None

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Ignore the checkpoint."""

    def clear(self) -> None:
        """Do nothing: nothing is stored."""


class Checkpoint:
    """The progress of one batch.

    :param fingerprint: equal for equal batches only.
    :param size: updates in the batch.
    :param report: this try's; it takes over the requests and times of earlier tries.
    :param log: takes a line for the log.
    :param clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: CheckpointStore,
        fingerprint: str,
        size: int,
        report: Report,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._fingerprint, self._report, self._clock = store, fingerprint, report, clock
        self._saved_at = clock()
        self.outcomes, self.try_number = OutcomeMap(size), store.try_number
        self._problems: list[dict[str, Any]] = []
        self._goes_on = False
        if progress := self._load(log):
            self._goes_on, self.outcomes, self._problems = True, progress.outcomes, progress.problems
            report.add_cumulative(progress.cumulative)
            log(f"Going on where an earlier try ended ({progress.counts}).")

    def is_due(self) -> bool:
        """True if it is time to save."""
        return self._clock() - self._saved_at >= INTERVAL

    def confirm_dead_letters(self) -> None:
        """Note that the dead letters of all outcomes so far outlive this process: only such outcomes are kept."""
        self.outcomes.not_durable.clear()

    def save(self) -> None:
        """Keep what has been done so far."""
        self._saved_at = self._clock()
        rejected = [problem for problem in self._report.problems if problem["outcome"] == "rejected"]
        self._store.save(
            {
                "version": VERSION,
                "fingerprint": self._fingerprint,
                "counts": self._report.counts(),
                "outcomes": self.outcomes.pack(MAX_OUTCOMES_LENGTH, self.outcomes.not_durable),
                "cumulative": self._report.cumulative(),
                "problems": _within(MAX_PROBLEMS_LENGTH, rejected),
            }
        )

    def end(self) -> None:
        """The batch has ended: forget it if nothing is left to do, else keep it for a retry."""
        if self._report.unresolved:
            self.save()
        else:
            self._store.clear()

    def restore(self, updates: UpdateStore, dead_letters: DeadLetterSink) -> None:
        """Report every update that has an outcome of an earlier try.

        Updated ones are *skipped* now, but for those of this same try: it only waited for HubSpot in between. Rejected and
        skipped ones stay what they are; their reasons are in the dead letters that the earlier try wrote, else a few of them
        are in the checkpoint.
        """
        report = self._report
        not_updated: dict[Any, tuple[Result, int]] = {}
        for position, update in enumerate(updates.updates()) if self._goes_on else ():
            if (earlier := self.outcomes.get(position)) is None:
                continue
            result, try_number = earlier
            if result == "updated" and try_number == self.try_number:
                report.add(Outcome(update, "updated"))
            elif result == "updated":  # in another try; it is not a dead letter
                report.add(Outcome(update, "skipped", Problem(f"done in try {try_number}", f"done in try {try_number}")))
            else:
                not_updated[update.row] = earlier
        for line in chain(dead_letters.earlier(), self._problems) if not_updated else ():
            row = line.get("row")  # of a file that anybody may have edited: it may be anything
            if not isinstance(row, int) or row not in not_updated or line.get("outcome") != not_updated[row][0]:
                continue
            update = updates.update(row)
            if line.get("message_id") == update.message_id:
                result, try_number = not_updated.pop(row)
                outcome = Outcome(update, result, _earlier_problem(try_number, line))
                report.add(outcome)
                if REPORT_KEYS.issubset(line):
                    dead_letters.keep(line)
                else:  # kept in the checkpoint: a problem without the rest of its row
                    dead_letters.write(outcome, try_number)
        for row, (result, try_number) in not_updated.items():
            outcome = Outcome(updates.update(row), result, _earlier_problem(try_number, {}))
            report.add(outcome)
            dead_letters.write(outcome, try_number)
        report.earlier = Counter({result: getattr(report, result) for result in RESULTS})
        dead_letters.begin()

    def _load(self, log: Callable[[str], None]) -> Progress | None:
        """What an earlier try kept of this batch; None if the batch starts over, for which the log has the reason."""
        try:
            kept = self._store.load()
            if kept is None:
                return None
            if not isinstance(kept, dict) or kept.get("version") != VERSION:
                raise ValueError("it is of another version of this provider")
            if kept.get("fingerprint") == self._fingerprint:
                return Progress.parse(kept, self.outcomes.size)
        except Exception as error:  # a store gives back anything; a repeat does less harm than a batch that cannot begin
            text = f"The progress that was kept cannot be read ({format_error(error)}): starting over."
            log(text)
            return None
        log("Rows or arguments are not those of the last try: starting over.")
        return None


def _is_counter(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COUNTER


def _is_problem(line: object) -> bool:
    """True for a rejected row as `Report.problems` holds it: flat, so that it can be written once more."""
    if not isinstance(line, dict) or not isinstance(line.get("row"), int):
        return False
    has_texts = all(isinstance(line.get(key), str) for key in ("message_id", "outcome", "reason"))
    return has_texts and all(isinstance(key, str) and isinstance(value, str | int | None) for key, value in line.items())


def _earlier_problem(try_number: int, line: dict[str, Any]) -> Problem:
    """Why a row was not updated, from its dead letter: a line of a file that anybody may have edited."""
    reason, category, correlation_id = (
        readable(value) if isinstance(value := line.get(key), str) else None for key in ("reason", "category", "correlation_id")
    )
    reason = reason or f"decided in try {try_number}; the reason was not kept"
    return Problem(reason, f"decided in try {try_number}", None, category, correlation_id)


def _within(max_length: int, problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    while len(json.dumps(problems)) > max_length:
        problems.pop()
    return problems
