"""What a report means for the task: green, red for good, or red with a retry that can help."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.batch.report import BatchIncomplete, Report


def failure(
    report: Report, max_rejected: int | float, *, file_fault: Exception | None, pushed: bool, what_next: str
) -> Exception | None:
    """What to raise, None if the batch is complete. An unresolved row may be resolved by a retry, a rejected one may not.

    :param max_rejected: a count, or a share of all rows.
    :param file_fault: why the report file is not whole, None if it is.
    :param pushed: True if the report is in XCom.
    :param what_next: what becomes of the rows that are left.
    """
    share = isinstance(max_rejected, float)
    too_many = (report.rejected / report.rows if share and report.rows else report.rejected) > max_rejected
    if not report.unresolved and not too_many and not file_fault:
        return None
    halt = report.halt
    why = f" {halt.problem}" if halt else f" Not updated: {report.top_reasons() or 'none'}."
    where = f" Every row that was not updated: {report.report_file}." if report.report_file else ""
    if file_fault:
        where = f" The report file {report.report_file} could not be written to its end ({file_fault}): mend that place."
    text = f"{report.counts()}.{why}{where}" + " The report is in XCom, key 'return_value'." * pushed
    if report.unresolved and halt and halt.permanent:
        return AirflowFailException(text)
    if report.unresolved or file_fault:
        return BatchIncomplete(f"{text} {what_next}", report, halt.retry_after if halt else None)
    allowed = f"{max_rejected:.2%} of them" if share else f"{max_rejected:,}"
    return AirflowFailException(f"{text} HubSpot may reject {allowed} (max_rejected); mend the rows and send those again.")
