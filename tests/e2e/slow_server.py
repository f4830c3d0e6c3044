"""A server that sends a byte now and then, and never ends an answer: what is bounded in time ends all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.e2e.checks import Check, at_most, same
from tests.e2e.run import Run
from tests.e2e.stage import Stage
from tests.e2e.waiting import until

#: Seconds of *max_runtime*, *timeout* and *deadline* in the DAG, and what Airflow may take besides for a process and a trigger.
BOUND, AIRFLOWS_OWN = 5.0, 40.0


def dripping(stage: Stage) -> Iterator[Check]:
    """A batch with max_runtime, a deferred sensor with timeout and a callback with deadline meet such a server."""
    mark, wait, deliver = (Run(stage.airflow, "dripping", task_id) for task_id in ("mark", "wait", "deliver"))
    mark.start()
    for run, what in ((mark, "the batch"), (wait, "the sensor")):
        task = run.until("failed", 120)
        yield at_most(f"seconds of {what}", BOUND + AIRFLOWS_OWN, _seconds(task))
        yield same(f"tries of {what}", 1, task["try_number"])
    yield same("report: unresolved", stage.hubspot.rows, mark.report["unresolved"])
    reasons = {problem["reason"] for problem in mark.report["problems"]}
    yield same("reasons that name max_runtime", len(reasons), sum("max_runtime" in reason for reason in reasons))
    yield same("the sensor ended by its timeout", True, _says(wait, "AirflowSensorTimeout"))
    text = "Marked by a callback: 2 rows: 0 updated, 0 skipped, 0 rejected, 2 unresolved"
    until("the callback's line in the log", BOUND + AIRFLOWS_OWN, lambda: _says(deliver, text))
    yield same("the callback ended by its deadline", True, _says(deliver, "deadline"))


def _seconds(task: dict[str, Any]) -> float:
    started, ended = (datetime.fromisoformat(task[name].replace("Z", "+00:00")) for name in ("start_date", "end_date"))
    return (ended - started).total_seconds()


def _says(run: Run, text: str) -> bool:
    events = run.events(1)
    texts = [event["event"] for event in events]
    texts += [f"{error['exc_type']}: {error['exc_value']}" for event in events for error in event.get("error_detail") or ()]
    return any(text in each for each in texts)
