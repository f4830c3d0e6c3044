"""A script of faults, and a batch that goes through it with each of the two drivers."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_hubchan.batch.rows import Outcome, Update
from airflow_provider_hubchan.client import async_driver, sync_driver
from airflow_provider_hubchan.client.flow import deliver
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.ratelimit.limiter import Pace
from airflow_provider_hubchan.emulator import Emulator
from tests.local_hubspot import account_of

PATIENCE = Patience(tries=3, throttles=3, first=0.02)
BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}

# Which message meets what, and what becomes of it; a script of more times than patience has tries is not survived.
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


def script(emulator: Emulator) -> Account:
    emulator.world.seed(FAULTS)
    for message_id, (faults, _) in FAULTS.items():
        for fault in faults:
            emulator.fault(message_id=message_id, **fault)
    return account_of(emulator, timeout=4.0)


def stories(account: Account) -> list[Any]:
    updates = [Update(row, message_id, "READ") for row, message_id in enumerate(FAULTS, 1)]
    return [deliver(account, "100200", update, PATIENCE) for update in updates]


def with_threads(account: Account, pace: Pace | None = None) -> list[Outcome]:
    with sync_driver.Driver(account, pace or Pace(), Bearer(account), PATIENCE) as driver:
        return [outcome for outcome in driver.run_all(stories(account), 6) if outcome]


def with_tasks(account: Account, pace: Pace | None = None) -> list[Outcome]:
    async def run() -> list[Outcome]:
        async with async_driver.Driver(account, pace or Pace(), Bearer(account), PATIENCE) as driver:
            return await driver.run_all(stories(account), 6)

    return asyncio.run(run())
