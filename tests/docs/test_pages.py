"""README and docs are held against files, forms and code."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hubchan import get_provider_info
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.snapshot import Snapshots
from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.task_state import Kept
from tests.docs.pages import PAGES, shown_code
from tests.paths import DOCS, EXAMPLES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = [
    snippet
    for page in PAGES
    for snippet in re.findall(r"<!-- ((?:example_dags|docs)/\S+) -->\n```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
]


def test_every_example_is_shown() -> None:
    """A DAG of the examples, or a test of one, that no page shows is an example nobody finds."""
    files = [*EXAMPLES.glob("*.py"), *DOCS.rglob("*.py")]
    shown = {str(path.relative_to(ROOT)) for path in files if not path.name.startswith("run_")}
    assert {name for name, _ in SNIPPETS if "::" not in name} == shown


def test_the_package_of_the_examples_is_explained() -> None:
    """Each module of ``hubspot_bridge`` and each setting has its row, and there is none for what is not there."""
    page = (DOCS / "round-trip.md").read_text(encoding="utf-8")
    modules = {path.name for path in (EXAMPLES / "hubspot_bridge").glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"\| `hubspot_bridge/(\w+\.py)` \|", page)) == modules
    code = {path.name: path.read_text(encoding="utf-8") for path in (EXAMPLES / "hubspot_bridge").glob("*.py")}
    used = {name for text in code.values() for name in re.findall(r'setting\("(\w+)"\)', text)}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, flags=re.MULTILINE)) == used
    assert set(re.findall(r"^ *([A-Z_]+)  ", code["settings.py"], flags=re.MULTILINE)) == used


@pytest.mark.parametrize(("name", "snippet"), SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_a_snippet_is_the_code_it_names(name: str, snippet: str) -> None:
    """The snippets are what the tests run, whole files and excerpts alike."""
    assert snippet == shown_code(name)


def test_an_excerpt_is_one_definition() -> None:
    """With its decorators, and without the indentation of what it is in; of a name that is not in the file there is none."""
    noting = shown_code("example_dags/hubspot_bridge/marking.py::note_marked").splitlines()
    assert (noting[0], noting[-1]) == ('@task(trigger_rule="all_done")', "    return len(answered)")
    inner = shown_code("example_dags/deliver_outbox.py::deliver_outbox.deliver").splitlines()
    assert [line.partition("(")[0] for line in inner[:2]] == ["@task.short_circuit", "def deliver"]
    with pytest.raises(LookupError, match=r"deliver_outbox.py has no deliver_outbox.mark$"):
        shown_code("example_dags/deliver_outbox.py::deliver_outbox.mark")


def test_the_demos_output_is_the_demos() -> None:
    """The counts in README are those of the delivery report, counted here anew."""
    lines = (EXAMPLES / "data" / "delivery_report.jsonl").read_text().splitlines()
    outbox = {json.loads(line)["message_id"] for line in (EXAMPLES / "data/outbox.jsonl").read_text().splitlines()}
    status: dict[str, str] = dict.fromkeys(outbox, "SENT")
    for event in map(json.loads, lines):
        if event["message_id"] in outbox and status[event["message_id"]] != "READ" and event["state"] != "BUFFRD":
            status[event["message_id"]] = {"READ": "READ", "DELIVRD": "SENT"}.get(event["state"], "FAILED")
    for name in ("SENT", "READ", "FAILED"):
        (shown,) = re.findall(rf"^messages {name} +(\d+) +(\d+)$", README, flags=re.MULTILINE)
        count = str(list(status.values()).count(name))
        assert shown == (count, count)


def test_every_field_of_the_connection_is_explained() -> None:
    """In README by its label, in the connection's page by its name too."""
    info: dict[str, Any] = get_provider_info()
    (form,) = info["connection-types"]
    page = (DOCS / "connection.md").read_text()
    for name, field in form["conn-fields"].items():
        assert f"| {field['label']} |" in README
        assert f"| {field['label']} | `{name}` |" in page


def test_every_key_of_the_report_is_explained() -> None:
    """What the operator returns is what README's table lists."""
    table = README[README.index("## The report") : README.index("## Read on")]
    listed = {name for pair in re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", table, flags=re.MULTILINE) for name in pair if name}
    assert listed == set(Report().summary())


def test_every_key_of_kept_progress_is_explained() -> None:
    """What others may read of it is what the tables of docs/report.md list."""
    page = (DOCS / "report.md").read_text(encoding="utf-8")
    section = page[page.index("## While it runs") : page.index("## Stopping")]
    tables = [
        {name for cell in re.findall(r"^\| (`.+?) \|", part, flags=re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)}
        for part in section.split("`wait` is there")
    ]
    driver: Any = SimpleNamespace(quota=Quota(100, 10.0), limiter=SimpleNamespace(limit_is_known=True), blocked_for=0.0)
    snapshot = Snapshots(driver, 0, Report()).take(1)
    wait = Kept(0, {}, waiting_since=1.0, waiting_until=2.0).as_json()["wait"]
    assert tables == [set(snapshot), set(wait)]


def test_every_argument_is_documented() -> None:
    """The operator's docstring has a ``:param:`` for each argument of its own."""
    arguments = set(inspect.signature(UpdateMessageStatusOperator.__init__).parameters) - {"self", "kwargs"}
    documented = set(re.findall(r":param (\w+):", UpdateMessageStatusOperator.__doc__ or ""))
    assert arguments == documented


def anchors(page: Path) -> set[str]:
    """The headings of a page, as they stand in addresses."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_what_the_package_brings_is_named() -> None:
    """Each dependency of the wheel stands in README's section on installing."""
    section = README[README.index("## Install") : README.index("## Connect")]
    names = {"apache-airflow": "Airflow", "apache-airflow-providers-standard": "Airflow's standard provider"}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^dependencies = \[\n(.*?)^\]", project, flags=re.MULTILINE | re.DOTALL)
    brought = re.findall(r'"([\w-]+)', listed)
    assert len(brought) > 4
    for name in brought:
        assert names.get(name, f"`{name}`") in section, name


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_and_commands_lead_somewhere(page: Path) -> None:
    """Relative links name files that are there, and headings in them; ``make`` targets are in the Makefile."""
    text = page.read_text(encoding="utf-8")
    for link, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", text):
        there = page.parent / link if link else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), f"{link}#{anchor}"
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile, target
