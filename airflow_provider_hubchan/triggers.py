"""Waiting on the triggerer's event loop. A trigger only reads: one that is restarted would write twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.status_poll import Watch, WatchFailed, Wish
from airflow_provider_hubchan.hooks import HubchanHook

#: Of the event; who resumes a task after an upgrade in between must know what it reads.
VERSION = 1
#: Questions on their way at a time, and seconds before the first: a trigger that fires at once is a race Airflow can lose.
WORKERS, FIRST = 4, 5.0
#: Part of a pause by which it may be longer.
SPREAD = 0.4


class MessageStatusTrigger(BaseTrigger):
    """Waits until messages have a status. Everything it needs to begin anew is in its arguments, and nothing secret.

    :param message_ids: which messages.
    :param before: what was seen before, of these messages and of others; it comes back with the event, as it is.
    :param statuses: any of these will do.
    :param fail_on: with one of these, a message will not get there.
    :param needed: how many must get there, None for all.
    :param unknown_until: until when a 404 is "not yet", in seconds since the epoch.
    :param ends: when to give up, in seconds since the epoch.
    :param poke_interval: seconds between two looks; the first comes after one.
    :param share: part of the account's pace that it may use, in (0, 1].
    :param channel_id: the channel of all messages; None for the connection's.
    :param hubchan_conn_id: a connection of type ``hubchan``: its name, for secrets are read where the trigger runs.
    """

    def __init__(
        self,
        *,
        message_ids: Sequence[str],
        before: str,
        statuses: Sequence[str],
        fail_on: Sequence[str],
        needed: int | None,
        unknown_until: float,
        ends: float,
        poke_interval: float,
        share: float,
        channel_id: str | None,
        hubchan_conn_id: str,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.message_ids, self.before, self.needed = list(message_ids), before, needed
        self.statuses, self.fail_on = list(statuses), list(fail_on)
        self.unknown_until, self.ends = unknown_until, ends
        self.poke_interval, self.share = poke_interval, share
        self.channel_id, self.hubchan_conn_id = channel_id, hubchan_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments."""
        names = ("message_ids", "before", "statuses", "fail_on", "needed", "unknown_until", "ends", "poke_interval", "share")
        arguments = {name: getattr(self, name) for name in (*names, "channel_id", "hubchan_conn_id")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look now and then; one event: ``version``, ``outcome`` (done, failed, timeout), ``before``, ``seen``, ``reason``."""
        wish = Wish(tuple(self.statuses), tuple(self.fail_on))
        watch = Watch(self.message_ids, wish, needed=self.needed, unknown_until=self.unknown_until)
        outcome, reason = "timeout", ""
        try:
            hook = HubchanHook(self.hubchan_conn_id)
            await self._sleep(max(self.poke_interval, FIRST))  # before the session: a triggerer that starts has much to do
            async with await hook.adriver(share=self.share) as driver:
                while time.time() < self.ends:
                    driver.halt = None
                    stories = watch.look(hook.account, hook.channel(self.channel_id), time.time())
                    await driver.run_all(stories, WORKERS)
                    watch.check(driver.halt)
                    if watch.is_done:
                        outcome = "done"
                        break
                    self.log.info("%s.", watch)
                    await self._sleep(self.poke_interval)
        except (WatchFailed, BadConnection) as fault:
            outcome, reason = "failed", str(fault)
        event = {"version": VERSION, "outcome": outcome, "before": self.before, "seen": watch.seen()}
        yield TriggerEvent(event | {"reason": reason or str(watch)})  # type: ignore[no-untyped-call]

    async def _sleep(self, seconds: float) -> None:
        """Somewhat longer, and not in step: five hundred triggers that a triggerer starts at once must not look at once."""
        await asyncio.sleep(min(seconds * (1.0 + SPREAD * random.random()), max(0.0, self.ends - time.time())))
