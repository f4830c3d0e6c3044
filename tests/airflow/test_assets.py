"""The asset of a channel, its events, and what a batch gives to Airflow and OpenLineage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_hubchan import assets
from airflow_provider_hubchan.assets import channel_asset, convert_to_openlineage
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.links import LINKS
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.paths import TESTS

URI, OTHER = "hubchan://62515/channels/100200", "s3://elsewhere/orders"


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(["m-1", "m-2"])
    return hubspot_emulator


def finished(**arguments: Any) -> Any:
    """A finished run of a DAG of one operator."""
    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator(task_id="mark", status="READ", **arguments)
    return dag.test()


def test_airflow_takes_our_uris() -> None:
    """The registered scheme is checked when an asset is made; the converter gives OpenLineage's names."""
    asset = channel_asset(62515, "100200")
    assert asset.uri == URI == Asset(URI).uri
    assert channel_asset(62515, "a/b").uri == "hubchan://62515/channels/a%2Fb"
    dataset = convert_to_openlineage(channel_asset(62515, "a/b"))
    assert (dataset.namespace, dataset.name) == ("hubchan://62515", "channels/a/b")


@pytest.mark.parametrize("uri", ["hubchan://brand/channels/1", "hubchan://62515/100200", "hubchan://62515/channels/"])
def test_a_uri_that_names_no_channel_is_refused(uri: str) -> None:
    """The error shows what it should look like."""
    with pytest.raises(ValueError, match=r"is not hubchan://\{portal\}/channels/\{channel_id\}"):
        Asset(uri)


@pytest.mark.parametrize(("portal", "channel_id"), [("brand", "1"), (62515, "")])
def test_an_asset_of_no_channel_is_not_made(portal: int | str, channel_id: str) -> None:
    """When the DAG file is read, not when the task ends."""
    with pytest.raises(ValueError, match="is not hubchan://"):
        channel_asset(portal, channel_id)


def test_events_of_the_channel_get_the_counters() -> None:
    """Of its asset and of aliases, which get the asset; other channels, accounts and assets are left alone."""
    ours, other, alias = channel_asset(62515, "100200"), channel_asset(62515, "7"), AssetAlias("statuses")
    outlets = [ours, other, alias, channel_asset(1, "100200"), Asset("file://elsewhere")]
    context: Any = {"outlet_events": OutletEventAccessors()}
    assets.emit_event(context, outlets, 62515, "100200", {"updated": 2})
    recorded = context["outlet_events"]
    assert [recorded[outlet].extra for outlet in outlets] == [{"updated": 2}, {}, {}, {}, {}]
    (event,) = recorded[alias].asset_alias_events
    assert (event.dest_asset_key.uri, event.extra) == (URI, {"updated": 2})


def test_of_an_account_that_is_not_known_the_channel_is_enough() -> None:
    """A ready token does not say whose it is: its counters go to the asset that the DAG names for the channel."""
    outlets = [channel_asset(62515, "100200"), channel_asset(62515, "7")]
    context: Any = {"outlet_events": OutletEventAccessors()}
    assets.emit_event(context, outlets, None, "100200", {"updated": 2})
    assert [context["outlet_events"][outlet].extra for outlet in outlets] == [{"updated": 2}, {}]


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_a_run_leaves_an_event_with_its_counters(hubspot: Emulator) -> None:
    """The account need not be known when the DAG is written: an alias learns it from the run."""
    run = finished(messages=["m-1", "m-2"], outlets=[AssetAlias("statuses")])
    (event,) = events(run.run_id)
    assert (event.asset.uri, event.extra["updated"], event.extra["rejected"]) == (URI, 2, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_an_outlet_that_refers_to_the_channels_asset_gets_the_counters(hubspot: Emulator) -> None:
    """By its name or its URI, as Airflow lets outlets refer to assets that another DAG defines; another asset gets none."""
    others = [Asset.ref(name="orders"), Asset.ref(uri=OTHER)]
    for ref, asset in ((Asset.ref(uri=URI), Asset(URI)), (Asset.ref(name="inbox"), Asset("inbox", uri=URI))):
        with active(asset), active(Asset("orders", uri=OTHER)):
            run = finished(messages=["m-1", "m-2"], outlets=[ref, *others])
        seen = [(event.asset.name, event.extra.get("updated")) for event in events(run.run_id)]
        assert sorted(seen, key=str) == sorted([(asset.name, 2), ("orders", None), ("orders", None)], key=str)


@contextmanager
def active(asset: Asset) -> Iterator[None]:
    """Airflow knows an asset meanwhile, as its scheduler has it know those of DAGs: one for each URI."""
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    with create_session() as session:
        if not session.scalar(select(AssetModel).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri)):
            session.add(AssetModel(name=asset.name, uri=asset.uri))
        session.execute(delete(AssetActive).where(AssetActive.uri == asset.uri))
        session.flush()
        session.add(AssetActive(name=asset.name, uri=asset.uri))
    yield
    with create_session() as session:
        session.execute(delete(AssetActive).where(AssetActive.uri == asset.uri))


def test_a_reference_that_leads_nowhere_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow does not know the name, or does not answer: that outlet goes without counters, and the log says so."""

    class Events(OutletEventAccessors):
        def __getitem__(self, outlet: Any) -> Any:
            if outlet == Asset.ref(name="gone"):
                raise RuntimeError("no such asset")
            return super().__getitem__(outlet)

    ours = channel_asset(62515, "100200")
    context: Any = {"outlet_events": Events()}
    assets.emit_event(context, [Asset.ref(name="gone"), ours], 62515, "100200", {"updated": 2})
    assert context["outlet_events"][ours].extra == {"updated": 2}
    assert "An asset event goes without the counters of the batch" in caplog.text
    assert "(RuntimeError: no such asset)" in caplog.text


def events(run_id: str) -> list[Any]:
    """The asset events of a run, from Airflow's database."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    with create_session() as session:
        query = select(AssetEvent).where(AssetEvent.source_run_id == run_id).options(joinedload(AssetEvent.asset))
        return list(session.scalars(query))


@pytest.mark.usefixtures("airflow_database")
def test_there_is_no_event_of_an_account_that_is_not_known(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ready access token does not say whose account it opens."""
    ready = {**hubspot.connection(access_token=hubspot.world.issue(), refresh_token=None), "login": None, "password": None}
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(ready))
    run = finished(messages=["m-1"], outlets=[AssetAlias("statuses")])
    instance = run.get_task_instance("mark")
    assert instance.state == "success"
    assert events(run.run_id) == []


@pytest.mark.parametrize("extra", [{"timeout": "soon"}, {"channel_id": None}])
def test_a_faulty_connection_is_reported_once(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    """By the task itself: neither its links nor its lineage ask the connection again."""
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(hubspot.connection(**extra)))
    operator = UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="READ", do_xcom_push=False)
    with pytest.raises(AirflowFailException, match=r"cannot be used|is set neither in the connection"):
        operator.execute({"ti": SimpleNamespace(try_number=1)})  # type: ignore[typeddict-item]
    for link in LINKS:
        assert link.get_link(operator, ti_key=SimpleNamespace()) == ""  # type: ignore[arg-type]
    facets = operator.get_openlineage_facets_on_failure(None)
    assert facets
    assert facets.outputs == []


@pytest.mark.slow
def test_openlineage_writes_what_was_done(hubspot: Emulator, tmp_path: Path) -> None:
    """The real provider with a file for its transport: dataset, rows and counters, of a green and of a red task.

    Tasks of one's own that call the hook are seen by Airflow's hook lineage, which adds up what a process collects.
    """
    for channel_id in ("7", "8", "9"):
        hubspot.world.add_channel(channel_id)
        hubspot.world.seed(["m-1", "m-2"], channel_id)
    log = tmp_path / "lineage.jsonl"
    transport = {"type": "file", "log_file_path": str(log), "append": True}
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__DISABLED": "False",
    }
    subprocess.run(
        [sys.executable, str(TESTS / "dags" / "lineage.py")],
        env=environment,
        check=True,
        capture_output=True,
        timeout=240,
    )
    ended = {}
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["eventType"] in ("COMPLETE", "FAIL"):
            ended[event["job"]["name"], event["eventType"]] = event
    green, red = ended["lineage_green.mark", "COMPLETE"], ended["lineage_red.mark", "FAIL"]
    for event, updated, rejected in ((green, 2, 0), (red, 1, 1)):
        (output,) = event["outputs"]
        assert (output["namespace"], output["name"]) == ("hubchan://62515", "channels/100200")
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == updated
        facet = event["run"]["facets"]["hubchan_status_updates"]
        assert (facet["rows"], facet["updated"], facet["rejected"]) == (2, updated, rejected)
        assert facet["rejectedShare"] == rejected / 2
    written = [f"channels/{channel_id}" for channel_id in ("100200", "8", "9")]
    for number, task_id in enumerate(("refused", "batch", "single", "looping")):
        outputs = ended[f"lineage_hook.{task_id}", "COMPLETE"]["outputs"]
        assert [output["name"] for output in outputs] == written[:number], task_id
        assert {output["namespace"] for output in outputs} <= {"hubchan://62515"}
