"""The notifier: a callback that marks messages when a task, a DAG run or a deadline has failed them. Best effort, in bounds.

Nobody is left to see it fail: it never raises, it ends in time, and it says in the log what it did.
"""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.rows import STATUSES, Numbered, Outcome, Status, Update, read
from airflow_provider_hubchan.batch.store import Sheet
from airflow_provider_hubchan.callbacks import Tally, cause_of, covered, rows_of
from airflow_provider_hubchan.client.actions import OUT_OF_TIME, Story
from airflow_provider_hubchan.client.errors import HubchanError
from airflow_provider_hubchan.client.flow import deliver, given_up
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.metrics import observed

if TYPE_CHECKING:
    from airflow.sdk import Context


class MessageStatusNotifier(BaseNotifier):
    """Mark messages in ``on_failure_callback``, ``on_success_callback`` or a deadline's callback. It never raises.

    Airflow does not call it for a task that is killed or marked by hand: see docs/notifier.md for the form that is reliable.

    :param messages: ids, dicts with ``message_id``, ``status`` and ``error_message``, or a mapping of id to status. Templated;
        a template ends with ``| tojson``.
    :param messages_task_id: take them from the XCom of this task instead; only where there is a task instance, so not for
        deadlines. Templated.
    :param messages_key: the key of that XCom. Templated.
    :param status: ``SENT``, ``FAILED`` or ``READ``, for messages that carry none of their own.
    :param error_message: why the delivery failed, for FAILED messages that carry no reason of their own; None for the
        exception's class and first line, or else for the DAG, task and run. Secrets are covered. Templated.
    :param channel_id: the channel of all messages; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param limit: messages to mark at most, from 1; how many are left out is logged.
    :param deadline: seconds for the whole; messages that are not done by then are *unresolved* in the logged report.
    :raises ValueError: if the arguments are wrong; when the DAG is read, not when a task fails.
    """

    template_fields: Sequence[str] = (
        "messages",
        "messages_task_id",
        "messages_key",
        "error_message",
        "channel_id",
        "hubchan_conn_id",
    )

    def __init__(
        self,
        *,
        messages: Any = None,
        messages_task_id: str | None = None,
        messages_key: str = "return_value",
        status: Status = "FAILED",
        error_message: str | None = None,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        limit: int = 500,
        deadline: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        faults = []
        if (messages is None) == (messages_task_id is None):
            faults.append("give either messages or messages_task_id")
        if status not in STATUSES:
            faults.append(f"status is {status!r}, not one of {', '.join(STATUSES)}")
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            faults.append(f"limit is {limit!r}: give the number of messages to mark at most, from 1")
        if isinstance(deadline, bool) or not isinstance(deadline, int | float) or not 0 < deadline < math.inf:
            faults.append(f"deadline is {deadline!r}: give a number of seconds above 0")
        if faults:
            raise ValueError(f"Wrong arguments of MessageStatusNotifier: {'; '.join(faults)}.")
        self.messages = messages
        self.messages_task_id = messages_task_id
        self.messages_key = messages_key
        self.status = status
        self.error_message = error_message
        self.channel_id = channel_id
        self.hubchan_conn_id = hubchan_conn_id
        self.limit = limit
        self.deadline = deadline
        self._unrendered: Exception | None = None

    def __call__(self, *args: Any) -> None:
        """Notify with a copy: rendering changes a notifier for good, and the next task's call must find the templates."""
        super(MessageStatusNotifier, copy.copy(self)).__call__(*args)

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render; a template that cannot be rendered is told with the rest, instead of raised."""
        try:
            super().render_template_fields(context, jinja_env)
        except Exception as fault:
            self._unrendered = fault

    def notify(self, context: Context) -> None:
        """Mark the messages with threads, and log what became of them."""
        ends = time.monotonic() + self.deadline
        with self._telling() as tally:
            rows, hook, channel, reason = self._prepare(context, tally)
            hook.update_message_statuses(
                rows,
                channel_id=channel,
                status=self.status,
                error_message=reason,
                max_runtime=max(0.0, ends - time.monotonic()),
                report=tally.report,
            )

    async def async_notify(self, context: Context) -> None:
        """The same on an event loop. A triggerer that is restarted sends it again, which does no harm."""
        ends = time.monotonic() + self.deadline
        with self._telling() as tally:
            try:  # in a thread: XCom and connection are read by calls that block
                prepared = await asyncio.wait_for(asyncio.to_thread(self._prepare, context, tally), self.deadline)
            except (TimeoutError, asyncio.TimeoutError):
                tally.report.close(tally.rows)
            else:
                await self._mark(*prepared, tally.report, ends)

    async def _mark(self, rows: Numbered, hook: HubchanHook, channel: str, reason: str, report: Report, ends: float) -> None:
        left: dict[int, Update] = {}  # those that have no outcome yet, by row

        def story(update: Update) -> Story[None]:
            report.add((yield from deliver(hook.account, channel, update, hook.patience)))
            del left[update.row]

        tags = {"hubchan_conn_id": hook.hubchan_conn_id, "channel_id": channel}
        async with await hook.adriver() as driver:
            with observed(driver, report, time.monotonic, **tags):
                with Sheet(read(rows.pairs, status=self.status, error_message=reason, channel_id=channel)) as sheet:
                    left |= {update.row: update for update in sheet.updates()}
                    for outcome in sheet.skipped():
                        report.add(outcome)
                stories = [story(update) for update in left.values()]
                try:  # eight at a time, for others need the loop, too
                    await asyncio.wait_for(driver.run_all(stories, 8), max(0.0, ends - time.monotonic()))
                except (TimeoutError, asyncio.TimeoutError):
                    for update in left.values():
                        report.add(Outcome(update, "unresolved", given_up(OUT_OF_TIME)))

    def _prepare(self, context: Context, tally: Tally) -> tuple[Numbered, HubchanHook, str, str]:
        """Rows, hook, channel, and the reason for rows that carry none."""
        if self._unrendered:
            raise self._unrendered
        pairs = rows_of(context, self.messages, self.messages_task_id, self.messages_key)
        tally.rows, tally.left_out = min(len(pairs), self.limit), max(0, len(pairs) - self.limit)
        hook = HubchanHook(self.hubchan_conn_id, patience=Patience(longest=self.deadline))
        channel, secrets = hook.channel(self.channel_id), hook.account.secrets()
        reason = covered(str(self.error_message), secrets) if self.error_message else cause_of(context, secrets)
        return Numbered(pairs[: self.limit]), hook, channel, reason

    @contextmanager
    def _telling(self) -> Iterator[Tally]:
        """Log what became of the messages, or why nothing could be done. What Airflow itself raises to end us passes."""
        tally = Tally()
        try:
            yield tally
        except Exception as fault:
            ours = isinstance(fault, HubchanError)
            why = str(fault) if ours else f"{type(fault).__name__}: {fault}"
            self.log.error("The callback could not mark the messages: %s", covered(why), exc_info=not ours)
            if not tally.report.rows:
                return
        done = tally.report.updated + tally.report.skipped == tally.report.rows
        (self.log.info if done and not tally.left_out else self.log.warning)("%s", tally)
