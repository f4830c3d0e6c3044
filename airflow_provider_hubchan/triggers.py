"""Waiting on the triggerer's event loop. A trigger only reads: one that is restarted would write twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_hubchan.client.actions import SENSOR_TIMEOUT
from airflow_provider_hubchan.client.error_texts import readable
from airflow_provider_hubchan.client.errors import BadConnection, CallFailed, StatusPollFailed
from airflow_provider_hubchan.client.status_poll import Look, StatusPoll, Target
from airflow_provider_hubchan.client.time_limit import TimeIsOver, run_in_time
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.task_state import MIN_DEFERRAL

#: Version of the event: a task that is resumed after an upgrade must know what it reads.
VERSION = 2
#: How a wait may end: ``failed`` is of the messages, ``refused`` of the account or its connection.
OUTCOMES = ("done", "failed", "refused", "timeout", "error")
#: Requests in flight at most.
WORKERS = 4
#: Seconds after its end that a poll which is broken off has to close its connections.
GRACE = 1.0
#: Characters of the reason in an event at most: the triggerer logs it, and Airflow's database keeps it.
MAX_REASON = 500
#: Part of a pause by which it may be longer.
JITTER = 0.4
#: Seconds by which the last look may be later: those of a mapped task end at the same time.
END_JITTER = 5.0


class MessageStatusTrigger(BaseTrigger):
    """Waits until messages have a status. Everything it needs to begin anew is in its arguments, and no secret.

    :param message_ids: which messages.
    :param before: what was seen before, of these messages and of others; it comes back with the event, as it is.
    :param statuses: any of these will do.
    :param fail_on: with one of these, a message will not get there.
    :param needed: how many must get there, those of *arrived* among them; None for all.
    :param arrived: how many other messages had got there before.
    :param unknown_until: until when a 404 is "not yet", in seconds since the epoch.
    :param ends: when the last look begins, in seconds since the epoch.
    :param poke_interval: seconds between two polls; the first comes after one.
    :param share: part of the account's quota that it may use, in (0, 1].
    :param channel_id: the channel of all messages; None for the connection's.
    :param hubchan_conn_id: a connection of type ``hubchan``: its name, because secrets are read where the trigger runs.
    """

    def __init__(
        self,
        *,
        message_ids: Sequence[str],
        before: str,
        statuses: Sequence[str],
        fail_on: Sequence[str],
        needed: int | None,
        arrived: int,
        unknown_until: float,
        ends: float,
        poke_interval: float,
        share: float,
        channel_id: str | None,
        hubchan_conn_id: str,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.message_ids, self.before = list(message_ids), before
        self.needed, self.arrived = needed, arrived
        self.statuses, self.fail_on = list(statuses), list(fail_on)
        self.unknown_until, self.ends = unknown_until, ends
        self.poke_interval, self.share = poke_interval, share
        self.channel_id, self.hubchan_conn_id = channel_id, hubchan_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments."""
        names = ("message_ids", "before", "statuses", "fail_on", "needed", "arrived", "unknown_until", "ends", "poke_interval")
        arguments = {name: getattr(self, name) for name in (*names, "share", "channel_id", "hubchan_conn_id")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll now and then; one event, with ``version``, ``outcome`` (one of `OUTCOMES`), ``before``, what was ``seen`` since,
        why messages are ``unanswered``, and the ``reason``.

        A look that is under way at *ends* is broken off then, whatever HubSpot, its token address or Airflow's API server do.
        """
        target = Target(tuple(self.statuses), tuple(self.fail_on))
        poll = StatusPoll(self.message_ids, target, needed=self.needed, arrived=self.arrived, unknown_until=self.unknown_until)
        outcome, reason = "timeout", ""
        try:
            if await self._poll_until_done(poll):
                outcome = "done"
        except TimeIsOver:
            pass
        except StatusPollFailed as error:
            outcome, reason = "failed", str(error)
        except (CallFailed, BadConnection) as error:
            outcome, reason = "refused", str(error)
        except Exception as error:
            self.log.error("The wait was ended by an error.", exc_info=True)
            outcome, reason = "error", readable(f"{type(error).__name__}: {error}", MAX_REASON)
        yield TriggerEvent(  # type: ignore[no-untyped-call]
            {
                "version": VERSION,
                "outcome": outcome,
                "before": self.before,
                "seen": poll.snapshot(),
                "unanswered": dict(poll.causes()),
                "reason": reason or str(poll),
            }
        )

    async def _poll_until_done(self, poll: StatusPoll) -> bool:
        """Poll until *ends*, and then once more.

        :return: True if the messages have got there.
        """
        hook = HubchanHook(self.hubchan_conn_id)
        pause = max(self.poke_interval, MIN_DEFERRAL)  # a triggerer that starts has much to do
        while True:
            await self._sleep(pause)
            look = Look.at(time.time(), self.ends)
            await run_in_time(self._poll_once(poll, hook, look.seconds), look.seconds + GRACE)
            if poll.is_done:
                return True
            if look.is_last or time.time() >= self.ends:
                return False
            pause = self.poke_interval

    async def _poll_once(self, poll: StatusPoll, hook: HubchanHook, seconds: float) -> None:
        async with await hook.async_driver(share=self.share, max_runtime=seconds, out_of_time=SENSOR_TIMEOUT) as driver:
            flows = poll.poll(hook.account, hook.resolve_channel(self.channel_id), time.time())
            await driver.run_all(flows, min(WORKERS, len(poll.open)))
        self.log.info("%s.", poll)
        poll.check(driver.aborted)

    async def _sleep(self, seconds: float) -> None:
        """Somewhat longer, each time by another amount: a thousand triggers that start or end at once must not poll at once."""
        left = max(0.0, self.ends - time.time()) + END_JITTER * random.random()
        await asyncio.sleep(min(seconds * (1.0 + JITTER * random.random()), left))
