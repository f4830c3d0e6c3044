"""A server that sends a byte now and then, or without end, holds nobody for longer than a call may take."""

from __future__ import annotations

import asyncio
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest

from airflow_provider_hubchan.batch.checkpoint import NullStore
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions, run_batch
from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import OUT_OF_RUNTIME
from airflow_provider_hubchan.client.async_driver import AsyncDriver
from airflow_provider_hubchan.client.errors import CallFailed
from airflow_provider_hubchan.client.flow import RetryConfig, fetch
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from tests.batch.in_memory import RecordingSink
from tests.hostile import cases
from tests.hostile.cases import Case, check
from tests.hostile.runs import AMPLE, DRIVERS, Run, ended, start
from tests.hostile.server import Script, Server, answer, close, drip, endless, good_reply, half_close, hang, pause, reset

#: A call of these may end before a busy machine has brought its request to the server.
case = partial(cases.case, requests=(1, 2))


pytestmark = pytest.mark.slow

#: Seconds of the account's timeout where it is waited for; a whole call may take a few times as long.
TIMEOUT = 0.4
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LONG = HEAD + b"Content-Length: 900\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def bomb(wbits: int) -> bytes:
    """200 MB of white space in 200 KB: the same block again and again, which takes no time to make.

    :param wbits: zlib's code for the format.
    """
    header = zlib.compressobj(wbits=wbits).compress(b"")
    block = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    megabyte = block.compress(b" " * 1_000_000) + block.flush(zlib.Z_FULL_FLUSH)
    return header + megabyte * 200 + block.flush()


BOMB, DEFLATE_BOMB = bomb(16 + zlib.MAX_WBITS), bomb(zlib.MAX_WBITS)

SLOW = [
    case("no byte", hang),
    case("a status line in drips", drip(good_reply("m-1"))),
    case("headers in drips", HEAD, drip(b"X-A: b\r\n" * 1000)),
    case("one header in drips", HEAD, drip(b"X-A: " + b"b" * 8000)),
    case("a body in drips", LONG, drip(b" " * 900)),
    case("a body in slow drips", LONG, drip(b" " * 900, 0.3)),
    case("a body without a length in drips", HEAD + b"\r\n", drip(b" " * 900)),
    case("chunks in drips", CHUNKED, drip(b"1\r\n \r\n" * 900)),
    case("a chunk size in drips", CHUNKED, drip(b"0" * 900)),
    case("a chunk extension in drips", CHUNKED, drip(b"5;" + b"a" * 900)),
    case("trailers in drips", CHUNKED + b"2\r\n{}\r\n0\r\n", drip(b"X-A: b\r\n" * 900)),
    case("100 Continue in drips", drip(CONTINUE * 100)),
    case("100 Continue now and then", endless(CONTINUE, 0.1)),
    case("103 Early Hints now and then", endless(HINTS, 0.1)),
    case("line breaks now and then", endless(b"\r\n", 0.1)),
    case("a status line and no more", b"HTTP/1.1 200 OK\r\n", hang),
    case("headers and no more", LONG, hang),
    case("half a body and no more", LONG + b'{"id":', hang),
    case("half a chunk and no more", CHUNKED + b"ff\r\n{", hang),
    case("a body without a length and no end", HEAD + b"\r\n" + b'{"id": "m-1"}', hang),
    case("100 Continue and no more", CONTINUE, hang),
    case("103 Early Hints and no more", HINTS, hang),
    case("an error page in drips", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 900\r\n\r\n", drip(b"<" * 900)),
    case("a rejection in drips", b"HTTP/1.1 400 Bad\r\nContent-Length: 900\r\n\r\n", drip(b'{"message": "no"' + b" " * 884)),
    case("gzip in drips", HEAD + b"Content-Encoding: gzip\r\nContent-Length: 200000\r\n\r\n", drip(BOMB)),
    case("the end of sending, and no reply", half_close, hang),
    case("half a reply and the end of sending", LONG + b'{"id":', half_close, hang),
]
ENDLESS = [
    case("100 Continue without end", endless(CONTINUE * 100)),
    case("103 Early Hints without end", endless(HINTS * 100)),
    case("line breaks without end", endless(b"\r\n" * 1000)),
    case("a status line without end", b"HTTP/1.1 200 ", endless(b"x" * 10_000)),
    case("headers without end", HEAD, endless(b"X-A: b\r\n" * 1000)),
    case("a header without end", HEAD + b"X-A: ", endless(b"b" * 10_000)),
    case("a header that goes on without end", HEAD + b"X-A: b\r\n", endless(b" b\r\n" * 1000)),
    case("a body without end", HEAD + b"\r\n", endless(b" " * 10_000), reason="larger than"),
    case("chunks without end", CHUNKED, endless((b"3e8\r\n" + b" " * 1000 + b"\r\n") * 100), reason="larger than"),
    case("chunks of one byte without end", CHUNKED, endless(b"1\r\n \r\n" * 1000)),
    case("a chunk size without end", CHUNKED, endless(b"0" * 10_000)),
    case("a chunk extension without end", CHUNKED + b"5;", endless(b"a" * 10_000)),
    case("trailers without end", CHUNKED + b"0\r\n", endless(b"X-A: b\r\n" * 1000)),
    case("a long body", answer(body=b'{"id": "m-1"}' + b" " * 2_000_000), reason="larger than"),
    case("a long body of an error", answer(400, b'{"message": "no"}' + b" " * 2_000_000), reason="larger than"),
    case("a body that says it is a terabyte", HEAD + b"Content-Length: 1099511627776\r\n\r\n", endless(b" " * 10_000)),
    case("a gzip bomb", answer(body=BOMB, Content_Encoding="gzip"), reason="larger than"),
    case("a gzip bomb with status 400", answer(400, BOMB, Content_Encoding="gzip"), reason="larger than"),
    case(
        "a gzip bomb in chunks",
        CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n",
        b"%x\r\n" % len(BOMB) + BOMB + b"\r\n0\r\n\r\n",
    ),
    case("a deflate bomb", answer(body=DEFLATE_BOMB, Content_Encoding="deflate"), reason="larger than"),
]
BROKEN = [
    case("a reset before the reply", reset),
    case("a reset in the status line", b"HTTP/1.1 20", pause(0.05), reset),
    case("a reset in the headers", HEAD, pause(0.05), reset),
    case("a reset in the body", LONG + b"{", pause(0.05), reset),
    case("a reset between chunks", CHUNKED + b"1\r\n{\r\n", pause(0.05), reset),
    case("the end in the status line", b"HTTP/1.1 20", close),
    case("the end in the headers", HEAD, close),
    case("the end in the body", LONG + b"{", close),
    case("the end between chunks", CHUNKED + b"1\r\n{\r\n", close),
    Case("a reset, then an answer", {"m-1": [[reset], [good_reply("m-1")]]}, "updated", requests=(2, 2)),
    Case("silence, then an answer", {"m-1": [[hang], [good_reply("m-1")]]}, "updated", requests=(2, 2), timeout=1.0),
    case("an answer in a few pieces", good_reply("m-1")[:30], pause(0.1), good_reply("m-1")[30:], outcome="updated"),
]
#: What has to end by its size has ample time for that: on a busy machine the time would end it first.
CASES = [
    *(replace(each, timeout=TIMEOUT) for each in SLOW),
    *(each if each.reason else replace(each, timeout=1.0) for each in ENDLESS),
    *BROKEN,
]


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_call_ends(case: Case, drive: str, run_of: Callable[[Case, str], Run]) -> None:
    """The row is tried again, then left unresolved; the next one is updated."""
    check(case, run_of(case, drive))


DRIPS: dict[str, Script] = {
    "drips": {"m-1": [[LONG, drip(b" " * 900)]]},
    "silence": {"m-1": [[hang]]},
    "interim replies": {"m-1": [[endless(CONTINUE, 0.05)]]},
    "drips of the token address": {"token": [[LONG, drip(b" " * 900)]]},
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_deadline_ends_a_batch_whatever_the_server_does(name: str) -> None:
    """Long before the call's own time is over: the account's is a minute here, and the deadline half a second."""
    with Server(DRIPS[name]) as server:
        account = Case("", DRIPS[name], timeout=60.0).account(server.url)

        def batch() -> tuple[Report, RecordingSink]:
            report, sink = Report(), RecordingSink()
            with SyncDriver(
                account,
                RateLimiter(),
                TokenProvider(account),
                RetryConfig(),
                deadline=time.monotonic() + 0.5,
                out_of_time=OUT_OF_RUNTIME,
            ) as driver:
                run_batch(
                    driver,
                    "100200",
                    ["m-1", "m-2", "m-3"],
                    BatchOptions(status="SENT", concurrency=1),
                    dead_letters=sink,
                    checkpoints=NullStore(),
                    report=report,
                    log=lambda line: None,
                    warn=lambda line: None,
                )
            return report, sink

        report, sink = ended(start(batch))
    assert (report.rows, report.unresolved, len(sink.outcomes)) == (3, 3, 3)
    assert all("max_runtime" in str(outcome.problem) for outcome in sink.outcomes)


def fetch_with_threads(account: Account) -> None:
    with SyncDriver(account, RateLimiter(), TokenProvider(account), RetryConfig(max_attempts=1)) as driver:
        driver.run(fetch(account, endpoints.get_message(account, "100200", "m-1"), driver.retry))


def fetch_with_tasks(account: Account) -> None:
    async def run() -> None:
        retry = RetryConfig(max_attempts=1)
        async with AsyncDriver(account, RateLimiter(), TokenProvider(account), retry) as driver:
            await driver.run(fetch(account, endpoints.get_message(account, "100200", "m-1"), retry))

    asyncio.run(run())


SINGLE = {"threads": fetch_with_threads, "tasks": fetch_with_tasks}


@pytest.mark.parametrize("drive", SINGLE)
@pytest.mark.parametrize("name", DRIPS)
def test_a_single_call_ends_too(name: str, drive: str) -> None:
    """There is no batch around it whose deadline could end it."""
    with Server(DRIPS[name]) as server:
        account = Case("", DRIPS[name], timeout=0.2).account(server.url)
        future = start(SINGLE[drive], account)
        with pytest.raises(CallFailed) as raised:
            ended(future)
    assert not raised.value.permanent


@contextmanager
def full_backlog() -> Iterator[str]:
    """The address of a server that accepts no connection, and whose queue of those that wait is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("drive", SINGLE)
def test_a_port_that_accepts_no_connection(drive: str) -> None:
    """Connecting has an end, too."""
    with full_backlog() as url:
        account = Account(base_url=url, access_token="t", timeout=0.2)
        future = start(SINGLE[drive], account)
        with pytest.raises(CallFailed, match="no connection"):
            ended(future)


@pytest.mark.parametrize("drive", SINGLE)
def test_the_memory_for_a_reply_is_bounded(drive: str) -> None:
    """200 MB that came as 200 KB are not unpacked."""
    with Server({"m-1": [[answer(body=BOMB, Content_Encoding="gzip")]]}) as server:
        account = Account(base_url=server.url, access_token="t", timeout=AMPLE)
        tracemalloc.start()
        try:
            with pytest.raises(CallFailed):
                SINGLE[drive](account)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()
