"""The account's time zone under fire: when the daily quota is used up, a batch learns when to come back, or guesses."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import pytest

from airflow_provider_hubchan.client.actions import Abort
from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.daily_quota import next_reset
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from tests.hostile.cases import ACCESS_TOKEN, RETRY, is_presentable
from tests.hostile.runs import ended, run_in_parallel
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


def with_threads(account: Account) -> Abort:
    def driver() -> SyncDriver:
        return SyncDriver(account, RateLimiter(), TokenProvider(account), RETRY)

    with driver() as first:
        first.run(deliver(account, "100200", UPDATE, RETRY))
        assert first.aborted
    with driver() as second:
        return second.run(next_reset(account, first.aborted))


def with_tasks(account: Account) -> Abort:
    async def run() -> Abort:
        def driver() -> AsyncDriver:
            return AsyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig(max_attempts=1))

        async with driver() as first:
            await first.run(deliver(account, "100200", UPDATE, RETRY))
            assert first.aborted
        async with driver() as second:
            return await second.run(next_reset(account, first.aborted))

    return asyncio.run(run())


@pytest.fixture(scope="module")
def aborts() -> Callable[[str], Abort]:
    """The end of a batch whose daily quota is used up, by case and driver; the server is all the cases' own."""

    def run(drive: Callable[[Account], Abort], date: str, details: Reply) -> Abort:
        refusal = answer(429, DAILY, f"Date: {date}")
        with Server({"m-1": [[refusal]], "details": [details]}) as server:
            return drive(Account(base_url=server.url, access_token=ACCESS_TOKEN, timeout=0.4))

    jobs: dict[str, Callable[[], Abort]] = {}
    for drive in (with_threads, with_tasks):
        jobs |= {f"{drive.__name__}, {name}": _job(run, drive, "", details) for name, details in DETAILS.items()}
        jobs |= {f"{drive.__name__}, on {name}": _job(run, drive, date, zone("UTC")) for name, date in DATES.items()}
    futures = run_in_parallel(jobs)
    return lambda name: ended(futures[name])


def _job(run: Callable[..., Abort], *arguments: object) -> Callable[[], Abort]:
    return lambda: run(*arguments)


@pytest.mark.parametrize("drive", ["with_threads", "with_tasks"])
@pytest.mark.parametrize("name", [*DETAILS, *(f"on {name}" for name in DATES)])
def test_the_next_try_comes_within_a_day(name: str, drive: str, aborts: Callable[[str], Abort]) -> None:
    """Whatever is told of the zone and the time; and the reason for the wait can stand in a log."""
    abort = aborts(f"{drive}, {name}")
    assert not abort.permanent
    assert abort.refused_at is not None
    assert abs(abort.refused_at - time.time()) < DAY
    assert abort.retry_after is not None
    assert math.isfinite(abort.retry_after)
    assert 0.0 < abort.retry_after <= 25 * 3600.0 + 60.0  # a day may have 25 hours
    assert is_presentable(abort.wait_reason, 300), abort.wait_reason[:1000]
