"""What a batch tells Airflow's metrics and traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from airflow.sdk.observability.stats import Stats
from opentelemetry import trace

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.shared_state import shared

if TYPE_CHECKING:
    from airflow_provider_hubchan.client import async_driver, sync_driver


class Run(NamedTuple):
    """One run of a batch: what earlier tries have done is not told again.

    :param tokens: how many access tokens this process fetched meanwhile.
    :param elapsed: seconds.
    """

    report: Report
    driver: sync_driver.Driver | async_driver.Driver
    tokens: int
    elapsed: float

    def settled(self, outcome: str) -> int:
        """Rows that ended so, in this run."""
        ended: int = getattr(self.report, outcome)
        return ended - self.report.earlier[outcome]

    @property
    def quota_used(self) -> float:
        """The share of the quota, from 0 to 1, that was used on average; more than 1 for a burst shorter than the window."""
        quota = self.driver.quota
        return self.driver.counts.requests / quota.limit * quota.window / self.elapsed if self.elapsed else 0.0


class Metric(NamedTuple):
    """One line of the table in docs/metrics.md. The name is that of the span's attribute, too.

    :param kind: ``counter`` (adds up), ``gauge`` (the last batch), ``timer`` (milliseconds).
    """

    name: str
    kind: str
    meaning: str
    value: Callable[[Run], float]


METRICS = (
    Metric("hubchan.updates.updated", "counter", "rows that HubSpot accepted", lambda run: run.settled("updated")),
    Metric("hubchan.updates.skipped", "counter", "rows not sent on purpose", lambda run: run.settled("skipped")),
    Metric("hubchan.updates.rejected", "counter", "rows that HubSpot refused", lambda run: run.settled("rejected")),
    Metric("hubchan.updates.unresolved", "counter", "rows without a final answer", lambda run: run.settled("unresolved")),
    Metric("hubchan.requests", "counter", "requests sent, repeats included", lambda run: run.driver.counts.requests),
    Metric("hubchan.rate_limited", "counter", "requests answered with 429", lambda run: run.driver.counts.rate_limited),
    Metric("hubchan.token_refreshes", "counter", "access tokens fetched", lambda run: run.tokens),
    Metric("hubchan.waited", "timer", "waiting of a worker, the mean of all workers", lambda run: run.driver.waited * 1000),
    Metric("hubchan.elapsed", "timer", "from the first row to the last outcome", lambda run: run.elapsed * 1000),
    Metric(
        "hubchan.quota_used",
        "gauge",
        "share of the quota that was used, or of the connection's `requests_per_10s`",
        lambda run: run.quota_used,
    ),
)


@contextmanager
def observed(
    driver: sync_driver.Driver | async_driver.Driver, report: Report, clock: Callable[[], float], **tags: str
) -> Iterator[None]:
    """A span for one run of a batch, with its counters as attributes, and the same as metrics; also if it breaks off.

    :param clock: seconds.
    :param tags: of both; a plain StatsD server gets names without tags.
    """
    bearer = shared(driver.account).bearer
    fetched, began = bearer.fetched, clock()
    with trace.get_tracer("airflow_provider_hubchan").start_as_current_span("hubchan.batch", attributes=dict(tags)) as span:
        try:
            yield
        finally:
            run = Run(report, driver, bearer.fetched - fetched, clock() - began)
            for metric in METRICS:
                value = metric.value(run)
                span.set_attribute(metric.name, value)
                match metric.kind:
                    case "counter" if value:
                        Stats.incr(metric.name, int(value), tags=tags)
                    case "timer":
                        Stats.timing(metric.name, value, tags=tags)
                    case "gauge":
                        Stats.gauge(metric.name, value, tags=tags)
