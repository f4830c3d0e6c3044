"""A case met by each of the two drivers: a batch, and then another one of the same process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_hubchan.batch.checkpoint import NullStore
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions, run_batch
from airflow_provider_hubchan.client.actions import Abort
from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import Account, MessageStatus, Outcome, Quota, Update
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.status_poll import StatusPoll
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from tests.batch.in_memory import RecordingSink
from tests.hostile.server import Received, Server
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.hostile.cases import Case

T = TypeVar("T")

#: Seconds until a run must have ended: many times what any takes.
MAX_SECONDS = 40.0
#: Seconds of an account's timeout that nothing waits for: on the busiest machine, what is answered at once is read by then.
AMPLE = 30.0
#: Runs at the same time: most of a run is waiting.
AT_ONCE = 24


@dataclass
class Run:
    """What became of a case.

    :ivar received: the requests of the first batch.
    :ivar next_result: of the row of the next batch, which the server answers well.
    """

    outcomes: dict[str, Outcome]
    aborted: Abort | None
    received: list[Received]
    next_result: str
    permits_in_flight: int
    quota: Quota
    open_connections: int
    tasks: int = 0
    warnings: list[str] = field(default_factory=list)
    report: Report | None = None

    @property
    def ends(self) -> str:
        return "" if self.aborted is None else "for good" if self.aborted.permanent else "for now"

    @property
    def requests(self) -> list[str]:
        return [request.key for request in self.received]


def with_threads(case: Case) -> Run:
    """The driver for threads, in a batch as the hook and the operator run it."""
    from tests.hostile.cases import RETRY

    with Server(case.script) as server:
        account, limiter, warnings = case.account(server.url), RateLimiter(), list[str]()
        tokens = TokenProvider(account)

        def batch(rows: Iterable[str]) -> tuple[dict[str, Outcome], Abort | None, Report]:
            sink, report = RecordingSink(), Report()
            with SyncDriver(account, limiter, tokens, RETRY, clock=server.clock) as driver:
                run_batch(
                    driver,
                    "100200",
                    list(rows),
                    BatchOptions(status="SENT", concurrency=1, max_rejected=1.0),
                    dead_letters=sink,
                    checkpoints=NullStore(),
                    report=report,
                    log=lambda line: None,
                    warn=warnings.append,
                )
                aborted = driver.aborted
            assert report.updated + report.skipped + report.rejected + report.unresolved == report.rows == len(sink.outcomes)
            outcomes = {outcome.update.message_id: outcome for outcome in sink.outcomes}
            return {row: outcomes[row] for row in rows if row in outcomes}, aborted, report

        outcomes, aborted, report = batch(case.rows)
        received = list(server.requests)
        server.be_good()
        (last,) = batch(["next"])[0].values()
        wait_until(lambda: server.open_connections == 0)
        return Run(
            outcomes,
            aborted,
            received,
            last.result,
            limiter._in_flight,
            Quota(limiter.limit, limiter.window),
            server.open_connections,
            warnings=warnings,
            report=report,
        )


def with_tasks(case: Case) -> Run:
    """The driver for asyncio, with the same flows."""
    from tests.hostile.cases import RETRY

    async def run(server: Server) -> Run:
        account, limiter = case.account(server.url), RateLimiter()
        tokens = TokenProvider(account)

        async def batch(rows: Iterable[str]) -> tuple[list[Outcome], Abort | None]:
            async with AsyncDriver(account, limiter, tokens, RETRY, clock=server.clock) as driver:
                updates = [Update(number, row, MessageStatus.SENT) for number, row in enumerate(rows, 1)]
                return await driver.run_all([deliver(account, "100200", u, RETRY) for u in updates], 1), driver.aborted

        outcomes, aborted = await batch(case.rows)
        received = list(server.requests)
        server.be_good()
        (last,), _ = await batch(["next"])
        tasks = len(asyncio.all_tasks()) - 1
        await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
        warnings = list(dict.fromkeys(outcome.warning for outcome in outcomes if outcome.warning))
        return Run(
            {outcome.update.message_id: outcome for outcome in outcomes},
            aborted,
            received,
            last.result,
            limiter._in_flight,
            Quota(limiter.limit, limiter.window),
            server.open_connections,
            tasks,
            warnings,
        )

    with Server(case.script) as server:
        return asyncio.run(run(server))


DRIVERS: dict[str, Callable[[Case], Run]] = {"threads": with_threads, "tasks": with_tasks}


def start(job: Callable[..., T], *arguments: object) -> Future[T]:
    """Do a job in a thread of its own, which does not outlive the process if it hangs."""
    future: Future[T] = Future()

    def do() -> None:
        try:
            future.set_result(job(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=do, daemon=True, name=f"job {job.__name__}").start()
    return future


def ended(future: Future[T]) -> T:
    """The result of a job; it is an error if there is none in bounded time."""
    return future.result(timeout=MAX_SECONDS)


def poll_with_threads(server: Server, waiting: StatusPoll) -> None:
    """One poll of messages, as a sensor in a worker does it."""
    account = Account(base_url=server.url, access_token="t", timeout=AMPLE)
    with SyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig(max_attempts=2, base_delay=0.01)) as driver:
        for _ in driver.run_all(waiting.poll(account, "100200", 0.0), 8):
            pass


def poll_with_tasks(server: Server, waiting: StatusPoll) -> None:
    """One poll of messages, as the trigger does it."""

    async def run() -> None:
        account = Account(base_url=server.url, access_token="t", timeout=AMPLE)
        async with AsyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig()) as driver:
            await driver.run_all(waiting.poll(account, "100200", 0.0), 8)

    asyncio.run(run())


def one_by_one_with_threads(server: Server, rows: list[str], between: Callable[[], object]) -> list[str]:
    """Each row by itself on one connection. *between* is called after the first; it may block."""
    account, results = Account(base_url=server.url, access_token="t", timeout=AMPLE), list[str]()
    with SyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig(max_attempts=1)) as driver:
        for row in rows:
            flow = deliver(account, "100200", Update(1, row, MessageStatus.SENT), driver.retry)
            results.append(driver.run(flow).result)
            if row == rows[0]:
                between()
    return results


def one_by_one_with_tasks(server: Server, rows: list[str], between: Callable[[], object]) -> list[str]:
    """The same with the driver for asyncio."""
    retry = RetryConfig(max_attempts=1)

    async def run() -> list[str]:
        account, results = Account(base_url=server.url, access_token="t", timeout=AMPLE), list[str]()
        async with AsyncDriver(account, RateLimiter(), TokenProvider(account), retry) as driver:
            for row in rows:
                flow = deliver(account, "100200", Update(1, row, MessageStatus.SENT), retry)
                results.append((await driver.run(flow)).result)
                if row == rows[0]:
                    await asyncio.to_thread(between)
                    await asyncio.sleep(0.01)  # the loop reads what came on its idle connections
        return results

    return asyncio.run(run())
