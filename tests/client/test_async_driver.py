"""The driver for asyncio: how it ends, whatever the other side does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from airflow_provider_hubchan.client.actions import OUT_OF_RUNTIME, NeedToken, Wait
from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from tests.dripping_server import DrippingServer

T = TypeVar("T")
APP = {"client_id": "id", "client_secret": "dr1pping", "refresh_token": "r3fr3sh"}


def driven(account: Account, use: Callable[[AsyncDriver], Awaitable[T]], seconds: float, **options: Any) -> T:
    """What comes of a driver whose time ends after so many *seconds*; it must end within twenty."""

    async def run() -> T:
        limiter, tokens, retry = RateLimiter(), TokenProvider(account), RetryConfig()
        deadline = time.monotonic() + seconds
        async with AsyncDriver(account, limiter, tokens, retry, deadline=deadline, **options) as driver:
            return await use(driver)

    async def in_time() -> T:
        return await asyncio.wait_for(run(), 20.0)

    return asyncio.run(in_time())


def flows(account: Account, rows: int) -> list[Any]:
    return [deliver(account, "7", Update(row, f"m-{row}", MessageStatus.READ), RetryConfig()) for row in range(1, rows + 1)]


@pytest.mark.parametrize("login", [{"access_token": "t"}, APP], ids=["message address", "token address"])
def test_a_dripping_server_is_left_at_the_deadline(login: dict[str, str]) -> None:
    """Every flow has its outcome, those that had not begun as well; the permits and the token's lock are given back."""
    with DrippingServer() as server:
        account = Account(base_url=server.url, **login)  # type: ignore[arg-type]
        free: list[bool] = []

        async def use(driver: AsyncDriver) -> list[Any]:
            outcomes = await driver.run_all(flows(account, 9), 4)
            free.append(driver._tokens.lock.acquire(blocking=False))
            return outcomes

        outcomes = driven(account, use, 0.5, out_of_time=OUT_OF_RUNTIME)
    assert sorted(outcome.update.row for outcome in outcomes) == list(range(1, 10))
    assert {(outcome.result, outcome.problem.label) for outcome in outcomes} == {("unresolved", "given up: out of time")}
    assert {outcome.problem.reason for outcome in outcomes} == {"Given up: max_runtime was over before there was an answer."}
    assert free == [True]


def test_a_wait_ends_at_the_deadline() -> None:
    """HubSpot's Retry-After may be longer than the time that is left."""

    def waiting() -> Any:
        yield Wait(3600.0)

    account = Account(access_token="t")
    with pytest.raises(Exception, match="max_runtime was over before there was an answer"):
        driven(account, lambda driver: driver.run(waiting()), 0.1)


def test_a_defect_in_an_action_is_raised() -> None:
    """Also where the action is watched for the deadline."""

    def defect() -> Any:
        yield Wait("soon")  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        driven(Account(access_token="t"), lambda driver: driver.run(defect()), 60.0)


def test_another_drivers_token_fetch_does_not_hold_it() -> None:
    """The lock of the account's token is held, and not given back in time."""

    def needing() -> Any:
        return (yield NeedToken(refused="t"))

    account = Account(access_token="t")

    async def use(driver: AsyncDriver) -> Any:
        with driver._tokens.lock:
            return await driver.run(needing())

    with pytest.raises(Exception, match="max_runtime was over before there was an answer"):
        driven(account, use, 0.1)


def test_a_cancelled_driver_ends_what_is_under_way() -> None:
    """With a deadline as without: nothing goes on in the background."""
    with DrippingServer() as server:
        account = Account(base_url=server.url, access_token="t")

        async def use(driver: AsyncDriver) -> int:
            running = asyncio.create_task(driver.run_all(flows(account, 9), 4))
            while not server.requests:
                await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            return len(asyncio.all_tasks())

        assert driven(account, use, 60.0) == 2  # this one, and the one that waits for it
