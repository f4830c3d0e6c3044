"""The page of the batches in Chromium, against an Airflow that has canned answers."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from airflow_provider_hubchan import ui
from tests.browser import canned_airflow as canned
from tests.browser.canned_airflow import DAG, RUN, TASK, CannedAirflow, instance, kept, problem, report, snapshot
from tests.browser.conftest import Watch
from tests.browser.contrast import TOO_FAINT

ONE = (DAG, TASK, -1)
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with canned.served() as address:
        yield address


@pytest.fixture
def airflow() -> CannedAirflow:
    return CannedAirflow()


@pytest.fixture
def open_page(browser: Browser, address: str, airflow: CannedAirflow, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Opens the list of all batches, or with arguments the page of one; its timers run when a test says so."""
    pages: list[Page] = []

    def opened(path: str = "/", **options: Any) -> Page:
        page = browser.new_page(viewport={"width": 1000, "height": 900}, reduced_motion="reduce", **options)
        pages.append(page)
        page.set_default_timeout(15_000)
        page.on("request", lambda request: watch.asked.append(request.url))
        page.on("console", lambda said: watch.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda fault: watch.complaints.append(str(fault)))
        airflow.attach(page)
        page.clock.install(time=time.time())
        page.goto(address + path)
        return page

    yield opened
    for page in pages:
        page.close()
    watch.check(address.rpartition(canned.BASE)[0])


def batch(map_index: int | None = -1) -> str:
    index = {} if map_index is None else {"map_index": map_index}
    return f"/{ui.BATCH}?" + urlencode({"dag_id": DAG, "run_id": RUN, "task_id": TASK, **index})


def pass_time(page: Page, seconds: int) -> None:
    """Let the page's clock go on by so much, second by second, and let it have its answers."""
    for _ in range(seconds):
        page.clock.run_for(1000)
        for _ in range(3):
            page.evaluate("() => fetch('page.css').then((reply) => reply.text()).then((text) => text.length)")


def test_a_running_batch_moves(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """Its bar, its counts, its rates, when it ends; then its report, and nothing more is asked."""
    airflow.instances = [instance()]
    airflow.progress[ONE] = kept(snapshot(200))
    page = open_page(batch())
    bar = page.locator("#bar")
    expect(bar).to_have_attribute("aria-label", "200 of 1,000 rows done")
    expect(page.locator("#title")).to_have_text("mark / mark_statuses")
    expect(page.locator("#try")).to_have_text(f"try 1 of 3, run {RUN}")
    expect(page.locator("#legend")).to_have_text("200 updated800 to go")
    facts = page.locator("#facts")
    expect(facts).to_contain_text("Rate now10 per second")
    expect(facts).to_contain_text("Rate since the start2 per second")
    expect(facts).to_contain_text("Time leftabout 6 minutes 40 seconds")
    expect(facts).to_contain_text("Quota190 requests per 10 s, as HubSpot says")
    expect(page.locator("#plot svg")).to_have_attribute(
        "aria-label", re.compile("Rows per second since .+: 10 per second at most")
    )
    airflow.progress[ONE] = kept(snapshot(700, quota={"limit": 100, "window": 10.0, "known": False}))
    pass_time(page, 2)
    expect(bar).to_have_attribute("aria-label", "700 of 1,000 rows done")
    expect(facts).to_contain_text("assumed until HubSpot tells")
    assert page.title() == "70% mark / mark_statuses"

    del airflow.progress[ONE]
    airflow.instances = [instance("success")]
    airflow.reports[ONE] = report(rows=1000, updated=1000, rejected=0, reasons=[], problems=[], report_file=None)
    pass_time(page, 5)
    expect(page.locator("#state")).to_have_text("success")
    expect(page.locator("#legend")).to_have_text("1,000 updated")
    expect(page.locator("#live")).to_have_text("Ended")
    asked = len(airflow.asked)
    pass_time(page, 30)
    assert len(airflow.asked) == asked


def test_the_burst_at_the_beginning_promises_nothing(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """A batch may send all that the quota allows at once; the rest takes as long as the quota lets it."""
    airflow.instances = [instance()]
    airflow.progress[ONE] = kept(snapshot(190, 2090, samples=[[0.0, 0], [2.0, 190]]))
    page = open_page(batch())
    expect(page.locator("#facts")).to_contain_text("Rate since the start95 per second")
    expect(page.locator("#facts")).to_contain_text("Time leftabout 1 minute 40 seconds")


def test_a_pause_that_hubspot_asks_for_is_shown_as_one(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """Until when nothing is sent, how many requests were answered with 429, how long it waited."""
    airflow.instances = [instance()]
    airflow.progress[ONE] = kept(snapshot(rate_limited=12, waited_seconds=75.0, waiting_until=time.time() + 40))
    page = open_page(batch())
    expect(page.locator("#words")).to_have_text(
        re.compile(r"HubSpot takes no requests until .+: nothing is sent for \d\d seconds\.")
    )
    expect(page.locator("#facts")).to_contain_text("Answered with 42912")
    expect(page.locator("#facts")).to_contain_text("Waited1 minute 15 seconds")


def test_a_deferral_says_until_when_and_why(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """The daily limit, or an account that is being moved."""
    airflow.instances = [instance("deferred")]
    wait = {"since": time.time(), "done": 200, "until": time.time() + 7200, "reason": "HubSpot answered 429: the daily limit."}
    airflow.progress[ONE] = kept(snapshot(unresolved=800), wait)
    page = open_page(batch())
    expect(page.locator("#state")).to_have_text("deferred")
    expect(page.locator("#words")).to_have_text(
        re.compile(r"Waiting until .+ \((2 hours|1 hour 59 minutes)\)\. HubSpot answered 429: the daily limit\.")
    )
    expect(page.locator("#legend")).to_contain_text("800 to go")
    expect(page.locator("#legend")).not_to_contain_text("unresolved")


def test_a_red_end_says_what_was_not_updated(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """By reason, then the named rows, the report file, and how to send it again."""
    airflow.instances = [instance("failed")]
    reasons = [{"outcome": "rejected", "reason": "404 OBJECT_NOT_FOUND", "count": 7}]
    airflow.reports[ONE] = report(reasons=reasons)
    page = open_page(batch(), permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#reasons li")).to_have_text(["7rejected 404 OBJECT_NOT_FOUND", "3rejected other reasons"])
    expect(page.locator("#rows li")).to_have_count(10)
    expect(page.locator("#rows li").first).to_contain_text("Row 1 m-1 rejected")
    page.get_by_role("button", name="Copy the correlation id of row 3").click()
    assert page.evaluate("navigator.clipboard.readText()") == "c-3"
    expect(page.locator("#file code").first).to_have_text("s3://bucket/left.jsonl")
    expect(page.locator("#file pre")).to_contain_text('messages_file="s3://bucket/left.jsonl"')
    expect(page.get_by_role("link", name="Task in Airflow")).to_have_attribute(
        "href", f"{canned.BASE}/dags/{DAG}/runs/scheduled__2026-11-28T00%3A00%3A00%2B00%3A00/tasks/{TASK}"
    )


def test_a_mapped_batch_has_a_sum_and_its_parts(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """The sum is of the parts that have figures; each leads to its own page."""
    airflow.instances = [instance("success", 0), instance("failed", 1), instance("running", 2), instance("queued", 3)]
    airflow.reports[DAG, TASK, 0] = report(updated=100, rejected=0, reasons=[], problems=[])
    airflow.reports[DAG, TASK, 1] = report()
    airflow.progress[DAG, TASK, 2] = kept(snapshot(50, 100))
    page = open_page(batch(None))
    expect(page.locator("#bar")).to_have_attribute("aria-label", "250 of 300 rows done")
    expect(page.locator("#state")).to_have_text("4 parts, failed")
    expect(page.locator("#parts li .tag")).to_have_text(["success", "failed", "running", "queued"])
    expect(page.locator("#reasons li")).to_have_text(["10rejected 404 OBJECT_NOT_FOUND"])
    page.get_by_role("link", name="Part 1").click()
    expect(page.locator("#title")).to_have_text("mark / mark_statuses [1]")
    expect(page.locator("#legend")).to_have_text("90 updated10 rejected")


@pytest.mark.parametrize(
    ("refusals", "says"),
    [
        ({"taskInstances": 403}, "You may not read the task instances of this DAG."),
        ({"taskInstances": 401}, "You are not signed in to Airflow, or your session has ended. Sign in"),
        ({"taskInstances": 404}, "Airflow knows no such task of such a run"),
        ({"taskInstances": 500}, "Airflow answered 500 when it was asked for the task instances of this DAG. Trying again …"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_shown(
    open_page: Callable[..., Page], airflow: CannedAirflow, watch: Watch, refusals: dict[str, int], says: str
) -> None:
    """A viewer without permission sees words and no data."""
    watch.expected = "the server responded with a status of"
    airflow.instances, airflow.refusals = [instance()], refusals
    airflow.progress[ONE] = kept(snapshot())
    page = open_page(batch())
    expect(page.get_by_role("alert")).to_contain_text(says)
    expect(page.locator("#batch")).to_be_hidden()
    asked = len(airflow.asked)
    pass_time(page, 8)
    assert len(airflow.asked) == asked


@pytest.mark.parametrize("path", [batch(), "/"], ids=["one batch", "all batches"])
def test_a_permission_that_is_taken_away_takes_the_data_away(
    open_page: Callable[..., Page], airflow: CannedAirflow, watch: Watch, path: str
) -> None:
    """At the next look; then nothing more is asked."""
    watch.expected = "the server responded with a status of 403"
    airflow.instances = [instance()]
    airflow.progress[ONE] = kept(snapshot())
    page = open_page(path)
    expect(page.locator(".bar:visible")).to_be_visible()
    airflow.refusals = {"taskInstances": 403}
    pass_time(page, 8)
    expect(page.get_by_role("alert")).to_contain_text("You may not read the task instances")
    expect(page.locator(".bar:visible")).to_have_count(0)
    airflow.asked.clear()
    pass_time(page, 25)
    assert airflow.asked == []


@pytest.mark.parametrize(
    ("state", "refused", "says"),
    [
        ("failed", "xcomEntries", "You may not read the XComs of this DAG."),
        ("running", "state-store", "You may not read the task state"),
    ],
)
def test_half_a_permission_shows_half(
    open_page: Callable[..., Page], airflow: CannedAirflow, watch: Watch, state: str, refused: str, says: str
) -> None:
    """The state of the task, and in words what is missing."""
    watch.expected = "the server responded with a status of 403"
    airflow.instances, airflow.refusals = [instance(state)], {refused: 403}
    page = open_page(batch())
    expect(page.locator("#state")).to_have_text(state)
    expect(page.locator("#words")).to_contain_text(says)


@pytest.mark.parametrize(
    ("version", "says"),
    [("3.2.2", "Airflow 3.2.2 keeps no progress of running tasks; 3.3 does."), ("3.3.2", "There is no progress yet.")],
)
def test_progress_that_is_not_there_is_explained(
    open_page: Callable[..., Page], airflow: CannedAirflow, version: str, says: str
) -> None:
    """On Airflow 3.2 it is not even asked for."""
    airflow.instances, airflow.version = [instance()], version
    page = open_page(batch())
    expect(page.locator("#words")).to_contain_text(says)
    pass_time(page, 10)
    assert any("state-store" in each for each in airflow.asked) == (version == "3.3.2")


@pytest.mark.parametrize("value", ["s3://xcoms/1.json", '"s3://xcoms/1.json"', "[]", "7"])
def test_a_report_that_is_kept_elsewhere_is_said(open_page: Callable[..., Page], airflow: CannedAirflow, value: str) -> None:
    """By a backend of XComs: Airflow's API has its place alone."""
    airflow.instances = [instance("success")]
    airflow.reports[ONE] = value
    expect(open_page(batch()).locator("#words")).to_contain_text("The report is not in Airflow's database.")


def test_html_stays_text(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """In names, reasons, ids, places and states: what is written in a message runs nowhere."""
    evil = "<img src=x onerror=alert(1)>\"'</script><script>alert(1)</script>"
    named = problem(1, message_id=evil, reason=evil, correlation_id=evil, outcome=evil)
    reasons = [{"outcome": evil, "reason": evil, "count": 1}, {"outcome": "rejected", "reason": evil, "count": 9}]
    airflow.instances = [instance("failed", rendered_map_index=evil, map_index=0)]
    airflow.reports[DAG, TASK, 0] = report(report_file=evil, reasons=reasons, problems=[named])
    page = open_page(batch(0))
    expect(page.locator("#rows li")).to_contain_text(evil)
    expect(page.locator("#title")).to_contain_text(evil)
    assert page.locator("main img, main script, #title img").count() == 0
    page = open_page("/")
    expect(page.locator("#list")).to_contain_text(evil)
    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize(
    "damage",
    [
        {"rows": "many"},
        {"samples": "x"},
        {"samples": [{}, [], ["x", 1]]},
        {"reasons": {}},
        {"quota": 7},
        {"updated": -1e400},
        {"version": 2},
    ],
)
def test_progress_of_another_shape_breaks_nothing(
    open_page: Callable[..., Page], airflow: CannedAirflow, damage: dict[str, Any]
) -> None:
    """Anybody who may write the task's state may write anything."""
    airflow.instances = [instance()]
    airflow.progress[ONE] = json.loads(json.dumps(kept(snapshot(**damage))).replace("Infinity", "1e999"))
    airflow.progress[ONE]["batch"]["problems"] = [7, None, {"row": []}]
    page = open_page(batch())
    expect(page.locator("#state")).to_have_text("running")


def test_at_most_sixty_requests_a_minute_and_none_when_nobody_looks(
    open_page: Callable[..., Page], airflow: CannedAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a running batch, of a mapped one, and of the list of all."""
    for path, instances in (
        (batch(), [instance()]),
        (batch(None), [instance(map_index=index) for index in range(40)]),
        ("/", [instance(dag_id=f"dag-{number}") for number in range(60)]),
    ):
        airflow.instances = instances
        airflow.progress = {(each["dag_id"], TASK, each["map_index"]): kept(snapshot()) for each in instances}
        page = open_page(path)
        pass_time(page, 5)
        airflow.asked.clear()
        pass_time(page, 60)
        with capsys.disabled():
            print(
                f"\n{len(airflow.asked)} requests a minute of {path.partition('?')[0]} with {len(instances)} running", end=" "
            )
        assert 5 <= len(airflow.asked) <= 60
        page.evaluate(HIDE, True)
        pass_time(page, 3)
        airflow.asked.clear()
        pass_time(page, 30)
        assert airflow.asked == []
        page.evaluate(HIDE, False)
        pass_time(page, 3)
        assert airflow.asked
        page.close()


def test_all_batches_are_listed_running_ones_first(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """With their bars; a red one with its top reason; the parts of a mapped one together; other tasks are not there."""
    airflow.instances = [
        instance("failed", dag_id="red", start_date=canned.moment(-50)),
        instance("success", dag_id="green", start_date=canned.moment(-90)),
        *(instance("success", index, dag_id="shards", start_date=canned.moment(-95)) for index in range(3)),
        instance("running", dag_id="busy", start_date=canned.moment(-900)),
        instance("success", dag_id="else", operator="BashOperator"),
    ]
    airflow.reports = {("red", TASK, -1): report(), ("green", TASK, -1): report(rejected=0, updated=100, reasons=[])}
    airflow.reports |= {("shards", TASK, index): report() for index in range(3)}
    airflow.progress["busy", TASK, -1] = kept(snapshot(300))
    page = open_page()
    lines = page.locator("#list > li")
    expect(lines.locator("a")).to_have_text([f"{dag_id} / {TASK}" for dag_id in ("busy", "red", "green", "shards")])
    expect(lines.nth(0).locator(".bar")).to_have_attribute("aria-label", "300 of 1,000 rows done")
    expect(lines.nth(1)).to_contain_text("10 rejected: 404 OBJECT_NOT_FOUND")
    expect(lines.nth(3)).to_contain_text("3 parts: 3 success")
    expect(lines.nth(3)).to_contain_text("270 updated30 rejected")
    assert len(airflow.asked) == 2 + 2 + 6  # the lists; version and progress; reports, of the red one whether there is one, too
    page.get_by_label("DAG").fill("re")
    page.get_by_label("DAG").press("Enter")
    expect(lines.locator("a")).to_have_text([f"{dag_id} / {TASK}" for dag_id in ("red", "green")])
    page.get_by_role("combobox", name="State").select_option("failed")
    expect(lines).to_have_count(1)
    assert "dag=re&state=failed" in page.url
    page.get_by_label("DAG").fill("nothing")
    page.get_by_label("DAG").press("Enter")
    expect(page.locator("#none")).to_contain_text("No task that marks messages fits.")


def test_many_batches_cost_few_requests(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """Two for the list, and those for the reports that are in sight; the next page when it is asked for."""
    airflow.instances = [
        instance("success", dag_id=f"dag-{number}", start_date=canned.moment(-number)) for number in range(250)
    ]
    airflow.reports = {(each["dag_id"], TASK, -1): report() for each in airflow.instances}
    page = open_page()
    expect(page.locator("#list > li")).to_have_count(100)
    expect(page.locator("#list > li").first.locator(".bar")).to_be_visible()
    pass_time(page, 10)
    assert len(airflow.asked) <= 2 + 12
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#list a").first).to_have_text(f"dag-100 / {TASK}")
    page.get_by_role("button", name="Newest").click()
    expect(page.locator("#list a").first).to_have_text(f"dag-0 / {TASK}")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1000])
def test_it_can_be_read_by_day_and_by_night_on_every_screen(
    open_page: Callable[..., Page], airflow: CannedAirflow, colours: str, width: int
) -> None:
    """Nothing is wider than the screen, every text has the contrast that WCAG AA asks for, and Airflow's own theme wins."""
    airflow.instances = [instance("failed", dag_id="unbreakable" * 20), instance("failed"), instance("deferred", dag_id="d")]
    airflow.reports[ONE] = airflow.reports["unbreakable" * 20, TASK, -1] = report(
        report_file="s3://" + "long" * 60, problems=[problem(1, message_id="long" * 50), problem(2, outcome="unresolved")]
    )
    page = open_page("/", color_scheme=colours)
    for path in ("/", batch()):
        page.goto(page.url.partition("/hubspot-statuses")[0] + "/hubspot-statuses" + path)
        page.set_viewport_size({"width": width, "height": 812})
        expect(page.locator(".bar").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(TOO_FAINT) == []
    assert page.evaluate("document.documentElement.dataset.theme") == colours
    other = "light" if colours == "dark" else "dark"
    page.evaluate("(theme) => localStorage.setItem('theme', theme)", other)
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == other


def test_everything_is_reached_by_keyboard(open_page: Callable[..., Page], airflow: CannedAirflow) -> None:
    """Filters and batches one after the other; what has the focus keeps it when there is news; Enter opens a batch."""
    airflow.instances = [instance()]
    airflow.progress[ONE] = kept(snapshot(1))
    page = open_page()
    bar = page.locator("#list .bar")
    expect(bar).to_have_attribute("aria-label", "1 of 1,000 rows done")
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.locator("#list a")).to_be_focused()
    for done in range(2, 5):
        airflow.progress[ONE] = kept(snapshot(done))
        pass_time(page, 3)
        expect(bar).to_have_attribute("aria-label", f"{done} of 1,000 rows done")
        expect(page.locator("#list a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("running")


def test_the_page_is_small() -> None:
    """Page, style and script together: less than 40 KB, and less than 15 KB as they are sent."""
    files = [(ui.FILES / name).read_bytes() for name in ("page.html", "page.css", "page.js")]
    assert sum(map(len, files)) < 40_000
    assert sum(len(gzip.compress(each)) for each in files) < 15_000
