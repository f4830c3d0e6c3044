"""(d) What Airflow itself costs: one task for a batch, against a mapped HttpOperator instance for each message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout

import requests

from tests.bench.common import emulator, environment, say, table
from tests.paths import TESTS

BATCH, MAPPED = 1000, 100


def batch_of_one_task() -> None:
    """A DAG of one task with all messages."""
    from airflow.sdk import DAG

    from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

    with DAG("batch", schedule=None) as dag:
        ids = [f"message-{number}" for number in range(1, BATCH + 1)]
        UpdateMessageStatusOperator(task_id="mark", messages=ids, status="READ")
    assert str(dag.test().state) == "success"


def mapped(instances: int = MAPPED) -> None:
    """A DAG of one HttpOperator, mapped over messages."""
    from airflow.providers.http.operators.http import HttpOperator
    from airflow.sdk import DAG

    channel, token = os.environ["BENCH_CHANNEL"], os.environ["BENCH_TOKEN"]
    base = f"/conversations/custom-channels/2026-03/{channel}/messages/message-"
    with DAG("batch", schedule=None) as dag:
        HttpOperator.partial(
            task_id="mark",
            method="PATCH",
            data=json.dumps({"statusType": "READ"}),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        ).expand(endpoint=[f"{base}{number}" for number in range(1, instances + 1)])
    assert str(dag.test().state) == "success"


def empty() -> None:
    """A DAG of one task with nothing to send: what both pay for the run."""
    from airflow.sdk import DAG

    from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator(task_id="mark", messages=[], status="READ")
    assert str(dag.test().state) == "success"


def run() -> str:
    """One run of each in one process and one throw-away Airflow."""
    say(f"(d) one task of {BATCH:,} updates, {MAPPED} mapped HttpOperator instances")
    with emulator(BATCH) as connection, tempfile.TemporaryDirectory() as home:
        token = requests.post(f"{connection['host']}/_emulator/tokens", timeout=10).json()["access_token"]
        bundle = {
            "name": "bench",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(TESTS / "dags")},
        }
        variables = environment(connection["host"]) | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps(connection),
            "BENCH_CHANNEL": str(connection["extra"]["channel_id"]),
            "BENCH_TOKEN": token,
        }
        command = [sys.executable, "-m", "tests.bench.airflow_share"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=variables)
        if done.returncode:
            return f"(d) Airflow's share was not measured: the DAG run ended with {done.returncode}.\n"
        took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        counts = requests.get(f"{connection['host']}/_emulator/messages", timeout=30).json()["counts"]
        assert counts == {"READ": BATCH}, counts
    one, many = took["one"], took["many"]
    scaled = many * BATCH / MAPPED
    rows = [
        [f"one task, {BATCH:,} updates", f"{one:.1f}", f"{one / BATCH * 1000:.1f}", "1"],
        [f"{MAPPED} mapped HttpOperator instances", f"{many:.1f}", f"{many / MAPPED * 1000:.1f}", ""],
        [f"the same scaled up to {BATCH:,}", f"{scaled:.1f}", f"{scaled / BATCH * 1000:.1f}", f"{scaled / one:.0f}"],
    ]
    title = (
        f"(d) Airflow's share: dag.test(), no limit, no latency, one run; a run that sends nothing took {took['empty']:.1f} s"
    )
    return table(
        title, ["", "seconds", "ms per message", "x one task"], rows, "Without the time of the run that sends nothing."
    )


def main() -> None:
    """Create the database, run the DAGs, print the seconds of each beyond those of an empty one."""
    with redirect_stdout(sys.stderr):
        from airflow.utils.db import initdb

        initdb()
        empty()  # imports
        took = {}
        for name, do in (("empty", empty), ("one", batch_of_one_task), ("many", mapped)):
            began = time.perf_counter()
            do()
            took[name] = time.perf_counter() - began
    print(json.dumps({"empty": took["empty"], "one": took["one"] - took["empty"], "many": took["many"] - took["empty"]}))


if __name__ == "__main__":
    main()
