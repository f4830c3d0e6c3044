"""A throw-away Airflow home, set before Airflow is imported for the first time; and the local HubSpot."""

from __future__ import annotations

import atexit
import functools
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from airflow_provider_hubchan.client.shared_state import reset
from tests.paths import EXAMPLES, TESTS

sys.path.append(str(EXAMPLES))  # as Airflow does with a bundle's folder: the examples' own package is there
HOME = tempfile.mkdtemp(prefix="hubchan-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
BUNDLES = [
    {"name": name, "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": str(folder)}}
    for name, folder in (("tests", TESTS / "dags"), ("examples", EXAMPLES))
]
os.environ |= {
    "AIRFLOW_HOME": HOME,
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
}
for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
    del os.environ[name]

#: The same examples in every run; ``--hypothesis-profile=random`` draws new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile("fixed")

#: Where Airflow keeps what it hides in logs, in a task and elsewhere.
MASKERS = ("airflow.sdk._shared.secrets_masker", "airflow._shared.secrets_masker")

pytest_plugins = ["airflow_provider_hubchan.emulator.pytest_plugin"]


@pytest.fixture(autouse=True)
def nothing_is_shared_between_tests() -> Iterator[None]:
    """Two emulators may get the same port one after the other: what is known of the first must not serve the second. And what
    Airflow hides in logs is one regular expression, which is compiled anew with each secret: with those of a thousand
    emulators a run of a task takes seconds.
    """
    yield
    reset()
    for name in MASKERS:
        if name in sys.modules:
            sys.modules[name].reset_secrets_masker()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create Airflow's tables, in SQLite; and have one API server for all tasks of ``dag.test()``."""
    from airflow.sdk.execution_time import supervisor
    from airflow.utils.db import initdb

    initdb()
    if not hasattr(supervisor.in_process_api_server, "cache_info"):  # Airflow 3.2 builds one for each task: three seconds
        supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)


class IsAsked(logging.Filter):
    """Whether ``dag.test()`` waits for a person: before that it writes over the state that an answer gives a task, and then
    waits forever.
    """

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg.startswith("Waiting for Human-in-the-loop input"):
            self.event.set()
        return True


@pytest.fixture
def answers() -> Iterator[Any]:
    """A person who answers in Airflow's Required Actions."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    asked, threads = IsAsked(), []
    log = logging.getLogger("airflow.sdk.definitions.dag")
    log.addFilter(asked)

    def answer(dag_id: str, choice: str) -> None:
        asked.event.wait(120.0)
        with create_session() as session:
            waiting = session.query(TaskInstance).filter_by(dag_id=dag_id, state="awaiting_input").one()
            update_hitl_detail(
                dag_id,
                waiting.run_id,
                waiting.task_id,
                UpdateHITLDetailPayload(chosen_options=[choice]),
                SimpleAuthManagerUser(username="ada", role="admin"),
                session,
            )

    def answer_with(dag_id: str, choice: str) -> None:
        threads.append(threading.Thread(target=answer, args=(dag_id, choice)))
        threads[-1].start()

    yield answer_with
    log.removeFilter(asked)
    for thread in threads:
        thread.join()
