from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

import airflow_provider_hubchan
from airflow_provider_hubchan.client.models import API_VERSIONS, TIMEOUT
from airflow_provider_hubchan.hooks import HubchanHook
from tests.paths import ROOT
from tests.versions import SINCE_3_3

AIRFLOW = Path(airflow.__file__).parent
INFO: dict[str, Any] = airflow_provider_hubchan.get_provider_info()
(TYPE,) = INFO["connection-types"]


def test_airflow_accepts_it() -> None:
    """Airflow's own schema of what a provider tells at run time."""
    jsonschema.validate(INFO, json.loads((AIRFLOW / "provider_info.schema.json").read_text()))


def test_the_connection_form_has_the_strict_shape() -> None:
    """The run-time schema leaves connection types unchecked; the one of provider.yaml does not."""
    schema = json.loads((AIRFLOW / "provider.yaml.schema.json").read_text())
    jsonschema.validate(INFO["connection-types"], schema["properties"]["connection-types"])


def test_it_is_found_by_its_entry_point() -> None:
    """The installed distribution leads to the same dictionary, under its own name and version."""
    (entry_point,) = (
        each
        for each in metadata.entry_points(group="apache_airflow_provider")
        if each.dist and each.dist.name == INFO["package-name"]
    )
    assert entry_point.load()() == INFO
    assert metadata.version(INFO["package-name"]) == airflow_provider_hubchan.__version__ == INFO["versions"][0]
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"\n## {airflow_provider_hubchan.__version__} " in changes


def test_reading_it_imports_nothing() -> None:
    """Every Airflow process does: it must not cost."""
    code = (
        "import sys; before = set(sys.modules); import airflow_provider_hubchan as p; p.get_provider_info(); "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['airflow_provider_hubchan']"


def test_every_module_that_is_named_is_there() -> None:
    """Hooks and operators as listed, and the hook class of the connection type."""
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO[kind]:
            for module in entry["python-modules"]:
                import_module(module)
    assert TYPE["hook-class-name"] == f"{HubchanHook.__module__}.{HubchanHook.__qualname__}"
    for path in (*INFO["notifications"], *(decorator["class-name"] for decorator in INFO["task-decorators"])):
        module, _, name = path.rpartition(".")
        assert getattr(import_module(module), name).__module__ == module


def test_hook_and_form_agree() -> None:
    """What stands in two places is the same in both."""
    fields = TYPE["conn-fields"]
    assert (TYPE["connection-type"], TYPE["hook-name"]) == (HubchanHook.conn_type, HubchanHook.hook_name)
    assert fields["api_version"]["schema"]["enum"] == list(API_VERSIONS)
    assert fields["api_version"]["schema"]["default"] == API_VERSIONS[0]
    assert fields["timeout"]["schema"]["default"] == TIMEOUT


@pytest.mark.parametrize("field", ["refresh_token", "access_token"])
def test_secret_fields_are_hidden_and_masked(field: str) -> None:
    """The form hides what is typed by its format; Airflow masks what is stored by its name."""
    from airflow.sdk._shared.secrets_masker import redact

    assert TYPE["conn-fields"][field]["schema"]["format"] == "password"
    assert redact({field: "s3cr3t"}) == {field: "***"}


def test_the_metadata_are_those_of_a_provider() -> None:
    """Classifier, licence, links, the minimum versions, the type marker."""
    about = metadata.metadata(INFO["package-name"])
    assert "Framework :: Apache Airflow :: Provider" in about.get_all("Classifier", [])
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.10"
    assert {link.split(",")[0] for link in about.get_all("Project-URL", [])} >= {"Documentation", "Changelog", "Source Code"}
    assert {"apache-airflow<4,>=3.2", "requests>=2.32", "pendulum>=3.0"} <= set(about.get_all("Requires-Dist", []))
    assert (Path(airflow_provider_hubchan.__file__).parent / "py.typed").exists()


def test_the_package_itself_imports_nothing() -> None:
    """Every Airflow process reads it for the provider's info."""
    tree = ast.parse(Path(airflow_provider_hubchan.__file__).read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt", "bench.txt", "docs.txt"])
def test_locks_pin_with_hashes_and_name_no_host(lock: str) -> None:
    """A lock must work with whatever index a user has."""
    text = (ROOT / ".ci" / lock).read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins) > 40
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert "://" not in text


#: Everything but the client and the emulator, which nobody names in a DAG. Without retry policies `retries` cannot be imported.
MODULES = [
    f"airflow_provider_hubchan.{each.name}"
    for each in pkgutil.iter_modules(airflow_provider_hubchan.__path__)
    if not each.ispkg and (SINCE_3_3 or each.name != "retries")
]
ONE_OPERATOR = """
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
with DAG("batch", schedule=None):
    UpdateMessageStatusOperator(task_id="mark", messages=["m-1"], status="READ")
"""
ONE_OF_EACH = """
from airflow_provider_hubchan.assets import channel_asset
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.sensors import MessageStatusSensor
with DAG("batch", schedule=None, on_failure_callback=MessageStatusNotifier(status="FAILED", messages=["m-1"])):
    @task.hubchan_status(outlets=[channel_asset(62515, "100200")])
    def mark():
        return HubchanHook().get_message("m-1")
    mark() >> MessageStatusSensor(task_id="wait", message_ids=["m-1"])
"""
EVERY_MODULE = f"import {', '.join(MODULES)}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dag_file", "imported"),
    [
        pytest.param(ONE_OPERATOR, ["airflow_provider_hubchan.operators"], id="one operator"),
        pytest.param(ONE_OF_EACH, ["airflow_provider_hubchan.decorators"], id="one of each"),
        pytest.param(EVERY_MODULE, MODULES, id="every module"),
    ],
)
def test_a_dag_file_is_parsed_without_what_only_a_run_needs(dag_file: str, imported: list[str]) -> None:
    """Each task parses its file anew: neither requests nor aiohttp nor the emulator is imported for that."""
    before = "import sys\nfrom airflow.sdk import DAG, task\nbefore = set(sys.modules)\n"
    code = f"{before}{dag_file}\nprint(*before, file=sys.stderr)\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    added, needless = set(done.stdout.split()), {"requests", "urllib3", "aiohttp", "openlineage", "uvicorn", "starlette"}
    assert not needless & set(done.stderr.split()), "Airflow has imported it already: nothing would be proved of ours"
    assert added >= set(imported)
    assert not {name for name in added if name.split(".")[0] in needless or "hubchan.emulator" in name}
