"""A throw-away Airflow for the tests of the DAGs, and the local HubSpot."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

HOME = tempfile.mkdtemp(prefix="airflow-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
# Airflow reads these when it is imported for the first time: they must be set before.
os.environ |= {
    "AIRFLOW_HOME": HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[1] / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}

pytest_plugins = ["airflow_provider_hubchan.emulator.pytest_plugin"]


@pytest.fixture(scope="session", autouse=True)
def airflow_database() -> None:
    """Create Airflow's tables, in SQLite."""
    from airflow.utils.db import initdb

    initdb()
