"""The links of a task: as Airflow's API server gives them to its UI, and what they cost a task."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from airflow.sdk.types import TaskInstanceKey

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.decorators import HubchanStatusDecoratedOperator
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.links import LINKS, InboxLink, ReportLink
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.plugin import HubchanPlugin
from tests.airflow.api_server import api_server, sign_in
from tests.dags.links import DerivedOperator, dag

#: A task as the API server reads it from its database.
OF_API_SERVER: Any = object()
INBOX = "https://app.hubspot.com/live-messages/62515/inbox"


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(["m-1", "m-2"])
    return hubspot_emulator


@pytest.fixture
def api(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow's API server as its UI asks it, in process."""
    with api_server(monkeypatch) as client:
        sign_in(client)
        yield client


class Pages:
    """What the API server says of the tasks of a finished run."""

    def __init__(self, api: Any, run_id: str) -> None:
        self._api, self._tasks = api, f"/api/v2/dags/{dag.dag_id}/dagRuns/{run_id}/taskInstances"

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        links: dict[str, str | None] = self._ask(task_id, "links", map_index)["extra_links"]
        return links

    def xcoms(self, task_id: str, map_index: int = -1) -> set[str]:
        """The keys of the rows that a task instance has left."""
        return {entry["key"] for entry in self._ask(task_id, "xcomEntries", map_index)["xcom_entries"]}

    def _ask(self, task_id: str, what: str, map_index: int) -> Any:
        answer = self._api.get(f"{self._tasks}/{task_id}/{what}", params={"map_index": map_index})
        assert answer.status_code == 200, answer.text
        return answer.json()


def page(run_id: str, task_id: str, map_index: int = -1) -> str:
    """The page of a batch of this DAG."""
    return f"/hubspot-statuses/batch?dag_id=links&run_id={quote(run_id, safe='')}&task_id={task_id}&map_index={map_index}"


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_a_task_has_its_page_before_it_has_a_report(api: Any) -> None:
    """While it runs, and while it waits for its turn: it is made of the task's name alone."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    run = dag.test()
    with create_session() as session:
        session.execute(delete(XComModel).where(XComModel.run_id == run.run_id))
    assert Pages(api, run.run_id).links("green") == {"HubSpot inbox": None, "Report": page(run.run_id, "green")}


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_every_task_has_its_links_and_only_derived_classes_pay_for_them(hubspot: Emulator, api: Any) -> None:
    """Green and red, mapped, decorated, without a row. There is no inbox if nothing was sent: the report tells the account."""
    run = dag.test()
    pages = Pages(api, run.run_id)
    tasks = ("green", "red", "decorated", "derived")
    assert [pages.links(task_id) for task_id in tasks] == [
        {"HubSpot inbox": INBOX, "Report": page(run.run_id, task_id)} for task_id in tasks
    ]
    assert pages.links("mapped", 1) == {"HubSpot inbox": INBOX, "Report": page(run.run_id, "mapped", 1)}
    for task_id in ("empty", "not_begun"):
        assert pages.links(task_id) == {"HubSpot inbox": None, "Report": page(run.run_id, task_id)}
    assert [pages.xcoms(task_id) for task_id in ("green", "red", "decorated", "empty")] == [{"return_value"}] * 4
    assert pages.xcoms("mapped", 0) == {"return_value"}
    assert pages.xcoms("not_begun") == set()
    assert pages.xcoms("derived") == {"return_value", "_link_InboxLink", "_link_ReportLink"}


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize("value", ["s3://bucket/report.json", '"s3://bucket/report.json"', ["elsewhere"]])
def test_a_report_that_a_backend_keeps_elsewhere_has_its_page(hubspot: Emulator, value: Any) -> None:
    """The API server sees where it is, not what it says: the account is not known there. (A backend's value is written here
    over that of the run, as text and as JSON.)
    """
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    run = dag.test()
    key = run.get_task_instance("green").key
    with create_session() as session:
        where = XComModel.run_id == run.run_id, XComModel.task_id == "green"
        session.execute(update(XComModel).where(*where).values(value=value))
    assert [bool(link.get_link(OF_API_SERVER, ti_key=key)) for link in LINKS] == [False, True]


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_there_is_no_inbox_of_an_account_that_is_not_known(
    hubspot: Emulator, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ready access token does not say whose account it opens; the report is there all the same."""
    ready = {**hubspot.connection(access_token=hubspot.world.issue(), refresh_token=None), "login": None, "password": None}
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(ready))
    run = dag.test()
    links = Pages(api, run.run_id).links("green")
    assert links["HubSpot inbox"] is None
    assert links["Report"]


def test_airflow_finds_the_plugin_and_its_links_by_name() -> None:
    """By the entry point of the installed distribution, and by name and module of the classes, as Airflow compares them."""
    entry_points = metadata.distribution("airflow-provider-hubchan").entry_points
    assert [each.load() for each in entry_points if each.group == "airflow.plugins"] == [HubchanPlugin]
    assert tuple(HubchanPlugin.operator_extra_links) == LINKS
    served = {(each.__module__, each.__name__) for link in LINKS for each in link.operators}
    classes = (UpdateMessageStatusOperator, HubchanStatusDecoratedOperator)
    assert served == {(each.__module__, each.__name__) for each in classes}
    assert [tuple(each.operator_extra_links) for each in (*classes, DerivedOperator)] == [(), (), LINKS]


def test_loading_the_plugin_imports_no_operator() -> None:
    """Every Airflow process does it, the worker of every task of other DAGs, too."""
    code = (
        "import airflow.sdk.plugins_manager, sys; before = set(sys.modules); import airflow_provider_hubchan.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "airflow_provider_hubchan.links" in loaded
    assert {name for name in loaded if name.rpartition(".")[2] in ("operators", "hooks", "requests", "aiohttp")} == set()


def test_a_derived_class_may_name_its_own_links() -> None:
    """Then it has these, whether or not ours are among them."""

    class Linked(UpdateMessageStatusOperator):
        operator_extra_links = (ReportLink(),)

    assert [link.name for link in Linked.operator_extra_links] == ["Report"]


@pytest.mark.parametrize(("map_index", "index"), [(-1, -1), (3, 3), (None, -1)])
def test_the_report_is_below_the_path_of_airflow(monkeypatch: pytest.MonkeyPatch, map_index: Any, index: int) -> None:
    """Airflow shows it itself: its UI opens no other scheme than http. A mapped task instance has a page of its own."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.com/airflow/")
    operator = DerivedOperator(task_id="mark", messages=["m-1"], status="READ")
    operator.report = Report(updated=1, portal=62515)
    ti_key = TaskInstanceKey(dag_id="batch", run_id="r 1", task_id="mark", try_number=1, map_index=map_index)
    page = f"/airflow/hubspot-statuses/batch?dag_id=batch&run_id=r+1&task_id=mark&map_index={index}"
    assert [link.get_link(operator, ti_key=ti_key) for link in LINKS] == [INBOX, page]


@pytest.mark.parametrize(
    ("report", "arguments"),
    [(None, {}), (Report(), {}), (Report(updated=1, portal=62515), {"do_xcom_push": False})],
    ids=["not begun", "no rows", "no XCom"],
)
def test_there_is_no_inbox_without_a_report(report: Report | None, arguments: dict[str, Any]) -> None:
    """In the worker, for a class of the user's own."""
    operator = DerivedOperator(task_id="mark", messages=["m-1"], status="READ", **arguments)
    operator.report = report
    assert InboxLink().get_link(operator, ti_key=SimpleNamespace()) == ""  # type: ignore[arg-type]
