"""``make demo-ui`` as a new user tries it: trigger the DAG in Airflow, watch HubSpot's page, press Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect

from tests.paths import ROOT

#: Seconds that everything may take, and milliseconds that a step in the browser may.
LONGEST, STEP = 240.0, 120_000


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """What is started now heeds Ctrl-C, even if this process was started in the background and does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def of_home(home: Path) -> list[int]:
    """Processes that were started with this home of Airflow's."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIRFLOW_HOME") == str(home):
                found.append(process.pid)
        except psutil.Error:  # it has ended, or is somebody else's
            continue
    return found


@pytest.mark.usefixtures("ctrl_c")
def test_both_sides_are_there_until_ctrl_c(browser: Browser, tmp_path: Path) -> None:
    """HubSpot's page has the statuses that a DAG run writes, Airflow's how far it is; Ctrl-C then leaves no process behind."""
    home = tmp_path / "home"
    command = [sys.executable, "example_dags/run_demo_ui.py", str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        limit = threading.Timer(LONGEST, demo.send_signal, [signal.SIGINT])
        limit.start()
        try:
            assert demo.stdout is not None
            said = ""
            while "Ctrl-C" not in said:
                said += demo.stdout.readline()
                assert demo.poll() is None, said
            places = dict(re.findall(r"^(HubSpot|Airflow|Batches) +(\S+)$", said, flags=re.MULTILINE))
            assert len(of_home(home)) >= 4
            hubspot, airflow, batches = browser.new_page(), browser.new_page(), browser.new_page()
            hubspot.goto(places["HubSpot"])
            expect(hubspot.locator("#count-SENT")).to_have_text("1,024")
            airflow.goto(places["Airflow"], timeout=STEP)
            airflow.get_by_role("button", name="Trigger").click(timeout=STEP)
            airflow.get_by_role("dialog").get_by_role("button", name="Trigger").last.click(timeout=STEP)
            expect(hubspot.locator("#count-READ")).not_to_have_text("0", timeout=STEP)
            expect(hubspot.locator("#used")).not_to_have_text("0")
            batches.goto(places["Batches"])
            batches.get_by_role("link", name="mark_delivery_report / mark_statuses").click()
            expect(batches.locator("#state")).to_have_text("running")
            expect(batches.locator("#bar")).to_have_attribute("aria-label", re.compile("of 1,355 rows done"), timeout=STEP)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=60)
            limit.cancel()
    assert demo.returncode == 0
    assert of_home(home) == []
