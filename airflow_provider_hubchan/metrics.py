"""What a batch gives to Airflow's metrics and traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from airflow.sdk.observability.stats import Stats
from opentelemetry import trace

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.models import Result
from airflow_provider_hubchan.client.shared_state import shared_state

if TYPE_CHECKING:
    from airflow_provider_hubchan.client.async_driver import AsyncDriver
    from airflow_provider_hubchan.client.sync_driver import SyncDriver


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
    Metric("hubchan.waited", "timer", "waiting of a worker, the mean of all workers", lambda batch: batch.driver.waited * 1000),
    Metric("hubchan.elapsed", "timer", "from the first row to the last outcome", lambda batch: batch.elapsed * 1000),
    Metric(
        "hubchan.quota_used",
        "gauge",
        "share of the quota that was used, or of the connection's `requests_per_10s`",
        lambda batch: batch.quota_used,
    ),
)


@contextmanager
def record_batch(driver: SyncDriver | AsyncDriver, report: Report, clock: Callable[[], float], **tags: str) -> Iterator[None]:
    """A span for one try of a batch, with its counters as attributes, and the same as metrics; also if it breaks off.

    :param clock: seconds.
    :param tags: of both; a plain StatsD server gets names without tags.
    """
    tokens = shared_state(driver.account).tokens
    fetched_before, started = tokens.fetched, clock()
    with trace.get_tracer("airflow_provider_hubchan").start_as_current_span("hubchan.batch", attributes=dict(tags)) as span:
        try:
            yield
        finally:
            batch = Measurement(report, driver, tokens.fetched - fetched_before, clock() - started)
            for metric in METRICS:
                value = metric.value(batch)
                span.set_attribute(metric.name, value)
                match metric.kind:
                    case "counter" if value:
                        Stats.incr(metric.name, int(value), tags=tags)
                    case "timer":
                        Stats.timing(metric.name, value, tags=tags)
                    case "gauge":
                        Stats.gauge(metric.name, value, tags=tags)
