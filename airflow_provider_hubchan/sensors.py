"""The sensor: wait until messages have arrived, or have been read."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferralError,
)

from airflow_provider_hubchan.batch.row_reader import MAX_ID, id_fault, integer_text
from airflow_provider_hubchan.batch.rows import parse_json_text, why_no_rows
from airflow_provider_hubchan.best_effort import best_effort
from airflow_provider_hubchan.client.actions import SENSOR_TIMEOUT
from airflow_provider_hubchan.client.error_texts import MAX_TEXT, readable, shorten
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, CallFailed, StatusPollFailed
from airflow_provider_hubchan.client.models import DELIVERED_STATUSES, FAILURE_STATUSES
from airflow_provider_hubchan.client.status_poll import LAST_LOOK, Look, StatusPoll, Target
from airflow_provider_hubchan.default_retry_policy import use_retry_policy
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.poll_state import PollSnapshotStore
from airflow_provider_hubchan.task_state import MIN_DEFERRAL
from airflow_provider_hubchan.templating import CheckedPartial, TemplatedArguments
from airflow_provider_hubchan.validation import (
    Check,
    WrongArguments,
    channel_id_check,
    concurrency_faults,
    flag_check,
    is_number,
    is_share,
    message_statuses_faults,
    seconds_check,
    text_check,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

#: What a trigger takes: its arguments are stored in Airflow's database as they are, and MySQL's column ends at 64 KB.
MAX_DEFERRED_IDS, MAX_DEFERRED_BYTES = 1000, 32_768
#: Seconds after its last look that Airflow may end a trigger that hangs.
TRIGGER_MARGIN = 120.0
#: How many ids that are none the text of an error names.
MAX_NAMED = 20


class CannotPollError(AirflowFailException):
    """A sensor cannot ask HubSpot: its connection cannot be used, HubSpot refuses every call, or messages or provider were
    changed while it was deferred. The text says what to do. No retry, and no skip with ``soft_fail=True``.
    """


#: What fails the task also with *soft_fail*: none of it says anything about the messages.
NEVER_SKIPPED = (WrongArguments, CannotPollError, TaskDeferralError)


def _give_up(poll: StatusPoll) -> NoReturn:
    raise AirflowSensorTimeout(f"The sensor's timeout was over before all had arrived: {poll}.")


def _message_ids_faults(message_ids: object) -> list[str]:
    try:
        values = parse_json_text(message_ids, "message_ids")
    except BadInput as error:
        return [str(error).removesuffix(".")]
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        return [
            f"message_ids is a {type(values).__name__}: give a list of ids, or the output of the task that has them. If it "
            "is templated, pass the task's output instead, or set render_template_as_native_obj=True on the DAG"
        ]
    if reason := why_no_rows(values):
        return [f"message_ids is a {type(values).__name__}, {reason.removesuffix('.')}"]
    if not isinstance(values, Sequence | Set):
        return []  # an iterator would be used up; its ids are checked when they are read
    return _bad_ids_faults(values)


def _id_text(value: object) -> str:
    """An id as text, empty for what is none."""
    return value.strip() if isinstance(value, str) else integer_text(value) if isinstance(value, int) else ""


def _bad_ids_faults(values: Iterable[object]) -> list[str]:
    bad = [value for value in values if not (text := _id_text(value)) or id_fault(text)]
    if not bad:
        return []
    if all(isinstance(value, Mapping) for value in bad):
        return ['message_ids holds rows: give their ids, [row["message_id"] for row in rows]']
    lengths = (f" ({len(value):,} characters)" if isinstance(value, str) and len(value) > MAX_ID else "" for value in bad)
    named = ", ".join(f"{shorten(value)}{length}" for value, length in zip(bad[:MAX_NAMED], lengths, strict=False))
    more = f" and {len(bad) - MAX_NAMED:,} more" if len(bad) > MAX_NAMED else ""
    return [f"message_ids holds {len(bad)} that are no ids: {named}{more}. Leave them out"]


def _min_share_faults(min_share: object) -> list[str]:
    return [] if is_share(min_share) else [f"min_share is {shorten(min_share)}: give a part of the messages, from 0 to 1"]


def _share_faults(share: Any) -> list[str]:
    if is_number(share) and 0.0 < share <= 1.0:
        return []
    return [f"share is {shorten(share)}: give a part of the account's quota, above 0 and at most 1"]


class MessageStatusSensor(TemplatedArguments, BaseSensorOperator):
    """Wait until messages have one of some statuses.

    Only messages that are still open are asked for, within the account's rate limit and with a part of it. ``poke``,
    ``reschedule`` and ``deferrable`` give the same result, counts, logs and errors. A retry and a clear ask for all anew.

    :param message_ids: ids of outbound messages: a list, or a set, which is sorted. Templated.
    :param statuses: any of ``SENT``, ``READ`` and ``FAILED`` that will do. A message that was READ need not be SENT first.
    :param min_share: part of the messages that must get there, from 0 to 1.
    :param fail_on: statuses with which a message will not get there: the sensor fails at once. ``()`` for none.
    :param not_found_grace: seconds for which an unknown message (404) is "not yet"; then the sensor fails.
    :param channel_id: the channel of all messages; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param share: part of the account's quota that the sensor may use, in (0, 1]: it must not use up an operator's.
    :param deferrable: wait in the triggerer, for at most 1,000 open messages or 32 KB of ids; with more in the worker.
    :param concurrency: requests in flight at most, from 1.
    :return: the status of each message, of the first 1,000 (of as many of them as have 100,000 characters of ids together); how
        many have each status is in XCom under ``counts``. If it times out, fails or is skipped, both are in XCom all the same.
    :raises WrongArguments: naming everything that is wrong with the arguments: when the DAG is read, as far as it can be known
        then, else when the task starts. In a task it is an `AirflowFailException`: no retry.
    :raises AirflowFailException: if messages will not get there any more: no retry; with ``soft_fail=True`` skipped.
    :raises CannotPollError: if HubSpot cannot be asked: no retry, and no skip.
    :raises AirflowSensorTimeout: if *timeout* is over. The time counts from the first look, in every mode. A look that is under
        way then is broken off, whatever HubSpot does; else one more begins then, and has ten minutes.
    :raises TaskDeferralError: if an error ended the wait in the triggerer: the task's retries apply.
    """

    template_fields: Sequence[str] = ("message_ids", "channel_id", "hubchan_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"message_ids": "json"}
    checks: ClassVar[tuple[Check, ...]] = (
        channel_id_check(),
        Check(("message_ids",), _message_ids_faults),
        text_check("hubchan_conn_id"),
        Check(("statuses",), lambda statuses: message_statuses_faults("statuses", statuses, least=1)),
        Check(("fail_on",), lambda fail_on: message_statuses_faults("fail_on", fail_on, least=0)),
        Check(("min_share",), _min_share_faults),
        Check(("share",), _share_faults),
        Check(("concurrency",), concurrency_faults),
        seconds_check("not_found_grace"),
        flag_check("deferrable"),
    )
    partial = CheckedPartial()
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
        self.not_found_grace, self.channel_id = not_found_grace, channel_id
        self.hubchan_conn_id = HubchanHook.default_conn_name if hubchan_conn_id is None else hubchan_conn_id
        self.share, self.deferrable, self.concurrency = share, deferrable, concurrency
        self._hook: HubchanHook | None = None
        self._poll: StatusPoll | None = None
        self._snapshots: PollSnapshotStore | None = None
        self._began = self._unknown_until = self._ends = 0.0  # seconds since the epoch
        self.check_when_read(f"task {self.task_id!r}")

    def execute(self, context: Context) -> Any:
        """Look at the messages until they have got there; defer or reschedule, if they are to be waited for elsewhere."""
        self._began, self._poll, self._snapshots = time.time(), None, None  # in ``dag.test()`` a retry has the same object
        with self._without_wrong_skips(), self._ending(context):
            return super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait in the triggerer."""
        with self._without_wrong_skips():
            return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Ask for the messages that are still open; defer, if they are to be waited for in the triggerer."""
        poll = self._poll = self._poll or self._begin(context)
        is_last = self._poll_once(poll)
        if poll.is_done:
            return PokeReturnValue(True, poll.result())
        if is_last:
            _give_up(poll)
        if self.deferrable:
            self._defer(poll)
        if self._snapshots:
            self._snapshots.save(poll)
        return False

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, str]:
        """Take over what the trigger has seen."""
        from airflow_provider_hubchan.triggers import OUTCOMES, VERSION  # most sensors are not deferred

        with self._ending(context):
            if not isinstance(event, Mapping) or event.get("version") != VERSION or event.get("outcome") not in OUTCOMES:
                raise CannotPollError(
                    f"This trigger event is not of this version of the provider: {shorten(event, 200)}. Clear the task."
                )
            poll = self._poll = self._continued(event)
            self.log.info("%s.", poll)
            reason = readable(str(event.get("reason")), MAX_TEXT - 100)
            match event["outcome"]:
                case "failed":
                    raise AirflowFailException(reason)
                case "refused":
                    raise CannotPollError(reason)
                case "timeout":
                    _give_up(poll)
                case "error":  # as Airflow does if a trigger raises: a retry may help
                    raise TaskDeferralError(
                        f"The wait in the triggerer was ended by an error, {reason}. Its log has the traceback."
                    )
            return poll.result()

    def on_kill(self) -> None:
        """End the poll that is under way."""
        if self._hook:
            self._hook.stop()

    def _begin(self, context: Context) -> StatusPoll:
        message_ids = self._checked_ids()
        began = self._began or time.time()
        if self.reschedule and (first := context["ti"].get_first_reschedule_date(context)):
            began = first.timestamp()
        self._ends = began + self.timeout
        needed = math.ceil(self.min_share * len(dict.fromkeys(message_ids)) - 1e-9)
        self._unknown_until = began + self.not_found_grace
        poll = StatusPoll(message_ids, self._target(), needed=needed, unknown_until=self._unknown_until)
        if not message_ids:
            self.log.warning("There are no messages to wait for. If that is a surprise, look at what fills this task.")
        if self.reschedule:
            self._snapshots = PollSnapshotStore(context, self.log, self.channel_id, self.hubchan_conn_id)
            self._snapshots.restore(poll)
        return poll

    def _continued(self, event: Mapping[str, Any]) -> StatusPoll:
        """The poll with what was seen before the wait in the triggerer, and in it."""
        poll = StatusPoll(self._checked_ids(), self._target())
        try:
            poll.restore(event["before"])
            deferred = StatusPoll(poll.open, poll.target)
            deferred.restore(event["seen"])
            poll.unanswered.update({str(label): int(count) for label, count in event["unanswered"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            text = readable(str(error), 200)
            raise CannotPollError(f"message_ids are others than before the wait ({text}). Clear the task.") from error
        poll.merge(deferred.statuses)
        return poll

    def _poll_once(self, poll: StatusPoll) -> bool:
        """Ask for the messages that are open.

        :return: True if this was the last look.
        """
        self._hook = self._hook or HubchanHook(self.hubchan_conn_id)
        look = Look.at(time.time(), self._ends)
        try:
            channel = self._hook.resolve_channel(self.channel_id)
            with self._hook.sync_driver(share=self.share, max_runtime=look.seconds, out_of_time=SENSOR_TIMEOUT) as driver:
                for _ in driver.run_all(poll.poll(self._hook.account, channel, time.time()), self.concurrency):
                    pass
            self.log.info("%s.", poll)
            poll.check(driver.aborted)
        except StatusPollFailed as error:
            raise AirflowFailException(str(error)) from error
        except (CallFailed, BadConnection) as error:
            raise CannotPollError(str(error)) from error
        return look.is_last or time.time() >= self._ends

    def _defer(self, poll: StatusPoll) -> None:
        before = poll.snapshot()
        if len(poll.open) > MAX_DEFERRED_IDS or len(json.dumps(poll.open)) + len(before) > MAX_DEFERRED_BYTES:
            self.log.info(
                "The open messages are too many for a trigger (%d; it takes %d, or %d bytes of ids): waiting in the worker.",
                *(len(poll.open), MAX_DEFERRED_IDS, MAX_DEFERRED_BYTES),
            )
            return
        left = self._ends - time.time()
        if left < MIN_DEFERRAL:
            return
        from airflow_provider_hubchan.triggers import MessageStatusTrigger  # most sensors are not deferred

        trigger = MessageStatusTrigger(
            message_ids=poll.open,
            before=before,
            statuses=list(poll.target.statuses),
            fail_on=list(poll.target.fail_on),
            needed=poll.needed,
            arrived=poll.arrived,
            unknown_until=self._unknown_until,
            ends=self._ends,
            poke_interval=self.poke_interval,
            share=self.share,
            channel_id=self.channel_id,
            hubchan_conn_id=self.hubchan_conn_id,
        )
        if self._snapshots:
            self._snapshots.clear()  # the trigger has it
        limit = timedelta(seconds=left + LAST_LOOK + TRIGGER_MARGIN)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=limit)

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """Seconds until the next look: the last one begins when *timeout* is over, not up to an interval later."""
        seconds: float = super()._get_next_poke_interval(*args, **kwargs)
        left = max(self._ends - time.time(), MIN_DEFERRAL if self.reschedule else 0.0)
        return min(seconds, left)

    @contextmanager
    def _ending(self, context: Context) -> Iterator[None]:
        """Leave counts and statuses in XCom and nothing in the task state store, however the sensor ends."""
        try:
            yield
        except AirflowRescheduleException:
            raise
        except Exception:
            self._end(context, {"return_value": self._poll.result()} if self._poll else {})
            raise
        self._end(context, {})

    def _end(self, context: Context, values: Mapping[str, object]) -> None:
        if self._snapshots:
            self._snapshots.clear()
        if not self.do_xcom_push or self._poll is None:
            return
        text = "The counts and statuses could not be written to XCom; the sensor ends as it would have ended"
        with best_effort(self.log.warning, text):
            for key, value in {"counts": self._poll.counts(), **values}.items():
                context["ti"].xcom_push(key=key, value=value)

    @contextmanager
    def _without_wrong_skips(self) -> Iterator[None]:
        """With *soft_fail*, Airflow skips a sensor whatever is wrong: a wrong argument would never be noticed."""
        try:
            yield
            return
        except AirflowSkipException as skip:
            cause = skip.__context__
            error = cause if self.soft_fail and isinstance(cause, NEVER_SKIPPED) else skip
        raise error

    def _target(self) -> Target:
        return Target(tuple(self.statuses), tuple(self.fail_on))

    def _checked_ids(self) -> list[str]:
        """The ids to wait for, those of a set sorted: a retry finds them in the same order.

        :raises WrongArguments: naming everything that is wrong with the arguments, and what to give instead.
        """
        faults = self.argument_faults()
        values: Any = [] if faults else parse_json_text(self.message_ids)
        message_ids = sorted(values, key=str) if isinstance(values, Set) else list(values)
        if faults := faults or _bad_ids_faults(message_ids):
            raise WrongArguments("Wrong arguments, so nothing was asked", faults)
        return list(map(_id_text, message_ids))
