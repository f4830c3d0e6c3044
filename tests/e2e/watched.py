"""Batches as people watch them: the page in Airflow's UI in Chromium, while a real Airflow runs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import chromium
from tests.e2e.checks import Check, at_least, at_most, same
from tests.e2e.run import Run
from tests.e2e.stage import Stage
from tests.e2e.waiting import until

#: Milliseconds that a step in the browser may take.
STEP = 60_000
#: Seconds that HubSpot asks to wait for: the worker waits itself for the first, and defers for the second.
SHORT, LONG = 10, 30
#: Seconds that HubSpot takes for an answer.
DELAY = 0.25
#: Messages that HubSpot does not know; one of them is HTML.
UNKNOWN = ("nobody-1", "<img src=x onerror=alert(1)>", "nobody-3")
PAGE = "/hubspot-statuses/batch"
#: What Chromium says of every page that a plugin shows in a frame of Airflow's.
OF_AIRFLOW = "An iframe which has both allow-scripts and allow-same-origin"
DEFERRAL = re.compile(r"Waiting until .+ \(.+\)\. Status 429 came with .+")
STRANGER = "You are not signed in to Airflow, or your session has ended. Sign in"
NOT_PERMITTED = (
    "You may not read the task instances of this DAG. Whoever administers Airflow can give you that permission.",
    "You may not read the task instances of your DAGs. Whoever administers Airflow can give you that permission.",
)


@dataclass
class Traffic:
    """What a page asked for and complained of."""

    url: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """From now on."""
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))

    def to_api(self) -> int:
        """How many requests went to Airflow's API."""
        return sum("/api/v2/" in url for url in self.asked)

    def elsewhere(self) -> tuple[str, ...]:
        """Those that went to another host."""
        here = urlsplit(self.url).netloc
        return tuple(url for url in self.asked if url.startswith("http") and urlsplit(url).netloc != here)


def watched(stage: Stage) -> Iterator[Check]:
    """Who may watches a batch to its red end: its bar, a 429, a deferral, the reasons; then its shards, and all batches."""
    airflow, run, hubspot = stage.airflow, stage.run, stage.hubspot
    with (stage.folder / "watched.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"message_id": message_id}) + "\n" for message_id in UNKNOWN)
    hubspot.slow_down(DELAY)
    rows = hubspot.rows + len(UNKNOWN)
    traffic = Traffic(airflow.url)
    with chromium() as browser:
        expect.set_options(timeout=STEP)
        address = f"{airflow.url}{PAGE}?dag_id={run.dag_id}&run_id=e2e&task_id=mark&map_index=-1"
        stage.start(updates=1)
        no_role = airflow.token_without_role()
        everywhere = airflow.url + PAGE.removesuffix("batch")
        yield from _without_data("a stranger", browser, "of-nobody", address, STRANGER)
        yield from _without_data("one without permission", browser, no_role, address, NOT_PERMITTED[0])
        yield from _without_data("the same in the list", browser, no_role, everywhere, NOT_PERMITTED[1])

        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(STEP)
        traffic.watch(page)
        page.goto(address)
        bar = page.locator("#bar")
        first = until("a bar", 30, lambda: _done(bar))
        then = until("a bar that has moved", 30, lambda: _done(bar) if _done(bar) > first else 0)
        yield at_least("rows that the bar moved by", first + 1, then)
        yield same("of rows", rows, _total(bar))
        expect(page.locator("#facts")).to_contain_text("Ends at about")

        hubspot.refuse(429, SHORT, DELAY)
        expect(page.locator("#words")).to_contain_text("HubSpot takes no requests until")
        yield same("a 429 is shown as", "HubSpot takes no requests until", page.locator("#words").inner_text()[:31])
        expect(page.locator("#words")).to_be_empty()

        traffic.asked.clear()
        page.wait_for_timeout(20_000)
        yield at_most("requests to Airflow's API a minute, of a running batch", 60, 3 * traffic.to_api())

        hubspot.refuse(429, LONG, DELAY)
        expect(page.locator("#state")).to_have_text("deferred")
        expect(page.locator("#words")).to_contain_text("Waiting until")
        text = page.locator("#words").inner_text()
        yield Check("a deferral says", f"{DEFERRAL.pattern}", text, bool(DEFERRAL.fullmatch(text)))
        hubspot.hurry()
        expect(page.locator("#state")).to_have_text("failed", timeout=2 * STEP)
        expect(page.locator("#reasons li")).to_have_count(1)
        yield same(
            "reasons of the red end",
            f"{len(UNKNOWN)} rejected 404",
            page.locator("#reasons li").inner_text().replace("\n", " ")[:14],
        )
        named = page.locator("#rows li p:first-child code").all_inner_texts()
        yield same("named rows, HTML as text", set(UNKNOWN), set(named))
        asked = traffic.to_api()
        page.wait_for_timeout(10_000)
        yield same("requests after the end", 0, traffic.to_api() - asked)

        yield from _shards(page, stage)
        yield from _all(page, stage, rows)
    yield same("requests to other hosts", (), traffic.elsewhere())
    complaints = (each for each in traffic.complaints if OF_AIRFLOW not in each)
    yield same("complaints in the page's console", (), tuple(complaints))


def _without_data(who: str, browser: Browser, token: str, address: str, words: str) -> Iterator[Check]:
    """Whom Airflow refuses gets words."""
    page = browser.new_page(extra_http_headers={"Authorization": f"Bearer {token}"})
    page.goto(address)
    expect(page.get_by_role("alert")).not_to_be_empty()
    yield same(f"to {who} the page says", words, page.get_by_role("alert").inner_text())
    yield same("and shows", (), tuple(page.locator("main:visible").all_inner_texts()))
    page.close()


def _shards(page: Page, stage: Stage) -> Iterator[Check]:
    """The mapped task of the same run."""
    Run(stage.airflow, stage.run.dag_id, "shards", 2).until("success", 60)
    page.goto(f"{stage.airflow.url}{PAGE}?dag_id={stage.run.dag_id}&run_id=e2e&task_id=shards")
    expect(page.locator("#bar")).to_have_attribute("aria-label", "6 of 6 rows done")
    yield same("shards", ("success",) * 3, tuple(page.locator("#parts .tag").all_inner_texts()))


def _all(page: Page, stage: Stage, rows: int) -> Iterator[Check]:
    """From Airflow's menu to the list, to a batch, and back to Airflow's own page of the task."""
    page.goto(stage.airflow.url)
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="HubSpot statuses").click()
    frame = page.frame_locator("iframe")
    line = frame.locator("#list > li").filter(has_text="watched / mark")
    line.scroll_into_view_if_needed()  # batches of other DAGs may stand above, and the page reads those in sight only
    expect(line.locator(".bar")).to_have_attribute("aria-label", re.compile(f"of {rows} rows done"))
    yield same("the list says of the red one", True, "rejected: 404" in line.inner_text())
    line.get_by_role("link").click()
    expect(frame.locator("#state")).to_have_text("failed")
    frame.get_by_role("link", name="Task in Airflow").click()
    page.wait_for_url(f"**/dags/{stage.run.dag_id}/runs/e2e/tasks/mark**")
    expect(page.locator("iframe")).to_have_count(0)
    yield same("from there to the task in Airflow", "tasks/mark", page.url.partition("/e2e/")[2][:10])


def _done(bar: Locator) -> int:
    return _numbers(bar)[0]


def _total(bar: Locator) -> int:
    return _numbers(bar)[1]


def _numbers(bar: Locator) -> tuple[int, int]:
    found = re.match(r"([\d,]+) of ([\d,]+) ", bar.get_attribute("aria-label") or "")
    done, total = (int(each.replace(",", "")) for each in found.groups()) if found else (0, 0)
    return done, total
