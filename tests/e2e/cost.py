"""What keeping progress costs: the same batch with and without it, side by side in a real Airflow: ``make bench-progress``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.common import table
from tests.e2e.airflow import Airflow
from tests.e2e.frame import framed
from tests.e2e.hubspot import Hubspot
from tests.e2e.processes import Processes
from tests.e2e.run import Run
from tests.e2e.waiting import say

#: Updates of each batch, and requests per 10 seconds that its account allows: 50 a second.
ROWS, LIMIT = 10_000, 500
#: Seconds that it may take.
LONGEST = 400.0


def play(processes: Processes, folder: Path) -> int:
    """Run both at once, print their times."""
    hubspots = {name: Hubspot(processes, folder, name, ROWS, "--limit", str(LIMIT)) for name in ("kept", "unkept")}
    for hubspot in hubspots.values():
        hubspot.start()
    processes.environment |= dict(hubspot.connection() for hubspot in hubspots.values())
    airflow = Airflow(processes, folder, Path(__file__).resolve().parent / "dags")
    airflow.start(list(hubspots))
    runs = {name: Run(airflow, name, "mark") for name in hubspots}
    say(f"two batches of {ROWS:,} updates at {LIMIT / 10:.0f} a second: {ROWS * 10 / LIMIT:.0f} s")
    for run in runs.values():
        run.start()
    seconds = {}
    for name, run in runs.items():
        run.until("success", LONGEST)
        seconds[name] = float(run.report["elapsed_seconds"])
        assert run.report["updated"] == ROWS, run.report
    rows = [[name, f"{taken:,.1f}", f"{taken / seconds['unkept']:.3f}"] for name, taken in seconds.items()]
    title = f"{ROWS:,} updates at {LIMIT / 10:.0f} a second, progress kept every two seconds and not at all, side by side, once"
    print(table(title, ["progress", "seconds", "x unkept"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(framed(play))
