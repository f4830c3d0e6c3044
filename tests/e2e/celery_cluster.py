"""Airflow with CeleryExecutor: two workers of four slots each, and one DAG that fills all eight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.airflow import AIRFLOW, Airflow
from tests.e2e.hubspot import Hubspot
from tests.e2e.processes import Processes
from tests.e2e.run import Run
from tests.e2e.waiting import say, until

#: Two machines, for Celery: a worker's name is all that it knows of where it is.
WORKERS = ("worker-1", "worker-2")
#: Tasks that each runs at once. Celery gives a worker no more than these (Airflow's worker_prefetch_multiplier is 1), so each
#: has half of the shards.
SLOTS = 4
SHARDS, SIZE = 8, 500
#: Seconds without a heartbeat after which a task is taken for dead (300 by default), and between two looks for such tasks (10
#: by default). A task sends one every 5 to 10 seconds; three may be late, for a living task that is taken for dead would run
#: twice, side by side. So a retry begins 30 to 35 seconds after the kill, if there is a slot.
SILENCE, LOOK = 30, 5


def settings(postgresql: str, redis: str) -> dict[str, str]:
    """The environment variables in which a cluster differs.

    Celery's own way to save a dead worker's tasks is of no use here: Redis delivers them again when they have been under way
    for the visibility timeout, a day in Airflow. A shorter one delivers what still runs; Airflow refuses that, and it is the
    scheduler that makes a retry, by the missing heartbeats.
    """
    return {
        "AIRFLOW__CELERY__BROKER_URL": redis,
        "AIRFLOW__CELERY__OPERATION_TIMEOUT": "10",  # seconds to hand a task to Redis: 1 is too short for a busy machine
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{postgresql}",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "16",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgresql,
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(SILENCE),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": str(LOOK),
        "HUBCHAN_E2E_SHARD": str(SIZE),
    }


@dataclass(frozen=True)
class Cluster:
    """Where the shards are marked.

    :param runs: of each shard, by its map index.
    """

    airflow: Airflow
    processes: Processes
    hubspot: Hubspot
    runs: list[Run]
    folder: Path

    def start_workers(self) -> None:
        """Start both, wait until Celery has them."""
        for name in WORKERS:
            names = ("--celery-hostname", name, "--pid", str(self.folder / f"{name}.pid"))
            slots = ("--concurrency", str(SLOTS), "--skip-serve-logs")
            self.processes.start(name, *AIRFLOW, "celery", "worker", *names, *slots)
        until("the workers' word that they are ready", 120, lambda: all(map(self._ready, WORKERS)))
        say(f"{len(WORKERS)} Celery workers are ready")

    def shards_of(self, worker: str) -> list[int]:
        """The map indexes of the tasks that run there now."""
        tasks = [run.task for run in self.runs]
        return [
            index
            for index, task in enumerate(tasks)
            if task["state"] == "running" and self.processes.holds(worker, task["pid"])
        ]

    def shard_of(self, message_id: str) -> int:
        """The map index of the task that marks this message."""
        return (int(message_id.rpartition("-")[2]) - 1) // SIZE

    def updates(self) -> int:
        """How many PATCHes were answered with 2xx so far."""
        return self.hubspot.patches().total()

    def updates_of_shards(self) -> list[int]:
        """The same for each shard."""
        counts = [0] * SHARDS
        for message_id, times in self.hubspot.patches().items():
            counts[self.shard_of(message_id)] += times
        return counts

    def _ready(self, worker: str) -> bool:
        self.processes.alive(worker)
        return self.processes.says(worker, f"{worker} ready")
