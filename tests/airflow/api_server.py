"""Airflow's API server, in process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def api_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of it, with its application as ``app``; nobody is signed in."""
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test, long enough for its algorithm, which is HS512")
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    with TestClient(create_app(apps="core")) as client:
        yield client


def sign_in(client: Any) -> None:
    """Ask as an administrator from now on."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = client.app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="ada", role="admin"))
    client.headers["Authorization"] = f"Bearer {token}"
