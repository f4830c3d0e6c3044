"""Tables of the documentation, held against the code."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import pytest

from airflow_provider_hubchan import get_provider_info
from airflow_provider_hubchan.batch.progress_log import ProgressLog, format_duration
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.ratelimit.limiter import ASSUMED_LIMIT
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor
from tests.docs.pages import page, table
from tests.paths import DOCS, ROOT

TAKES_ARGUMENTS: dict[str, Any] = {
    "operator": UpdateMessageStatusOperator,
    "sensor": MessageStatusSensor,
    "notifier": MessageStatusNotifier,
}


def default(cell: str) -> Any:
    """The default that a cell gives."""
    special = {"": None, "needed": inspect.Parameter.empty, "Airflow's": False}  # in the suite Airflow's is False
    return special[cell] if cell in special else ast.literal_eval(cell.strip("`"))


@pytest.mark.parametrize("name", TAKES_ARGUMENTS)
def test_every_argument_is_in_its_table(name: str) -> None:
    """With its default, in the order of the signature."""
    parameters = inspect.signature(TAKES_ARGUMENTS[name].__init__).parameters.values()
    own = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    rows = table(page(name), "argument | default |")
    assert {row[0].strip("`"): default(row[1]) for row in rows} == own
    assert [row[0].strip("`") for row in rows] == list(own)


@pytest.mark.parametrize("name", TAKES_ARGUMENTS)
def test_every_template_is_said_to_be_one(name: str) -> None:
    """What Airflow renders, and nothing else."""
    (named,) = re.findall(r"Templates are rendered in ((?:`\w+`|,|and|\s)+)", page(name))
    assert re.findall(r"\w+", named.replace(" and", "")) == list(TAKES_ARGUMENTS[name].template_fields)


def test_every_field_of_the_connection_has_its_default() -> None:
    """The form's own defaults and order, in the table of the connection's page."""
    info: Any = get_provider_info()
    (form,) = info["connection-types"]
    rows = {row[1].strip("`"): row[3].strip("`") for row in table(page("connection"), "form | name |")}
    for name, field in form["conn-fields"].items():
        assert rows[name] == str(field["schema"].get("default", ""))
    assert [name for name in rows if name in form["conn-fields"]] == list(form["conn-fields"])


def test_the_planning_table_is_the_products() -> None:
    """How long so many updates take at each limit, in the words of the plan in the task's log."""
    text = page("rate-limits")
    limits = [int(limit) for limit in re.findall(r"\| (\d+) per 10 s(?= )", text[text.index("| updates | ") :].splitlines()[0])]
    assert len(limits) == 4
    for updates, *durations in table(text, "updates | "):
        assert durations == [format_duration(int(updates.replace(",", "")) * 10 / limit) for limit in limits]


def test_the_plan_of_a_dry_run_is_the_products() -> None:
    """The line that the page shows, for a batch of as many rows."""
    (shown,) = re.findall(r"^(.* rows: .* to send.*)$", page("rate-limits"), flags=re.MULTILINE)
    lines: list[str] = []
    report = Report(skipped=500)
    ProgressLog(lines.append, 12_500).plan(report, Quota(ASSUMED_LIMIT, 10.0), limit_is_known=False, compare_before_write=False)
    assert lines == [shown]


def test_readme_leads_to_every_page() -> None:
    """Who reads the repository finds what the site has."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in DOCS.glob("*.md")} <= set(re.findall(r"\]\(docs/([\w-]+\.md)", readme))
