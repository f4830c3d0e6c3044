"""Sends webhooks to the receivers of channels, on a thread and an event loop of its own: they never hold up HubSpot's API."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import Any

from airflow_provider_hubchan.emulator.api.webhooks import WebhookRequest, signed_headers, webhook_request
from airflow_provider_hubchan.emulator.faults.schedule import Hit, Schedule
from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.model.clock_timer import ClockTimer
from airflow_provider_hubchan.emulator.model.records import Message
from airflow_provider_hubchan.emulator.model.webhook_url import delivery_url, invalid_url, refusal
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.request_log.delivery import Delivery
from airflow_provider_hubchan.emulator.request_log.ledger import Ledger

#: Webhooks of a channel that are under way at a time; a receiver that does not answer holds up no other channel.
MAX_IN_FLIGHT = 16
#: Seconds after which a webhook is sent that was to wait for the next one, if none comes.
LONGEST_WAIT = 10.0
#: Seconds by which an old signature is old: twice what receivers accept (documented: five minutes).
OLD = 600.0
#: Most bytes of an answer that are kept.
MAX_REPLY = 10_000
#: Why a webhook ends although it has tries left.
NO_URL = "given up: the channel has no webhookUrl any more"


class WebhookSender:
    """Begins webhooks in the order of their messages. Its methods may be called from any thread.

    HubSpot promises no order, so no receiver can count on this one either.

    :param ledger: where each try is noted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._condition = threading.Condition()
        self._is_open = False
        self._under_way = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: Any = None
        self._tasks = set[asyncio.Task[None]]()
        self._waiting: dict[str, asyncio.Event] = {}
        self._timers: dict[Clock, ClockTimer] = {}
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MAX_IN_FLIGHT))

    def open(self) -> None:
        """Send from now on. The thread begins with the first webhook."""
        with self._condition:
            self._is_open = True

    def close(self) -> None:
        """Break off everything that is under way, and end. Receivers are not waited for."""
        with self._condition:
            self._is_open = False
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop and thread:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def clear(self) -> None:
        """Break off everything that is under way: its world is gone. Nothing of it is sent or noted afterwards."""
        broken_off = threading.Event()

        def cancel() -> None:
            self._cancel()
            broken_off.set()

        with self._condition:
            if self._loop is None:
                return
            self._loop.call_soon_threadsafe(cancel)  # after what was given to it before
        broken_off.wait()

    def send(self, message: Message, world: World, schedule: Schedule) -> None:
        """Send the event of an agent's message to the ``webhookUrl`` of its channel, if that has one."""
        url = world.webhook_url(message.account.channel)
        if url is None:
            return
        request = webhook_request(message, world.integration_thread_id(message.thread), url)
        with self._condition:
            if self._is_open:
                self._under_way += 1
                self._running_loop().call_soon_threadsafe(self._begin, request, message, world, schedule)
                return
        self._note(request, world, 1, None).error = "the emulator does not run: nothing was sent"

    def wait(self, seconds: float) -> None:
        """Wait until no webhook is under way any more: each was accepted, or given up.

        :raises TimeoutError: that takes longer than *seconds*.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: not self._under_way, seconds):
                raise TimeoutError(f"webhooks that are still under way after {seconds:g} s: {self._under_way}")

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which is started if it does not run."""
        if self._loop is None:
            self._loop = asyncio.SelectorEventLoop()
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name="hubspot-webhooks", daemon=True)
            self._thread.start()
        return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        self._cancel()
        loop.run_until_complete(self._end())
        loop.close()

    async def _end(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # that is when its connections close
            self._session = None
        self._slots.clear()

    def _cancel(self) -> None:
        self._waiting.clear()
        self._timers.clear()
        for task in list(self._tasks):
            task.cancel()

    def _begin(self, request: WebhookRequest, message: Message, world: World, schedule: Schedule) -> None:
        """Look for a fault, in the order of the messages, and begin."""
        channel_id, hit = message.account.channel.id, schedule.next_hit(request, world)
        waits_for = None
        released = self._waiting.pop(channel_id, None)
        if hit and hit.fault.webhook == "out-of-order":
            waits_for = self._waiting[channel_id] = asyncio.Event()
        task = asyncio.ensure_future(self._perform(request, message, world, hit, waits_for))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if released:
                released.set()
            with self._condition:
                self._under_way -= 1
                self._condition.notify_all()

        task.add_done_callback(ended)

    async def _perform(
        self, request: WebhookRequest, message: Message, world: World, hit: Hit | None, waits_for: asyncio.Event | None
    ) -> None:
        """One event, with all that its fault does to it.

        :param waits_for: set when the next event of the channel is over; None to begin at once.
        """
        if waits_for:
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(waits_for.wait(), (hit and hit.delay) or LONGEST_WAIT)
        elif hit and hit.delay:
            await asyncio.sleep(hit.delay)
        for _ in range(2 if hit and hit.fault.webhook == "twice" else 1):
            await self._deliver(request, message, world, hit)

    async def _deliver(self, request: WebhookRequest, message: Message, world: World, hit: Hit | None) -> None:
        """Try until it is accepted, as often as the settings say."""
        attempt = 1
        while True:
            async with self._slots[message.account.channel.id]:
                delivery = await self._try(request, message, world, hit, attempt)
            if delivery.accepted or delivery.error == NO_URL or attempt >= world.settings.webhook_tries:
                return
            attempt += 1
            # From the moment of the try on: a test that has seen its answer may move the clock at once.
            timer = self._timers.setdefault(world.clock, ClockTimer(world.clock))
            await timer.sleep_until(delivery.at + world.settings.webhook_pause)

    async def _try(self, request: WebhookRequest, message: Message, world: World, hit: Hit | None, attempt: int) -> Delivery:
        import aiohttp  # only here: most emulators send no webhook, and it takes longer to load than everything else
        from yarl import URL

        from airflow_provider_hubchan.emulator.localhost_resolver import LocalhostResolver

        settings, url = world.settings, world.webhook_url(message.account.channel)
        request = replace(request, url=url or request.url)  # where the channel says now; the event stays as it was
        delivery = self._note(request, world, attempt, hit)
        if url is None:
            delivery.error = NO_URL
            return delivery
        if reason := invalid_url(request.url) or refusal(request.url, settings.webhook_via, settings.webhook_hosts):
            delivery.error = reason
            return delivery
        if self._session is None:
            # No connection is used twice: a receiver may close it just as the next webhook is sent, which is lost then.
            connector = aiohttp.TCPConnector(resolver=LocalhostResolver(), limit=0, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        began = time.perf_counter()
        try:
            async with self._session.post(
                URL(delivery.sent_to, encoded=True),
                data=request.body,
                headers=_headers(request, message, delivery),
                allow_redirects=False,  # assumed; a redirect is not 2xx, and could lead to another machine
                timeout=aiohttp.ClientTimeout(total=settings.webhook_timeout),
            ) as response:
                delivery.response_body = await response.content.read(MAX_REPLY)
                delivery.milliseconds = _milliseconds_since(began)
                delivery.status = response.status
        except (TimeoutError, asyncio.TimeoutError):
            delivery.milliseconds = _milliseconds_since(began)
            delivery.error = f"no answer within {settings.webhook_timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            delivery.milliseconds = _milliseconds_since(began)
            delivery.error = _reason(error)
        except asyncio.CancelledError:
            delivery.error = "broken off: the emulator was stopped or reset"
            raise
        return delivery

    def _note(self, request: WebhookRequest, world: World, attempt: int, hit: Hit | None) -> Delivery:
        """The try in the ledger."""
        sent_to = request.url if invalid_url(request.url) else delivery_url(request.url, world.settings.webhook_via)
        delivery = Delivery(
            world.clock.now(), *request.message, request.url, sent_to, request.body, attempt, hit.fault if hit else None
        )
        return self._ledger.begin_delivery(delivery, world.settings.ledger)


def _headers(request: WebhookRequest, message: Message, delivery: Delivery) -> dict[str, str]:
    """The headers of a try; each is signed anew, as of its own time, unless a fault says otherwise."""
    channel, kind = message.account.channel, delivery.fault.webhook if delivery.fault else None
    headers = {"Content-Type": "application/json"}
    if kind == "unsigned":
        return headers
    if kind == "wrong-signature":
        return headers | signed_headers(channel, request, delivery.at, secret=f"not {channel.app.client_secret}")
    return headers | signed_headers(channel, request, delivery.at - (OLD if kind == "old-signature" else 0.0))


def _reason(error: Exception) -> str:
    """Why there is no answer, in words that hold no URL: it may hold a secret."""
    import aiohttp

    if isinstance(getattr(error, "os_error", error), ConnectionRefusedError):
        return "connection refused: is the receiver running?"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer cannot be read: {error.message}"
    return f"{type(error).__name__}: {error}"


def _milliseconds_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
