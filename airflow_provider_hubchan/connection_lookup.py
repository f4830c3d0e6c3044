"""Why Airflow has found no connection. It says of an id that nobody has defined, of a secrets backend that is away, and of an
environment variable that cannot be read alike that the id is not defined; a retry helps with one of the three.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.client.errors import BadConnection, UnknownConnection


def why_not_found(conn_id: str) -> BadConnection | None:
    """Ask each place where connections are defined once more, and see what it says.

    :param conn_id: an id that Airflow has not found (``AirflowNotFoundException``).
    :return: the error that no retry helps with; None if the connection may be found later, because a secrets backend or the API
        server did not answer.
    """
    try:
        from airflow.sdk.execution_time.secrets import ExecutionAPISecretsBackend
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

        backends: list[Any] = ensure_secrets_backend_loaded()
    except Exception:  # another Airflow, or its configuration cannot be read now
        return None
    for backend in backends:
        try:
            asks_api_server = isinstance(backend, ExecutionAPISecretsBackend)
            is_unknown = _is_unknown_to_api_server(conn_id) if asks_api_server else not backend.get_connection(conn_id=conn_id)
        except Exception:
            if type(backend).__name__ == "EnvironmentVariablesBackend":
                return BadConnection(conn_id, ["it cannot be read: write a URI or a JSON object, with a port that is a number"])
            return None
        if not is_unknown:
            return None
    return UnknownConnection(conn_id)


def _is_unknown_to_api_server(conn_id: str) -> bool:
    """Ask the API server by way of the task's supervisor: Airflow's backend for it returns None on any error."""
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection

    answer = task_runner.SUPERVISOR_COMMS.send(GetConnection(conn_id=conn_id))
    return isinstance(answer, ErrorResponse) and answer.error == ErrorType.CONNECTION_NOT_FOUND
