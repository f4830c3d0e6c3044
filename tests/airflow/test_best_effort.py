"""Our own bookkeeping fails: the log has one line, and what became of the batch is what it would have been."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk import AssetAlias
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout
from airflow.sdk.lineage import get_hook_lineage_collector

from airflow_provider_hubchan.assets import channel_asset, emit_event
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.best_effort import best_effort
from airflow_provider_hubchan.client.error_texts import MAX_TEXT, format_error
from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.links import LINKS
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.poll_state import SNAPSHOT_KEY, PollSnapshotStore
from airflow_provider_hubchan.sensors import MessageStatusSensor
from airflow_provider_hubchan.task_state import CHECKPOINT_KEY
from tests.airflow.failing import ERRORS, Failing

EVERY_ERROR = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(["m-1", "m-2"])
    return hubspot_emulator


class Instance:
    """A task instance whose XComs cannot be written, if it has an *error*."""

    try_number, max_tries = 1, 0

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        if self.error:
            raise self.error
        self.pushed[key] = value


def execute(error: BaseException | None = None, context: dict[str, Any] | None = None, **arguments: Any) -> Any:
    operator = UpdateMessageStatusOperator(**{"task_id": "mark", "messages": ["m-1", "m-2"], "status": "READ", **arguments})
    whole: Any = {"ti": Instance(error), **(context or {})}
    return operator.execute(whole)


@EVERY_ERROR
def test_an_error_ends_its_block_and_is_one_line_of_the_log(error: Exception) -> None:
    """Whatever its text is like, or if it has none."""
    lines = list[str]()
    with best_effort(lines.append, "The counters could not be sent; the batch keeps its outcomes"):
        raise error
    (line,) = lines
    assert line.startswith(f"The counters could not be sent; the batch keeps its outcomes ({type(error).__name__}")
    assert line.endswith(").")
    assert line.isprintable()
    assert len(line) <= MAX_TEXT


def test_what_does_not_fail_is_not_logged() -> None:
    """The block runs to its end."""
    lines = list[str]()
    with best_effort(lines.append, "no"):
        lines.append("done")
    assert lines == ["done"]


@pytest.mark.parametrize("error", [AirflowTaskTimeout(), KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError()])
def test_who_ends_the_task_is_not_held_up(error: BaseException) -> None:
    """Airflow's timeout and signals are no errors of the block."""
    lines = list[str]()
    with pytest.raises(type(error)), best_effort(lines.append, "no"):
        raise error
    assert lines == []


def test_an_error_without_a_text_is_named_by_its_class() -> None:
    """Also if its text cannot be made."""
    assert [format_error(error) for error in (KeyError("row"), TimeoutError(), ERRORS["unreadable"])] == [
        "KeyError: 'row'",
        "TimeoutError",
        "Unreadable",
    ]


@EVERY_ERROR
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param({"messages": ["nobody"]}, "max_rejected allows 0", id="rejected"),
        pytest.param({"messages": [""]}, "1 of 1 row cannot be sent", id="bad row"),
    ],
)
def test_a_report_that_cannot_be_pushed_leaves_the_verdict(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], error: Exception, arguments: dict[str, Any], text: str
) -> None:
    """The task fails without a retry, for the rows and not for the XCom backend."""
    with pytest.raises(AirflowFailException, match=text):
        execute(error, **arguments)
    assert capsys.readouterr().out.count("The report could not be written to XCom; the task ends as it would have ended") == 1


@EVERY_ERROR
def test_a_sensor_whose_counts_cannot_be_pushed_is_done(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """The statuses are its result all the same."""
    HubchanHook().update_message_statuses(["m-1"], status="READ")
    sensor = MessageStatusSensor(task_id="wait", message_ids=["m-1"])
    assert sensor.execute({"ti": Instance(error)}) == {"m-1": "READ"}  # type: ignore[typeddict-item]
    assert (
        capsys.readouterr().out.count("The counts and statuses could not be written to XCom; the sensor ends as it would have")
        == 1
    )


@EVERY_ERROR
def test_asset_events_that_cannot_be_filled_leave_a_batch_green(
    hubspot: Emulator, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """For its assets and its aliases; the report is returned."""
    outlets = [channel_asset(62515, "100200"), AssetAlias("statuses")]
    report = execute(context={"outlet_events": Failing(error)}, outlets=outlets)
    assert (report["updated"], report["rows"]) == (2, 2)
    assert caplog.text.count("An asset event goes without the counters of the batch; the task ends as it would have") == 2


def test_a_task_without_asset_events_stays_green(hubspot: Emulator) -> None:
    """A context outside a run has none."""
    assert execute(outlets=[channel_asset(62515, "100200")])["updated"] == 2


def test_an_outlet_that_takes_no_counters_costs_the_others_nothing() -> None:
    """Each is filled on its own."""

    class Events(dict[Any, Any]):
        def __missing__(self, outlet: Any) -> Any:
            if outlet.uri.endswith("/7"):
                raise KeyError(outlet.uri)
            return self.setdefault(outlet, Report())

    context: Any = {"outlet_events": Events()}
    one, other = channel_asset(1, "7"), channel_asset(62515, "7%2F")
    emit_event(context, [one, other], None, "7", {"updated": 2})
    emit_event(context, [one, other], None, "7%2F", {"updated": 3})
    assert context["outlet_events"][other].extra == {"updated": 3}


@pytest.fixture
def broken_lineage(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A lineage backend of Airflow that raises the error of the test's parameter."""
    monkeypatch.setattr(type(get_hook_lineage_collector()), "add_output_asset", Failing(request.param))


@pytest.mark.parametrize("broken_lineage", ERRORS.values(), ids=ERRORS, indirect=True)
@pytest.mark.usefixtures("broken_lineage")
def test_lineage_that_cannot_be_recorded_leaves_what_was_written(hubspot: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Of a batch, and of a single call in both its forms: HubSpot has the status, and the caller the answer."""
    hook = HubchanHook()
    assert hook.update_message_statuses(["m-1", "m-2"], status="READ").updated == 2
    assert hook.update_message_status("m-1", "READ")["id"] == "m-1"
    assert asyncio.run(hook.aupdate_message_status("m-2", "READ"))["id"] == "m-2"
    assert caplog.text.count("The lineage could not be recorded; what was written to HubSpot stands") == 3


class Broken:
    """A task, or the key of its instance: nothing of what a link needs can be read."""

    @property
    def report(self) -> Any:
        raise LookupError("no report")

    map_index = report


@pytest.mark.parametrize("link", LINKS, ids=["inbox", "report"])
def test_a_link_that_cannot_be_made_is_none(link: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Airflow asks for it when the task of a derived class has ended, and for others when somebody opens the task's page."""
    assert link.get_link(Broken(), ti_key=Broken()) == ""
    assert "The address of a link could not be made; the task has no such link (LookupError: no report)." in caplog.text


def test_openlineage_gets_nothing_of_what_cannot_be_put_together(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes None for that."""
    operator = UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="READ")
    operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]
    operator.report = Failing(LookupError("no counters"))  # type: ignore[assignment]
    assert operator.get_openlineage_facets_on_complete(None) is None
    assert "OpenLineage gets nothing of this task" in capsys.readouterr().out


class Store(dict[str, Any]):
    """Airflow's task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


DAMAGED = pytest.mark.parametrize(
    "value",
    [
        "text",
        [],
        {"batch": None},
        {"max_tries": 0, "batch": {"version": 3, "done": None}},
        {"max_tries": 0, "batch": {"version": 1, "marks": None}},
        {"max_tries": 0, "batch": [], "wait": {"since": "now"}},
        {"of": None, "seen": None},
    ],
    ids=["text", "list", "null", "done null", "older version", "wait", "snapshot null"],
)


@DAMAGED
def test_a_task_whose_progress_is_damaged_starts_over(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    """It is as good as none: the rows are sent, and the finished batch leaves nothing behind."""
    store, retry = Store({CHECKPOINT_KEY: value}), Instance()
    retry.try_number = 2
    assert execute(context={"task_state_store": store, "ti": retry})["updated"] == 2
    assert capsys.readouterr().out.count("starting over") == 1
    assert store == {}


@DAMAGED
def test_a_sensor_whose_snapshot_is_damaged_asks_for_all(hubspot: Emulator, value: Any) -> None:
    """Also one that is of the right messages."""
    HubchanHook().update_message_statuses(["m-1"], status="READ")
    store = Store()
    sensor = MessageStatusSensor(task_id="wait", message_ids=["m-1", "m-2"], min_share=0.5, statuses=["READ"])
    context: Any = {"ti": Instance(), "task_state_store": store}
    store[SNAPSHOT_KEY] = value
    assert sensor.execute(context) == {"m-1": "READ", "m-2": "SENT"}
    PollSnapshotStore(context, sensor.log).save(StatusPoll(["m-1", "m-2"], Target()))
    store[SNAPSHOT_KEY] = {**store[SNAPSHOT_KEY], "seen": value}
    again = MessageStatusSensor(task_id="wait", message_ids=["m-1", "m-2"], min_share=0.5, statuses=["READ"])
    assert again.execute(context) == {"m-1": "READ", "m-2": "SENT"}


def test_one_who_is_timed_out_while_the_report_is_pushed_is_timed_out(hubspot: Emulator) -> None:
    """Airflow decides that, not our bookkeeping."""
    with pytest.raises(AirflowTaskTimeout):
        execute(AirflowTaskTimeout(), messages=["nobody"])
