"""Disturb batches in a real Airflow and see that they end as they should: ``make e2e``.

``python -m tests.e2e waiting notified`` plays the scenarios of these DAGs only.
"""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.dripping_server import DrippingServer
from tests.e2e.airflow import Airflow
from tests.e2e.bridge import Bridge
from tests.e2e.deliveries import mapped, notified, waiting
from tests.e2e.form import MESSAGES, OUTBOX, connected
from tests.e2e.frame import framed
from tests.e2e.hubspot import Hubspot
from tests.e2e.processes import Processes
from tests.e2e.round_trip import round_trip
from tests.e2e.run import Run
from tests.e2e.scenarios import (
    DAILY,
    cleared,
    cleared_halfway,
    killed,
    midnight,
    orphaned,
    stopped,
)
from tests.e2e.signalled import signalled
from tests.e2e.slow_server import dripping
from tests.e2e.stage import Scenario, Stage
from tests.e2e.waiting import ENOUGH, say
from tests.e2e.watched import watched

HERE = Path(__file__).resolve().parent
#: The DAG that connects itself in Airflow's form, and the one whose HubSpot sends webhooks.
DEMO, BRIDGE = "mark_delivery_report", "deliver_outbox"
DAYS = ("--limit", "1000", "--daily", str(DAILY), "--time-zone", "US/Eastern")
FREE = ("--limit", "0")
#: Each DAG, its messages, and more options of its emulator's command line.
HUBSPOTS: dict[str, tuple[Any, ...]] = {
    "killed": (2000, *FREE),
    "stopped": (2000, *FREE),
    "midnight": (1000, *DAYS),
    "orphaned": (1000, *DAYS),
    "mapped": (300, *FREE),
    "waiting": (200, *FREE),
    "notified": (50, *FREE),
    "dripping": (50, *FREE),
    "watched": (700, *FREE),
    DEMO: (MESSAGES, "--messages", str(OUTBOX), *FREE),
    # Assumed: nobody knows whether HubSpot repeats a webhook that is not answered. If not, what the receiver misses is lost.
    BRIDGE: (0, "--webhook-tries", "50", "--webhook-pause", "1"),
}
#: The task that matters in each DAG, where it is not "mark".
TASKS = {"waiting": "wait", "notified": "deliver_all", DEMO: "mark_statuses"}
Row = list[tuple[str, Scenario]]
#: One round after the other. In a round each row one after the other, the rows beside each other: nobody else waits while the
#: triggerer is dead, and nobody else looks at the clock while Airflow is busy with hundreds of tasks.
ROUNDS: list[list[Row]] = [
    [
        [("killed", killed), ("killed", cleared)],
        [("midnight", midnight), ("orphaned", orphaned)],
        [("stopped", stopped), ("stopped", cleared_halfway)],
    ],
    [
        [("mapped", mapped)],
        [("dripping", dripping)],
        [("notified", notified), ("waiting", waiting)],
    ],
]
#: Beside these rounds, because it waits for a schedule most of the time.
ALONGSIDE: list[Row] = [[(BRIDGE, round_trip), (BRIDGE, signalled)]]
#: After all others: what Chromium is to see may last for seconds only, which a busy database or a busy machine would swallow.
IN_CHROMIUM: list[Row] = [[(DEMO, connected)], [("watched", watched)]]


def play(processes: Processes, folder: Path) -> int:
    """Start everything, play the scenarios, print tables; 0 if all of them hold."""
    chosen = sys.argv[1:] or list(HUBSPOTS)
    bridge = Bridge(processes, folder)
    hubspots = {name: Hubspot(processes, folder, name, *HUBSPOTS[name]) for name in chosen}
    say("starting the emulators")
    for name, hubspot in hubspots.items():
        hubspot.start(*(("--webhook", bridge.webhook_url) if name == BRIDGE else ()))
    processes.environment |= dict(hubspot.connection() for hubspot in hubspots.values())
    if BRIDGE in hubspots:
        bridge.add_redis()
        bridge.start(hubspots[BRIDGE].settings()["password"])
    slow = DrippingServer()
    processes.environment["AIRFLOW_CONN_DRIPPING"] = slow.connection()  # instead of the emulator
    airflow = Airflow(processes, folder, HERE / "dags")
    shutil.copytree(HERE / "config", folder / "config")  # where Airflow looks for cluster policies
    say("making Airflow's database")
    airflow.start(list(hubspots))
    say("Airflow is there, the scenarios begin")
    runs = {name: Run(airflow, name, TASKS.get(name, "mark")) for name in hubspots}
    stages = {name: Stage(airflow, hubspot, runs[name], folder, bridge) for name, hubspot in hubspots.items()}

    def perform_all(row: Row) -> list[tuple[str, bool]]:
        return [stages[name].perform(each) for name, each in row if name in stages]

    with slow, ThreadPoolExecutor(max(map(len, ROUNDS)) + len(ALONGSIDE)) as executor:
        try:
            alongside = executor.map(perform_all, ALONGSIDE)
            results = [result for rows in ROUNDS for row in executor.map(perform_all, rows) for result in row]
            results += [result for row in alongside for result in row]
            results += [result for row in executor.map(perform_all, IN_CHROMIUM) for result in row]
        finally:
            ENOUGH.set()  # after Ctrl-C, too: the executor waits for its threads here
    for text, _ in results:
        print(text)
    failed = sum(not holds for _, holds in results)
    if failed:
        print(processes.tails(20))
    print(f"{failed} of {len(results)} scenarios do not hold." if failed else f"All {len(results)} scenarios hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(framed(play))
