"""A real cluster: PostgreSQL, Redis, two Celery workers and eight shards of one batch: ``make e2e-celery``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.airflow import Airflow
from tests.e2e.celery_cluster import SHARDS, SIZE, Cluster, settings
from tests.e2e.celery_loss import LIMIT, lost_worker
from tests.e2e.frame import framed
from tests.e2e.hubspot import Hubspot
from tests.e2e.processes import Processes
from tests.e2e.run import Run
from tests.e2e.servers import start_postgresql, start_redis
from tests.e2e.stage import perform
from tests.e2e.waiting import allow, say

#: Seconds for all of it; one more minute is for an answer that is waited for then, and for ending everything.
LONGEST = 660.0


def play(processes: Processes, folder: Path) -> int:
    """Start everything, lose a worker, print the table; 0 if all of it holds."""
    allow(LONGEST)
    processes.environment["TMPDIR"] = str(folder)  # whoever is killed leaves files there
    say("starting PostgreSQL, Redis and the emulator")
    servers = settings(start_postgresql(processes, folder), start_redis(processes, folder))
    hubspot = Hubspot(processes, folder, "shards", SHARDS * SIZE, "--limit", str(LIMIT))
    hubspot.start()
    airflow = Airflow(processes, folder, Path(__file__).resolve().parent / "dags")
    processes.environment |= servers | dict([hubspot.connection()])
    say("making Airflow's database")
    airflow.start(["shards"])
    runs = [Run(airflow, "shards", "mark", index) for index in range(SHARDS)]
    cluster = Cluster(airflow, processes, hubspot, runs, folder)
    cluster.start_workers()
    text, holds = perform(lost_worker.__name__, lost_worker.__doc__, lost_worker(cluster), runs)
    print(text)
    if not holds:
        print(processes.tails(20))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(framed(play))
