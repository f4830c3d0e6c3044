"""A local HubSpot, a stand-in gateway and a throw-away Airflow between them, until Ctrl-C. Run it with ``make demo-ui``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import requests

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is started while modules are loaded: Ctrl-C just ends it

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from airflow_provider_hubchan.emulator import Emulator  # noqa: E402
from tests.e2e.airflow import PARTS, Airflow  # noqa: E402
from tests.e2e.bridge import GATEWAY, RECEIVER, Bridge  # noqa: E402
from tests.e2e.processes import Ended, Processes  # noqa: E402

#: The DAGs of the bridge, which run every minute, and one to trigger.
DAGS = ("deliver_outbox", "mark_receipts", "mark_delivery_report")
LIMIT = 190  # requests per 10 seconds: a privately distributed app in a Professional account
#: Messages that the other example DAGs are about.
OTHERS = 30
#: Where Airflow looks for policies in its home.
POLICY_FILE = "config/airflow_local_settings.py"
#: A cluster policy of Airflow's: what is different here, while the files of the DAGs stay as they are.
POLICY = """
import os

from airflow.sdk.definitions.timetables.simple import NullTimetable


def dag_policy(dag):
    if dag.params.get("folder") == "/tmp":  # what DAGs write goes where everything else is
        dag.params["folder"] = os.environ["AIRFLOW_HOME"]
    if dag.dag_id == "mark_delivery_report":  # every quarter of an hour a thousand messages would push all others out of sight
        dag.timetable = NullTimetable()
"""
#: What customers ask, by their names: something to answer.
QUESTIONS = {
    "Greta Guest": "Can I bring my dog?",
    "Pia Patron": "We will be ten minutes late. Is that all right?",
    "Carla Customer": "Do you have a table for two tonight?",
}


def main(home: Path) -> int:
    """Start all of it, say where it is, wait for Ctrl-C, end what was started.

    :param home: a folder for all that is written; what an Airflow has left in it is removed first.
    :return: 1 if a process ended by itself.
    """
    if not may_be_removed(home):
        say(f"{home} is not empty, and no Airflow's home: name another folder, or empty it yourself.")
        return 2
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # all as Ctrl-C
    shutil.rmtree(home, ignore_errors=True)
    (home / POLICY_FILE).parent.mkdir(parents=True)
    (home / POLICY_FILE).write_text(POLICY, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    processes = Processes(home, environment)
    try:
        run(processes, home)
    except KeyboardInterrupt:
        say("")
    except Ended as ended:
        say(f"{processes.tail(ended.name, 20)}\n\n{ended}: above is why, and more in {home / ended.name}.log.")
        return 1
    except Exception:
        say(processes.tails(20))
        raise
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)  # whoever is impatient now must not leave processes behind
        say("Ending all of it ...")
        processes.stop()
        say(f"Done. The logs are in {home}.")
    return 0


def may_be_removed(home: Path) -> bool:
    """True if there is nothing in the folder, or what an Airflow has left, or a demo that ended before there was an Airflow."""
    is_left = any((home / name).exists() for name in ("airflow.cfg", POLICY_FILE))
    return is_left or not home.exists() or not any(home.iterdir())


def run(processes: Processes, home: Path) -> None:
    """Start HubSpot and fill it, start the others, and stay until a process ends, or Ctrl-C comes."""
    bridge = Bridge(processes, home)
    with Emulator(limit=LIMIT, webhook=bridge.webhook_url) as hubspot:
        fill(hubspot)
        say("Setting up a throw-away Airflow. About a minute ...")
        airflow = Airflow(processes, home, HERE)
        processes.environment |= {
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps(hubspot.connection()),
        }
        bridge.start(hubspot.connection()["password"], "--inbox", hubspot.url, "--airflow", airflow.url)
        airflow.start([*DAGS])
        for dag in DAGS:
            airflow.ask("PATCH", f"dags/{dag}", {"is_paused": False})
        say(f"""
Gateway   {bridge.gateway_url}
HubSpot   {hubspot.url}
Airflow   {airflow.url}

Open the gateway's page: it says what to try. You write a reply in HubSpot's inbox, DAGs of Airflow bring it to the gateway
and its status back to the inbox; you break the gateway, and see the reason in the inbox. In Airflow you are admin, nobody
asks for a password.

To watch a large batch, trigger {DAGS[-1]} in Airflow ({airflow.url}/dags/{DAGS[-1]}):
{len(hubspot.messages("SENT")):,} messages get their statuses, {LIMIT} requests per 10 seconds. How far it is you see at
{airflow.url}/hubspot-statuses/; a fault that you inject in HubSpot's page, too.

Ctrl-C ends all of it.""")
        while True:
            time.sleep(1)
            for part in (*PARTS, RECEIVER, GATEWAY):
                processes.alive(part)


def fill(hubspot: Emulator) -> None:
    """Messages that agents have sent, and questions of customers."""
    outbox = (HERE / "data" / "outbox.jsonl").read_text(encoding="utf-8").splitlines()
    hubspot.world.seed(json.loads(line)["message_id"] for line in outbox)
    hubspot.world.seed(f"message-{number}" for number in range(1, OTHERS + 1))
    channel = hubspot.world.channel_id
    url = f"{hubspot.url}/conversations/custom-channels/2026-03/{channel}/messages"
    question = {
        "channelAccountId": hubspot.world.account_of(channel).id,
        "messageDirection": "INCOMING",
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "recipients": [],
        "attachments": [],
    }
    headers = {"Authorization": f"Bearer {hubspot.world.issue()}"}
    for number, (name, text) in enumerate(QUESTIONS.items()):
        customer = {"name": name, "deliveryIdentifier": {"type": "HS_PHONE_NUMBER", "value": f"+1555010{number}"}}
        message = question | {"senders": [customer], "text": text}
        requests.post(url, json=message, headers=headers, timeout=10).raise_for_status()


def say(text: str) -> None:
    """Print at once, even into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2]).resolve() if sys.argv[1:] else HERE.parent / ".demo" / "ui"))
