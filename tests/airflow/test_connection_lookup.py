"""A connection id that Airflow does not find: nobody has defined it, or who could tell does not answer."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import configuration
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, ErrorType, TaskDeferralError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.secrets import BaseSecretsBackend

from airflow_provider_hubchan.client.errors import BadConnection, UnknownConnection
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.airflow.dag_runs import mark
from tests.airflow.sensor_runs import SensorTask, first_event, run_hurried
from tests.airflow.trigger_runs import trigger

UNKNOWN = (
    "Connection 'nope' is not defined: define it under Admin > Connections, as AIRFLOW_CONN_NOPE or in your secrets backend, "
    "or give the id of another one as hubchan_conn_id."
)


class SilentBackend(BaseSecretsBackend):
    """A secrets backend that has no connection."""

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Any:
        return None


class AwayBackend(BaseSecretsBackend):
    """A secrets backend that does not answer."""

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Any:
        raise ConnectionError("no route to host")


class ApiServer:
    """What a task's supervisor answers to questions for connections.

    :param error: of each answer.
    """

    def __init__(self, error: ErrorType) -> None:
        self.error = error

    def send(self, message: Any) -> ErrorResponse:
        return ErrorResponse(error=self.error)


@pytest.fixture
def use_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type], None]]:
    """Configure a secrets backend; Airflow 3.3 keeps the one it has built."""
    clear = getattr(configuration, "clear_secrets_backends_cache", lambda: None)

    def use(backend: type) -> None:
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{backend.__module__}.{backend.__qualname__}")
        clear()

    yield use
    monkeypatch.delenv("AIRFLOW__SECRETS__BACKEND", raising=False)
    clear()


def read(conn_id: str = "nope") -> Any:
    return HubchanHook(conn_id).account


def test_an_id_that_nothing_defines_is_named() -> None:
    """With where to define it; as every other fault of a connection it is a BadConnection, and a ValueError."""
    with pytest.raises(UnknownConnection) as caught:
        read()
    assert (str(caught.value), caught.value.conn_id) == (UNKNOWN, "nope")
    assert isinstance(caught.value, BadConnection)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.conn_id) == (UNKNOWN, "nope")


def test_a_secrets_backend_that_does_not_know_it_either_is_a_proof(use_backend: Callable[[type], None]) -> None:
    """Everybody was asked."""
    use_backend(SilentBackend)
    with pytest.raises(UnknownConnection):
        read()


def test_a_secrets_backend_that_is_away_proves_nothing(use_backend: Callable[[type], None]) -> None:
    """It may have the connection: Airflow's own error stays, and a task's retries apply."""
    use_backend(AwayBackend)
    with pytest.raises(AirflowNotFoundException):
        read()
    with pytest.raises(AirflowNotFoundException):
        UpdateMessageStatusOperator(task_id="mark", messages=["m"], status="READ", hubchan_conn_id="nope").execute(
            SensorTask("poke").context
        )
    with pytest.raises(AirflowNotFoundException):
        SensorTask("poke", hubchan_conn_id="nope").run()


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ErrorType.CONNECTION_NOT_FOUND, UnknownConnection), (ErrorType.API_SERVER_ERROR, AirflowNotFoundException)],
    ids=["unknown", "away"],
)
def test_an_api_server_that_is_away_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, error: ErrorType, raised: type[Exception]
) -> None:
    """Airflow's own answer is the same in both cases."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", ApiServer(error), raising=False)
    with pytest.raises(raised):
        read()


@pytest.mark.parametrize("text", ["{no JSON", "hubchan://a:h1dden@h:99999999/", '{"conn_type": "hubchan", "port": "h1dden"}'])
def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Airflow says that it is not defined; no secret is shown."""
    monkeypatch.setenv("AIRFLOW_CONN_NOPE", text)
    with pytest.raises(BadConnection, match="Connection 'nope' cannot be used: it cannot be read: write a URI") as caught:
        read()
    assert "AIRFLOW_CONN_NOPE" in str(caught.value)
    assert "h1dden" not in str(caught.value)


@pytest.mark.usefixtures("airflow_database")
def test_a_task_with_an_unknown_id_is_not_retried() -> None:
    """Nothing changes until a person acts."""
    ran = mark(messages=["m-1"], status="READ", hubchan_conn_id="nope", retries=2, retry_delay=0)
    assert (ran.state(), ran.tries()) == ("failed", 1)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_a_sensor_with_an_unknown_id_fails_at_once(mode: str) -> None:
    """In its first look."""
    with pytest.raises(AirflowFailException) as caught:
        SensorTask(mode, hubchan_conn_id="nope").run()
    assert str(caught.value) == UNKNOWN


@pytest.mark.slow
def test_a_connection_that_is_gone_while_a_sensor_is_deferred_fails_it() -> None:
    """The triggerer may not have it, where an environment variable defines it for the workers alone."""
    event = run_hurried(first_event(trigger(hubchan_conn_id="nope")))
    assert (event["outcome"], event["reason"]) == ("refused", UNKNOWN)
    task = SensorTask("deferrable", message_ids=["m-1"])
    with pytest.raises(AirflowFailException, match="is not defined"):
        task.sensor().execute_complete(task.context, event)


@pytest.mark.slow
def test_a_secrets_backend_that_is_away_while_a_sensor_is_deferred_is_a_passing_failure(
    use_backend: Callable[[type], None],
) -> None:
    """The task fails as one whose trigger has failed: its retries apply."""
    use_backend(AwayBackend)
    event = run_hurried(first_event(trigger(hubchan_conn_id="nope")))
    assert (event["outcome"], event["reason"]) == ("error", "AirflowNotFoundException: The conn_id `nope` isn't defined")
    task = SensorTask("deferrable", message_ids=["m-1"])
    with pytest.raises(TaskDeferralError, match="AirflowNotFoundException: The conn_id `nope` isn't defined"):
        task.sensor().execute_complete(task.context, event)
