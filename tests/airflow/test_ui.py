"""The page of the batches as Airflow's API server serves it: files without data, for anybody; the nav entry; what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_hubchan import ui
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.plugin import HubchanPlugin
from tests.airflow.api_server import api_server, sign_in
from tests.dags.links import dag


@pytest.fixture
def server(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow's API server, in process; nobody is signed in."""
    with api_server(monkeypatch) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "kind", "has"),
    [
        ("/", "text/html", b"<title>HubSpot statuses</title>"),
        ("/batch?dag_id=a&run_id=b&task_id=c", "text/html", b"<title>HubSpot statuses</title>"),
        ("/page.css", "text/css", b"color-scheme"),
        ("/page.js", "text/javascript", b"use strict"),
    ],
)
def test_airflow_serves_the_files(server: Any, path: str, kind: str, has: bytes) -> None:
    """Beside its own pages. The browser is told to load, run and ask nothing but what this server has."""
    reply = server.get(ui.PREFIX + path)
    assert (reply.status_code, reply.headers["Content-Type"].partition(";")[0]) == (200, kind)
    assert has in reply.content
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["trusted-types"]) == ("'self'", "'none'")
    assert (reply.headers["Cache-Control"], reply.headers["X-Content-Type-Options"]) == ("no-cache", "nosniff")


@pytest.mark.slow
def test_there_is_nothing_else_below_the_page(server: Any) -> None:
    """No data, no description of itself, no other file of the package, and nothing that can be changed."""
    app = ui.create_app()
    assert {route.path for route in app.routes} == {"/", "/batch", "/page.css", "/page.js"}  # type: ignore[attr-defined]
    for path in ("/docs", "/openapi.json", "/__init__.py", "/..%2fplugin.py", "/page.html"):
        assert server.get(ui.PREFIX + path).status_code == 404
    assert server.post(f"{ui.PREFIX}/").status_code == 405
    assert server.get(f"{ui.PREFIX}/page.js", headers={"Range": "bytes=0-9"}).status_code in (200, 206)


def test_the_entry_is_one_that_airflow_takes() -> None:
    """Below Browse, shown in a frame, at an address that holds under whatever path Airflow is reached by."""
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

    (entry,) = HubchanPlugin().external_views
    view = ExternalViewResponse.model_validate(entry)
    assert (view.name, view.category, view.url_route, view.destination) == (
        "HubSpot statuses",
        "browse",
        "hubspot-statuses",
        "nav",
    )
    assert view.href == "hubspot-statuses/"


def test_who_loads_the_plugin_does_not_load_fastapi() -> None:
    """Workers and the DAG processor load every plugin; the page is made when the API server asks for it."""
    code = (
        "import airflow.sdk.plugins_manager, sys; before = set(sys.modules); import airflow_provider_hubchan.plugin as plugin; "
        "each = plugin.HubchanPlugin(); each.on_load(); print(*sorted(set(sys.modules) - before)); "
        "each.fastapi_apps; print('fastapi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, loaded, is_loaded_later = done.stdout.splitlines()
    assert "airflow_provider_hubchan.ui" in loaded.split()
    assert not {name for name in loaded.split() if name.partition(".")[0] in ("fastapi", "starlette", "pydantic")}
    assert is_loaded_later == "True"


@pytest.mark.slow
def test_airflow_answers_what_the_page_asks(server: Any, hubspot_emulator: Emulator) -> None:
    """Its list finds the tasks of our classes, mapped ones among them, and no others; what it reads of them is there."""
    hubspot_emulator.world.seed(["m-1", "m-2"])
    run = dag.test()
    sign_in(server)
    script = (ui.FILES / "page.js").read_text(encoding="utf-8")
    (operators,) = re.findall(r"^const OPERATORS = \[(.+)\];$", script, flags=re.MULTILINE)
    query = {
        "operator": re.findall(r'"(\w+)"', operators),
        "state": ["success", "failed"],
        "order_by": "-start_date",
        "limit": 100,
        "dag_id_pattern": "link",
        "start_date_gte": "2026-01-01T00:00:00Z",
    }
    found = server.get("/api/v2/dags/~/dagRuns/~/taskInstances", params=query).json()["task_instances"]
    mine = sorted((each["task_id"], each["map_index"]) for each in found if each["dag_run_id"] == run.run_id)
    names = ("decorated", "empty", "green", "not_begun", "red")
    assert mine == sorted([*((name, -1) for name in names), ("mapped", 0), ("mapped", 1)])
    read = set(re.findall(r"\bti\.(\w+)", script))
    assert read <= found[0].keys()
    tasks = f"/api/v2/dags/links/dagRuns/{run.run_id.replace('+', '%2B')}/taskInstances"
    assert server.get(f"{tasks}/mapped/listMapped", params={"order_by": "map_index"}).json()["total_entries"] == 2
    assert "not mapped" in server.get(f"{tasks}/green/listMapped").json()["detail"]
    assert "mapped" in server.get(f"{tasks}/mapped").json()["detail"]
    xcoms = {"xcom_key": "return_value", "map_index": -1}
    assert server.get(f"{tasks}/red/xcomEntries", params=xcoms).json()["total_entries"] == 1
    assert server.get(f"{tasks}/not_begun/xcomEntries", params=xcoms).json()["total_entries"] == 0
    assert server.get("/api/v2/version").json()["version"].startswith("3.")
