"""What a small task costs Airflow: calls to its API server and rows of its database, beside a task that does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.api_calls import ApiCalls, xcom_rows

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_database")]

MESSAGES = [f"m-{number}" for number in range(20)]
#: The calls of a small task beyond those of an empty one.
REPORT, CONNECTION = "POST xcoms/return_value", "GET connections/hubchan_default"
#: What every task costs.
OF_AIRFLOW = ["PATCH task-instances/run", "PUT task-instances/rtif", "PATCH task-instances/state"]


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(MESSAGES)
    return hubspot_emulator


@pytest.fixture
def stored_connection(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection in Airflow's database instead of the environment."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    monkeypatch.delenv("AIRFLOW_CONN_HUBCHAN_DEFAULT")
    fields = hubspot.connection()
    with create_session() as session:
        session.add(Connection(conn_id="hubchan_default", **fields | {"extra": json.dumps(fields["extra"])}))
    yield
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == "hubchan_default"))


def empty() -> BaseOperator:
    return PythonOperator(task_id="empty", python_callable=lambda: None)


def mark(**arguments: Any) -> BaseOperator:
    """A task that retries would help, as most are: what it keeps for them is to cost nothing, either."""
    return UpdateMessageStatusOperator(task_id="mark", messages=MESSAGES, status="READ", retries=2, **arguments)


def run(make: Any) -> tuple[ApiCalls, list[str]]:
    """Run a DAG of one task: its calls, and the keys of its rows of XComs."""
    with DAG("batch", schedule=None) as dag:
        make()
    with ApiCalls() as calls:
        ran = dag.test()
    assert str(ran.state) == "success"
    return calls, xcom_rows(ran.run_id)


def test_a_small_green_task_costs_airflow_one_call_and_one_row(hubspot: Emulator) -> None:
    """Both are its report. Nothing is read of an earlier try, and nothing kept for a later one; links cost nothing."""
    nothing, no_rows = run(empty)
    small, rows = run(mark)
    assert (nothing.calls, no_rows) == (OF_AIRFLOW, [])
    assert small.beyond(nothing) == [REPORT]
    assert rows == ["return_value"]


@pytest.mark.usefixtures("stored_connection")
def test_a_connection_of_airflows_own_is_read_once(hubspot: Emulator) -> None:
    """That is the second call, and the last."""
    nothing, _ = run(empty)
    small, _ = run(mark)
    assert small.beyond(nothing) == [CONNECTION, REPORT]


def test_a_task_that_pushes_no_report_costs_what_an_empty_one_does(hubspot: Emulator) -> None:
    """With ``do_xcom_push=False``."""
    nothing, _ = run(empty)
    small, rows = run(lambda: mark(do_xcom_push=False))
    assert (small.beyond(nothing), rows) == ([], [])


def test_links_cost_no_call_and_no_row(hubspot: Emulator) -> None:
    """Whatever else is kept: without progress, the report is all."""
    small, rows = run(lambda: mark(durable=False))
    assert [call for call in small.calls if call not in OF_AIRFLOW] == [REPORT]
    assert rows == ["return_value"]
