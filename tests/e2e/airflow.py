"""A real Airflow with a database of its own, its four processes, and its REST API."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from tests.e2e.processes import Processes, free_port
from tests.e2e.waiting import say, until

PARTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
#: How often to ask for a change that the database refuses.
TRIES = 5
AIRFLOW = (sys.executable, "-m", "airflow")
TOKEN_WITHOUT_ROLE = """
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
print(SimpleAuthManager().generate_jwt(SimpleAuthManagerUser(username="bob", role=None)))
"""


class DatabaseBusy(RuntimeError):
    """Airflow has not done what it should, because its database was locked for too long."""


class Airflow:
    """Throw-away: everything it writes is in its home.

    :param processes: where its own are started; their environment is completed here.
    """

    def __init__(self, processes: Processes, home: Path, dags: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.processes = processes
        self._token, self._changing = "", threading.Lock()
        processes.environment |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",  # then another one takes its triggers over
        }

    def start(self, dag_ids: list[str]) -> None:
        """Make the database, start the four processes, wait until they are healthy and have read the DAGs."""
        self.processes.start("migrate", *AIRFLOW, "db", "migrate")
        self.processes.finish("migrate", 120)
        say("the database is made, starting Airflow's four processes")
        for part in PARTS:
            self.start_part(part)
        until("Airflow's health", 150, self._healthy)
        self._token = self._ask("GET", "/auth/token")["access_token"]
        until("that Airflow has read the DAGs", 90, lambda: all(map(self._knows, dag_ids)))

    def start_part(self, part: str) -> None:
        """Start one of the four, or start it again."""
        self.processes.start(part, *AIRFLOW, part, *PARTS[part])

    def set_paused(self, dag_ids: Iterable[str], paused: bool) -> None:
        """Let these DAGs run on their schedules, or no more."""
        for dag_id in dag_ids:
            self.ask("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def read_again(self, dag_id: str) -> None:
        """Have the file of a DAG read now, and not half a minute later."""
        self.ask("PUT", f"parseDagFile/{self.ask('GET', f'dags/{dag_id}')['file_token']}")

    def command(self, *arguments: str) -> tuple[int, str]:
        """Call the command line; give the exit code and what was printed.

        :raises subprocess.TimeoutExpired: if it does not end within a minute.
        """
        environment = self.processes.environment | {"COLUMNS": "1000"}  # or it breaks lines
        done = subprocess.run((*AIRFLOW, *arguments), env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def token_without_role(self) -> str:
        """For requests of somebody whom Airflow knows, and who may do nothing."""
        command = (sys.executable, "-c", TOKEN_WITHOUT_ROLE)
        environment = self.processes.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.splitlines()[-1]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **parameters: str) -> Any:
        """Call the REST API; None if there is no such thing.

        :param path: after ``/api/v2/``.
        """
        if method == "GET":
            return self._ask(method, f"/api/v2/{path}", body, **parameters)
        # Airflow's API server writes its audit log on the event loop. With SQLite that waits for whoever is writing, who may
        # wait for the loop, until the database refuses the one after 5 seconds: so one change at a time, and again if need be.
        with self._changing:
            for left in reversed(range(TRIES)):
                try:
                    return self._ask(method, f"/api/v2/{path}", body, **parameters)
                except DatabaseBusy:
                    say(f"Airflow's database was locked: {method} {path}")
                    if not left:
                        raise

    def _healthy(self) -> bool:
        for part in PARTS:
            self.processes.alive(part)
        try:
            health = self._ask("GET", "/api/v2/monitor/health")
        except requests.RequestException:
            return False
        if not isinstance(health, dict) or "metadatabase" not in health:  # another server has the port: ours is about to end
            return False
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor", "triggerer"))

    def _knows(self, dag_id: str) -> bool:
        errors = self.ask("GET", "importErrors")["import_errors"]
        if errors:
            raise RuntimeError(f"Airflow cannot import the DAGs: {errors[0]['stack_trace']}")
        return self.ask("GET", f"dags/{dag_id}") is not None

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, **parameters: str) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        reply = requests.request(method, self.url + path, json=body, params=parameters, headers=headers, timeout=60)
        if reply.status_code == 404:
            return None
        if reply.status_code == 500 and "Database error" in reply.text:
            raise DatabaseBusy(f"{method} {path} was answered with 500: {reply.text}")
        if not reply.ok:
            raise RuntimeError(f"{method} {path} was answered with {reply.status_code}: {reply.text}")
        return reply.json()
