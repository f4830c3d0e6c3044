"""Retries, waits and clears of the operator in real DAG runs, against the local HubSpot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_hubchan.batch.report import BatchIncomplete
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.airflow.dag_runs import Ran, mark
from tests.local_hubspot import before_midnight
from tests.versions import SINCE_3_3

pytestmark = pytest.mark.usefixtures("airflow_database")

IDS = [f"m-{number}" for number in range(50)]


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A HubSpot whose account may make 30 calls a day, two seconds before its midnight."""
    with Emulator(limit=0, daily=30) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(emulator.connection()))
        emulator.world.seed(IDS)
        with before_midnight(emulator, 2.0):
            yield emulator


def run(**arguments: Any) -> Ran:
    return mark(**{"messages": IDS, "status": "READ", **arguments})


class Instance:
    """A task instance outside a run."""

    try_number, max_tries = 1, 2

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed = value


class Store(dict[str, Any]):
    """Airflow's task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def execute(store: Store | None = None, **arguments: Any) -> Any:
    operator = UpdateMessageStatusOperator(**{"task_id": "mark", "messages": IDS, "status": "READ", **arguments})
    return operator.execute({"ti": Instance()} | ({} if store is None else {"task_state_store": store}))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_retry_goes_on_at_the_time_that_hubspot_gave(hubspot: Emulator, tmp_path: Path) -> None:
    """A second later and not after the task's own minute; nothing is sent twice, and the report is the whole batch's.

    On Airflow 3.2 it begins anew when the task says, and what was updated is sent again: to the same report.
    """
    hubspot.fault(message_id="m-30", status=503, headers={"Retry-After": "1"})
    path = tmp_path / "left.jsonl"
    own = timedelta(minutes=1 if SINCE_3_3 else 0)
    ran = run(retries=1, retry_delay=own, defer_after=0.0, report_file=str(path), messages=[*IDS, "nobody"])
    assert ran.state() == "failed"  # the row that nobody knows
    report = ran.xcom()
    assert report["rows"] == 51 == report["updated"] + report["skipped"] + report["rejected"]
    assert (report["skipped"] > 0) is SINCE_3_3
    assert {len(hubspot.ledger.patches(name, status=200)) for name in IDS} == ({1} if SINCE_3_3 else {1, 2})
    (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (line["message_id"], line["outcome"]) == ("nobody", "rejected")


@pytest.mark.slow
def test_a_task_waits_for_the_new_day_outside_its_slot(limited: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """It defers, goes on at the next row after the account's midnight, and uses up no retry. Airflow 3.2: it fails."""
    ran = run(deferrable=True, defer_after=0.0)
    assert ran.state() == ("success" if SINCE_3_3 else "failed")
    report = ran.xcom()
    assert (report["rows"], report["updated"]) == (50, 50 if SINCE_3_3 else 30)
    assert sum(len(limited.ledger.patches(name, status=200)) for name in IDS) == report["updated"]
    log = capsys.readouterr().out
    assert "20 rows left; the account's daily quota resets at 00:00 US/Eastern, in" in log
    assert ("Waiting outside the worker slot." in log) is SINCE_3_3
    assert ("Going on where an earlier try ended" in log) is SINCE_3_3


def test_without_deferring_the_error_carries_the_time(limited: Emulator) -> None:
    """The retry policy reads it."""
    with pytest.raises(BatchIncomplete) as caught:
        execute(defer_after=0.0)
    assert caught.value.retry_after is not None
    assert 5.0 < caught.value.retry_after <= 8.0
    assert caught.value.report.unresolved == 20


def test_without_a_time_zone_it_is_the_next_full_hour(limited: Emulator) -> None:
    """The daily limit may hold for that question, too."""
    limited.world.settings.daily_spares_account_info = False
    with pytest.raises(BatchIncomplete) as caught:
        execute()
    aborted = caught.value.report.aborted
    assert aborted is not None
    assert "which HubSpot does not tell now" in aborted.wait_reason


def test_a_wait_is_deferred_to_a_moment(hubspot: Emulator) -> None:
    """HubSpot's time, as a point in time: a triggerer that starts anew does not begin it anew."""
    hubspot.fault(status=477, headers={"Retry-After": "7200"}, times=100)
    with pytest.raises(TaskDeferred) as deferred:
        execute(Store(), deferrable=True)
    path, arguments = deferred.value.trigger.serialize()
    assert path.endswith("DateTimeTrigger")
    assert arguments["moment"].diff_for_humans() in ("in 1 hour", "in 2 hours", "1 hour from now", "2 hours from now")
    assert deferred.value.method_name == "execute_complete"


class Customized(UpdateMessageStatusOperator):
    """Goes on by a method of its own."""

    def execute_complete(self, context: Any, event: Any = None) -> dict[str, Any]:
        return self.execute(context)


@pytest.mark.parametrize("operator_class", [UpdateMessageStatusOperator, Customized])
def test_a_task_goes_on_after_a_wait_whatever_resumes_it(
    hubspot: Emulator, operator_class: type[UpdateMessageStatusOperator]
) -> None:
    """In the same try: what was sent before the wait is not sent again, else a long batch would never end."""
    hubspot.fault(message_id="m-30", status=477, headers={"Retry-After": "7200"})
    context: Any = {"ti": Instance(), "task_state_store": Store()}

    def operator() -> UpdateMessageStatusOperator:
        return operator_class(task_id="mark", messages=IDS, status="READ", deferrable=True, concurrency=1)

    with pytest.raises(TaskDeferred) as deferred:
        operator().execute(context)
    sent = {name: len(hubspot.ledger.patches(name, status=200)) for name in IDS}
    report = operator().resume_execution(deferred.value.method_name, deferred.value.kwargs, context)
    assert report["updated"] == 50
    assert 0 < sum(sent.values()) < 50
    assert {len(hubspot.ledger.patches(name, status=200)) for name in IDS} == {1}


def test_without_a_store_a_task_does_not_defer(hubspot: Emulator) -> None:
    """It would begin anew after each wait, and use up each day's quota with the same rows."""
    hubspot.fault(status=477, headers={"Retry-After": "7200"}, times=100)
    with pytest.raises(BatchIncomplete):
        execute(deferrable=True)


def test_a_wait_beyond_max_wait_is_not_begun(hubspot: Emulator) -> None:
    """The task fails and says how long HubSpot asks to wait."""
    hubspot.fault(status=477, headers={"Retry-After": "7200"}, times=100)
    for deferrable in (True, False):
        with pytest.raises(
            AirflowFailException,
            match=r"50 rows left; HubSpot asks to wait for 2 hours\. That is longer than max_wait, 1 hour",
        ):
            execute(deferrable=deferrable, max_wait=3600.0)


@pytest.mark.parametrize("name", ["defer_after", "max_wait", "max_runtime", "not_found_grace"])
@pytest.mark.parametrize("value", [-1, "60", True, float("nan")])
def test_seconds_are_numbers(hubspot: Emulator, name: str, value: Any) -> None:
    """All wrong arguments are named before anything is sent."""
    with pytest.raises(AirflowFailException, match=f"{name} is .*: give a number of seconds, not negative"):
        execute(**{name: value})
    assert hubspot.ledger.entries == []
