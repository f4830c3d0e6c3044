"""What became of a batch, counted as the outcomes come in: memory does not grow with the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_hubchan.client.actions import Abort
from airflow_provider_hubchan.client.error_texts import count_of, readable
from airflow_provider_hubchan.client.errors import HubchanError, Problem
from airflow_provider_hubchan.client.models import Outcome, Result, Update

#: Problems that the summary names: it goes into Airflow's database, and a person reads it.
MAX_PROBLEMS = 20
#: Different reasons that are counted: some quote what a row holds.
MAX_REASONS = 1000
#: Reasons that the summary counts, the most frequent first, and characters of each.
TOP_REASONS, MAX_REASON = 20, 200
#: The label of the others.
OTHER_REASONS = "other reasons"
#: The counters that add up over the tries of a task.
CUMULATIVE = ("requests", "rate_limited", "waited_seconds", "elapsed_seconds")


@dataclass
class Report:
    """All outcomes of a batch, as counters: ``updated + skipped + rejected + unresolved == rows``, always.

    The sum is not kept, so an exception between two statements cannot make it wrong.

    :param updated: how many of them HubSpot accepted.
    :param skipped: how many were not sent on purpose.
    :param rejected: how many cannot be sent, or HubSpot refused, so that trying again cannot help.
    :param unresolved: how many got no final answer.
    :param requests: requests sent for them, repeats included; token requests are not counted.
    :param rate_limited: how many of these HubSpot answered with 429.
    :param waited_seconds: the part of *elapsed_seconds* in which no request was under way because all waited: for the quota, or
        before another attempt.
    :param elapsed_seconds: from the first request to the last outcome.
    :param report_file: where every row that was not updated is written down, None for nowhere.
    :param portal: id of the account, None if HubSpot has not told it.
    :param problems: the first 20 rows that were rejected or left unresolved, ready for XCom.
    :param reasons: how many rows were not updated, by outcome and label of the problem.
    :param aborted: why the batch ended early, None if it did not.
    :param earlier: rows whose outcome is that of an earlier try, by outcome.
    """

    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    unresolved: int = 0
    requests: int = 0
    rate_limited: int = 0
    waited_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    report_file: str | None = None
    portal: int | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[tuple[Result, str]] = field(default_factory=Counter)
    aborted: Abort | None = None
    earlier: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """How many rows are accounted for."""
        return self.updated + self.skipped + self.rejected + self.unresolved

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        setattr(self, outcome.result, getattr(self, outcome.result) + 1)
        if outcome.problem is None:
            return
        self._count_reason(outcome.result, outcome.problem.label, 1)
        self.name(outcome)

    def count_earlier(self, result: Result, label: str, count: int) -> None:
        """Count what an earlier try has done.

        :param label: of the problem, empty for *updated*.
        """
        setattr(self, result, getattr(self, result) + count)
        self.earlier[result] += count
        if label:
            self._count_reason(result, label, count)

    def close(self, rows: int, left: Iterable[Update] = (), problem: Problem | None = None) -> None:
        """Count the rows that have no outcome as *unresolved*, all at once.

        :param rows: how many rows the batch has.
        :param left: those without an outcome, of which the first are named.
        :param problem: why they have none.
        """
        count = rows - self.rows
        self.unresolved += count
        if problem is None or not count:
            return
        self._count_reason("unresolved", problem.label, count)
        for update in islice(left, max(0, MAX_PROBLEMS - len(self.problems))):
            self.name(Outcome(update, "unresolved", problem))

    def name(self, outcome: Outcome) -> None:
        """Name a row that was rejected or left unresolved, if it is among the first."""
        update, problem = outcome.update, outcome.problem
        if problem and outcome.result in ("rejected", "unresolved") and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(
                {
                    "row": update.row,
                    "message_id": readable(update.message_id, 200),
                    "outcome": outcome.result,
                    "reason": problem.reason,
                    "correlation_id": problem.correlation_id,
                }
            )

    def _count_reason(self, result: Result, label: str, count: int) -> None:
        reason = (result, label)
        if len(self.reasons) >= MAX_REASONS and reason not in self.reasons:
            reason = (result, OTHER_REASONS)
        self.reasons[reason] += count

    def cumulative(self) -> dict[str, float]:
        """The counters that add up over the tries of a task, so far."""
        return {name: getattr(self, name) for name in CUMULATIVE}

    def add_cumulative(self, counters: dict[str, float]) -> None:
        """Add the counters of earlier tries."""
        for name in CUMULATIVE:
            setattr(self, name, getattr(self, name) + counters.get(name, 0))

    def outcomes(self) -> dict[str, int]:
        """The four outcomes."""
        return {
            "updated": self.updated,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "unresolved": self.unresolved,
        }

    def rounded_cumulative(self) -> dict[str, float]:
        """The counters of `cumulative`, for people: seconds with three decimals."""
        return {name: round(value, 3) for name, value in self.cumulative().items()}

    def reason_counts(self) -> list[dict[str, Any]]:
        """How many rows were not updated for which reason: the 20 most frequent reasons, ready for XCom."""
        return [
            {"outcome": result, "reason": readable(label, MAX_REASON), "count": count}
            for (result, label), count in self.reasons.most_common(TOP_REASONS)
        ]

    def summary(self) -> dict[str, Any]:
        """The report as plain data, for XCom."""
        return {
            "rows": self.rows,
            **self.outcomes(),
            **self.rounded_cumulative(),
            "report_file": self.report_file,
            "portal": self.portal,
            "reasons": self.reason_counts(),
            "problems": self.problems,
        }

    def counters(self) -> dict[str, Any]:
        """The summary without rows and names, which everybody may read: for asset events."""
        named = ("problems", "reasons", "report_file", "portal")  # a reason may quote what a row holds
        return {name: value for name, value in self.summary().items() if name not in named}

    def counts(self) -> str:
        """The four outcomes as a text."""
        return (
            f"{count_of(self.rows, 'row')}: {self.updated:,} updated, {self.skipped:,} skipped, "
            f"{self.rejected:,} rejected, {self.unresolved:,} unresolved"
        )

    def top_reasons(self, most: int = 5) -> str:
        """The most frequent reasons why rows were not updated, empty if all were.

        :param most: reasons to name.
        """
        return "; ".join(f"{count:,} {result}: {label}" for (result, label), count in self.reasons.most_common(most))


def is_within(rejected: int, rows: int, max_rejected: int | float) -> bool:
    """True if so many rejected rows are allowed.

    :param max_rejected: a count (int), or a share of all rows (float from 0 to 1).
    """
    return not rejected or (rejected / rows if isinstance(max_rejected, float) else rejected) <= max_rejected


def format_max_rejected(max_rejected: int | float) -> str:
    """How many rejected rows are allowed, as a text."""
    return f"{max_rejected:.2%} of them" if isinstance(max_rejected, float) else f"{max_rejected:,}"


class BatchIncomplete(HubchanError):
    """A batch ended with rows that a retry may still bring to HubSpot.

    :param text: what the task's log says of it.
    :param report: all outcomes of the batch.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    """

    def __init__(self, text: str, report: Report, retry_after: float | None = None) -> None:
        self.report, self.retry_after = report, retry_after
        super().__init__(text)
