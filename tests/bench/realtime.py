"""(a) The same in real time: processes over loopback HTTP, ours and tenacity at once, each against an emulator of its own."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import requests
from tenacity import Retrying, retry_if_exception_type, wait_exponential

from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from tests.bench.common import emulator, percent, say, table
from tests.bench.peers import Refused

SECONDS, WINDOW, LIMIT, PROCESSES, THREADS = 60.0, 10.0, 190, 4, 8
MESSAGES = 1000


def ours(url: str, channel: str, token: str, ends: float) -> None:
    """One process with our driver, until *ends* on the monotonic clock."""
    account, retry = Account(base_url=url, access_token=token, channel_id=channel), RetryConfig()
    endless = (row % MESSAGES + 1 for row in itertools.count())
    numbers = itertools.takewhile(lambda number: time.monotonic() < ends, endless)
    flows = (deliver(account, channel, Update(n, f"message-{n}", MessageStatus.READ), retry) for n in numbers)
    with SyncDriver(account, RateLimiter(), TokenProvider(account), retry, deadline=ends) as driver:
        for _ in driver.run_all(flows, THREADS):
            pass


def tenacity(url: str, channel: str, token: str, ends: float) -> None:
    """One process with requests and tenacity's exponential waits of 1 to 60 s, until *ends* on the monotonic clock."""
    base = f"{url}/conversations/custom-channels/2026-03/{channel}/messages"

    def patch(session: requests.Session, number: int) -> None:
        if session.patch(f"{base}/message-{number}", json={"statusType": "READ"}, timeout=10).status_code == 429:
            raise Refused

    def work(first: int) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {token}"
            for number in itertools.count(first, THREADS):
                retrying = Retrying(wait=wait_exponential(min=1, max=60), retry=retry_if_exception_type(Refused))
                retrying(patch, session, number % MESSAGES + 1)

    for first in range(THREADS):
        threading.Thread(target=work, args=(first,), daemon=True).start()
    time.sleep(max(0.0, ends - time.monotonic()))


STRATEGIES: dict[str, Callable[[str, str, str, float], None]] = {"ours": ours, "tenacity": tenacity}


def run() -> str:
    """Let both send for a minute, read the emulators' ledgers, and make the table."""
    with ExitStack() as stack:
        connections = {name: stack.enter_context(emulator(MESSAGES, LIMIT)) for name in STRATEGIES}
        tokens = {
            name: requests.post(f"{connection['host']}/_emulator/tokens", timeout=10).json()["access_token"]
            for name, connection in connections.items()
        }
        ends = time.monotonic() + SECONDS + 5.0
        say(f"(a) {PROCESSES} processes each, in real time: {SECONDS + 5:.0f} s, beside the simulations")
        processes = [
            subprocess.Popen([sys.executable, "-m", "tests.bench.realtime", name, *arguments, str(ends)])
            for name, arguments in (
                (name, (connection["host"], str(connection["extra"]["channel_id"]), tokens[name]))
                for name, connection in connections.items()
            )
            for _ in range(PROCESSES)
        ]
        for process in processes:
            assert process.wait() == 0, process.args
        counted = {name: _count(connection) for name, connection in connections.items()}
    rows = [
        [name, f"{used:.1%}", f"{used / counted['ours'][0]:.2f}", percent(refused), f"{requests:,}"]
        for name, (used, refused, requests) in counted.items()
    ]
    title = (
        f"(a) Quota in real time: {PROCESSES} processes of {THREADS} threads, {LIMIT} per rolling 10 s, {SECONDS:.0f} s, once"
    )
    return table(title, ["strategy", "used", "ratio to ours", "429s", "requests"], rows)


def _count(connection: dict[str, Any]) -> tuple[float, float, int]:
    """From a ledger: the part of the quota used after the first window, 429s as a part of all requests, requests."""
    entries = requests.get(f"{connection['host']}/_emulator/ledger", timeout=30).json()
    entries = entries["entries"] if isinstance(entries, dict) else entries
    patches = [
        (datetime.fromisoformat(each["at"]).timestamp(), each["status"]) for each in entries if each["method"] == "PATCH"
    ]
    first = min(at for at, _ in patches)
    seen = [(at - first, status) for at, status in patches if at - first < SECONDS]
    statuses = Counter(status for _, status in seen)
    assert set(statuses) <= {200, 429}, statuses
    used = sum(status == 200 and at >= WINDOW for at, status in seen)
    return used / (LIMIT * (SECONDS - WINDOW) / WINDOW), statuses[429] / len(seen), len(seen)


if __name__ == "__main__":
    name, url, channel, token, ends = sys.argv[1:]
    STRATEGIES[name](url, channel, token, float(ends))
