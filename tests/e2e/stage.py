"""Where a scenario plays, and what it is."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.airflow import Airflow
from tests.e2e.bridge import Bridge
from tests.e2e.checks import Check, table
from tests.e2e.hubspot import Hubspot
from tests.e2e.run import Run
from tests.e2e.waiting import say, until


@dataclass(frozen=True)
class Stage:
    """Where a scenario plays: Airflow, the DAG's HubSpot and its only run, the folder of its files, and the one bridge."""

    airflow: Airflow
    hubspot: Hubspot
    run: Run
    folder: Path
    bridge: Bridge

    @property
    def updates(self) -> int:
        """How many PATCHes were answered with 2xx so far."""
        return self.hubspot.patches().total()

    def perform(self, scenario: Scenario) -> tuple[str, bool]:
        """Play one scenario here; give its table, and whether it holds."""
        return perform(scenario.__name__, scenario.__doc__, scenario(self), [self.run])

    def start(self, updates: int) -> None:
        """Start the run, and wait until there have been so many updates.

        :raises RuntimeError: if the task ends before.
        """
        self.run.start()
        self.run.until("running", 60)
        until(f"{updates:,} updates of {self.run.dag_id}", 60, lambda: self.updates >= updates or self.run.ended, every=0.1)
        if self.run.ended:
            raise RuntimeError(f"the task of {self.run.dag_id} ended before there were {updates:,} updates")

    def worker(self) -> int:
        """The task's process.

        :raises RuntimeError: if there is none among the scheduler's.
        """
        pid = self.run.task["pid"]
        if not self.airflow.processes.holds("scheduler", pid):
            raise RuntimeError(f"{pid} is no process of the scheduler's LocalExecutor")
        return int(pid)

    def kill_triggerer(self) -> None:
        """SIGKILL the triggerer, once it has the task's trigger."""
        until("a triggerer that has the trigger", 30, lambda: self.run.task["triggerer_job"])
        count = self.airflow.processes.kill("triggerer")
        say(f"{self.run.dag_id}: SIGKILL of the triggerer's {count} processes")


Scenario = Callable[[Stage], Iterator[Check]]


def perform(name: str, doc: str | None, scenario: Iterable[Check], runs: Iterable[Run]) -> tuple[str, bool]:
    """Play one scenario; give its table, and whether it holds.

    :param runs: whose logs are of interest if it does not.
    """
    title = f"{name}: {doc}"
    say(title)
    checks: list[Check] = []
    fault = ""
    try:
        for check in scenario:
            checks.append(check)
    except Exception:
        fault = traceback.format_exc()
    holds = not fault and all(check.holds for check in checks)
    say(f"{name}: {'holds' if holds else 'DOES NOT HOLD'}")
    text = f"{title}\n\n{table(checks)}\n"
    return (text if holds else "\n".join([text, fault, *map(_last_words, runs), ""])), holds


def _last_words(run: Run) -> str:
    """The end of the task's logs, if there is still an API server to ask."""
    try:
        return run.log(40)
    except (OSError, RuntimeError) as fault:
        return f"no log of {run.dag_id}: {fault}"
