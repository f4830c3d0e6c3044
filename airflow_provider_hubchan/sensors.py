"""The sensor: wait until messages have arrived, or have been read."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

from airflow_provider_hubchan.batch.rows import parse_json_text
from airflow_provider_hubchan.client.errors import BadConnection, StatusPollFailed
from airflow_provider_hubchan.client.models import DELIVERED_STATUSES, FAILURE_STATUSES, WRITABLE
from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from airflow_provider_hubchan.default_retry_policy import use_retry_policy
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.task_state import PollSnapshotStore
from airflow_provider_hubchan.validation import (
    channel_id_faults,
    concurrency_faults,
    is_number,
    is_share,
    seconds_faults,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

#: What a trigger takes: its arguments are stored in Airflow's database as they are, and MySQL's column ends at 64 KB.
MAX_DEFERRED_IDS, MAX_DEFERRED_BYTES = 1000, 32_768
#: Seconds after its own end that Airflow may end a trigger that hangs.
TRIGGER_MARGIN = 120.0


class MessageStatusSensor(BaseSensorOperator):
    """Wait until messages have one of some statuses.

    Only messages that are still open are asked for, within the account's rate limit and with a part of it. ``poke``,
    ``reschedule`` and ``deferrable`` give the same answers.

    :param message_ids: ids of outbound messages. Templated.
    :param statuses: any of ``SENT``, ``READ`` and ``FAILED`` that will do. A message that was READ need not be SENT first.
    :param min_share: part of the messages that must get there, from 0 to 1.
    :param fail_on: statuses with which a message will not get there: the sensor fails at once. ``()`` for none.
    :param not_found_grace: seconds for which an unknown message (404) is "not yet"; then the sensor fails.
    :param channel_id: the channel of all messages; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param share: part of the account's quota that the sensor may use, in (0, 1]: it must not use up an operator's.
    :param deferrable: wait in the triggerer, for at most 1,000 open messages or 32 KB of ids; with more in the worker.
    :param concurrency: requests in flight at most, from 1.
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
        statuses: Sequence[str] = DELIVERED_STATUSES,
        min_share: float = 1.0,
        fail_on: Sequence[str] = FAILURE_STATUSES,
        not_found_grace: float = 0.0,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        share: float = 0.2,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        concurrency: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        use_retry_policy(self)
        self.message_ids, self.statuses, self.min_share, self.fail_on = message_ids, statuses, min_share, fail_on
        self.not_found_grace, self.channel_id, self.hubchan_conn_id = not_found_grace, channel_id, hubchan_conn_id
        self.share, self.deferrable, self.concurrency = share, deferrable, concurrency
        self._hook: HubchanHook | None = None
        self._poll: StatusPoll | None = None
        self._unknown_until = 0.0

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Ask for the messages that are still open; defer, if they are to be waited for in the triggerer."""
        if self._poll is None:
            self._poll = self._begin(context)
        poll = self._poll
        self._poll_once(poll)
        if poll.is_done:
            return PokeReturnValue(True, self._result(context, poll))
        PollSnapshotStore(context, self.log).save(poll.message_ids, poll.snapshot())
        self.log.info("%s.", poll)
        if self.deferrable:
            self._defer(poll, ends=time.time() + self.timeout)
        return False

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, str]:
        """Take over what the trigger has seen."""
        if not isinstance(event, Mapping) or event.get("version") != 1 or "outcome" not in event:
            raise AirflowFailException(f"This trigger event is not of this version of the provider: {event!r}. Clear the task.")
        if event["outcome"] == "failed":
            raise AirflowFailException(event["reason"])
        if event["outcome"] == "timeout":
            raise AirflowSensorTimeout(f"The time was over before all had arrived: {event['reason']}.")
        poll = StatusPoll(self._checked_ids(), self._target())
        try:
            poll.restore(event["before"])
            deferred = StatusPoll(poll.open, poll.target)
            deferred.restore(event["seen"])
        except (ValueError, KeyError) as error:
            raise AirflowFailException(f"message_ids are others than before the wait ({error}). Clear the task.") from error
        poll.statuses |= deferred.statuses
        return self._result(context, poll)

    def on_kill(self) -> None:
        """End the poll that is under way."""
        if self._hook:
            self._hook.stop()

    def _begin(self, context: Context) -> StatusPoll:
        message_ids = self._checked_ids()
        started = time.time()
        if self.reschedule and (first := context["ti"].get_first_reschedule_date(context)):
            started = first.timestamp()
        needed = math.ceil(self.min_share * len(dict.fromkeys(message_ids)) - 1e-9)
        self._unknown_until = started + self.not_found_grace
        poll = StatusPoll(message_ids, self._target(), needed=needed, unknown_until=self._unknown_until)
        if not message_ids:
            self.log.warning("There are no messages to wait for. If that is a surprise, look at what fills this task.")
        if snapshot := PollSnapshotStore(context, self.log).load(poll.message_ids):
            poll.restore(snapshot)
        return poll

    def _poll_once(self, poll: StatusPoll) -> None:
        self._hook = self._hook or HubchanHook(self.hubchan_conn_id)
        try:
            channel = self._hook.resolve_channel(self.channel_id)
            with self._hook.sync_driver(share=self.share) as driver:
                for _ in driver.run_all(poll.poll(self._hook.account, channel, time.time()), self.concurrency):
                    pass
                poll.check(driver.aborted)
        except (StatusPollFailed, BadConnection) as error:
            raise AirflowFailException(str(error)) from error

    def _defer(self, poll: StatusPoll, ends: float) -> None:
        if len(poll.open) > MAX_DEFERRED_IDS or len(json.dumps(poll.open)) > MAX_DEFERRED_BYTES:
            self.log.info(
                "%d open messages are too many for a trigger (it takes %d, or %d bytes of ids): waiting in the worker.",
                *(len(poll.open), MAX_DEFERRED_IDS, MAX_DEFERRED_BYTES),
            )
            return
        from airflow_provider_hubchan.triggers import MessageStatusTrigger  # it imports aiohttp

        trigger = MessageStatusTrigger(
            message_ids=poll.open,
            before=poll.snapshot(),
            statuses=list(poll.target.statuses),
            fail_on=list(poll.target.fail_on),
            needed=poll.needed - len(poll.message_ids) + len(poll.open),
            unknown_until=self._unknown_until,
            ends=ends,
            poke_interval=self.poke_interval,
            share=self.share,
            channel_id=self.channel_id,
            hubchan_conn_id=self.hubchan_conn_id,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout + TRIGGER_MARGIN))

    def _result(self, context: Context, poll: StatusPoll) -> dict[str, str]:
        self.log.info("%s.", poll)
        context["ti"].xcom_push(key="counts", value=poll.counts())
        return poll.result()

    def _target(self) -> Target:
        return Target(tuple(self.statuses), tuple(self.fail_on))

    def _checked_ids(self) -> list[str]:
        """The ids to wait for.

        :raises AirflowFailException: naming everything that is wrong with the arguments, and what to give instead.
        """
        faults = channel_id_faults(self.channel_id, "channel_id")
        message_ids = self._read_ids(faults)
        for name, least in (("statuses", 1), ("fail_on", 0)):
            statuses = getattr(self, name)
            is_collection = isinstance(statuses, Collection) and not isinstance(statuses, str)
            if not is_collection or len(statuses) < least or not all(status in WRITABLE for status in statuses):
                faults.append(f"{name} is {statuses!r}: give some of {', '.join(WRITABLE)} as a tuple")
        if not is_share(self.min_share):
            faults.append(f"min_share is {self.min_share!r}: give a part of the messages, from 0 to 1")
        if not is_number(self.share) or not 0.0 < self.share <= 1.0:
            faults.append(f"share is {self.share!r}: give a part of the account's quota, above 0 and at most 1")
        faults += concurrency_faults(self.concurrency) + seconds_faults(not_found_grace=self.not_found_grace)
        if faults:
            raise AirflowFailException(f"Wrong arguments, so nothing was asked: {'; '.join(faults)}.")
        return message_ids

    def _read_ids(self, faults: list[str]) -> list[str]:
        values = parse_json_text(self.message_ids)
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            faults.append(
                f"message_ids is a {type(values).__name__}: give a list of ids, or the output of the task that has them. If it "
                "is templated, pass the task's output instead, or set render_template_as_native_obj=True on the DAG"
            )
            return []
        values = list(values)
        bad = [
            value for value in values if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip()
        ]
        if bad:
            faults.append(f"message_ids holds {len(bad)} that are no ids, the first is {bad[0]!r}")
        return [str(value).strip() for value in values]
