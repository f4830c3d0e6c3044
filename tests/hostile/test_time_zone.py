"""The account's time zone under fire: when the daily quota is used up, a batch learns when to come back, or guesses."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from airflow_provider_hubchan.client.actions import Abort
from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.daily_quota import next_reset
from airflow_provider_hubchan.client.flow import deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from tests.hostile.cases import ACCESS_TOKEN, RETRY, is_presentable
from tests.hostile.runs import AMPLE
from tests.hostile.server import Reply, Server, answer, close, drip, hang, page, reset

DAY = 24 * 3600.0
DAILY = {"policyName": "DAILY", "message": "You have reached your daily limit."}
UPDATE = Update(1, "m-1", MessageStatus.SENT)


def zone(value: object) -> Reply:
    return [answer(body={"portalId": 1, "timeZone": value})]


DETAILS: dict[str, Reply] = {
    "a zone": zone("Pacific/Apia"),
    "a zone that nobody has": zone("Mars/Phobos"),
    "a path": zone("../../../../etc/passwd"),
    "an absolute path": zone("/etc/passwd"),
    "a folder": zone("Europe"),
    "NUL": zone("Europe/\x00Berlin"),
    "a lone surrogate": zone("\ud800"),
    "a megabyte": zone("Europe/" * 100_000),
    "control characters": zone("\x1b[31m\r\nERROR - Task failed"),
    "a number": zone(1),
    "a number of 400 digits": zone(10**400),
    "a list": zone(["Europe/Berlin"]),
    "an object": zone({"name": "Europe/Berlin"}),
    "null": zone(None),
    "true": zone(True),
    "empty": zone(""),
    "an offset of 99 hours": zone("+99:99"),
    "local": zone("local"),
    "the token": zone(ACCESS_TOKEN),
    "brackets": [answer(body=b"[" * 100_000)],
    "no zone": [answer(body={})],
    "nothing": [answer(body=b"")],
    "a page": [page(200)],
    "a page with status 403": [page(403)],
    "a daily limit for that, too": [answer(429, DAILY)],
    "an interim reply alone": [b"HTTP/1.1 103 Early Hints\r\n\r\n", close],
    "a reset": [reset],
    "silence": [hang],
    "drips": [drip(b"HTTP/1.1 200 OK\r\n" * 100)],
}
#: Of these no answer comes before the account's time is over.
SILENT = ("silence", "drips")
#: The ``Date`` of the reply that refuses.
DATES = {
    "none": "",
    "the year 1": "Mon, 01 Jan 0001 00:00:00 GMT",
    "the year 9999": "Fri, 31 Dec 9999 23:59:59 GMT",
    "the end of time, in the west": "Fri, 31 Dec 9999 23:59:59 -2359",
    "a zone of 9,999 hours": "Tue, 01 Dec 2026 10:00:00 +999999",
    "5,000 digits": "9" * 5000,
    "commas": ",,,,",
}


@dataclass(frozen=True)
class Refusal:
    """A server that refuses for the rest of the day.

    :param date: the ``Date`` of the refusal.
    :param details: what it tells of the account.
    """

    name: str
    date: str
    details: Reply = field(repr=False)

    def __str__(self) -> str:
        return self.name


CASES = [
    *(Refusal(name, "", details) for name, details in DETAILS.items()),
    *(Refusal(f"on {name}", date, zone("UTC")) for name, date in DATES.items()),
]


@contextmanager
def account_of(case: Refusal) -> Iterator[Account]:
    refusal = answer(429, DAILY, f"Date: {case.date}")
    with Server({"m-1": [[refusal]], "details": [case.details]}) as server:
        yield Account(base_url=server.url, access_token=ACCESS_TOKEN, timeout=0.4 if case.name in SILENT else AMPLE)


def with_threads(case: Refusal) -> Abort:
    """The end of a batch whose daily quota is used up, with the time to come back."""
    with account_of(case) as account:

        def driver() -> SyncDriver:
            return SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY)

        with driver() as first:
            first.run(deliver(account, "100200", UPDATE, RETRY))
            assert first.aborted
        with driver() as second:
            return second.run(next_reset(account, first.aborted))


def with_tasks(case: Refusal) -> Abort:
    """The same with the driver for asyncio."""

    async def run(account: Account) -> Abort:
        def driver() -> AsyncDriver:
            return AsyncDriver(account, RateLimiter(), TokenProvider(account), RETRY)

        async with driver() as first:
            await first.run(deliver(account, "100200", UPDATE, RETRY))
            assert first.aborted
        async with driver() as second:
            return await second.run(next_reset(account, first.aborted))

    with account_of(case) as account:
        return asyncio.run(run(account))


DRIVERS = {"threads": with_threads, "tasks": with_tasks}


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_next_try_comes_within_a_day(case: Refusal, drive: str, run_of: Callable[[Refusal, str], Abort]) -> None:
    """Whatever is told of the zone and the time; and the reason for the wait can stand in a log."""
    abort = run_of(case, drive)
    assert not abort.permanent
    assert abort.refused_at is not None
    assert abs(abort.refused_at - time.time()) < DAY
    assert abort.retry_after is not None
    assert math.isfinite(abort.retry_after)
    assert 0.0 < abort.retry_after <= 25 * 3600.0 + 60.0  # a day may have 25 hours
    assert is_presentable(abort.wait_reason, 300), abort.wait_reason[:1000]
