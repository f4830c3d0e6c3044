"""The operator: rows in, a report out, and a failed task if rows were not updated."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from airflow.sdk import BaseOperator, BaseOperatorLink, conf
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan import assets
from airflow_provider_hubchan.batch.progress_log import format_duration
from airflow_provider_hubchan.batch.report import BatchIncomplete, Report, format_max_rejected, is_within
from airflow_provider_hubchan.batch.rows import numbered, parse_json_text
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.best_effort import best_effort
from airflow_provider_hubchan.client.error_texts import MAX_TEXT, count_of, readable
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.default_retry_policy import use_retry_policy
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.links import LINKS
from airflow_provider_hubchan.report_file import ReportFile
from airflow_provider_hubchan.row_files import read_file
from airflow_provider_hubchan.task_state import MIN_DEFERRAL, TaskCheckpointStore
from airflow_provider_hubchan.templating import CheckedPartial, TemplatedArguments
from airflow_provider_hubchan.upstream_states import statuses_from_task
from airflow_provider_hubchan.validation import (
    BATCH_CHECKS,
    Check,
    WrongArguments,
    flag_check,
    path_check,
    path_text,
    seconds_check,
    store_check,
    text_check,
)

if TYPE_CHECKING:
    import os

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context, ObjectStoragePath


def _source_faults(messages: object, messages_file: object) -> list[str]:
    if messages is None and messages_file is None:
        return [
            "there are neither messages nor a messages_file. If messages is another task's output, that task returned "
            "None: for nothing to do let it return []"
        ]
    if messages is not None and messages_file is not None:
        return ["messages and messages_file are both given: leave one of them out"]
    return []


def _messages_faults(messages: object) -> list[str]:
    if messages is None:
        return []
    try:
        numbered(parse_json_text(messages))
    except BadInput as error:
        return [str(error).removesuffix(".")]
    return []


def _delivery_faults(delivery_task_id: object, status: object, statuses: object) -> list[str]:
    given = [name for name, value in (("status", status), ("statuses", statuses)) if value is not None]
    return [
        f"{name} and delivery_task_id are both given: the delivery tells the status, leave one of them out"
        for name in given
        if delivery_task_id is not None
    ]


#: Checks of where the rows come from.
SOURCE_CHECKS = (
    Check(("messages", "messages_file"), _source_faults),
    Check(("messages",), _messages_faults),
)


class UpdateMessageStatusOperator(TemplatedArguments, BaseOperator):
    """Tell HubSpot what became of a batch of outbound messages.

    Every row is tried and ends as *updated*, *skipped*, *rejected* or *unresolved*. The report goes to XCom; then the task
    fails if more rows than *max_rejected* were rejected (no retry: HubSpot would say the same again), or if any row is
    unresolved (a retry can help, and sending a status twice does no harm). Of several rows for one message only one is
    sent: READ before the others, else the last; the others are skipped.

    :param messages: ids, dicts with ``message_id``, ``status`` and ``error_message``, or a mapping of id to status; often a
        list that another task returns. A task that returns a mapping takes ``multiple_outputs=False``, else Airflow writes an
        XCom for each message. Templated.
    :param messages_file: URI of a JSON Lines or CSV file of such rows, instead of *messages*. Templated.
    :param columns: our names to theirs, where the rows have others: ``{"message_id": "client_ref", "status": "data.state"}``,
        with dots into nested objects and numbers into lists; None as a name: the rows have none of it.
    :param statuses: a gateway's words to statuses, ``{"delivered": "SENT", "queued": None}``, without regard to case; None:
        not final, the row is skipped.
    :param status: ``SENT``, ``FAILED`` or ``READ``, for rows that have none of their own. Templated.
    :param error_message: why the delivery failed, for FAILED rows that have none of their own. Templated.
    :param delivery_task_id: an upstream task whose end state is the status, see docs/delivery.md; no *status* then. Templated.
    :param channel_id: the channel of all rows; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param max_rejected: rows that may be rejected before the task fails, be it that they cannot be sent or that HubSpot
        refuses them: a count (int), or a share of all rows (float from 0 to 1).
    :param report_file: URI for every row that was not updated, as JSON Lines that can be fed back as *messages_file*.
        Templated.
    :param dry_run: read and order the rows, log the plan, send nothing, write nothing.
    :param concurrency: requests in flight at most, from 1.
    :param durable: a retry goes on where the last try ended (Airflow 3.3 and later); False: it sends the whole batch again.
    :param deferrable: wait outside the worker slot if HubSpot asks for more than *defer_after*.
    :param defer_after: seconds of the longest wait that the worker makes itself when HubSpot names a time; 0: it makes none.
    :param max_wait: seconds that HubSpot may keep the batch waiting, without a row getting on, before the task fails.
    :param max_runtime: seconds after which the batch ends in order: what is left is unresolved, and a retry goes on there.
    :param not_found_grace: seconds for which messages that HubSpot does not know yet (404) are tried again, at the end of the
        batch, before they are rejected.
    :param compare_before_write: GET each message first, and send nothing if it has that status already, or READ. Twice the
        requests.
    :return: the report's summary, see README.
    :raises WrongArguments: naming everything that is wrong with the arguments: when the DAG is read, as far as it can be known
        then, else when the task starts. In a task it is an `AirflowFailException`: no retry.
    :raises AirflowFailException: if more rows than *max_rejected* cannot be sent or were rejected, the file or the connection
        is unusable, or HubSpot accepts nothing until a person changes something: no retry.
    :raises BatchIncomplete: if rows are unresolved, or *report_file* could not be written to its end; its ``report`` has all
        outcomes.
    """

    template_fields: Sequence[str] = (
        "messages",
        "messages_file",
        "status",
        "error_message",
        "delivery_task_id",
        "channel_id",
        "hubchan_conn_id",
        "report_file",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    checks: ClassVar[tuple[Check, ...]] = (
        *BATCH_CHECKS,
        *SOURCE_CHECKS,
        path_check("messages_file"),
        path_check("report_file"),
        store_check("messages_file"),
        store_check("report_file"),
        text_check("hubchan_conn_id"),
        text_check("delivery_task_id"),
        Check(("delivery_task_id", "status", "statuses"), _delivery_faults),
        *map(flag_check, ("durable", "deferrable")),
        *map(seconds_check, ("defer_after", "max_wait")),
        seconds_check("max_runtime", optional=True),
    )
    _attributes: ClassVar[dict[str, str]] = {"dry_run": "is_dry_run"}  # BaseOperator has a method of the name dry_run
    partial = CheckedPartial()
    #: Of this class they are the plugin's, which cost no row.
    operator_extra_links: Collection[BaseOperatorLink] = ()
    ui_color = "#ff9d80"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A derived class gets the links as rows, unless it says which it has: for it Airflow does not ask the plugin."""
        super().__init_subclass__(**kwargs)
        if "operator_extra_links" not in vars(cls):
            cls.operator_extra_links = LINKS

    def __init__(
        self,
        *,
        messages: Any = None,
        messages_file: Any = None,
        columns: Mapping[str, str | None] | None = None,
        statuses: Mapping[str, str | None] | None = None,
        status: str | None = None,
        error_message: str | None = None,
        delivery_task_id: str | None = None,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        max_rejected: int | float = 0,
        report_file: str | os.PathLike[str] | ObjectStoragePath | None = None,
        dry_run: bool = False,
        concurrency: int = 16,
        durable: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        defer_after: float = 60.0,
        max_wait: float = 26 * 3600.0,
        max_runtime: float | None = None,
        not_found_grace: float = 0.0,
        compare_before_write: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        use_retry_policy(self)
        self.messages = messages
        self.messages_file = path_text(messages_file)
        self.columns = columns
        self.statuses = statuses
        self.status = status
        self.error_message = error_message
        self.delivery_task_id = delivery_task_id
        self.channel_id = channel_id
        self.hubchan_conn_id = HubchanHook.default_conn_name if hubchan_conn_id is None else hubchan_conn_id
        self.max_rejected = max_rejected
        self.report_file = path_text(report_file)
        self.is_dry_run = dry_run
        self.concurrency = concurrency
        self.durable = durable
        self.deferrable = deferrable
        self.defer_after = defer_after
        self.max_wait = max_wait
        self.max_runtime = max_runtime
        self.not_found_grace = not_found_grace
        self.compare_before_write = compare_before_write
        self._hook: HubchanHook | None = None
        self._killed = self._is_resumed = False
        #: What became of the batch, once it has begun.
        self.report: Report | None = None
        self.check_when_read(f"task {self.task_id!r}")

    def execute(self, context: Context) -> dict[str, Any]:
        """Mark the batch; return the report, or push it and raise if the batch is incomplete."""
        self._check_at_start()
        self._hook = hook = HubchanHook(self.hubchan_conn_id, retry=RetryConfig(max_retry_after=self.defer_after))
        if self._killed:
            hook.stop()
        file = None
        if self.report_file and not self.is_dry_run:
            file = ReportFile(self.report_file, source=self.messages_file, ti=context["ti"])
        durable = self.durable and not self.is_dry_run
        checkpoints = TaskCheckpointStore(context, self.log, durable=durable, is_resumed=self._is_resumed)
        self.report = report = Report(report_file=self.report_file if file else None)
        try:
            try:
                hook.run_batch(
                    self._rows(context),
                    self._options(),
                    channel_id=self.channel_id,
                    max_runtime=math.inf if self.max_runtime is None else self.max_runtime,
                    dead_letters=file,
                    checkpoints=checkpoints,
                    report=report,
                )
            finally:
                report.report_file = file.uri if file else None  # another one, if somebody else's was at its place
        except BadRows as error:
            self._push_report(context)
            raise AirflowFailException(readable(f"{error} {self._where_rows_are(report, file)}")) from error
        except (BadInput, BadConnection) as error:
            raise AirflowFailException(str(error)) from error
        except BaseException:  # Airflow's timeout, Ctrl-C: every row is accounted for all the same
            if report.rows:
                self._push_report(context)
            raise
        if not report.rows:
            self.log.warning("There are no rows, so nothing was sent. If that is a surprise, look at what fills this task.")
        if file and not file.may_replace_file:
            report.report_file = None
            self.log.warning("%s holds the rows themselves, and some are unresolved: it stays as it was.", self.report_file)
        failure = self._failure(report, file.error if file else None, checkpoints.what_next)
        if failure is None:
            with best_effort(self.log.warning, "The asset events could not be filled; the task ends as it would have ended"):
                channel = hook.resolve_channel(self.channel_id)
                assets.emit_event(context, self.outlets, hook.portal, channel, report.counters())
            return report.summary()
        self._push_report(context)
        if not isinstance(failure, AirflowFailException):
            self._defer_or_fail(report, checkpoints)
        raise failure

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait outside the worker slot, by whatever method: there is progress of this same try."""
        self._is_resumed = True
        return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after a wait outside the worker slot."""
        return self.execute(context)

    def on_kill(self) -> None:
        """End the batch: called in a signal handler, with five seconds to go."""
        self._killed = True
        if self._hook:
            self._hook.stop()

    @property
    def portal(self) -> int | None:
        """Id of the account, once HubSpot has told it: it does when a token is fetched."""
        return self._hook.portal if self._hook and self.report and self.report.rows else None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """The channel as a dataset, and the counters, for OpenLineage; None if they could not be put together."""
        with best_effort(self.log.warning, "OpenLineage gets nothing of this task; the task ends as it would have ended"):
            has_begun = self._hook and self.report and self.report.rows
            channel = self._hook.resolve_channel(self.channel_id) if self._hook and has_begun else None
            return assets.openlineage_facets(self.report, self.portal, channel)
        return None

    get_openlineage_facets_on_failure = get_openlineage_facets_on_complete

    def _check_at_start(self, checks: Sequence[Check] | None = None) -> None:
        """Check the arguments once more, with what templates and other tasks' outputs have become.

        :param checks: those to make, None for all.
        """
        self.messages_file, self.report_file = path_text(self.messages_file), path_text(self.report_file)
        if faults := self.argument_faults(checks):
            raise WrongArguments("Wrong arguments, so nothing was sent", faults)

    def _rows(self, context: Context) -> object:
        rows = read_file(self.messages_file, self.columns) if self.messages_file else parse_json_text(self.messages)
        if self.delivery_task_id is None:
            return rows
        return statuses_from_task(rows, str(self.delivery_task_id).strip(), context, self.error_message)

    def _options(self) -> BatchOptions:
        return BatchOptions(
            status=self.status,
            error_message=self.error_message,
            columns=self.columns,
            statuses=self.statuses,
            max_rejected=self.max_rejected,
            concurrency=self.concurrency,
            dry_run=self.is_dry_run,
            not_found_grace=self.not_found_grace,
            compare_before_write=self.compare_before_write,
        )

    def _failure(self, report: Report, file_error: Exception | None, what_next: str) -> Exception | None:
        """What to raise, None if the batch is complete. An unresolved row may be resolved by a retry, a rejected one may not.

        :param file_error: why the report file is not complete, None if it is.
        :param what_next: what becomes of the rows that are left.
        """
        if not report.unresolved and is_within(report.rejected, report.rows, self.max_rejected) and not file_error:
            return None
        aborted = report.aborted
        reason = f" {aborted.problem}" if aborted else f" Not updated: {report.top_reasons() or 'none'}."
        where = f" Every row that was not updated: {report.report_file}." if report.report_file else ""
        if isinstance(file_error, BadInput):
            where = f" {file_error}"
        elif file_error:
            where = f" The report file {report.report_file} could not be written to its end ({file_error}): fix that place."
        text = f"{report.counts()}.{reason}{where}" + " The report is in XCom, key 'return_value'." * self.do_xcom_push
        text = readable(text, MAX_TEXT - 200)  # more is said below
        if isinstance(file_error, BadInput) or (report.unresolved and aborted and aborted.permanent):
            return AirflowFailException(text)
        if report.unresolved or file_error:
            return BatchIncomplete(f"{text} {what_next}", report, aborted.retry_after if aborted else None)
        allowed = format_max_rejected(self.max_rejected)
        return AirflowFailException(f"{text} max_rejected allows {allowed}: fix the rows and send those again.")

    def _where_rows_are(self, report: Report, file: ReportFile | None) -> str:
        """Where the rows are that cannot be sent."""
        if self.is_dry_run:
            return "A dry run writes no report_file: without dry_run it has all of them, with their reasons."
        if file and isinstance(file.error, BadInput):
            return str(file.error)
        if file is None or file.error or not file.may_replace_file:
            return "Set report_file, another one than messages_file, to have all of them with their reasons."
        return f"All of them, with their reasons: {report.report_file}."

    def _defer_or_fail(self, report: Report, checkpoints: TaskCheckpointStore) -> None:
        """Defer if HubSpot asks for a long wait; return if the task is to fail now.

        :raises AirflowFailException: the wait is longer than *max_wait*: no retry.
        :raises TaskDeferred: by Airflow, when the task waits.
        """
        aborted = report.aborted
        if aborted is None or aborted.retry_after is None or aborted.permanent:
            return
        seconds = max(aborted.retry_after, MIN_DEFERRAL)
        done = report.rows - report.unresolved
        waited = time.time() - checkpoints.waiting_since(done, seconds, str(aborted.problem))
        text = f"{count_of(report.unresolved, 'row')} left; {aborted.wait_reason} {format_duration(seconds)}."
        if waited + seconds > self.max_wait:
            text += f" It has waited {format_duration(waited)} already." if waited > MIN_DEFERRAL else ""
            raise AirflowFailException(
                f"{text} That is longer than max_wait, {format_duration(self.max_wait)}: run the task again then."
            )
        if self.deferrable and checkpoints.is_durable:  # else the batch would begin anew each time, and never end
            from airflow.providers.standard.triggers.temporal import DateTimeTrigger  # few tasks ever wait

            self.log.info("%s Waiting outside the worker slot.", text)
            moment = pendulum.now("UTC").add(seconds=seconds)
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute_complete")
        if self.deferrable:
            self.log.warning("Not deferred: without a checkpoint (Airflow 3.3, durable=True) the batch would begin anew.")
        self.log.info("%s", text)

    def _push_report(self, context: Context) -> None:
        """A failed task has a report, too; Airflow pushes only what is returned."""
        if not self.do_xcom_push or not self.report:
            return
        with best_effort(self.log.warning, "The report could not be written to XCom; the task ends as it would have ended"):
            context["ti"].xcom_push(key="return_value", value=self.report.summary())
