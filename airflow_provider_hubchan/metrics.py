"""What a batch gives to Airflow's metrics and traces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.best_effort import best_effort
from airflow_provider_hubchan.client.error_texts import readable
from airflow_provider_hubchan.client.models import Result
from airflow_provider_hubchan.client.shared_state import shared_state
from airflow_provider_hubchan.running_task import dag_and_task
from airflow_provider_hubchan.validation import plain_text

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from airflow_provider_hubchan.client.async_driver import AsyncDriver
    from airflow_provider_hubchan.client.sync_driver import SyncDriver

log = logging.getLogger(__name__)
#: Characters of a tag's value at most.
MAX_TAG = 200
#: How many metrics that could not be sent the log names.
MAX_NAMED = 3


class Measurement(NamedTuple):
    """One try of a batch, as it is measured: what earlier tries have done is not counted again.

    :param tokens_fetched: how many access tokens this process fetched meanwhile.
    :param elapsed: seconds.
    """

    report: Report
    driver: SyncDriver | AsyncDriver
    tokens_fetched: int
    elapsed: float

    def rows(self, result: Result) -> int:
        """Rows that ended as *result* in this try."""
        count: int = getattr(self.report, result)
        return count - self.report.earlier[result]

    @property
    def quota_used(self) -> float:
        """The share of the quota, from 0 to 1, that was used on average; more than 1 for a burst shorter than the window."""
        quota = self.driver.quota
        return self.driver.counters.requests / quota.limit * quota.window / self.elapsed if self.elapsed else 0.0


class Metric(NamedTuple):
    """One line of the table in docs/metrics.md. The name is that of the span's attribute, too.

    :param kind: ``counter`` (adds up), ``gauge`` (the last batch), ``timer`` (milliseconds).
    """

    name: str
    kind: str
    meaning: str
    value: Callable[[Measurement], float]


METRICS = (
    Metric("hubchan.updates.updated", "counter", "rows that HubSpot accepted", lambda batch: batch.rows("updated")),
    Metric("hubchan.updates.skipped", "counter", "rows not sent on purpose", lambda batch: batch.rows("skipped")),
    Metric("hubchan.updates.rejected", "counter", "rows that HubSpot refused", lambda batch: batch.rows("rejected")),
    Metric("hubchan.updates.unresolved", "counter", "rows without a final answer", lambda batch: batch.rows("unresolved")),
    Metric("hubchan.requests", "counter", "requests sent, repeats included", lambda batch: batch.driver.counters.requests),
    Metric("hubchan.rate_limited", "counter", "requests answered with 429", lambda batch: batch.driver.counters.rate_limited),
    Metric("hubchan.token_refreshes", "counter", "access tokens fetched", lambda batch: batch.tokens_fetched),
    Metric(
        "hubchan.waited",
        "timer",
        "time in which no request was under way because all waited",
        lambda batch: batch.driver.waited * 1000,
    ),
    Metric("hubchan.elapsed", "timer", "from the first row to the last outcome", lambda batch: batch.elapsed * 1000),
    Metric(
        "hubchan.quota_used",
        "gauge",
        "share of the quota that was used, or of the connection's `requests_per_10s`",
        lambda batch: batch.quota_used,
    ),
)


@contextmanager
def record_batch(
    driver: SyncDriver | AsyncDriver,
    report: Report,
    clock: Callable[[], float],
    hubchan_conn_id: str,
    channel_id: str,
    context: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """A span for one try of a batch, with its counters as attributes, and the same as metrics; also if it breaks off.

    Connection, channel, and DAG and task if there are any, are the tags of both; a plain StatsD server gets names without tags.
    Whatever a metrics backend or a tracer raises is logged, and changes nothing for the batch.

    :param clock: seconds.
    :param context: as of `dag_and_task`.
    """
    tags: dict[str, object] = {"hubchan_conn_id": hubchan_conn_id, "channel_id": channel_id}
    with best_effort(log.warning, "The metrics of the batch go without DAG and task; the batch keeps its outcomes"):
        tags |= dag_and_task(context)
    texts = {name: readable(str(plain_text(value)), MAX_TAG) for name, value in tags.items()}
    tokens = shared_state(driver.account).tokens
    fetched_before, started = tokens.fetched, clock()
    with _batch_span(texts) as span:
        try:
            yield
        finally:
            _record(Measurement(report, driver, tokens.fetched - fetched_before, clock() - started), span, texts)


@contextmanager
def _batch_span(tags: Mapping[str, str]) -> Iterator[Span | None]:
    """The span of a batch, with the batch's error if there is one; None if no span could be begun."""
    span, stack = None, ExitStack()
    with best_effort(log.warning, "The span of the batch could not be begun; the batch goes on without it"):
        from opentelemetry import trace  # here: what an OpenTelemetry distribution raises while it is loaded is caught, too

        tracer = trace.get_tracer("airflow_provider_hubchan")
        span = stack.enter_context(tracer.start_as_current_span("hubchan.batch", attributes=dict(tags)))
    try:
        yield span
    except BaseException as error:
        with best_effort(log.warning, "The span of the batch could not be ended; the task fails for the batch's own reason"):
            stack.__exit__(type(error), error, error.__traceback__)
        raise
    with best_effort(log.warning, "The span of the batch could not be ended; the batch keeps its outcomes"):
        stack.close()


def _record(batch: Measurement, span: Span | None, tags: Mapping[str, str]) -> None:
    """Every metric as an attribute of the span and for the metrics backend; one that fails costs the others nothing."""
    failures = list[str]()
    for metric in METRICS:
        value = None
        with best_effort(failures.append, metric.name):
            value = metric.value(batch)
        if value is None:
            continue
        if span is not None:
            with best_effort(failures.append, metric.name):
                span.set_attribute(metric.name, value)
        with best_effort(failures.append, metric.name):
            _send(metric, value, tags)
    if failures:
        named = " ".join(dict.fromkeys(failures[:MAX_NAMED]))
        more = f" And {len(failures) - MAX_NAMED:,} more." if len(failures) > MAX_NAMED else ""
        log.warning("%s", readable(f"Metrics of the batch could not be sent; the batch keeps its outcomes: {named}{more}"))


def _send(metric: Metric, value: float, tags: Mapping[str, str]) -> None:
    from airflow.sdk.observability.stats import Stats  # here: what it raises while it is loaded is caught, too

    match metric.kind:
        case "counter" if value:
            Stats.incr(metric.name, int(value), tags=dict(tags))
        case "timer":
            Stats.timing(metric.name, value, tags=dict(tags))
        case "gauge":
            Stats.gauge(metric.name, value, tags=dict(tags))
