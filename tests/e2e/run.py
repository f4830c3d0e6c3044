"""The run of a DAG, as Airflow's REST API has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.e2e.airflow import Airflow
from tests.e2e.waiting import until

#: States after which nothing more happens.
ENDED = ("failed", "success")
#: Task instances that Airflow's REST API gives at once.
PAGE = 100


class Run:
    """The one run of a DAG, and the task in it that matters.

    :param dag_id: of the DAG; the run of that name may exist, or be started here.
    :param task_id: of that task.
    :param map_index: of its instance, None if it is not mapped.
    :param run_id: of the run; another one is the scheduler's.
    """

    def __init__(self, airflow: Airflow, dag_id: str, task_id: str, map_index: int | None = None, run_id: str = "e2e") -> None:
        self.dag_id, self._airflow, self._task_id = dag_id, airflow, task_id
        self._tasks = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances"
        self._path = f"{self._tasks}/{task_id}"
        self._instance = self._path if map_index is None else f"{self._path}/{map_index}"
        self._index = {} if map_index is None else {"map_index": str(map_index)}

    def start(self, **conf: str) -> None:
        """Trigger the DAG, with these of its parameters."""
        self._airflow.ask("POST", f"dags/{self.dag_id}/dagRuns", {"dag_run_id": "e2e", "logical_date": None, "conf": conf})

    def clear(self) -> None:
        """Clear the task, as a user does who wants it done once more.

        First the run must have ended: if the scheduler ends it at the same moment, the task is never started again.
        """
        until(f"the end of the run of {self.dag_id}", 60, self._run_ended)
        body = {"dag_run_id": "e2e", "task_ids": [self._task_id], "dry_run": False, "only_failed": False}
        self._airflow.ask("POST", f"dags/{self.dag_id}/clearTaskInstances", body)

    def mark_failed(self) -> None:
        """Mark the task failed, as a user does who wants it to stop."""
        self._airflow.ask("PATCH", self._instance, {"new_state": "failed"})

    @property
    def task(self) -> dict[str, Any]:
        """What Airflow knows of the task instance."""
        return self._airflow.ask("GET", self._instance) or {"state": None, "try_number": 0}

    @property
    def ended(self) -> bool:
        """True if there will be no further try."""
        return self.task["state"] in ENDED

    @property
    def report(self) -> dict[str, Any]:
        """What the task returned."""
        entry = self._airflow.ask("GET", f"{self._path}/xcomEntries/return_value", None, deserialize="true", **self._index)
        report: dict[str, Any] = entry["value"] if entry else {}
        return report

    @property
    def progress(self) -> dict[str, Any] | None:
        """What the operator has written down in Airflow's state store, None if there is nothing."""
        path = f"{self._path}/state-store/hubchan_progress"
        entry: dict[str, Any] | None = self._airflow.ask("GET", path, None, **self._index)
        return entry

    def states(self, task_id: str) -> list[str | None]:
        """The states of another task of the run, a mapped one, in the order of its map indexes."""
        states: list[str | None] = []
        while True:
            path, offset = f"{self._tasks}/{task_id}/listMapped", str(len(states))
            page = self._airflow.ask("GET", path, order_by="map_index", limit=str(PAGE), offset=offset)
            instances = page["task_instances"]
            states += [instance["state"] for instance in instances]
            if len(instances) < PAGE:
                return states

    def until(self, state: str, seconds: float) -> dict[str, Any]:
        """Wait until the task is in this state; give the task.

        :raises RuntimeError: if it ends in another one.
        """

        def there() -> dict[str, Any] | None:
            task = self.task
            if task["state"] == state:
                return task
            if task["state"] in ENDED:
                raise RuntimeError(f"the task of {self.dag_id} ended with {task['state']} instead of {state}")
            return None

        return until(f"{state} of {self.dag_id}", seconds, there, every=0.5)

    def events(self, number: int) -> list[dict[str, Any]]:
        """The log of a try.

        :param number: 1 for the first.
        """
        log = self._airflow.ask("GET", f"{self._path}/logs/{number}", None, full_content="true", **self._index)
        events: list[dict[str, Any]] = log["content"] if log else []
        return events

    def log(self, lines: int) -> str:
        """The last lines of the log of each try."""
        text = []
        for number in range(1, self.task["try_number"] + 1):
            text.append(f"--- the end of the log of {self.dag_id}, try {number}")
            text += [" ".join(_words(event)) for event in self.events(number)[-lines:]]
        return "\n".join(text)

    def _run_ended(self) -> bool:
        return self._airflow.ask("GET", f"dags/{self.dag_id}/dagRuns/e2e")["state"] in ENDED


def _words(event: dict[str, Any]) -> Iterator[str]:
    yield from (event.get("timestamp") or "", event["event"])
    for error in event.get("error_detail") or ():
        yield f"{error['exc_type']}: {error['exc_value']}"
