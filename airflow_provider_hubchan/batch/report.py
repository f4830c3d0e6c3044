"""What became of a batch, counted as the outcomes come in: memory does not grow with the batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from airflow_provider_hubchan.batch.rows import Outcome
from airflow_provider_hubchan.client.actions import Halt
from airflow_provider_hubchan.client.errors import HubchanError, Problem

#: Problems that the summary names: it goes into Airflow's database, and a person reads it.
NAMED = 20
#: What earlier tries of a batch have cost counts, too.
SPENT = ("requests", "rate_limited", "waited_seconds", "elapsed_seconds")


@dataclass
class Report:
    """All outcomes of a batch, as counters: ``updated + skipped + rejected + unresolved == rows``, always.

    :param rows: rows accounted for so far.
    :param updated: how many of them HubSpot accepted.
    :param skipped: how many were not sent on purpose.
    :param rejected: how many HubSpot refused, so that trying again cannot help.
    :param unresolved: how many got no final answer.
    :param requests: requests sent for them, repeats included; token requests are not counted.
    :param rate_limited: how many of these HubSpot answered with 429.
    :param waited_seconds: how long a worker waited for the quota or after a fault, on average over the workers.
    :param elapsed_seconds: from the first request to the last outcome.
    :param report_file: where every row that was not updated is written down, None for nowhere.
    :param problems: the first 20 rows that were rejected or left unresolved, ready for XCom.
    :param reasons: how many rows were not updated, by outcome and label of the problem.
    :param halt: why the batch ended early, None if it did not.
    :param streak: rows in a row that ended *unresolved*: a server that is down is not asked again and again.
    :param last_unresolved: why the last of these did.
    :param earlier: rows whose outcome is that of an earlier try, by outcome.
    """

    rows: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    unresolved: int = 0
    requests: int = 0
    rate_limited: int = 0
    waited_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    report_file: str | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    halt: Halt | None = None
    streak: int = 0
    last_unresolved: Problem | None = None
    earlier: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.rows += 1
        setattr(self, outcome.result, getattr(self, outcome.result) + 1)
        self.streak = self.streak + 1 if outcome.result == "unresolved" else 0
        self.last_unresolved = outcome.problem if outcome.result == "unresolved" else self.last_unresolved
        if outcome.problem is None:
            return
        self.reasons[outcome.result, outcome.problem.label] += 1
        if outcome.result in ("rejected", "unresolved") and len(self.problems) < NAMED:
            self.problems.append(
                {
                    "row": outcome.update.row,
                    "message_id": outcome.update.message_id,
                    "outcome": outcome.result,
                    "reason": outcome.problem.reason,
                    "correlation_id": outcome.problem.correlation_id,
                }
            )

    def nobody_there(self) -> Halt:
        """Why a batch ends after a streak: a server that is down is not asked ten thousand times."""
        last = self.last_unresolved.reason if self.last_unresolved else ""
        text = f"{self.streak} rows in a row got no answer, so the others were not tried. {last}"
        return Halt(Problem(text, "HubSpot does not answer"), permanent=False)

    def close(self, rows: int) -> None:
        """Count what was never settled, because a signal came just then, as *unresolved*."""
        self.unresolved += rows - self.rows
        self.rows = rows

    def spent(self) -> dict[str, float]:
        """What the batch has cost so far, all tries together."""
        return {name: getattr(self, name) for name in SPENT}

    def take_over(self, spent: dict[str, float]) -> None:
        """Add what earlier tries have cost."""
        for name in SPENT:
            setattr(self, name, getattr(self, name) + spent.get(name, 0))

    def summary(self) -> dict[str, Any]:
        """The report as plain data, for XCom."""
        return {
            "rows": self.rows,
            "updated": self.updated,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "unresolved": self.unresolved,
            "requests": self.requests,
            "rate_limited": self.rate_limited,
            "waited_seconds": round(self.waited_seconds, 3),
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "report_file": self.report_file,
            "problems": self.problems,
        }

    def counters(self) -> dict[str, Any]:
        """The summary without rows and places, for everybody to read: asset events."""
        return {name: value for name, value in self.summary().items() if name not in ("problems", "report_file")}

    def counts(self) -> str:
        """The four outcomes in words."""
        return (
            f"{self.rows:,} rows: {self.updated:,} updated, {self.skipped:,} skipped, "
            f"{self.rejected:,} rejected, {self.unresolved:,} unresolved"
        )

    def top_reasons(self, most: int = 5) -> str:
        """The most frequent reasons why rows were not updated, empty if all were.

        :param most: reasons to name.
        """
        return "; ".join(f"{count:,} {result}: {label}" for (result, label), count in self.reasons.most_common(most))


class Counts:
    """What a driver did, for the report."""

    def __init__(self) -> None:
        self.requests = self.rate_limited = 0
        self.waited = 0.0
        self._lock = Lock()

    def add(self, *, requests: int = 0, rate_limited: int = 0, waited: float = 0.0) -> None:
        """Count under a lock: threads share it."""
        with self._lock:
            self.requests += requests
            self.rate_limited += rate_limited
            self.waited += waited


class BatchIncomplete(HubchanError):
    """A batch ended with rows that a retry may still bring to HubSpot.

    :param text: what the task's log says of it.
    :param report: the whole account of the batch.
    :param retry_after: seconds after which HubSpot asked to be called again, None if it did not say.
    """

    def __init__(self, text: str, report: Report, retry_after: float | None = None) -> None:
        self.report, self.retry_after = report, retry_after
        super().__init__(text)
