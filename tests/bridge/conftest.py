"""An outbox for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hubspot_bridge.outbox import MESSAGES, Outbox
from sqlalchemy import delete

from airflow_provider_hubchan.gateways import TWILIO


@pytest.fixture
def outbox_url(tmp_path: Path) -> str:
    """SQLite, or what BRIDGE_TEST_URL names: ``postgresql+psycopg2://…``, where a driver is installed."""
    return os.environ.get("BRIDGE_TEST_URL") or f"sqlite:///{tmp_path}/outbox.db"


@pytest.fixture
def outbox(outbox_url: str) -> Iterator[Outbox]:
    """An empty one."""
    with Outbox(outbox_url, TWILIO) as outbox:
        with outbox.engine.begin() as connection:
            connection.execute(delete(MESSAGES))
        yield outbox
