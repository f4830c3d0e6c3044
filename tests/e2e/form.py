"""What a new user does in Airflow's pages: make a connection, press Test, press Trigger, open the task, follow its links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_hubchan import get_provider_info
from tests.browser.chromium import chromium
from tests.e2e.airflow import Airflow
from tests.e2e.checks import Check, same
from tests.e2e.pages import Connections, links, trigger
from tests.e2e.stage import Stage
from tests.paths import DOCS, EXAMPLES

#: The messages of the demo, and what its delivery report makes of them: README shows that.
OUTBOX = EXAMPLES / "data" / "outbox.jsonl"
MESSAGES, ROWS, STATUSES = 994, 1355, {"FAILED": 122, "READ": 248, "SENT": 624}
#: The id of the connection that the demo's DAG uses.
CONNECTION = "hubchan_default"
#: Milliseconds that a step in the browser may take: Airflow makes its pages ready at the first look.
STEP = 60_000
WRONG = "wrong-and-secret-too"
SUCCEEDED, FAILED = "Test Connection Successful", "Test Connection Failed"
GOOD = (
    "OK: account 62515 (US/Eastern); both custom-channels scopes are granted; the token is good for 30 more minutes and is "
    "renewed before it ends; the app owns channel 100200 (channel accounts: 1)"
)
NO_TOKEN = "Not usable yet: No access token could be fetched. HubSpot answered 400: missing or invalid"
BAD_SECRET = (
    f"{NO_TOKEN} client secret. Check OAuth client ID (login) and OAuth client secret (password) of the connection: both "
    "are those of the app. (category BAD_CLIENT_SECRET, correlationId …)"
)
BAD_TOKEN = (
    f"{NO_TOKEN} refresh token. Install the app in the account again and put the new Refresh token "
    "(refresh_token) into the connection. (category BAD_REFRESH_TOKEN, correlationId …)"
)


def connected(stage: Stage) -> Iterator[Check]:
    """A connection is made in Airflow's form, tested, spoiled, fixed; the demo is triggered, its task's links lead on."""
    airflow, wanted = stage.airflow, stage.hubspot.settings()
    standard = {"host": wanted["host"], "login": wanted["login"], "password": wanted["password"], "port": "443"}
    texts: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.set_default_timeout(STEP)
        connections = Connections(page, airflow.url)

        labels = connections.add(CONNECTION, standard, wanted["extra"], _picture("connection-form"))
        yield same("labels of the extra fields, as many as are ours", _labels(), tuple(labels[-len(_labels()) :]))
        yield from _check_texts(airflow, connections.test(_picture("connection-test")), (SUCCEEDED, GOOD), texts)

        connections.edit({"password": WRONG}, {})
        yield from _check_texts(airflow, connections.test(), (FAILED, BAD_SECRET), texts)
        connections.edit({"password": wanted["password"]}, {"refresh_token": WRONG})
        yield from _check_texts(airflow, connections.test(), (FAILED, BAD_TOKEN), texts)
        secrets = (*stage.hubspot.secrets(), WRONG)
        yield same("secrets in all these texts", 0, sum(secret in text for secret in secrets for text in texts))

        connections.edit({}, {"refresh_token": wanted["extra"]["refresh_token"]})
        yield same("fixed", (SUCCEEDED, GOOD), connections.test())

        dag = f"{airflow.url}/dags/{stage.run.dag_id}"
        trigger(page, dag, "e2e", {"folder": str(stage.folder)})
        stage.run.until("success", 120)
        yield same("the report file", f"{stage.folder}/not_updated-e2e.jsonl", stage.run.report["report_file"])
        yield same("statuses", STATUSES, dict(sorted(stage.hubspot.statuses().items())))
        buttons = links(page, "mark_statuses", _picture("task-links"))
        yield same("the task's page", f"{dag}/runs/e2e/tasks/mark_statuses/details", page.url)
        yield same("buttons of the task", ("HubSpot inbox", "Report"), tuple(buttons))
        inbox = buttons["HubSpot inbox"].get_attribute("href")
        yield same("HubSpot inbox leads to", "https://app.hubspot.com/live-messages/62515/inbox", inbox)
        buttons["Report"].click()
        page.locator("#bar[aria-label]").wait_for()
        yield same("Report shows", f"{ROWS:,} of {ROWS:,} rows done", page.locator("#bar").get_attribute("aria-label"))
        batch = f"{airflow.url}/hubspot-statuses/batch?dag_id={stage.run.dag_id}&run_id=e2e&task_id=mark_statuses&map_index=-1"
        yield same("Report leads to", batch, page.url)


def _check_texts(airflow: Airflow, toast: tuple[str, str], expected: tuple[str, str], texts: list[str]) -> Iterator[Check]:
    """What the form's button, the REST API and the command line say of the connection, and that it is the same."""
    title, text = toast
    connection = airflow.ask("GET", f"connections/{CONNECTION}")
    del connection["team_name"]
    rest = airflow.ask("POST", "connections/test", connection)
    code, printed = airflow.command("connections", "test", CONNECTION)
    texts += [text, rest["message"], printed]
    good = expected[0] == SUCCEEDED
    yield same("the Test button", expected, (title, _without_id(text)))
    yield same("the REST API", (good, expected[1]), (rest["status"], _without_id(rest["message"])))
    printed_text = "Connection success!" if good else f"Connection failed! {expected[1]}"  # it says no more of a success
    yield same(
        "the command line",
        (0 if good else 1, printed_text),
        (code, _without_id(" ".join(printed.partition("Testing...")[2].split()))),
    )


def _without_id(text: str) -> str:
    """Without the number that HubSpot gives to each call."""
    return re.sub(r"(?<=correlationId )[\w-]+", "…", text)


def _labels() -> tuple[str, ...]:
    info: Any = get_provider_info()
    (form,) = info["connection-types"]
    return tuple(field["label"] for field in form["conn-fields"].values())


def _picture(name: str) -> Path | None:
    """Where to draw it, None if nobody asked for pictures."""
    return DOCS / "images" / f"{name}.png" if os.environ.get("HUBCHAN_E2E_PICTURES") else None
