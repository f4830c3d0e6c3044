"""(b) Updates per second, and what one costs in CPU, without a limit."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from tests.bench.clients import CLIENTS, THREADS
from tests.bench.common import RUNS, echo, emulator, environment, middle, say, table

#: Seconds before each answer, and how many updates: by those with threads, and by those without.
LATENCIES = {0.0: (2000, 800), 0.1: (2000, 4)}
PEER = "Session.patch in a loop"


class Client:
    """One of CLIENTS in a process of its own."""

    def __init__(self, name: str, url: str) -> None:
        command = [sys.executable, "-m", "tests.bench.clients", name, url]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(url)
        )
        self._threads = f"{THREADS} threads" in name

    def __enter__(self) -> Client:
        while self._line() != "ready":
            pass
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def send(self, latency: float) -> dict[str, float]:
        """Seconds and CPU seconds for each update."""
        assert self._process.stdin is not None
        print(LATENCIES[latency][not self._threads], file=self._process.stdin, flush=True)
        while not (line := self._line()).startswith('{"seconds"'):
            pass
        figures: dict[str, float] = json.loads(line)
        return figures

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a client ended early")
        return line.strip()


def compare(latency: float) -> str:
    """The table of one latency, in seconds."""
    with ExitStack() as stack:
        url = stack.enter_context(echo(latency))
        clients = {name: stack.enter_context(Client(name, url)) for name in CLIENTS}
        ran: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
        for turn in range(RUNS):
            say(f"(b) speed at {latency * 1000:.0f} ms, run {turn + 1} of {RUNS}")
            for name, client in clients.items():
                ran[name].append(client.send(latency))
        wire = _wire(url)
    columns = ["client", "updates/s", f"x {PEER}", "CPU us/update", f"x {PEER}"]
    columns += [f"rate / ({THREADS} / latency)"] if latency else []
    rows = []
    for name, runs in ran.items():
        rate = middle(1 / run["seconds"] for run in runs)
        row = [name, f"{rate:,.0f}", _ratio(ran[PEER], runs, "seconds"), f"{middle(run['cpu'] for run in runs) * 1e6:,.0f}"]
        row.append(_ratio(runs, ran[PEER], "cpu"))
        if latency:
            row.append(f"{rate * latency / THREADS:.1%}" if f"{THREADS} threads" in name else "")
        rows.append(row)
    threaded, single = LATENCIES[latency]
    title = f"(b) Speed at {latency * 1000:.0f} ms latency, no limit, medians of {RUNS} interleaved runs"
    notes = f"Each run: {threaded:,} updates with threads, {single:,} without; ratios are medians of the runs' ratios. {wire}"
    return table(title, columns, rows, notes)


def _ratio(above: list[dict[str, float]], below: list[dict[str, float]], what: str) -> str:
    return f"{middle(one[what] / other[what] for one, other in zip(above, below, strict=True)):.2f}"


def _wire(url: str) -> str:
    """What wrk makes of the server, if there is a wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "wrk is not on the PATH, so the wire alone was not measured."
    output = subprocess.run([wrk, "-t1", "-c16", "-d3s", url], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", output)
    assert found, output
    return f"The wire alone (wrk, 16 connections, GET): {float(found[1]):,.0f} requests/s."


def servers() -> str:
    """A line on the emulator."""
    with emulator(1) as connection:
        return (
            f"(b) The emulator answers a PATCH in {answer_time():.0f} us (rules and JSON), over one connection in "
            f"{round_trip(connection):.0f} us (median).\n"
        )


def answer_time(calls: int = 20_000) -> float:
    """Microseconds for the emulator's rules and the JSON of an answer."""
    from airflow_provider_hubchan.emulator.api.http import Request
    from airflow_provider_hubchan.emulator.api.routes import answer
    from airflow_provider_hubchan.emulator.model.world import World

    world = World(limit=0)
    world.seed(["m-1"])
    path = "/conversations/custom-channels/2026-03/100200/messages/m-1"
    request = Request("PATCH", path, {"authorization": f"Bearer {world.issue()}"}, b'{"statusType": "READ"}')
    began = time.perf_counter()
    for _ in range(calls):
        json.dumps(answer(world, request).body)
    return (time.perf_counter() - began) / calls * 1e6


def round_trip(connection: dict[str, Any], calls: int = 2000) -> float:
    """Microseconds from a PATCH to its answer, the client's part (http.client, keep-alive) included."""
    client = http.client.HTTPConnection(connection["host"].removeprefix("http://"), timeout=10)
    client.request("POST", "/_emulator/tokens")
    token = json.loads(client.getresponse().read())["access_token"]
    path = f"/conversations/custom-channels/2026-03/{connection['extra']['channel_id']}/messages/message-1"
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        client.request("PATCH", path, b'{"statusType": "READ"}', {"Authorization": f"Bearer {token}"})
        assert client.getresponse().read()
        times.append(time.perf_counter() - began)
    client.close()
    return middle(times) * 1e6
