"""Metrics as a StatsD server receives them, and spans as OpenTelemetry exports them."""

from __future__ import annotations

import gc
import inspect
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability.stats import Stats
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.client.models import Account, Quota
from airflow_provider_hubchan.client.request_counters import RequestCounters
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.metrics import METRICS, record_batch
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.airflow.callback_runs import BOTH, Call
from tests.airflow.failing import ERRORS, Failing, Unreadable
from tests.batch.in_memory import MemoryStore
from tests.paths import DOCS

PAGE = DOCS / "metrics.md"
NEVER_CLOSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SPANS = InMemorySpanExporter()
#: The tags of a batch outside of a task.
TAGS = {"hubchan_conn_id", "channel_id"}


class Listener:
    """A StatsD server: a UDP socket."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.5)
        self.port: int = self._socket.getsockname()[1]

    def received(self) -> list[tuple[str, float, str]]:
        """Name, value and kind of everything that has come; what was sent to loopback is there."""
        lines = []
        try:
            while True:
                for line in self._socket.recv(65_536).decode().splitlines():
                    name, value, kind = re.fullmatch(r"airflow\.(.+):([-+.\de]+)\|(\w+)", line).groups()  # type: ignore[union-attr]
                    lines.append((name, float(value), kind))
        except TimeoutError:
            return lines

    def close(self) -> None:
        self._socket.close()


def begin_metrics() -> None:
    """As a worker does, by what the environment says."""
    make: Any = stats_utils.get_stats_factory
    if "export_legacy_names" in inspect.signature(Stats.initialize).parameters:
        Stats.initialize(factory=make(), export_legacy_names=False)
    else:  # Airflow 3.2
        initialize: Any = Stats.initialize
        initialize(factory=make(Stats))


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """What a worker does when it starts, with a server on loopback; and its contrary."""
    listener = Listener()
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listener.port))
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    begin_metrics()
    yield listener
    monkeypatch.undo()
    begin_metrics()
    listener.close()
    gc.collect()  # Airflow never closes the socket of its StatsD client; its warning belongs to this test


@pytest.fixture(scope="session")
def tracing() -> InMemorySpanExporter:
    """OpenTelemetry knows one provider for each process."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(SPANS))
    trace.set_tracer_provider(provider)
    return SPANS


#: After a 429 an account waits for one window.
SHORT_WINDOW = pytest.mark.hubspot_emulator(window=0.2)


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(20))
    return hubspot_emulator


def rows(number: int) -> list[dict[str, Any]]:
    """So many rows, the first two of which cannot be updated: one is superseded, one is unknown."""
    return [{"message_id": each} for each in ("m-5", "nobody", *(f"m-{number}" for number in range(number - 2)))]


@SHORT_WINDOW
@NEVER_CLOSED
def test_a_batch_is_counted(hubspot: Emulator, statsd: Listener) -> None:
    """Every metric of the table arrives, with its kind and the report's number."""
    hubspot.fault(message_id="m-3", status=429, body={"policyName": "SECONDLY"}, headers={"Retry-After": "0"})
    report = HubchanHook().update_message_statuses(rows(12), status="READ")
    received = {name: (value, kind) for name, value, kind in statsd.received() if name.startswith("hubchan.")}
    assert (report.updated, report.skipped, report.rejected) == (10, 1, 1)
    assert received.pop("hubchan.updates.updated") == (10, "c")
    assert received.pop("hubchan.updates.skipped") == (1, "c")
    assert received.pop("hubchan.updates.rejected") == (1, "c")
    assert received.pop("hubchan.requests") == (12, "c")
    assert received.pop("hubchan.rate_limited") == (1, "c")
    assert received.pop("hubchan.token_refreshes") == (1, "c")
    assert 0 < received["hubchan.elapsed"][0] < 60_000
    assert {name: kind for name, (_, kind) in received.items()} == {
        "hubchan.waited": "ms",
        "hubchan.elapsed": "ms",
        "hubchan.quota_used": "g",
    }


@NEVER_CLOSED
def test_a_retry_counts_what_it_did_itself(hubspot: Emulator, statsd: Listener) -> None:
    """Over both tries each row that HubSpot accepted is counted once, and each request."""
    checkpoints = MemoryStore()
    hubspot.fault(message_id="m-9", status=503, headers={"Retry-After": "3600"})
    for _ in range(2):
        report = HubchanHook().run_batch(rows(12), BatchOptions(status="READ"), checkpoints=checkpoints)
    sums: Counter[str] = Counter()
    for name, value, kind in statsd.received():
        sums[name] += int(value) if kind == "c" else 0
    assert (report.updated + report.skipped, report.rejected, report.requests) == (11, 1, 12)
    assert (sums["hubchan.updates.updated"], sums["hubchan.updates.rejected"]) == (10, 1)
    assert sums["hubchan.requests"] == len(hubspot.ledger.patches()) == 12


def test_a_batch_is_a_span(hubspot: Emulator, tracing: InMemorySpanExporter) -> None:
    """With the counters as attributes, and the tags."""
    tracing.clear()
    HubchanHook().update_message_statuses(rows(12), status="READ")
    (span,) = batches(tracing)
    attributes = dict(span.attributes or {})
    assert set(attributes) == {metric.name for metric in METRICS} | TAGS
    assert (attributes["hubchan.updates.updated"], attributes["hubchan.updates.unresolved"]) == (10, 0)
    assert (attributes["hubchan_conn_id"], attributes["channel_id"]) == ("hubchan_default", "100200")
    assert span.status.is_ok or span.status.status_code is trace.StatusCode.UNSET


def test_a_batch_that_breaks_off_is_a_span_with_the_reason(hubspot: Emulator, tracing: InMemorySpanExporter) -> None:
    """Bad rows end it before anything is sent."""
    tracing.clear()
    with pytest.raises(ValueError, match="message_id"):
        HubchanHook().update_message_statuses([{"message_id": ""}], status="READ")
    (span,) = batches(tracing)
    assert span.status.status_code is trace.StatusCode.ERROR
    assert dict(span.attributes or {})["hubchan.requests"] == 0


@BOTH
@SHORT_WINDOW
@NEVER_CLOSED
def test_a_callback_records_what_a_batch_records(
    hubspot: Emulator, statsd: Listener, tracing: InMemorySpanExporter, call: Call
) -> None:
    """In the worker and in the triggerer: the same metrics, and the same span."""
    tracing.clear()
    hubspot.fault(message_id="m-3", status=429, body={"policyName": "SECONDLY"}, headers={"Retry-After": "0"})
    call({}, messages=["m-1", "m-3", "m-1", "nobody"], status="READ")
    (span,) = batches(tracing)
    attributes = dict(span.attributes or {})
    received = {name: value for name, value, _ in statsd.received() if name.startswith("hubchan.")}
    assert set(attributes) == {metric.name for metric in METRICS} | TAGS
    assert (attributes["hubchan_conn_id"], attributes["channel_id"]) == ("hubchan_default", "100200")
    for name, value in {
        "hubchan.updates.updated": 2,
        "hubchan.updates.skipped": 1,
        "hubchan.updates.rejected": 1,
        "hubchan.requests": 4,
        "hubchan.rate_limited": 1,
        "hubchan.token_refreshes": 1,
    }.items():
        assert (attributes[name], received[name]) == (value, value), name
    assert received["hubchan.quota_used"] > 0
    assert span.status.status_code is trace.StatusCode.UNSET


@pytest.mark.slow
@BOTH
def test_a_callback_that_waits_and_runs_out_of_time_records_it(
    hubspot: Emulator, tracing: InMemorySpanExporter, call: Call
) -> None:
    """What is left at its deadline is counted in the span, which is no error; and waiting is counted."""
    tracing.clear()
    hubspot.fault(
        status=503, headers={"Retry-After": "2"}, times=100
    )  # so at the deadline everybody waits, and no request is under way
    call({}, messages=["m-1", "m-2"], deadline=3.0)
    (span,) = batches(tracing)
    attributes: Any = dict(span.attributes or {})
    assert (attributes["hubchan.updates.updated"], attributes["hubchan.updates.unresolved"]) == (0, 2)
    assert attributes["hubchan.requests"] == len(hubspot.ledger.patches()) >= 2
    assert attributes["hubchan.waited"] > 0
    assert span.status.status_code is trace.StatusCode.UNSET


def batches(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of batches."""
    return [span for span in spans.get_finished_spans() if span.name == "hubchan.batch"]


def test_the_documented_table_is_that_of_the_code() -> None:
    """Name, kind and meaning, line by line."""
    table = re.findall(r"^\| `(hubchan\.[\w.]+)` \| (\w+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert table == [(metric.name, metric.kind, metric.meaning) for metric in METRICS]


def begin_metrics_with(make: Any) -> None:
    """A metrics backend of Airflow's.

    :param make: makes it, when the first metric is sent.
    """
    initialize: Any = Stats.initialize
    if "export_legacy_names" in inspect.signature(initialize).parameters:
        initialize(factory=make, export_legacy_names=False)
    else:  # Airflow 3.2
        initialize(factory=make)


class BrokenSpan:
    """A span, and its context manager, that raise an error at one of their methods."""

    def __init__(self, error: Exception, method: str) -> None:
        self._error, self._method = error, method

    def __enter__(self) -> Any:
        return self._do("begin", self)

    def __exit__(self, *_: object) -> Any:
        return self._do("end", True)  # a tracer may not hold up a batch's error, either

    def set_attribute(self, *_: object) -> None:
        self._do("attribute", None)

    def _do(self, method: str, result: Any) -> Any:
        if method == self._method:
            raise self._error
        return result


def broken_tracing(error: Exception, method: str) -> Any:
    """A tracer provider whose tracer, or span, raises an error."""
    span = Failing(error) if method == "start" else lambda *_, **__: BrokenSpan(error, method)
    tracer = SimpleNamespace(start_as_current_span=span)
    return SimpleNamespace(get_tracer=Failing(error) if method == "tracer" else lambda *_: tracer)


@pytest.fixture(params=["backend", "factory"])
def broken_metrics(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Sets up a metrics backend that raises an error at every call, or cannot even be made."""
    make = {"backend": lambda error: lambda: Failing(error), "factory": Failing}[request.param]
    yield lambda error: begin_metrics_with(make(error))
    begin_metrics()


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_metrics_backend_that_fails_leaves_the_batch(
    hubspot: Emulator, broken_metrics: Any, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Every row has its outcome, and the log has one line for all metrics."""
    broken_metrics(error)
    report = HubchanHook().update_message_statuses(rows(12), status="READ")
    assert (report.updated, report.skipped, report.rejected) == (10, 1, 1)
    assert caplog.text.count("Metrics of the batch could not be sent; the batch keeps its outcomes") == 1
    assert all(len(record.getMessage()) <= 1500 and record.getMessage().isprintable() for record in caplog.records)


def test_a_metrics_backend_that_fails_leaves_the_reason_of_a_batch(hubspot: Emulator, broken_metrics: Any) -> None:
    """What is raised is why the batch broke off."""
    broken_metrics(ConnectionError("the metrics server is away"))
    with pytest.raises(ValueError, match="message_id"):
        HubchanHook().update_message_statuses([{"message_id": ""}], status="READ")


@pytest.mark.slow
@BOTH
def test_a_metrics_backend_that_fails_leaves_a_callback(
    hubspot: Emulator, broken_metrics: Any, capsys: pytest.CaptureFixture[str], call: Call
) -> None:
    """In the worker and in the triggerer: its messages are marked."""
    broken_metrics(ConnectionError("the metrics server is away"))
    call({}, messages=["m-1", "m-2"], status="READ")
    assert "2 updated, 0 skipped, 0 rejected, 0 unresolved" in capsys.readouterr().out


class Sent(dict[str, float]):
    """A metrics backend that keeps what it is sent, and the tags of the last of each."""

    def __init__(self) -> None:
        self.tags: dict[str, Any] = {}

    def incr(self, name: str, count: int = 1, rate: float = 1, *, tags: Any = None) -> None:
        self[name], self.tags[name] = count, tags

    def timing(self, name: str, value: Any, rate: float = 1, *, tags: Any = None, **other: Any) -> None:
        self[name], self.tags[name] = value, tags

    gauge = timing


@pytest.fixture
def sent() -> Iterator[Sent]:
    """What is sent to Airflow's metrics."""
    backend = Sent()
    begin_metrics_with(lambda: backend)
    yield backend
    begin_metrics()


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_metrics_and_spans_name_the_dag_and_the_task(hubspot: Emulator, sent: Sent, tracing: InMemorySpanExporter) -> None:
    """As Airflow's own metrics do: of the operator, of a task that calls hook or notifier, of the task whose callback it is."""
    notifier = MessageStatusNotifier(messages=["m-1"])

    @task
    def by_hook() -> None:
        HubchanHook().update_message_statuses(["m-2"], status="READ")

    @task
    def by_notifier() -> None:
        notifier({})

    @task(on_failure_callback=notifier)
    def deliver() -> None:
        raise AirflowException("the gateway is away")

    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator(task_id="mark", messages=["m-3"], status="READ")
        by_hook(), by_notifier(), deliver()
    dag.test()  # the first run in a process sets up Airflow's metrics, on 3.2
    begin_metrics_with(lambda: sent)
    tracing.clear()
    dag.test()
    seen = [(span.attributes or {}) for span in batches(tracing)]
    assert {each["dag_id"] for each in seen} == {"batch"}
    assert sorted(str(each["task_id"]) for each in seen) == ["by_hook", "by_notifier", "deliver", "mark"]
    assert sent.tags["hubchan.requests"] == dict(seen[-1].items() & sent.tags["hubchan.requests"].items())
    assert set(sent.tags["hubchan.requests"]) == TAGS | {"dag_id", "task_id"}


@pytest.mark.parametrize(
    ("context", "names"),
    [
        pytest.param(
            {"ti": SimpleNamespace(dag_id="send", task_id="deliver")}, {"dag_id": "send", "task_id": "deliver"}, id="task"
        ),
        pytest.param(
            {"ti": SimpleNamespace(dag_id="send", task_id="any"), "reason": "task_failure"}, {"dag_id": "send"}, id="DAG run"
        ),
        pytest.param(
            {"dag": DAG("send", schedule=None), "reason": "timed_out"}, {"dag_id": "send"}, id="DAG run without a task"
        ),
        pytest.param({"dag_run": {"dag_id": "send"}, "deadline": {"id": "d-1"}}, {"dag_id": "send"}, id="deadline"),
        pytest.param({}, {}, id="nothing"),
        pytest.param(None, {}, id="no task"),
    ],
)
def test_the_tags_of_a_callback_are_those_of_its_context(sent: Sent, context: Any, names: dict[str, str]) -> None:
    """What is not known is left out: a DAG run's callback has the context of any of its tasks."""
    with measured(Report(updated=1), context=context):
        pass
    assert sent.tags["hubchan.updates.updated"] == {"hubchan_conn_id": "hubspot", "channel_id": "1", **names}


def test_a_context_that_cannot_be_read_costs_the_tags_alone(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the batch is counted all the same."""
    with measured(Report(updated=1), context=object()):
        pass
    assert set(sent.tags["hubchan.updates.updated"]) == TAGS
    assert "The metrics of the batch go without DAG and task" in caplog.text


@pytest.mark.parametrize("method", ["tracer", "start", "begin", "attribute", "end"])
@pytest.mark.parametrize(
    "reason", [None, BatchIncomplete("3 rows left", Report()), KeyboardInterrupt()], ids=["green", "red", "killed"]
)
def test_a_tracer_that_fails_leaves_the_batch(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    sent: Sent,
    method: str,
    reason: BaseException | None,
) -> None:
    """And what ends the batch is what its caller gets; the metrics are sent."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", broken_tracing(Unreadable(), method))
    with pytest.raises(type(reason)) if reason else nullcontext() as raised, measured(Report(updated=1)):
        if reason:
            raise reason
    assert raised is None or raised.value is reason
    assert re.search(r"The span of the batch could not be|Metrics of the batch could not be sent", caplog.text)
    assert sent["hubchan.updates.updated"] == 1


def measured(report: Report, limit: int = 100, conn_id: Any = "hubspot", context: Any = None) -> Any:
    """The measurement of a batch without a driver of its own."""
    account = Account(access_token="ready", channel_id="1")
    driver: Any = SimpleNamespace(account=account, counters=RequestCounters(), quota=Quota(limit, 10.0), waited=0.0)
    times = iter((0.0, 5.0))
    return record_batch(driver, report, lambda: next(times), conn_id, "1", context)


def test_a_metric_that_cannot_be_computed_costs_the_others_nothing(
    sent: Sent, tracing: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """A quota of no requests has no share that could be used."""
    tracing.clear()
    with measured(Report(updated=2, skipped=1), limit=0):
        pass
    assert sent == {"hubchan.updates.updated": 2, "hubchan.updates.skipped": 1, "hubchan.waited": 0, "hubchan.elapsed": 5000}
    (span,) = batches(tracing)
    assert set(span.attributes or {}) == {metric.name for metric in METRICS} - {"hubchan.quota_used"} | TAGS
    assert "hubchan.quota_used (ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "value",
    ["a" * 10_000, "two\nlines", "half \ud83d", "a,b=c|#d:e", "", None, 7, b"bytes"],
    ids=["long", "lines", "half a character", "separators", "empty", "none", "number", "bytes"],
)
def test_a_tag_may_be_anything(sent: Sent, tracing: InMemorySpanExporter, value: Any) -> None:
    """What names a connection is the user's: a tag is a short text on one line."""
    tracing.clear()
    with measured(Report(updated=1), conn_id=value):
        pass
    (span,) = batches(tracing)
    tag = (span.attributes or {})["hubchan_conn_id"]
    assert isinstance(tag, str)
    assert len(tag) <= 200
    assert "\n" not in tag
    assert tag.encode()[:1] == str(value).encode(errors="replace")[:1]
    assert sent["hubchan.updates.updated"] == 1
