"""What it costs to import the provider's modules beyond Airflow's own: each task and each parsing of a DAG file pays it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import airflow_provider_hubchan
from tests.bench.common import middle, say, table

RUNS = 7
MODULES = [
    f"airflow_provider_hubchan.{each.name}"
    for each in pkgutil.iter_modules(airflow_provider_hubchan.__path__)
    if not each.ispkg
]
#: Airflow is imported once; what comes beyond it, in a process of its own for each module.
CODE = """
import os, sys, time
from airflow.sdk import DAG, Asset, BaseHook, BaseNotifier, BaseOperator, BaseSensorOperator, conf, task
from airflow.triggers.base import BaseTrigger
for module in sys.argv[1:]:
    if not os.fork():
        began = time.perf_counter()
        __import__(module)
        print(module, time.perf_counter() - began, flush=True)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{module} cannot be imported")
"""
#: What is measured beside ours, in the same runs: what a task imports when it sends, or waits on an event loop.
PEERS = ("requests", "aiohttp")


def run() -> str:
    """The table."""
    modules = [*MODULES, *PEERS]
    took: dict[str, list[float]] = {module: [] for module in modules}
    for turn in range(RUNS):
        say(f"imports, run {turn + 1} of {RUNS}")
        output = subprocess.run([sys.executable, "-c", CODE, *modules], stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in output.splitlines():
            module, seconds = line.split()
            took[module].append(float(seconds) * 1000)
    rows = [[module, f"{middle(times):,.0f}", f"{min(times):,.0f}"] for module, times in took.items()]
    title = f"Imports: milliseconds beyond Airflow's own, each in a new process, {RUNS} interleaved runs"
    return table(title, ["module", "median", "least"], rows)


if __name__ == "__main__":
    print(run())
