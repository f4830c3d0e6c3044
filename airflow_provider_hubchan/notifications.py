"""The notifier: a callback that marks messages when a task, a DAG run or a deadline has failed them. Best effort, in bounds.

Nobody sees it fail: it never raises, it ends in time, and it logs what it did.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseNotifier
from airflow.sdk.log import redact as mask_known_secrets  # type: ignore[attr-defined]  # for Airflow's own logs, in 3.2 and 3.3

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.row_reader import read_rows
from airflow_provider_hubchan.batch.rows import NumberedRows, numbered, parse_json_text
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.actions import DEADLINE_OVER, Flow
from airflow_provider_hubchan.client.error_texts import MAX_TEXT, count_of, readable, shorten
from airflow_provider_hubchan.client.errors import BadInput, HubchanError
from airflow_provider_hubchan.client.flow import RetryConfig, deliver
from airflow_provider_hubchan.client.models import StatusName, Update
from airflow_provider_hubchan.client.time_limit import TimeIsOver, run_in_time
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.metrics import record_batch
from airflow_provider_hubchan.running_task import dag_and_task
from airflow_provider_hubchan.templating import TemplatedArguments
from airflow_provider_hubchan.validation import (
    MAX_SECONDS,
    Check,
    channel_id_check,
    error_message_faults,
    is_count,
    is_number,
    join_faults,
    plain_text,
    status_faults,
    text_check,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Characters of a failure's reason at most, and of an id in the log.
MAX_REASON, MAX_ID = 300, 60
#: Seconds after *deadline* that what is under way has to end: the driver needs one for calls that it breaks off.
GRACE = 2.0
#: Requests in flight at most on an event loop: others need it, too.
ASYNC_WORKERS = 8


def _source_faults(messages: object, messages_task_id: object) -> list[str]:
    return ["give either messages or messages_task_id"] if (messages is None) == (messages_task_id is None) else []


def _status_faults(status: object) -> list[str]:
    return status_faults("None" if status is None else status)  # it has a default


def _limit_faults(limit: object) -> list[str]:
    if is_count(limit, least=1):
        return []
    return [f"limit is {shorten(limit)}: give the number of messages to mark at most, from 1"]


def _deadline_faults(deadline: Any) -> list[str]:
    if is_number(deadline) and 0 < deadline <= MAX_SECONDS:
        return []
    return [f"deadline is {shorten(deadline)}: give a number of seconds above 0 and at most {MAX_SECONDS:,}"]


class MessageStatusNotifier(TemplatedArguments, BaseNotifier):
    """Mark messages in ``on_failure_callback``, ``on_success_callback`` or a deadline's callback. It never raises.

    Airflow does not call it for a task that is killed or marked by hand: see docs/notifier.md for the form that is reliable.

    :param messages: ids, dicts with ``message_id``, ``status`` and ``error_message``, or a mapping of id to status. Templated;
        a template ends with ``| tojson``.
    :param messages_task_id: take them from the XCom of this task instead; only where there is a task instance, so not for
        deadlines. Templated.
    :param messages_key: the key of that XCom. Templated.
    :param status: ``SENT``, ``FAILED`` or ``READ``, for messages that have none of their own.
    :param error_message: why the delivery failed, for FAILED messages that have no reason of their own; None for the
        exception's class and first line, or else for the DAG, task and run. Secrets are masked. Templated.
    :param channel_id: the channel of all messages; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param limit: messages to mark at most, from 1; how many are left out is logged.
    :param deadline: seconds for the whole; messages that are not done by then are *unresolved* in the logged report.
    :raises WrongArguments: a ValueError that names everything that is wrong with the arguments, when the DAG is read; what a
        template turns out to be when a task fails is logged.
    """

    template_fields: Sequence[str] = (
        "messages",
        "messages_task_id",
        "messages_key",
        "error_message",
        "channel_id",
        "hubchan_conn_id",
    )
    checks: ClassVar[tuple[Check, ...]] = (
        Check(("messages", "messages_task_id"), _source_faults),
        text_check("messages_task_id"),
        text_check("messages_key"),
        Check(("status",), _status_faults),
        Check(("error_message",), error_message_faults),
        channel_id_check(),
        text_check("hubchan_conn_id"),
        Check(("limit",), _limit_faults),
        Check(("deadline",), _deadline_faults),
    )

    def __init__(
        self,
        *,
        messages: Any = None,
        messages_task_id: str | None = None,
        messages_key: str = "return_value",
        status: StatusName = "FAILED",
        error_message: str | None = None,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        limit: int = 500,
        deadline: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.messages = messages
        self.messages_task_id = messages_task_id
        self.messages_key = messages_key
        self.status = status
        self.error_message = error_message
        self.channel_id = channel_id
        self.hubchan_conn_id = HubchanHook.default_conn_name if hubchan_conn_id is None else hubchan_conn_id
        self.limit = limit
        self.deadline = deadline
        self._render_error: Exception | None = None
        self.check_when_read(type(self).__name__)

    def __call__(self, *args: Any) -> None:
        """Notify with a copy: rendering changes a notifier for good, and the next task's call must find the templates."""
        super(MessageStatusNotifier, copy.copy(self)).__call__(*args)

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render; an error of a template is logged with other errors, instead of raised."""
        try:
            super().render_template_fields(context, jinja_env)
        except Exception as error:
            self._render_error = error

    def notify(self, context: Context) -> None:
        """Mark the messages with threads, and log what became of them."""
        ends = time.monotonic() + self.deadline
        with self._logged_summary() as summary:
            # In a thread of its own, because XCom, a secrets backend or a metrics client may not answer: it can be left behind.
            thread = _BackgroundCall(lambda: self._mark_in_threads(context, summary, ends))
            try:
                is_done = thread.wait(self.deadline + GRACE)
            except BaseException:  # Ctrl-C, or Airflow ends the task
                summary.stop()
                raise
            if not is_done:
                summary.stop()
                self._give_up(summary)

    async def async_notify(self, context: Context) -> None:
        """Mark the messages on an event loop, and log what became of them. A triggerer that is restarted sends them again,
        which does no harm.
        """
        ends = time.monotonic() + self.deadline
        with self._logged_summary() as summary:
            try:
                await run_in_time(self._mark_on_loop(context, summary, ends), self.deadline + GRACE)
            except TimeIsOver:
                self._give_up(summary)

    def _give_up(self, summary: CallbackSummary) -> None:
        text = (
            f"its deadline of {self.deadline:g} s was over while something did not answer that it needs beside HubSpot: "
            "XCom, the secrets backend or the metrics. Look there."
        )
        self.log.error("The callback could not mark the messages: %s", text)
        summary.has_failed = True
        summary.report.close(max(summary.rows, summary.report.rows))

    def _mark_in_threads(self, context: Context, summary: CallbackSummary, ends: float) -> None:
        rows, hook, channel, error_message = self._prepare(context, summary)
        hook.run_batch(
            rows,
            BatchOptions(status=plain_text(self.status), error_message=error_message),
            channel_id=channel,
            max_runtime=max(0.0, ends - time.monotonic()),
            report=summary.report,
            out_of_time=DEADLINE_OVER,
            context=context,
        )

    async def _mark_on_loop(self, context: Context, summary: CallbackSummary, ends: float) -> None:
        # in a thread: XCom and connection are read by calls that block
        rows, hook, channel, error_message = await asyncio.to_thread(self._prepare, context, summary)
        report = summary.report

        def mark(update: Update) -> Flow[None]:
            report.add((yield from deliver(hook.account, channel, update, hook.retry)))

        left = max(0.0, ends - time.monotonic())
        async with await hook.async_driver(max_runtime=left, out_of_time=DEADLINE_OVER) as driver:
            with record_batch(driver, report, time.monotonic, hook.hubchan_conn_id, channel, context):
                entries = read_rows(rows.pairs, status=plain_text(self.status), error_message=error_message, channel_id=channel)
                with UpdateStore(entries) as updates:
                    if bad_rows := updates.too_many_bad_rows(max_rejected=0):
                        raise bad_rows
                    flows = [mark(update) for update in updates.updates()]
                    for outcome in updates.not_sent():
                        report.add(outcome)
                await driver.run_all(flows, ASYNC_WORKERS)

    def _prepare(self, context: Context, summary: CallbackSummary) -> tuple[NumberedRows, HubchanHook, str, str]:
        """Rows, hook, channel, and the error message for FAILED rows that have none."""
        if self._render_error:
            raise self._render_error
        if faults := self.argument_faults():
            raise BadInput(f"wrong arguments: {join_faults(faults, MAX_TEXT)}.")
        pairs = self._read_messages(context)
        summary.rows, summary.left_out = min(len(pairs), self.limit), max(0, len(pairs) - self.limit)
        summary.hook = hook = HubchanHook(self.hubchan_conn_id, retry=RetryConfig(max_retry_after=self.deadline))
        channel, secrets = hook.resolve_channel(self.channel_id), hook.account.secrets()
        error_message = redact(str(self.error_message), secrets) if self.error_message else failure_reason(context, secrets)
        return NumberedRows(pairs[: self.limit]), hook, channel, error_message

    def _read_messages(self, context: Any) -> list[tuple[int, object]]:
        """The messages to mark, numbered from 1.

        :raises BadInput: if these are not rows.
        """
        messages = self.messages
        if self.messages_task_id is not None:
            ti = context.get("ti")
            if ti is None:
                raise BadInput("there is no task instance here, so messages_task_id leads nowhere: give messages instead.")
            messages = ti.xcom_pull(task_ids=self.messages_task_id, key=self.messages_key)
            if messages is None:
                raise BadInput(
                    f"task {self.messages_task_id!r} has pushed no {self.messages_key!r} in this run, so it is not known which "
                    "messages to mark."
                )
        messages = parse_json_text(messages)
        if isinstance(messages, str):
            raise BadInput(f"messages is the text {shorten(messages)}, which is no JSON: let its template end with | tojson.")
        return list(numbered(messages))

    @contextmanager
    def _logged_summary(self) -> Iterator[CallbackSummary]:
        """Log what became of the messages, or why nothing could be done. What Airflow itself raises to end us passes."""
        summary = CallbackSummary()
        try:
            yield summary
        except Exception as error:
            is_ours = isinstance(error, HubchanError)
            text = str(error) if is_ours else f"{type(error).__name__}: {error}"
            self.log.error("The callback could not mark the messages: %s", readable(redact(text)), exc_info=not is_ours)
            summary.has_failed = True
        if summary.has_failed and not summary.report.rows:
            return
        is_done = summary.report.updated + summary.report.skipped == summary.report.rows
        (self.log.info if is_done and not summary.left_out else self.log.warning)("%s", summary)


@dataclass
class CallbackSummary:
    """What became of the messages of one call.

    :param rows: messages to mark.
    :param left_out: messages beyond the limit.
    :param hook: what marks them, None as long as there is none.
    :param has_failed: True if the log says why they could not all be marked.
    """

    report: Report = field(default_factory=Report)
    rows: int = 0
    left_out: int = 0
    hook: HubchanHook | None = None
    has_failed: bool = False

    def stop(self) -> None:
        """Send nothing more."""
        if self.hook:
            self.hook.stop()

    def __str__(self) -> str:
        texts = [f"Marked by a callback: {self.report.counts()}."]
        if reasons := self.report.top_reasons():
            texts.append(f"Not updated: {reasons}.")
        for first in self.report.problems[:1]:
            message_id, reason = readable(first["message_id"], MAX_ID), readable(first["reason"], MAX_REASON)
            texts.append(f"The first is row {first['row']}, {message_id}: {reason}")
        if self.left_out:
            left_out = count_of(self.left_out, "more row")
            texts.append(f"Not sent, for the limit is {self.rows:,}: {left_out}. A task marks any number.")
        return readable(" ".join(texts))


class _BackgroundCall:
    """A call in a thread that can be left behind.

    :param function: what to call; it sees the context variables of this thread.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._error: BaseException | None = None
        self._thread = Thread(target=copy_context().run, args=(self._call, function), name="hubchan-callback", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for its end, for so many *seconds* at most.

        :return: True if it has ended.
        :raises BaseException: what the call has raised.
        """
        self._thread.join(seconds)
        if self._error:
            raise self._error
        return not self._thread.is_alive()

    def _call(self, function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # it is raised where the call is waited for
            self._error = error


def failure_reason(context: Any, secrets: Iterable[str]) -> str:
    """Class and first line of the context's exception; without one, what is known of DAG, task and run.

    The context of a task's callback is rich; that of a DAG run's or a deadline's is thin. Secrets are masked first, in the
    whole text: nobody would find half a secret after a cut.

    :param context: of the callback.
    :param secrets: to be masked beside those that Airflow's masker knows.
    :return: one line of at most 300 characters, for those who read the inbox.
    """
    exception = context.get("exception")
    text = redact(_describe_run(context) if exception is None else _describe_exception(exception), secrets).strip()
    first_line = " ".join((text.splitlines() or [""])[0].split())
    return first_line if len(first_line) <= MAX_REASON else f"{first_line[: MAX_REASON - 1]}…"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets, and without lone surrogates, which could not be sent.

    :param secrets: to be masked beside those that Airflow's masker knows.
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return str(mask_known_secrets(text)).encode(errors="replace").decode()


def _describe_exception(exception: BaseException | str) -> str:
    """Class and text of an exception."""
    if isinstance(exception, str):
        return exception
    try:
        text = str(exception).strip()
    except Exception:  # its own mistake must not hide that the delivery failed
        text = ""
    return f"{type(exception).__name__}: {text}" if text else type(exception).__name__


def _describe_run(context: Any) -> str:
    """What is known of a failure without an exception."""
    run, names = context.get("dag_run"), dag_and_task(context)
    run = run if isinstance(run, dict) else {}
    facts = {
        "DAG": names.get("dag_id"),
        "task": names.get("task_id"),
        "run": context.get("run_id") or getattr(context.get("ti"), "run_id", None) or run.get("dag_run_id"),
        "reason": context.get("reason"),
    }
    described = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    failure = "Not delivered before the deadline" if "deadline" in context else "Not delivered"
    return f"{failure}: {described}" if described else failure
