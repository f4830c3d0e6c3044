"""The sensor: wait until messages have arrived, or have been read."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

from airflow_provider_hubchan.arguments import bring_retry_policy, watched
from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.status_poll import Watch, WatchFailed, Wish
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.task_state import Seen

if TYPE_CHECKING:
    from airflow.sdk import Context

#: What a trigger takes: its arguments lie in Airflow's database as they are, and MySQL's column ends at 64 KB.
MOST_IDS, MOST_BYTES = 1000, 32_768
#: Seconds after its own end that Airflow may end a trigger that hangs.
SPARE = 120.0


class MessageStatusSensor(BaseSensorOperator):
    """Wait until messages have one of some statuses.

    Only messages that are still open are asked for, at the account's pace and with a part of it. ``poke``, ``reschedule`` and
    ``deferrable`` give the same answers.

    :param message_ids: ids of outbound messages. Templated.
    :param statuses: any of ``SENT``, ``READ`` and ``FAILED`` that will do. A message that was READ need not be SENT first.
    :param min_share: part of the messages that must get there, from 0 to 1.
    :param fail_on: statuses with which a message will not get there: the sensor fails at once. ``()`` for none.
    :param not_found_grace: seconds for which an unknown message (404) is "not yet"; then the sensor fails.
    :param channel_id: the channel of all messages; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param share: part of the account's quota that the sensor may use, in (0, 1]: it must not eat up an operator's.
    :param deferrable: wait in the triggerer, for at most 1,000 open messages or 32 KB of ids; with more in the worker.
    :param concurrency: questions on their way at a time, from 1.
    :return: the status of each message, of the first 1,000; how many have each status is in XCom under ``counts``.
    :raises AirflowFailException: if waiting is of no use any more: no retry.
    :raises AirflowSensorTimeout: if *timeout* is over.
    """

    template_fields: Sequence[str] = ("message_ids", "channel_id", "hubchan_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"message_ids": "json"}
    ui_color = "#ffd6c9"

    def __init__(
        self,
        *,
        message_ids: Any,
        statuses: Sequence[str] = ("SENT", "READ"),
        min_share: float = 1.0,
        fail_on: Sequence[str] = ("FAILED",),
        not_found_grace: float = 0.0,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        share: float = 0.2,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        concurrency: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        bring_retry_policy(self)
        self.message_ids, self.statuses, self.min_share, self.fail_on = message_ids, statuses, min_share, fail_on
        self.not_found_grace, self.channel_id, self.hubchan_conn_id = not_found_grace, channel_id, hubchan_conn_id
        self.share, self.deferrable, self.concurrency = share, deferrable, concurrency
        self._hook: HubchanHook | None = None
        self._watch: Watch | None = None
        self._unknown_until = 0.0

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Ask for the messages that are still open; defer, if they are to be waited for elsewhere."""
        if self._watch is None:
            self._watch = self._begin(context)
        watch = self._watch
        self._look(watch)
        if watch.is_done:
            return PokeReturnValue(True, self._result(context, watch))
        Seen(context, self.log).save(watch.ids, watch.seen())
        self.log.info("%s.", watch)
        if self.deferrable:
            self._defer(watch, ends=time.time() + self.timeout)
        return False

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, str]:
        """Take what the trigger has seen."""
        if not isinstance(event, Mapping) or event.get("version") != 1 or "outcome" not in event:
            raise AirflowFailException(f"This trigger event is not of this version of the provider: {event!r}. Clear the task.")
        if event["outcome"] == "failed":
            raise AirflowFailException(event["reason"])
        if event["outcome"] == "timeout":
            raise AirflowSensorTimeout(f"The time was over before all had arrived: {event['reason']}.")
        watch = Watch(self._ids(), Wish(tuple(self.statuses), tuple(self.fail_on)))
        try:
            watch.recall(event["before"])
            part = Watch(watch.open, watch.wish)
            part.recall(event["seen"])
        except (ValueError, KeyError) as fault:
            raise AirflowFailException(f"message_ids are others than before the wait ({fault}). Clear the task.") from fault
        watch.statuses |= part.statuses
        return self._result(context, watch)

    def on_kill(self) -> None:
        """End the look that is under way."""
        if self._hook:
            self._hook.stop()

    def _begin(self, context: Context) -> Watch:
        ids, wish = self._ids(), Wish(tuple(self.statuses), tuple(self.fail_on))
        started = time.time()
        if self.reschedule and (first := context["ti"].get_first_reschedule_date(context)):
            started = first.timestamp()
        needed = math.ceil(self.min_share * len(dict.fromkeys(ids)) - 1e-9)
        self._unknown_until = started + self.not_found_grace
        watch = Watch(ids, wish, needed=needed, unknown_until=self._unknown_until)
        if not ids:
            self.log.warning("There are no messages to wait for. If that is a surprise, look at what fills this task.")
        if seen := Seen(context, self.log).load(watch.ids):
            watch.recall(seen)
        return watch

    def _look(self, watch: Watch) -> None:
        self._hook = self._hook or HubchanHook(self.hubchan_conn_id)
        try:
            channel = self._hook.channel(self.channel_id)
            with self._hook.driver(share=self.share) as driver:
                for _ in driver.run_all(watch.look(self._hook.account, channel, time.time()), self.concurrency):
                    pass
                watch.check(driver.halt)
        except (WatchFailed, BadConnection) as fault:
            raise AirflowFailException(str(fault)) from fault

    def _defer(self, watch: Watch, ends: float) -> None:
        if len(watch.open) > MOST_IDS or len(json.dumps(watch.open)) > MOST_BYTES:
            self.log.info(
                "%d open messages are too many for a trigger (it takes %d, or %d bytes of ids): waiting in the worker.",
                *(len(watch.open), MOST_IDS, MOST_BYTES),
            )
            return
        from airflow_provider_hubchan.triggers import MessageStatusTrigger  # it brings aiohttp

        trigger = MessageStatusTrigger(
            message_ids=watch.open,
            before=watch.seen(),
            statuses=list(watch.wish.statuses),
            fail_on=list(watch.wish.fail_on),
            needed=watch.needed - len(watch.ids) + len(watch.open),
            unknown_until=self._unknown_until,
            ends=ends,
            poke_interval=self.poke_interval,
            share=self.share,
            channel_id=self.channel_id,
            hubchan_conn_id=self.hubchan_conn_id,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout + SPARE))

    def _result(self, context: Context, watch: Watch) -> dict[str, str]:
        self.log.info("%s.", watch)
        context["ti"].xcom_push(key="counts", value=watch.counts())
        return watch.result()

    def _ids(self) -> list[str]:
        ids, faults = watched(self)
        if faults:
            raise AirflowFailException(f"Wrong arguments, so nothing was asked: {'; '.join(faults)}.")
        return ids
