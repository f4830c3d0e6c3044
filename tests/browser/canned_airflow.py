"""An Airflow that has canned answers: it serves the page of the batches as Airflow does, and answers what a test puts in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, Route

from airflow_provider_hubchan import ui

#: The path that Airflow is reached by, behind a proxy.
BASE = "/team/airflow"
DAG, RUN, TASK = "mark", "scheduled__2026-11-28T00:00:00+00:00", "mark_statuses"
NOT_FOUND = 404, {"detail": "XCom entry with key: `return_value` not found"}


@contextmanager
def served() -> Iterator[str]:
    """The page below `BASE`; gives its address without a slash at the end."""
    app = FastAPI(openapi_url=None)
    app.mount(BASE + ui.PREFIX, ui.create_app())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}{BASE}{ui.PREFIX}"
    finally:
        server.should_exit = True
        thread.join(10)


def instance(state: str | None = "running", map_index: int = -1, **more: Any) -> dict[str, Any]:
    """A task instance as Airflow's API gives it, as far as the page reads it."""
    ended = state in ("success", "failed")
    return {
        "dag_id": DAG,
        "dag_run_id": RUN,
        "task_id": TASK,
        "map_index": map_index,
        "state": state,
        "try_number": 1,
        "max_tries": 2,
        "start_date": moment(-300),
        "end_date": moment(-10) if ended else None,
        "run_after": moment(-400),
        "queued_when": None,
        "rendered_map_index": None,
        "operator": "UpdateMessageStatusOperator",
        **more,
    }


def moment(seconds: float, now: float | None = None) -> str:
    """So many seconds from now, as Airflow writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((time.time() if now is None else now) + seconds))


def snapshot(updated: int = 200, rows: int = 1000, **more: Any) -> dict[str, Any]:
    """What progress keeps for people."""
    now = time.time()
    return {
        "version": 1,
        "try": 1,
        "started": now - 100,
        "at": now,
        "rows": rows,
        "updated": updated,
        "skipped": 0,
        "rejected": 0,
        "unresolved": 0,
        "requests": updated,
        "rate_limited": 0,
        "waited_seconds": 0.0,
        "elapsed_seconds": 100.0,
        "reasons": [],
        "quota": {"limit": 190, "window": 10.0, "known": True},
        "waiting_until": None,
        "samples": [[0.0, 0], [50.0, updated // 4], [90.0, updated // 2], [100.0, updated]],
        **more,
    }


def kept(of_snapshot: dict[str, Any], wait: dict[str, Any] | None = None, problems: list[Any] | None = None) -> dict[str, Any]:
    """The value of the task's state store."""
    return {
        "max_tries": 2,
        "batch": {"version": 3, "problems": problems or [], "snapshot": of_snapshot},
        **({"wait": wait} if wait else {}),
    }


def report(**more: Any) -> dict[str, Any]:
    """A report as it is in XCom."""
    return {
        "rows": 100,
        "updated": 90,
        "skipped": 0,
        "rejected": 10,
        "unresolved": 0,
        "requests": 100,
        "rate_limited": 0,
        "waited_seconds": 0.0,
        "elapsed_seconds": 5.3,
        "report_file": "s3://bucket/left.jsonl",
        "portal": 62515,
        "reasons": [{"outcome": "rejected", "reason": "404 OBJECT_NOT_FOUND", "count": 10}],
        "problems": [problem(row) for row in range(1, 11)],
        **more,
    }


def problem(row: int, **more: Any) -> dict[str, Any]:
    return {
        "row": row,
        "message_id": f"m-{row}",
        "outcome": "rejected",
        "reason": "HubSpot answered 404: no such message.",
        "correlation_id": f"c-{row}",
        **more,
    }


@dataclass
class CannedAirflow:
    """What it answers, and what it was asked.

    :ivar instances: of all runs.
    :ivar progress: by DAG, task and map index.
    :ivar reports: likewise; a text is one as a backend of XComs keeps it.
    :ivar refusals: the status of every answer to a path with this text in it.
    :ivar now: seconds since the epoch, None for the true time.
    :ivar asked: paths with their queries, below the API.
    """

    instances: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)
    reports: dict[tuple[str, str, int], Any] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    version: str = "3.3.2"
    now: float | None = None
    asked: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        """Answer what this page asks of the API."""
        page.route(f"**{BASE}/api/v2/**", self._answer)

    def _answer(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        path, query = address.path.partition("/api/v2/")[2], parse_qs(address.query)
        self.asked.append(f"{path}?{address.query}")
        status, body = self._find(path, query)
        headers = {"Content-Type": "application/json", "Date": formatdate(self.now, usegmt=True)}
        route.fulfill(status=status, body=json.dumps(body), headers=headers)

    def _find(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        for text, status in self.refusals.items():
            if text in path:
                return status, {"detail": "Forbidden"}
        if path == "version":
            return 200, {"version": self.version, "git_version": None}
        _, dag_id, _, run_id, _, *rest = map(unquote, path.split("/"))
        if dag_id == "~":
            return self._list(query, [each for each in self.instances if each["operator"] in query["operator"]])
        task_id, *what = rest
        found = [
            each
            for each in self.instances
            if (each["dag_id"], each["dag_run_id"], each["task_id"]) == (dag_id, run_id, task_id)
        ]
        if what == ["listMapped"]:
            mapped = [each for each in found if each["map_index"] >= 0]
            return self._list(query, mapped) if mapped else (404, {"detail": f"Task id {task_id} is not mapped"})
        index = int(query.get("map_index", ["-1"])[0])
        if what[:1] == ["state-store"]:
            if self.version.startswith("3.2"):
                return 404, {"error": "API route not found"}
            value = self.progress.get((dag_id, task_id, index))
            entries = [{"key": "hubchan_progress", "value": value}] if value is not None else []
            return 200, {"task_state_store": entries, "total_entries": len(entries)}
        if what[:1] == ["xcomEntries"]:
            value = self.reports.get((dag_id, task_id, index))
            if len(what) == 1:
                return 200, {"xcom_entries": [], "total_entries": int(value is not None)}
            return (
                (200, {"key": what[1], "value": value if isinstance(value, str) else json.dumps(value)}) if value else NOT_FOUND
            )
        index = int(what[0]) if what else -1
        if not what and any(each["map_index"] >= 0 for each in found):
            return 404, {"detail": "Task instance is mapped, add the map_index value to the URL"}
        one = [each for each in found if each["map_index"] == index]
        return (200, one[0]) if one else (404, {"detail": "The Task Instance was not found"})

    def _list(self, query: dict[str, list[str]], found: list[dict[str, Any]]) -> tuple[int, Any]:
        if "state" in query:
            found = [each for each in found if each["state"] in query["state"]]
        if "dag_id_pattern" in query:
            found = [each for each in found if query["dag_id_pattern"][0] in each["dag_id"]]
        offset, limit = int(query.get("offset", ["0"])[0]), int(query["limit"][0])
        return 200, {"task_instances": found[offset : offset + limit], "total_entries": len(found)}
