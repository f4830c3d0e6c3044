"""A local HubSpot and a throw-away Airflow side by side, to click around in until Ctrl-C. Run it with ``make demo-ui``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from airflow_provider_hubchan.emulator import Emulator  # noqa: E402
from tests.e2e.airflow import PARTS, Airflow  # noqa: E402
from tests.e2e.processes import Processes  # noqa: E402

DAG = "mark_delivery_report"
LIMIT = 190  # requests per 10 seconds: a privately distributed app in a Professional account
#: Messages that the other example DAGs are about.
OTHERS = 30


def main(home: Path) -> int:
    """Start both, say where they are, wait for Ctrl-C, end what was started.

    :param home: a folder for all that Airflow writes; what an Airflow has left in it is removed first.
    """
    if home.exists() and not (home / "airflow.cfg").exists() and any(home.iterdir()):
        say(f"{home} is not empty, and no Airflow's home: name another folder, or empty it yourself.")
        return 2
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # as Ctrl-C does
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    processes = Processes(home, environment)
    with Emulator(limit=LIMIT) as hubspot:
        try:
            run(processes, home, hubspot)
        except KeyboardInterrupt:
            say("")
        except Exception:
            say(processes.tails(20))
            raise
        finally:
            for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(ending, signal.SIG_IGN)  # whoever is impatient now must not leave processes behind
            say("Ending Airflow ...")
            processes.stop()
            say(f"Done. Airflow's logs are in {home}.")
    return 0


def run(processes: Processes, home: Path, hubspot: Emulator) -> None:
    """Fill HubSpot, start Airflow, and stay until one of its processes ends, or Ctrl-C comes."""
    outbox = (HERE / "data" / "outbox.jsonl").read_text(encoding="utf-8").splitlines()
    hubspot.world.seed(json.loads(line)["message_id"] for line in outbox)
    hubspot.world.seed(f"message-{number}" for number in range(1, OTHERS + 1))
    airflow = Airflow(processes, home, HERE)
    processes.environment |= {
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps(hubspot.connection()),
    }
    say("Setting up a throw-away Airflow. About a minute ...")
    airflow.start([DAG])
    airflow.ask("PATCH", f"dags/{DAG}", {"is_paused": False})
    say(f"""
HubSpot   {hubspot.url}
Airflow   {airflow.url}/dags/{DAG}
Batches   {airflow.url}/hubspot-statuses/

Trigger {DAG} in Airflow (you are admin, nobody asks for a password), and watch both pages:
in HubSpot {len(hubspot.world.messages):,} messages get their statuses, {LIMIT} requests per 10 seconds;
among the batches, which are a page of Airflow's own, the task gets on.
Inject a fault in HubSpot's page, and see in the other one, and in the task's log, what comes of it.
Ctrl-C ends both.""")
    while True:
        time.sleep(1)
        for part in PARTS:
            processes.alive(part)


def say(text: str) -> None:
    """Print at once, even into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2]).resolve() if sys.argv[1:] else HERE.parent / ".demo" / "ui"))
