"""(d) What Airflow itself costs: one task for a batch, against a mapped HttpOperator instance for each message; and what a
small task costs Airflow, against one that does nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import requests

from tests.api_calls import ApiCalls, xcom_rows
from tests.bench.common import emulator, environment, say, table
from tests.paths import TESTS

BATCH, MAPPED, SMALL = 1000, 100, 20


def batch_of_one_task(messages: int = BATCH) -> str:
    """A DAG of one task with all messages. Gives the id of its run, as the others do."""
    from airflow.sdk import DAG

    from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

    with DAG("batch", schedule=None) as dag:
        ids = [f"message-{number}" for number in range(1, messages + 1)]
        UpdateMessageStatusOperator(task_id="mark", messages=ids, status="READ")
    return finish(dag)


def mapped(instances: int = MAPPED) -> str:
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
    return finish(dag)


def empty() -> str:
    """A DAG of one task with nothing to send: what both pay for the run."""
    return batch_of_one_task(0)


def nothing() -> str:
    """A DAG of one task that does nothing at all."""
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk import DAG

    with DAG("batch", schedule=None) as dag:
        PythonOperator(task_id="mark", python_callable=lambda: None)
    return finish(dag)


def finish(dag: Any) -> str:
    """Run a DAG, and give the id of the run."""
    run = dag.test()
    assert str(run.state) == "success"
    return str(run.run_id)


def calls_and_rows(do: Callable[[], str]) -> list[int]:
    """How many calls a run makes to Airflow's API server, and how many rows of XComs it leaves."""
    with ApiCalls() as made:
        run_id = do()
    return [len(made.calls), len(xcom_rows(run_id))]


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
        took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
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
    share = table(
        title, ["", "seconds", "ms per message", "x one task"], rows, "Without the time of the run that sends nothing."
    )
    names = {"nothing": "an empty PythonOperator", "small": f"a batch of {SMALL} updates"}
    costs = [[name, *map(str, took[key])] for key, name in names.items()]
    note = "With the connection in the environment; one that is in Airflow's database is a call more."
    return f"{share}\n{table('(d) What a small task costs Airflow', ['', 'API calls', 'XCom rows'], costs, note)}"


def main() -> None:
    """Create the database, run the DAGs, print the seconds of each beyond an empty one, and what small ones cost."""
    with redirect_stdout(sys.stderr):
        from airflow.utils.db import initdb

        initdb()
        empty()  # imports
        took = {}
        for name, do in (("empty", empty), ("one", batch_of_one_task), ("many", mapped)):
            began = time.perf_counter()
            do()
            took[name] = time.perf_counter() - began
        costs = {"nothing": calls_and_rows(nothing), "small": calls_and_rows(lambda: batch_of_one_task(SMALL))}
    beyond = {name: took[name] - took["empty"] for name in ("one", "many")}
    print(json.dumps({"empty": took["empty"], **beyond, **costs}))


if __name__ == "__main__":
    main()
