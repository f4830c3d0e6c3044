"""The operator: rows in, a report out, and a red task wherever a row is not where it should be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows
from airflow_provider_hubchan.client.report import BatchIncomplete, Report
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.rows import ReportFile, read_file

if TYPE_CHECKING:
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
    :param channel_id: the channel of all rows; None for the connection's. Templated.
    :param hubchan_conn_id: a connection of type ``hubchan``. Templated.
    :param max_rejected: rows that HubSpot may reject before the task fails: a count (int), or a share of all rows (float
        from 0 to 1).
    :param report_file: URI for every row that was not updated, as JSON Lines that can be fed back as *messages_file*.
        Templated.
    :param dry_run: read and order the rows, log the plan, send nothing, write nothing.
    :param concurrency: requests in flight at most, from 1.
    :return: the report's summary, see README.
    :raises AirflowFailException: if rows are bad, the connection is unusable, too many rows were rejected, or HubSpot accepts
        nothing until a person changes something: no retry.
    :raises BatchIncomplete: if rows are unresolved, or *report_file* could not be written to its end; its ``report`` is the
        whole account.
    """

    template_fields: Sequence[str] = (
        "messages",
        "messages_file",
        "status",
        "error_message",
        "channel_id",
        "hubchan_conn_id",
        "report_file",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    ui_color = "#ff9d80"

    def __init__(
        self,
        *,
        messages: Any = None,
        messages_file: str | None = None,
        status: str | None = None,
        error_message: str | None = None,
        channel_id: str | None = None,
        hubchan_conn_id: str = HubchanHook.default_conn_name,
        max_rejected: int | float = 0,
        report_file: str | None = None,
        dry_run: bool = False,
        concurrency: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.messages = messages
        self.messages_file = messages_file
        self.status = status
        self.error_message = error_message
        self.channel_id = channel_id
        self.hubchan_conn_id = hubchan_conn_id
        self.max_rejected = max_rejected
        self.report_file = report_file
        self.only_plan = dry_run  # BaseOperator has a method of the name dry_run
        self.concurrency = concurrency
        self._hook: HubchanHook | None = None
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Mark the batch; return the report, or push it and raise if the batch is incomplete."""
        self._check_arguments()
        self._hook = hook = HubchanHook(self.hubchan_conn_id)
        if self._killed:
            hook.stop()
        file = ReportFile(self.report_file) if self.report_file and not self.only_plan else None
        try:
            report = hook.update_message_statuses(
                read_file(self.messages_file) if self.messages_file else _as_data(self.messages),
                channel_id=self.channel_id,
                status=self.status,
                error_message=self.error_message,
                concurrency=self.concurrency,
                dry_run=self.only_plan,
                record=file,
            )
        except (BadInput, BadRows, BadConnection) as fault:
            raise AirflowFailException(str(fault)) from fault
        if not report.rows:
            self.log.warning("There are no rows, so nothing was sent. If that is a surprise, look at what fills this task.")
        report.report_file = self.report_file if file else None
        failure = self._judge(report, file.fault if file else None)
        if failure is None:
            return report.summary()
        if self.do_xcom_push:  # a red task has a report, too; Airflow pushes only what is returned
            context["ti"].xcom_push(key="return_value", value=report.summary())
        raise failure

    def on_kill(self) -> None:
        """End the batch: called in a signal handler, with five seconds to go."""
        self._killed = True
        if self._hook:
            self._hook.stop()

    def _check_arguments(self) -> None:
        faults = []
        if self.messages is None and self.messages_file is None:
            faults.append(
                "there are neither messages nor a messages_file. If messages is another task's output, that task returned "
                "None: for nothing to do let it return []"
            )
        elif self.messages is not None and self.messages_file is not None:
            faults.append("messages and messages_file are both given: leave one of them out")
        elif self.messages_file is not None and not str(self.messages_file).strip():
            faults.append("messages_file is empty: its template rendered to nothing")
        share = isinstance(self.max_rejected, float) and 0.0 <= self.max_rejected <= 1.0
        count = isinstance(self.max_rejected, int) and self.max_rejected >= 0
        if not share and not count:
            faults.append(f"max_rejected is {self.max_rejected!r}: give a count like 10, or a share of the rows like 0.01")
        if self.concurrency < 1:
            faults.append(f"concurrency is {self.concurrency!r}: give the number of requests in flight at most, from 1")
        if faults:
            raise AirflowFailException(f"Wrong arguments, so nothing was sent: {'; '.join(faults)}.")

    def _judge(self, report: Report, file_fault: Exception | None) -> Exception | None:
        """What to raise if the batch is incomplete. An unresolved row may be resolved by a retry, a rejected one may not."""
        share = isinstance(self.max_rejected, float)
        too_many = (report.rejected / report.rows if share and report.rows else report.rejected) > self.max_rejected
        if not report.unresolved and not too_many and not file_fault:
            return None
        why = f" {report.halt.problem}" if report.halt else f" Not updated: {report.top_reasons() or 'none'}."
        where = f" Every row that was not updated: {report.report_file}." if report.report_file else ""
        if file_fault:
            where = f" The report file {report.report_file} could not be written to its end ({file_fault}): mend that place."
        pushed = " The report is in XCom, key 'return_value'." if self.do_xcom_push else ""
        text = f"{report.counts()}.{why}{where}{pushed}"
        if report.unresolved and report.halt and report.halt.permanent:
            return AirflowFailException(text)
        if report.unresolved or file_fault:
            retry_after = report.halt.retry_after if report.halt else None
            return BatchIncomplete(f"{text} A retry sends the batch again.", report, retry_after)
        allowed = f"{self.max_rejected:.2%} of them" if share else f"{self.max_rejected:,}"
        return AirflowFailException(f"{text} HubSpot may reject {allowed} (max_rejected); mend the rows and send those again.")


def _as_data(messages: Any) -> Any:
    """A template renders to text unless the DAG renders native objects: read that text, if it is JSON."""
    if isinstance(messages, str) and messages.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(messages)
        except ValueError:
            pass  # a list in Python's spelling; the error about text says what to do
    return messages
