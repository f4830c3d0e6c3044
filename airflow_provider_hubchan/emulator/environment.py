"""An Airflow connection in this process's environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def airflow_connection(conn_id: str, connection: dict[str, Any]) -> Iterator[None]:
    """Have Airflow find this connection; afterwards the environment is as it was."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    before = os.environ.get(name)
    os.environ[name] = json.dumps(connection)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
