"""What it costs to import the provider's modules beyond Airflow's own: each task and each parsing of a DAG file pays it."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.common import middle, say, table

RUNS = 7
MODULES = ("operators", "sensors", "notifications", "decorators", "hooks", "triggers")
CODE = """
import time
from airflow.sdk import DAG, Asset, BaseHook, BaseNotifier, BaseOperator, BaseSensorOperator, conf, task
from airflow.triggers.base import BaseTrigger
began = time.perf_counter()
import {module}
print(time.perf_counter() - began)
"""
#: What is measured beside ours, in the same runs: what a task imports when it sends, or waits on an event loop.
PEERS = ("requests", "aiohttp")


def run() -> str:
    """The table."""
    modules = [*(f"airflow_provider_hubchan.{name}" for name in MODULES), *PEERS]
    took: dict[str, list[float]] = {module: [] for module in modules}
    for turn in range(RUNS):
        say(f"imports, run {turn + 1} of {RUNS}")
        for module in modules:
            said = subprocess.run(
                [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, check=True
            )
            took[module].append(float(said.stdout.split()[-1]) * 1000)
    rows = [[module, f"{middle(times):,.0f}", f"{min(times):,.0f}"] for module, times in took.items()]
    title = f"Imports: milliseconds beyond Airflow's own, each in a new process, {RUNS} interleaved runs"
    return table(title, ["module", "median", "least"], rows)


if __name__ == "__main__":
    print(run())
