"""Speed and memory: ``make bench``. Machines differ, so figures are medians, or ratios to a peer of the same run."""

from __future__ import annotations

import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

RUNS = 5


@contextmanager
def emulator(messages: int) -> Iterator[dict[str, Any]]:
    """A local HubSpot in a process of its own; gives the connection to it."""
    command = [sys.executable, "-m", "airflow_provider_hubchan.emulator", "--port", "0", "--limit", "0"]
    with subprocess.Popen([*command, "--messages", str(messages)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        yield json.loads(lines[2].split("=", 1)[1].strip().strip("'"))
        process.terminate()


def ours(connection: dict[str, Any], updates: int) -> dict[str, float]:
    """A batch through the operator, in a fresh process: seconds, CPU seconds, peak memory over that of one update."""
    code = "import sys; sys.path.insert(0, '.'); from tests.bench import batch; batch(int(sys.argv[1]))"
    environment = os.environ | {
        "AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps(connection),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(updates)], capture_output=True, text=True, check=True, env=environment
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def batch(updates: int) -> None:
    """Mark message-1 to message-*updates* as a task does, print the figures."""
    from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

    class Instance:
        def xcom_push(self, key: str, value: Any) -> None:
            """Take the report as a task instance does."""

    def run(messages: list[str]) -> dict[str, Any]:
        operator = UpdateMessageStatusOperator(task_id="mark", messages=messages, status="READ")
        return operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]

    run(["message-1"])  # imports, token
    rows = [f"message-{number}" for number in range(1, updates + 1)]
    memory, cpu, began = peak(), time.process_time(), time.perf_counter()
    report = run(rows)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert report["updated"] == updates, report
    print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak() - memory}))


def peer(connection: dict[str, Any], updates: int) -> dict[str, float]:
    """What people write today: one session, ``patch(json=…)`` in a loop."""
    form = {"grant_type": "refresh_token", "client_id": connection["login"], "client_secret": connection["password"]}
    form["refresh_token"] = connection["extra"]["refresh_token"]
    token = requests.post(f"{connection['host']}/oauth/2026-03/token", data=form, timeout=10).json()["access_token"]
    base = f"{connection['host']}/conversations/custom-channels/2026-03/{connection['extra']['channel_id']}/messages"
    cpu, began = time.process_time(), time.perf_counter()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for number in range(1, updates + 1):
            session.patch(f"{base}/message-{number}", json={"statusType": "READ"}, timeout=10).raise_for_status()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}


def peak() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print one table per question."""
    print(f"Medians of {RUNS} interleaved runs against an emulator without limit, one process each, no latency.\n")
    updates = 2000
    with emulator(updates) as connection:
        pairs = [(ours(connection, updates), peer(connection, updates)) for _ in range(RUNS)]
    print(f"{updates:,} updates                 updates/s   CPU us/update")
    for name, side in (("the operator, 16 threads", 0), ("Session.patch in a loop", 1)):
        rate = statistics.median(updates / pair[side]["seconds"] for pair in pairs)
        cpu = statistics.median(pair[side]["cpu"] for pair in pairs) / updates * 1e6
        print(f"{name:28}{rate:10,.0f}{cpu:16,.0f}")
    rate = statistics.median(pair[1]["seconds"] / pair[0]["seconds"] for pair in pairs)
    cpu = statistics.median(pair[0]["cpu"] / pair[1]["cpu"] for pair in pairs)
    print(f"{'ratio':28}{rate:10.2f}{cpu:16.2f}\n")

    print("updates        peak memory over that of one update, MB")
    for updates in (1000, 10_000):
        with emulator(updates) as connection:
            grown = statistics.median(ours(connection, updates)["megabytes"] for _ in range(RUNS))
        print(f"{updates:7,}{grown:14.1f}")

    with emulator(1) as connection:
        rules, wire = answer_times(), round_trips(connection)
    print(f"\nThe emulator answers a PATCH in {rules:.0f} us (rules and JSON), over one connection in {wire:.0f} us (median).")


def answer_times(calls: int = 20_000) -> float:
    """Microseconds for the emulator's rules and the JSON of an answer."""
    from airflow_provider_hubchan.emulator.contract import answer
    from airflow_provider_hubchan.emulator.shapes import Call
    from airflow_provider_hubchan.emulator.world import World

    world = World(limit=0)
    world.seed(["m-1"])
    path = ("conversations", "custom-channels", "2026-03", "100200", "messages", "m-1")
    call = Call("PATCH", path, {"authorization": f"Bearer {world.issue(world.app)}"}, b'{"statusType": "READ"}')
    began = time.perf_counter()
    for _ in range(calls):
        json.dumps(answer(world, call).body)
    return (time.perf_counter() - began) / calls * 1e6


def round_trips(connection: dict[str, Any], calls: int = 2000) -> float:
    """Microseconds from a PATCH to its answer, the client's part (http.client, keep-alive) included."""
    asker = http.client.HTTPConnection(connection["host"].removeprefix("http://"), timeout=10)
    asker.request("POST", "/_emulator/tokens")
    token = json.loads(asker.getresponse().read())["access_token"]
    path = f"/conversations/custom-channels/2026-03/{connection['extra']['channel_id']}/messages/message-1"
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        asker.request("PATCH", path, b'{"statusType": "READ"}', {"Authorization": f"Bearer {token}"})
        assert asker.getresponse().read()
        times.append(time.perf_counter() - began)
    asker.close()
    return statistics.median(times) * 1e6


if __name__ == "__main__":
    main()
