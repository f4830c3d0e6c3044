"""What docs/emulator.md and docs/testing.md say is so: options, control calls, the whole example, the CI snippet."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import Field
from typing import Any

import pytest
import yaml

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.control import ROUTES
from airflow_provider_hubchan.emulator.faults.catalogue import WEBHOOK_FAULTS
from airflow_provider_hubchan.emulator.model.settings import Settings
from airflow_provider_hubchan.emulator.request_log.delivery import Delivery
from airflow_provider_hubchan.emulator.request_log.entry import Entry
from airflow_provider_hubchan.emulator.request_log.ledger import CONDITIONS
from tests.paths import DOCS, EXAMPLES, ROOT

REFERENCE = (DOCS / "emulator.md").read_text(encoding="utf-8")
TESTING = (DOCS / "testing.md").read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """A part of a page, from its title to the next."""
    return page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def row(name: str, each: Field[Any]) -> str:
    """What the table of options has to say of a setting."""
    default: Any = each.default
    if default is None:
        default = "the plan's"
    elif isinstance(default, bool):
        default = "yes" if default else "no"
    elif isinstance(default, int | float):
        default = f"{default:,}"
    return f"| `--{name.replace('_', '-')}` | {each.metadata['help']} | {default} | {each.metadata['mark']} |"


@pytest.mark.parametrize("name", Settings.all())
def test_every_setting_is_in_the_table_of_options(name: str) -> None:
    """With its meaning, its default and its mark, word for word."""
    assert row(name, Settings.all()[name]) in section(REFERENCE, "Options").splitlines()


def test_the_table_of_options_is_the_command_lines() -> None:
    """No option is missing, and none is there that the program does not know."""
    command = [sys.executable, "-m", "airflow_provider_hubchan.emulator", "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    options = set(re.findall(r"^  (--[a-z][a-z-]*)", help_text, flags=re.MULTILINE))
    assert set(re.findall(r"^\| `(--[a-z-]+)`", section(REFERENCE, "Options"), flags=re.MULTILINE)) == options


def test_every_control_call_is_documented() -> None:
    """The table is what the program answers to, no more and no less."""
    calls = [(method, path) for method, path, _ in ROUTES if path.startswith("/_emulator/") and "/page/" not in path]
    answered = {f"{method} {path.removeprefix('/_emulator/')}" for method, path in calls}
    documented = re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`?]+)`", section(REFERENCE, "Control"), flags=re.MULTILINE)
    assert sorted(documented) == sorted(answered)


def test_everything_the_ledger_can_be_asked_is_documented() -> None:
    """Each key of a query, and each field of an entry that the page names."""
    part = section(REFERENCE, "The ledger")
    table = part[: part.index("`ledger.entries`")]
    assert {name for line in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)} == set(
        CONDITIONS
    )
    (fields,) = re.findall(r"the oldest first: (.*) \|", part)
    assert [name for name in re.findall(r"`(\w+)`", fields) if not hasattr(Entry, name)] == []


def test_every_fault_of_webhooks_and_every_field_of_a_delivery_is_documented() -> None:
    """The table has each kind in its order, and the page each field of what the ledger says."""
    part = section(REFERENCE, "Webhooks")
    table = part[part.index("| `webhook` | |") :]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, flags=re.MULTILINE) == ["webhook", *WEBHOOK_FAULTS]
    (fields,) = re.findall(r"It has (`at`.*?)\.", part, flags=re.DOTALL)
    delivery = Delivery(0.0, "100200", "m-1", "http://127.0.0.1/", "http://127.0.0.1/", b"")
    assert set(re.findall(r"`(\w+)`", fields)) == set(delivery.as_json())


@pytest.mark.parametrize("page", [REFERENCE, TESTING], ids=["emulator.md", "testing.md"])
def test_links_between_the_two_pages_lead_to_sections(page: str) -> None:
    """A link with a title behind it names one that is there."""
    titles = {
        name: {title.lower().replace(" ", "-") for title in re.findall(r"^## (.*)$", text, flags=re.MULTILINE)}
        for name, text in (("emulator.md", REFERENCE), ("testing.md", TESTING), ("", page))
    }
    for name, title in re.findall(r"\]\((emulator\.md|testing\.md|)#([^)]+)\)", page):
        assert title in titles[name], f"{name}#{title}"


def test_the_reference_snippet_of_several_apps_runs() -> None:
    """As it stands there, and with the end that it names."""
    (snippet,) = re.findall(r"```python\n(.*?)```", section(REFERENCE, "Several apps and accounts"), flags=re.DOTALL)
    with Emulator(limit=0) as hubspot:
        names: dict[str, Any] = {"hubspot": hubspot}
        exec(snippet, names)
        assert hubspot.world.tokens[names["token"]].install.portal.id == 777
        assert [each.id for each in hubspot.messages()] == ["n-1"]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of the user's project, as the page draws it, and of its first test with the page's change. It runs in
    a process that knows nothing of ours; one, because Airflow takes many seconds to begin.
    """
    folder = tmp_path_factory.mktemp("project")
    for name, files in (
        ("dags", [EXAMPLES / "mark_statuses.py"]),
        ("tests", (DOCS / "testing").glob("*.py")),
    ):
        (folder / name).mkdir()
        for file in files:
            shutil.copy(file, folder / name)
    text = (folder / "tests" / "test_mark_statuses.py").read_text()
    assert text.count('{"READ": 1, "FAILED": 1}') == 2
    (folder / "tests" / "test_red.py").write_text(text.replace('{"READ": 1, "FAILED": 1}', '{"READ": 2}'))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    # pytest's plugins that are here are not the user's
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    tests = ["tests/test_mark_statuses.py", "tests/test_red.py::test_hubspot_knows_what_the_gateway_knows"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1, done.stdout
    return done.stdout


@pytest.mark.slow
def test_the_whole_example_is_green(example: str) -> None:
    """Good days and bad ones, with as many tests as the page says."""
    (count,) = re.findall(r"^\d+ passed", TESTING, flags=re.MULTILINE)
    assert example.splitlines()[-1].startswith(f"1 failed, {count}"), example


@pytest.mark.slow
def test_a_red_test_says_what_the_page_shows(example: str) -> None:
    """Line for line; only port, time and order may differ."""
    assert "FAILED tests/test_red.py::test_hubspot_knows" in example
    (shown,) = re.findall(r"<!-- the red test -->\n```\n(.*?)```", TESTING, flags=re.DOTALL)

    def normal(output: str) -> set[str]:
        return {re.sub(r"\d\d:\d\d:\d\d\.\d{3}|127\.0\.0\.1:\d+", "…", line).strip("- ") for line in output.splitlines()}

    assert normal(shown) - normal(example) == set()


def test_ci_needs_no_secrets() -> None:
    """The workflow is one that can be read, installs what the page says, and names no secret."""
    (snippet,) = re.findall(r"```yaml\n(.*?)```", TESTING, flags=re.DOTALL)
    (job,) = yaml.safe_load(snippet)["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["pip install 'airflow-provider-hubchan[emulator]' pytest", "pytest"]
    assert commands[0] in section(TESTING, "Install")
    assert "secrets" not in snippet
