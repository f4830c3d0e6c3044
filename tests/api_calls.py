"""What tasks ask of Airflow's API server, and leave in its database: counted where Airflow's own client sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any


class ApiCalls:
    """The calls that the tasks of ``dag.test()`` make to the execution API while this is entered, in order.

    They go through Airflow's own client to Airflow's own API server, which runs in this process. Each is its method with the
    first and the last part of its path, without what is another in each run: ``PATCH task-instances/state``.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __enter__(self) -> ApiCalls:
        from airflow.sdk.execution_time import supervisor

        self._transport = supervisor.in_process_api_server().transport
        self._app: Callable[[dict[str, Any], Any], Iterable[bytes]] = self._transport.app
        self._transport.app = self._record
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._transport.app = self._app

    def beyond(self, other: ApiCalls) -> list[str]:
        """The calls that were made here and not there, in the order of their names."""
        return sorted((Counter(self.calls) - Counter(other.calls)).elements())

    def _record(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        parts = environ["PATH_INFO"].strip("/").split("/")
        self.calls.append(f"{environ['REQUEST_METHOD']} {parts[0]}/{parts[-1]}")
        return self._app(environ, start_response)


def xcom_rows(run_id: str) -> list[str]:
    """The keys of the rows that a run has in Airflow's table of XComs, one for each row."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return sorted(session.scalars(select(XComModel.key).where(XComModel.run_id == run_id)))
