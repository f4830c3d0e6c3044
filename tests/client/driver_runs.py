"""A list of faults, and a batch that meets them with each of the two drivers."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Outcome, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from airflow_provider_hubchan.emulator import Emulator
from tests.local_hubspot import account_of

RETRY = RetryConfig(max_attempts=3, max_throttles=3, base_delay=0.02)
BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}

# Which message meets what, and what becomes of it; a fault that comes more often than RETRY has attempts is not survived.
FAULTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "fine": ([], "updated"),
    "busy": ([{"status": 503}], "updated"),
    "very-busy": ([{"status": 503, "times": 3}], "unresolved"),
    "broken": ([{"status": 500, "times": 2, "body": "<html>"}], "updated"),
    "locked": ([{"status": 423, "headers": {"Retry-After": "0"}}], "updated"),
    "throttled": ([{"status": 429, "body": BURST, "headers": {"Retry-After": "0"}}], "updated"),
    "dropped": ([{"drop": "before"}], "updated"),
    "dropped-often": ([{"drop": "before", "times": 3}], "unresolved"),
    "half": ([{"drop": "half", "status": 200, "body": {"id": "half"}}], "updated"),
    "slow": ([{"delay": 9.0}], "updated"),
    "done-but-lost": ([{"drop": "before", "apply": True}], "updated"),
    "proxy-page": ([{"status": 200, "body": "<html>Log in"}], "updated"),
    "empty": ([{"status": 200}], "updated"),
    "bad": ([{"status": 400, "body": {"message": "No.", "category": "VALIDATION_ERROR"}}], "rejected"),
    "conflict": ([{"status": 409, "body": {"message": "No.", "category": "CONFLICT"}}], "rejected"),
    "gone": ([{"status": 404, "body": {"message": "No.", "category": "OBJECT_NOT_FOUND"}}], "rejected"),
    "expired": ([{"status": 401, "body": {"message": "No.", "category": "EXPIRED_AUTHENTICATION"}}], "updated"),
    "a/b?c#d%..ü": ([], "updated"),
    "..": ([], "updated"),
    ".": ([], "updated"),
}


def add_faults(emulator: Emulator) -> Account:
    emulator.world.seed(FAULTS)
    for message_id, (faults, _) in FAULTS.items():
        for fault in faults:
            emulator.fault(message_id=message_id, **fault)
    return account_of(emulator, timeout=4.0)


def make_flows(account: Account) -> list[Any]:
    updates = [Update(row, message_id, MessageStatus.READ) for row, message_id in enumerate(FAULTS, 1)]
    return [deliver(account, "100200", update, RETRY) for update in updates]


def with_threads(account: Account, limiter: RateLimiter | None = None) -> list[Outcome]:
    with SyncDriver(account, limiter or RateLimiter(), TokenProvider(account), RETRY) as driver:
        return [outcome for outcome in driver.run_all(make_flows(account), 6) if outcome]


def with_tasks(account: Account, limiter: RateLimiter | None = None) -> list[Outcome]:
    async def run() -> list[Outcome]:
        async with AsyncDriver(account, limiter or RateLimiter(), TokenProvider(account), RETRY) as driver:
            return await driver.run_all(make_flows(account), 6)

    return asyncio.run(run())
