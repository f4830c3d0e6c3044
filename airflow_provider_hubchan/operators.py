"""The operator: rows in, a report out, and a red task wherever a row is not where it should be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan import assets, lineage
from airflow_provider_hubchan.arguments import TEMPLATED, bring_retry_policy, faults_of
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.links import InboxLink, ReportLink
from airflow_provider_hubchan.report_file import ReportFile
from airflow_provider_hubchan.row_files import as_data, read_file
from airflow_provider_hubchan.task_state import TaskProgress
from airflow_provider_hubchan.upstream_states import by_delivery
from airflow_provider_hubchan.verdict import failure
from airflow_provider_hubchan.waiting import wait

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context


class UpdateMessageStatusOperator(BaseOperator):
    """Tell HubSpot what became of a batch of outbound messages.

    Every row is tried and ends as *updated*, *skipped*, *rejected* or *unresolved*. The report goes to XCom; then the task
    fails if more rows than *max_rejected* were rejected (no retry: HubSpot would say the same again), or if any row is
    unresolved (a retry can help, and sending a status twice does no harm). Of several rows for one message only one is
    sent: READ before the others, else the last; the others are skipped.

    :param messages: ids, dicts with ``message_id``, ``status`` and ``error_message``, or a mapping of id to status; often the
        output of another task. Templated.
    :param messages_file: URI of a JSON Lines or CSV file of such rows, instead of *messages*. Templated.
    :param status: ``SENT``, ``FAILED`` or ``READ``, for rows that carry none of their own. Templated.
    :param error_message: why the delivery failed, for FAILED rows that carry none of their own. Templated.
    :param delivery_task_id: an upstream task whose end state is the status, see docs/delivery.md; no *status* then. Templated.
    :param channel_id: the channel of all rows; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param max_rejected: rows that HubSpot may reject before the task fails: a count (int), or a share of all rows (float
        from 0 to 1).
    :param report_file: URI for every row that was not updated, as JSON Lines that can be fed back as *messages_file*.
        Templated.
    :param dry_run: read and order the rows, log the plan, send nothing, write nothing.
    :param concurrency: requests in flight at most, from 1.
    :param resume: a retry goes on where the last try ended (Airflow 3.3 and later); False: it sends the whole batch again.
    :param deferrable: wait outside the worker slot if HubSpot asks for more than *defer_after*.
    :param defer_after: seconds of the longest wait that the worker sits out.
    :param max_wait: seconds that HubSpot may keep the batch waiting, without a row getting on, before the task fails.
    :param max_runtime: seconds after which the batch ends in order: what is left is unresolved, and a retry goes on there.
    :param not_found_grace: seconds for which messages that HubSpot does not know yet (404) are tried again, at the end of the
        batch, before they are rejected.
    :param compare_before_write: GET each message first and leave alone what is so already, or READ. Twice the requests.
    :return: the report's summary, see README.
    :raises AirflowFailException: if rows are bad, the connection is unusable, too many rows were rejected, or HubSpot accepts
        nothing until a person changes something: no retry.
    :raises BatchIncomplete: if rows are unresolved, or *report_file* could not be written to its end; its ``report`` is the
        whole account.
    """

    template_fields = TEMPLATED
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    operator_extra_links = (InboxLink(), ReportLink())
    ui_color = "#ff9d80"

    def __init__(
        self,
        *,
        messages: Any = None,
        messages_file: Any = None,
        status: str | None = None,
        error_message: str | None = None,
        delivery_task_id: str | None = None,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        max_rejected: int | float = 0,
        report_file: str | None = None,
        dry_run: bool = False,
        concurrency: int = 16,
        resume: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        defer_after: float = 60.0,
        max_wait: float = 26 * 3600.0,
        max_runtime: float | None = None,
        not_found_grace: float = 0.0,
        compare_before_write: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        bring_retry_policy(self)
        self.messages = messages
        self.messages_file = messages_file
        self.status = status
        self.error_message = error_message
        self.delivery_task_id = delivery_task_id
        self.channel_id = channel_id
        self.hubchan_conn_id = hubchan_conn_id
        self.max_rejected = max_rejected
        self.report_file = report_file
        self.only_plan = dry_run  # BaseOperator has a method of the name dry_run
        self.concurrency = concurrency
        self.resume = resume
        self.deferrable = deferrable
        self.defer_after = defer_after
        self.max_wait = max_wait
        self.max_runtime = max_runtime
        self.not_found_grace = not_found_grace
        self.compare_before_write = compare_before_write
        self._hook: HubchanHook | None = None
        self._killed = False
        #: What became of the batch, once it has begun.
        self.report: Report | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Mark the batch; return the report, or push it and raise if the batch is incomplete."""
        if faults := faults_of(self):
            raise AirflowFailException(f"Wrong arguments, so nothing was sent: {'; '.join(faults)}.")
        self._hook = hook = HubchanHook(self.hubchan_conn_id, patience=Patience(longest=self.defer_after))
        if self._killed:
            hook.stop()
        file = None
        if self.report_file and not self.only_plan:
            file = ReportFile(self.report_file, source=self.messages_file)
        progress = TaskProgress(context, self.log, resume=self.resume and not self.only_plan)
        self.report = report = Report(report_file=self.report_file if file else None)
        try:
            rows = read_file(self.messages_file) if self.messages_file else as_data(self.messages)
            rows = by_delivery(rows, self.delivery_task_id, context, self.error_message)
            hook.update_message_statuses(
                rows,
                channel_id=self.channel_id,
                status=self.status,
                error_message=self.error_message,
                concurrency=self.concurrency,
                dry_run=self.only_plan,
                max_runtime=math.inf if self.max_runtime is None else self.max_runtime,
                not_found_grace=self.not_found_grace,
                compare_before_write=self.compare_before_write,
                letters=file,
                keeper=progress,
                report=report,
            )
        except (BadInput, BadRows, BadConnection) as fault:
            raise AirflowFailException(str(fault)) from fault
        except BaseException:  # Airflow's timeout, Ctrl-C: every row is accounted for all the same
            if report.rows:
                self._push(context, report)
            raise
        if not report.rows:
            self.log.warning("There are no rows, so nothing was sent. If that is a surprise, look at what fills this task.")
        if file and not file.replaced:
            report.report_file = None
            self.log.warning("%s holds the rows themselves, and some are unresolved: it stays as it was.", self.report_file)
        broken = file.fault if file else None
        red = failure(report, self.max_rejected, file_fault=broken, pushed=self.do_xcom_push, what_next=progress.what_next)
        if red is None:
            assets.tell(context, self.outlets, hook.portal, hook.channel(self.channel_id), report.counters())
            return report.summary()
        self._push(context, report)
        wait(self, report, progress)
        raise red

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

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """The channel as a dataset, and the counters, for OpenLineage."""
        channel = self._hook.channel(self.channel_id) if self._hook and self.report and self.report.rows else None
        return lineage.facets(self.report, self.portal, channel)

    get_openlineage_facets_on_failure = get_openlineage_facets_on_complete

    def _push(self, context: Context, report: Report) -> None:
        """A red task has a report, too; Airflow pushes only what is returned."""
        if self.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=report.summary())
