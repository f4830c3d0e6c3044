"""Draw docs/images/watch-*.png: the page of the batches in the midst of a day that is the same each time. ``make pictures``."""

from __future__ import annotations

import sys
from typing import Any, Literal

from playwright.sync_api import Browser

from tests.browser import canned_airflow as canned
from tests.browser.canned_airflow import TASK, CannedAirflow, instance, kept, problem, report, snapshot
from tests.browser.chromium import chromium
from tests.paths import DOCS

IMAGES = DOCS / "images"
#: 2026-11-20T14:02:10Z: what is shown as now.
NOW = 1_795_183_330.0
RUN = "scheduled__2026-11-20T00:00:00+00:00"
REASONS = [
    {"outcome": "skipped", "reason": "superseded", "count": 312},
    {"outcome": "rejected", "reason": "404 OBJECT_NOT_FOUND", "count": 41},
    {"outcome": "rejected", "reason": "status (state) is 'on_hold', which is not in statuses: add it there", "count": 9},
]
#: Name, path, width, height, colours.
PICTURES: tuple[tuple[str, str, int, int, Literal["light", "dark"]], ...] = (
    (
        "watch-batch",
        f"/batch?dag_id=mark_delivery&run_id={RUN.replace('+', '%2B')}&task_id={TASK}&map_index=-1",
        1000,
        860,
        "light",
    ),
    ("watch-all", "/", 1000, 800, "dark"),
    (
        "watch-phone",
        f"/batch?dag_id=mark_campaign&run_id={RUN.replace('+', '%2B')}&task_id={TASK}&map_index=-1",
        375,
        812,
        "dark",
    ),
)


def airflow() -> CannedAirflow:
    """Of four DAGs: one is running, one waits for tomorrow's quota, one is red, one is green and mapped."""
    samples: list[list[Any]] = [[26.0 * step, done] for step, done in enumerate(_done())]
    running = snapshot(
        updated=samples[-1][1] - 312 - 50,
        rows=50_000,
        skipped=312,
        rejected=50,
        requests=27_301,
        rate_limited=47,
        waited_seconds=212.0,
        elapsed_seconds=samples[-1][0],
        reasons=REASONS,
        samples=samples,
        started=NOW - samples[-1][0],
        at=NOW,
    )
    waiting = snapshot(updated=61_300, rows=90_000, unresolved=28_700, samples=[], at=NOW, started=NOW - 4000)
    until = {
        "since": NOW,
        "done": 61_300,
        "until": NOW + 35_875,
        "reason": "HubSpot answered 429: the daily limit of the account.",
    }
    red = report(
        rows=1355,
        updated=1220,
        skipped=13,
        rejected=122,
        requests=1342,
        elapsed_seconds=71.4,
        problems=[problem(row, message_id=f"9f31c0{row:02d}", correlation_id=f"0b7c9a44-12{row:02d}") for row in (7, 31, 58)],
        reasons=[
            {"outcome": "rejected", "reason": "404 OBJECT_NOT_FOUND", "count": 113},
            REASONS[2],
            {**REASONS[0], "count": 13},
        ],
    )
    return CannedAirflow(
        instances=[
            _instance("running", "mark_delivery", -1440),
            _instance("deferred", "mark_newsletter", -5100),
            _instance("failed", "mark_campaign", -7300),
            *(_instance("success", "mark_by_brand", -9000 + index, index) for index in range(4)),
        ],
        progress={
            ("mark_delivery", TASK, -1): kept(running, problems=[problem(71), problem(402)]),
            ("mark_newsletter", TASK, -1): kept(waiting, until),
        },
        reports={("mark_campaign", TASK, -1): red}
        | {
            ("mark_by_brand", TASK, index): report(rows=2500, updated=2500, rejected=0, reasons=[], problems=[])
            for index in range(4)
        },
    )


def _done() -> list[int]:
    """How many rows were done every 26 seconds: at 19 a second, twice at half of that, and once there was a pause."""
    done = [312]
    for step in range(56):
        done.append(done[-1] + (0 if step == 31 else 240 if step in (18, 32) else 490 + (step * 7) % 6))
    return done


def _instance(state: str, dag_id: str, began: float, map_index: int = -1) -> dict[str, Any]:
    ended = canned.moment(began + 72, NOW) if state in ("failed", "success") else None
    began_at = canned.moment(began, NOW)
    return instance(state, map_index, dag_id=dag_id, dag_run_id=RUN, start_date=began_at, end_date=ended, run_after=began_at)


def draw(browser: Browser) -> None:
    """Take them all."""
    with canned.served() as address:
        for name, path, width, height, colours in PICTURES:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=colours,
                device_scale_factor=1 if width > 500 else 2,
                reduced_motion="reduce",
                locale="en-GB",
                timezone_id="Europe/Vienna",
            )
            page.clock.set_fixed_time(NOW)
            canned_airflow = airflow()
            canned_airflow.now = NOW
            canned_airflow.attach(page)
            page.goto(address + path)
            page.locator("main:visible > *").locator(".bar:visible, svg:visible").last.wait_for()
            page.wait_for_timeout(6_000 if path == "/" else 0)  # what is running is read one after the other
            page.screenshot(path=IMAGES / f"{name}.png")
            print(f"docs/images/{name}.png: {(IMAGES / f'{name}.png').stat().st_size:,} bytes")
            page.close()


def main() -> int:
    """Draw them in a Chromium of their own."""
    with chromium() as browser:
        draw(browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
