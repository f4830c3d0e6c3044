"""A batch of which HubSpot accepts nothing, beside one that it accepts: both have as many threads as the quota needs."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from airflow_provider_hubchan.client.actions import Flow
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Outcome, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from tests.bench.common import emulator, middle, say, table

#: Seconds before each answer, rows of a batch, threads at most.
LATENCY, ROWS, THREADS, RUNS = 0.4, 200, 16, 5
#: The ids of a batch: which the emulator knows, and which it does not.
BATCHES = {"200 to each": "message-", "404 to each": "nobody-"}


def run() -> str:
    """The table; interleaved runs, each with an emulator of its own: what one has used up is not left to the next."""
    rates: dict[str, list[float]] = {name: [] for name in BATCHES}
    threads: dict[str, int] = {}
    for turn in range(RUNS):
        say(f"a batch without a success, run {turn + 1} of {RUNS}")
        for name, prefix in BATCHES.items():
            with emulator(ROWS) as connection:
                _be_slow(connection["host"])
                rate, threads[name] = _send(connection, prefix)
                rates[name].append(rate)
    accepted = rates["200 to each"]
    rows = []
    for name, ran in rates.items():
        ratio = middle(rate / beside for rate, beside in zip(ran, accepted, strict=True))
        rows.append([name, f"{middle(ran):.1f}", f"{ratio:.2f}", f"{threads[name]}"])
    title = f"A batch of which nothing is accepted: {ROWS} rows at {LATENCY * 1000:.0f} ms latency, no limit"
    notes = f"Medians of {RUNS} interleaved runs; one thread alone makes {1 / LATENCY:.1f} updates/s."
    return table(title, ["HubSpot answers", "updates/s", "x 200 to each", "threads"], rows, notes)


def _be_slow(url: str) -> None:
    fault = json.dumps({"delay": LATENCY, "times": 1_000_000, "method": "PATCH"}).encode()
    request = urllib.request.Request(f"{url}/_emulator/faults", fault, {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def _send(connection: dict[str, Any], prefix: str) -> tuple[float, int]:
    """Updates per second, and how many threads a batch took."""
    extra, retry = connection["extra"], RetryConfig()
    account = Account(
        base_url=connection["host"],
        client_id=connection["login"],
        client_secret=connection["password"],
        refresh_token=extra["refresh_token"],
    )

    def flows() -> Iterator[Flow[Outcome]]:
        for row in range(1, ROWS + 1):
            yield deliver(account, extra["channel_id"], Update(row, f"{prefix}{row}", MessageStatus.SENT), retry)

    began = time.perf_counter()
    with SyncDriver(account, RateLimiter(), TokenProvider(account), retry) as driver:
        results = [outcome.result for outcome in driver.run_all(flows(), THREADS) if outcome]
        assert len(results) == ROWS
        assert len(set(results)) == 1, set(results)
        assert driver._workers is not None
        return ROWS / (time.perf_counter() - began), driver._workers.size


if __name__ == "__main__":
    print(run())
