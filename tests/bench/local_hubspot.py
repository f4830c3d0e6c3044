"""How many PATCHes a second the emulator answers on one core, and what a message costs it: it must not be what is measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.common import emulator, middle, say, serving, table

HELD = (1_000, 100_000, 1_000_000)
RUNS, SECONDS, CONNECTIONS = 3, 3, 32
LOAD = Path(__file__).with_name("patch.lua")
ALONE = "uvicorn alone"


@dataclass
class Server:
    """A server under load.

    :param held: how many messages it holds, which the load is spread over.
    :param resident: bytes of its process before the load.
    """

    url: str
    held: int
    token: str = "any"
    resident: int = 0


def run() -> str:
    """The table."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "wrk is not on the PATH (Debian: apt-get install wrk), so the emulator's speed was not measured.\n"
    with ExitStack() as stack:
        servers = {ALONE: stack.enter_context(_bare())}
        servers |= {f"{held:,} messages held": stack.enter_context(_emulator(held)) for held in HELD}
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(RUNS):
            say(f"the emulator's speed, run {turn + 1} of {RUNS}")
            for name, server in servers.items():
                rates[name].append(_rate(wrk, server))
    _, few, *_ = servers.values()
    rows = []
    for name, server in servers.items():
        ratio = middle(ours / alone for ours, alone in zip(rates[name], rates[ALONE], strict=True))
        more = server.held - few.held
        rows.append(
            [
                name,
                f"{middle(rates[name]):,.0f}",
                f"{ratio:.2f}",
                f"{(server.resident - few.resident) / more:,.0f}" if more else "",
            ]
        )
    title = (
        f"The emulator: PATCHes a second on one core, {CONNECTIONS} connections kept alive, medians of {RUNS} interleaved runs"
    )
    return table(title, ["server", "PATCH/s", f"x {ALONE}", "bytes/message"], rows, f"Each run: wrk for {SECONDS} s.")


@contextmanager
def _bare() -> Iterator[Server]:
    with serving("tests.bench.bare") as printed:
        url = printed[0].strip()
        _until_it_answers(url)
        yield Server(url, HELD[0])


@contextmanager
def _emulator(held: int) -> Iterator[Server]:
    with emulator(held) as connection:
        url = connection["host"]
        (process,) = (each for each in psutil.Process().children() if each.cmdline()[-2:] == ["--messages", str(held)])
        with urllib.request.urlopen(urllib.request.Request(f"{url}/_emulator/tokens", method="POST"), timeout=10) as reply:
            yield Server(url, held, json.loads(reply.read())["access_token"], process.memory_info().rss)


def _until_it_answers(url: str) -> None:
    for _ in range(1000):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise TimeoutError(f"{url} does not answer")


def _rate(wrk: str, server: Server) -> float:
    """Requests per second, all of which were answered 200."""
    command = [
        wrk,
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS}s",
        "-s",
        str(LOAD),
        server.url,
        "--",
        server.token,
        str(server.held),
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "refused 0" in output, output
    found = re.search(r"Requests/sec:\s*([\d.]+)", output)
    assert found, output
    return float(found[1])


if __name__ == "__main__":
    print(run())
