"""What is done to a batch, and what must be so afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import psutil

from tests.e2e.checks import Check, at_most, same
from tests.e2e.run import Run
from tests.e2e.stage import Stage
from tests.e2e.waiting import say, until

#: Threads of each batch, and seconds that the emulator takes for an answer: their quotient is the most requests per second.
CONCURRENCY, DELAY = 5, 0.05
#: Seconds between two notes of the operator's progress, and for writing one while other DAGs lock the same SQLite database.
INTERVAL, WRITING = 2.0, 2.0
#: Calls a day, seconds before midnight while the batch starts (its token must outlive the leap), and when it is under way.
DAILY, EARLY, LATE = 600, 1500.0, 25.0
#: Seconds that HubSpot then takes for each of the first answers: the clock is to leap before the day's calls are used up.
HELD_UP = 1.5
#: Seconds between two heartbeats of a task (its supervisor may miss one turn), by which Airflow learns that it is not to run
#: any more; what its supervisor logs then, before it sends SIGTERM; and seconds from SIGTERM to SIGKILL.
HEARTBEAT, SUPERVISOR_TEXT, STOPPING = 5.0, "the task shouldn't be running anymore", 5.0


def killed(stage: Stage) -> Iterator[Check]:
    """The task's process is killed in the middle of the batch: the next try goes on from there."""
    run, hubspot = stage.run, stage.hubspot
    hubspot.slow_down(DELAY)
    stage.start(updates=hubspot.rows // 2)
    psutil.Process(stage.worker()).kill()
    say(f"killed: SIGKILL after {stage.updates:,} updates")
    task = run.until("success", 150)
    yield same("tries", 2, task["try_number"])
    yield same("statuses", {"READ": hubspot.rows}, hubspot.statuses())
    repeats = sum(times - 1 for times in hubspot.patches().values())
    yield at_most("repeated updates", round((INTERVAL + WRITING) * CONCURRENCY / DELAY) + CONCURRENCY, repeats)
    yield from _report(stage)
    yield same("progress kept", False, run.progress is not None)


def cleared(stage: Stage) -> Iterator[Check]:
    """The same task is cleared: it starts over."""
    run, hubspot = stage.run, stage.hubspot
    before, tries = hubspot.patches(), run.task["try_number"]
    run.clear()
    until("the next try", 60, lambda: run.task["try_number"] > tries)
    run.until("success", 150)
    yield same("updates of each message", {1}, set((hubspot.patches() - before).values()))
    yield same("updates", hubspot.rows, stage.updates - before.total())
    report = run.report
    yield same("report: updated", hubspot.rows, report["updated"])
    yield same("report: skipped", 0, report["skipped"])


def cleared_halfway(stage: Stage) -> Iterator[Check]:
    """A task that ended halfway is cleared: it starts over as well."""
    yield from cleared(stage)


def midnight(stage: Stage) -> Iterator[Check]:
    """The daily quota ends in the middle of a deferrable batch: it waits for midnight without a worker."""
    yield from _wait_for_midnight(stage)
    yield from _finish(stage)


def orphaned(stage: Stage) -> Iterator[Check]:
    """The triggerer is killed during such a wait, and started again: nothing is lost or done twice."""
    yield from _wait_for_midnight(stage)
    stage.kill_triggerer()
    yield same("state without a triggerer", "deferred", stage.run.task["state"])
    stage.airflow.start_part("triggerer")
    yield from _finish(stage)


def stopped(stage: Stage) -> Iterator[Check]:
    """A user marks the running task failed: it ends in time, and in good order."""
    run, hubspot = stage.run, stage.hubspot
    hubspot.slow_down(DELAY)
    stage.start(updates=hubspot.rows // 3)
    process = psutil.Process(stage.worker())
    run.mark_failed()
    marked_at = time.time()
    until("the end of the task's process", 60, lambda: _ended(process), every=0.05)
    ended_at = time.time()
    noticed_at = until("the supervisor's line in the task's log", 30, lambda: _time_of(SUPERVISOR_TEXT, run))
    yield at_most("seconds until Airflow stops its process", 2 * HEARTBEAT, round(max(0.0, noticed_at - marked_at), 1))
    yield at_most("seconds from then until the process has ended", STOPPING, round(ended_at - noticed_at, 1))
    task = run.task
    yield same("state, tries", ("failed", 1), (task["state"], task["try_number"]))
    updated = set(hubspot.patches())
    yield Check("updates", f"less than {hubspot.rows:,}", f"{len(updated):,}", len(updated) < hubspot.rows)
    yield same("progress kept", True, run.progress is not None)
    text = (stage.folder / "stopped.report.jsonl").read_text(encoding="utf-8")
    rows = [_row(line) for line in text.splitlines()]
    yield same("report file: its last line is whole", True, not text or text.endswith("\n"))
    yield same("report file: lines that are not whole", 0, rows.count(None))
    yield same("rows that are updated or in the report file", hubspot.rows, len(updated.union(filter(None, rows))))


def _wait_for_midnight(stage: Stage) -> Iterator[Check]:
    """Start the batch and watch it until it waits."""
    run, hubspot = stage.run, stage.hubspot
    hubspot.set_clock(before_midnight=EARLY)
    hubspot.slow_down(HELD_UP, times=4 * CONCURRENCY)
    stage.start(updates=1)
    worker = psutil.Process(stage.worker())
    hubspot.set_clock(before_midnight=LATE)
    run.until("deferred", 60)
    say(f"{run.dag_id}: deferred after {stage.updates:,} updates")
    until("the end of the task's process", 15, lambda: _ended(worker))
    yield same("state while it waits", "deferred", run.task["state"])
    yield same("its process while it waits", "gone", "gone" if _ended(worker) else "there")
    yield at_most("updates before midnight", DAILY, stage.updates)


def _finish(stage: Stage) -> Iterator[Check]:
    """Watch the waiting batch to its end."""
    task = stage.run.until("success", 150)
    yield same("tries", 1, task["try_number"])
    yield same("statuses", {"READ": stage.hubspot.rows}, stage.hubspot.statuses())
    yield same("updates of each message", {1}, set(stage.hubspot.patches().values()))
    yield from _report(stage)


def _report(stage: Stage) -> Iterator[Check]:
    report, rows = stage.run.report, stage.hubspot.rows
    updated, skipped = report["updated"], report["skipped"]
    yield Check("report: updated + skipped", f"{rows:,}", f"{updated:,} + {skipped:,}", updated + skipped == rows)
    yield same("report: unresolved", 0, report["unresolved"])


def _row(line: str) -> str | None:
    """The message of a line of a report file, None if it is not whole."""
    try:
        return str(json.loads(line)["message_id"])
    except ValueError:
        return None


def _ended(process: psutil.Process) -> bool:
    """True from its last breath: Airflow's supervisor may look at a process only seconds after that."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _time_of(text: str, run: Run) -> float | None:
    """When the log of the first try said that, in seconds since the epoch."""
    times = [event["timestamp"] for event in run.events(1) if text in event["event"]]
    return datetime.fromisoformat(times[0].replace("Z", "+00:00")).timestamp() if times else None
