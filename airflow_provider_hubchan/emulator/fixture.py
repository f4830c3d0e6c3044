"""The local HubSpot as a pytest fixture. Opt in from a ``conftest.py``:

pytest_plugins = ["airflow_provider_hubchan.emulator.fixture"]
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_hubchan.emulator import Emulator


@pytest.fixture
def hubspot_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A fresh HubSpot without a limit, which the connection ``hubchan_default`` leads to for the time of the test."""
    with Emulator(limit=0) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(emulator.connection()))
        yield emulator
