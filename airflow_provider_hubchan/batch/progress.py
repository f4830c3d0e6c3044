"""What is kept of a batch between the tries of a task, as JSON of less than 64 KB: Airflow's store warns about more."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_hubchan.batch.report import CUMULATIVE, OTHER_REASONS
from airflow_provider_hubchan.batch.snapshot import fitting
from airflow_provider_hubchan.batch.update_states import DoneUpdates, Kind
from airflow_provider_hubchan.client.error_texts import readable

VERSION = 3
#: Characters of the bits that tell which updates are done, at most.
MAX_BITS_LENGTH = 36_000
#: Characters of the counters by reason, and of one reason, at most.
MAX_REASONS_LENGTH, MAX_REASON = 6_000, 200
#: Characters of the named problems at most.
MAX_PROBLEMS_LENGTH = 16_000
#: The highest counter that is believed: a hundred years of seconds, or as many requests.
MAX_COUNTER = 100 * 365 * 24 * 3600


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    :param digest: of the updates that were taken, and of where they are sent: equal for equal ones only.
    :param done: which of them are done, and how many in which way.
    :param cumulative: the counters of `Report.cumulative`.
    :param problems: rejected rows that the report names, each with ``row``, ``message_id``, ``outcome`` and ``reason``.
    :param snapshot: how the batch stands, for people; it is written and never read back.
    """

    digest: str
    done: DoneUpdates
    cumulative: dict[str, float]
    problems: list[dict[str, Any]]
    snapshot: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it is stored. Of reasons and problems the first are kept that fit."""
        updated = {label: count for (result, label), count in self.done.counts.items() if result == "updated"}
        return {
            "version": VERSION,
            "digest": self.digest,
            "taken": self.done.taken,
            "done": self.done.bits,
            "updated": updated,
            "not_updated": _fitting_reasons(self.done.counts),
            "cumulative": self.cumulative,
            "problems": fitting(
                [problem for problem in self.problems if problem["outcome"] == "rejected"], MAX_PROBLEMS_LENGTH
            ),
            "snapshot": self.snapshot,
        }

    @classmethod
    def parse(cls, value: object) -> Progress:
        """Read what a store gave back: all of it, or nothing.

        :raises ValueError: naming the first thing that is not as `as_json` writes it.
        """
        if not isinstance(value, dict) or value.get("version") != VERSION:
            raise ValueError("it is of another version of this provider")
        digest, taken, bits = value.get("digest"), value.get("taken"), value.get("done")
        if not isinstance(digest, str) or not isinstance(bits, str):
            raise ValueError("a value where a text was kept")
        if not isinstance(taken, int) or not _is_counter(taken):
            raise ValueError("a number of updates that is none")
        done = DoneUpdates(taken, bits, _parse_counts(value.get("updated"), value.get("not_updated")))
        cumulative, problems = value.get("cumulative"), value.get("problems")
        counters: dict[str, Any] = {name: cumulative.get(name) for name in CUMULATIVE} if isinstance(cumulative, dict) else {}
        if not counters or not all(map(_is_counter, counters.values())):
            raise ValueError("a counter that is none")
        if counters["waited_seconds"] > counters["elapsed_seconds"]:
            raise ValueError("more waiting than time")
        if not isinstance(problems, list) or not all(map(_is_problem, problems)):
            raise ValueError("problems that are not those of a report")
        return cls(digest, done, counters, problems)


def _fitting_reasons(counts: Counter[Kind]) -> list[list[Any]]:
    """Result, reason and number of the updates that are done and not updated; the rarest reasons are summed up."""
    left = Counter[str]()
    lines, length = list[list[Any]](), 0
    for (result, label), count in counts.most_common():
        if result == "updated":
            continue
        line = [result, readable(label, MAX_REASON), count]
        length += len(json.dumps(line)) + 2
        if length > MAX_REASONS_LENGTH or label == OTHER_REASONS:
            left[result] += count
        else:
            lines.append(line)
    return lines + [[result, OTHER_REASONS, count] for result, count in left.items()]


def _parse_counts(updated: object, not_updated: object) -> Counter[Kind]:
    if not isinstance(updated, dict) or not isinstance(not_updated, list):
        raise ValueError("no counts of updates")
    counts = Counter[Kind]()
    for try_number, count in updated.items():
        if not isinstance(try_number, str) or not try_number.isdecimal() or not _is_count(count):
            raise ValueError("a count of updates that is none")
        counts["updated", try_number] += count
    for line in not_updated:
        match line:
            case ["rejected" | "skipped" as result, str(label), count] if _is_count(count):
                counts[result, readable(label, MAX_REASON)] += count
            case _:
                raise ValueError("a count of updates that is none")
    return counts


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_counter(value)


def _is_counter(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COUNTER


def _is_problem(line: object) -> bool:
    """True for a rejected row as `Report.problems` holds it: flat, so that it can be written once more."""
    if not isinstance(line, dict) or not isinstance(line.get("row"), int):
        return False
    has_texts = all(isinstance(line.get(key), str) for key in ("message_id", "outcome", "reason"))
    return has_texts and all(isinstance(key, str) and isinstance(value, str | int | None) for key, value in line.items())
