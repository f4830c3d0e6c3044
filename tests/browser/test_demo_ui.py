"""``make demo-ui`` as a new user tries it: type a reply, watch it delivered, break the gateway, press Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.paths import ROOT
from tests.waiting import wait_until

#: Seconds that everything may take, and milliseconds that a step in the browser may.
LONGEST, STEP = 400.0, 120_000


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """What is started now heeds Ctrl-C, even if this process was started in the background and does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def of_home(home: Path) -> list[psutil.Process]:
    """Processes that were started with this home of Airflow's."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIRFLOW_HOME") == str(home):
                found.append(process)
        except psutil.Error:  # it has ended, or is somebody else's
            continue
    return found


class Demo:
    """The demo's three pages, as somebody uses them.

    :param places: addresses of HubSpot, the gateway and Airflow.
    """

    def __init__(self, browser: Browser, places: dict[str, str]) -> None:
        self.hubspot, self.gateway, self.airflow = (browser.new_page() for _ in range(3))
        self.airflow_url = places["Airflow"]
        for name, page in (("HubSpot", self.hubspot), ("Gateway", self.gateway)):
            page.goto(places[name])
        expect(self.hubspot.locator("#count-SENT")).to_have_text("1,024")

    def reply(self, text: str) -> float:
        """Type a text into the box of the first thread, and press Enter; gives the time."""
        self.hubspot.locator(".thread").first.get_by_role("textbox").click()
        self.hubspot.keyboard.type(text)
        self.hubspot.keyboard.press("Enter")
        entered = time.monotonic()
        expect(self.message(text).locator(".status")).to_have_text("Sent")
        return entered

    def message(self, text: str) -> Locator:
        """A reply in the inbox."""
        return self.hubspot.locator(".message").filter(has_text=text)

    def at_gateway(self, text: str) -> Locator:
        """What has become of a reply at the gateway."""
        return self.gateway.locator(".sms").filter(has_text=text).locator(".status")

    def trigger(self, dag_id: str) -> None:
        """Press the two buttons in Airflow, as somebody who does not wait for the schedule."""
        self.airflow.goto(f"{self.airflow_url}/dags/{dag_id}", timeout=STEP)
        self.airflow.get_by_role("button", name="Trigger").click(timeout=STEP)
        self.airflow.get_by_role("dialog").get_by_role("button", name="Trigger").last.click(timeout=STEP)


def watch_a_batch(demo: Demo) -> None:
    """HubSpot's page has the statuses that a DAG run writes, Airflow's how far it is."""
    demo.trigger("mark_delivery_report")
    expect(demo.hubspot.locator("#count-READ")).not_to_have_text("0", timeout=STEP)
    expect(demo.hubspot.locator("#used")).not_to_have_text("0")
    demo.airflow.goto(f"{demo.airflow_url}/hubspot-statuses/")
    demo.airflow.get_by_role("link", name="mark_delivery_report / mark_statuses").click()
    expect(demo.airflow.locator("#bar")).to_have_attribute("aria-label", re.compile("of 1,355 rows done"), timeout=STEP)


def try_what_the_page_says(demo: Demo) -> dict[str, float]:
    """A reply is read, one fails; gives how many seconds that took.

    The schedule delivers the first one, while a large batch is watched. The rest is triggered, or it would take minutes.
    """
    entered, seconds = demo.reply("Your table is booked. read"), {}
    message_id = demo.message("Your table is booked.").get_attribute("data-message")
    demo.hubspot.get_by_label("Search").fill(str(message_id))  # the batch would push its thread out of sight
    watch_a_batch(demo)
    expect(demo.at_gateway("Your table is booked.")).to_have_text("read", timeout=STEP)
    seconds["the gateway, by the schedule"] = time.monotonic() - entered
    demo.trigger("mark_receipts")
    expect(demo.message("Your table is booked.").locator(".status")).to_have_text("Read", timeout=STEP)
    seconds["Read"] = time.monotonic() - entered

    demo.gateway.get_by_role("radio", name="Delivers nothing").check(force=True)
    entered = demo.reply("See you tonight.")
    demo.trigger("deliver_outbox")
    expect(demo.at_gateway("See you tonight.")).to_have_text("undelivered", timeout=STEP)
    demo.gateway.get_by_role("radio", name="Works").check(force=True)
    demo.trigger("mark_receipts")
    expect(demo.message("See you tonight.").locator(".status")).to_have_text("Failed", timeout=STEP)
    seconds["Failed, triggered"] = time.monotonic() - entered
    expect(demo.message("See you tonight.").locator(".reason")).to_have_text("30003: Unreachable destination handset")
    return seconds


@pytest.mark.usefixtures("ctrl_c")
def test_a_reply_is_typed_and_gets_its_tick(browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From Enter to the tick, and to a failure with its reason; Ctrl-C then leaves no process behind."""
    home, began = tmp_path / "home", time.monotonic()
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
            places = dict(re.findall(r"^(HubSpot|Airflow|Gateway) +(\S+)$", said, flags=re.MULTILINE))
            seconds = {"all is there": time.monotonic() - began}
            assert len(of_home(home)) >= 6
            seconds |= try_what_the_page_says(Demo(browser, places))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=60)
            limit.cancel()
    assert demo.returncode == 0
    assert of_home(home) == []
    with capsys.disabled():
        print("".join(f"\n{value:6.1f} s  {name}" for name, value in seconds.items()))


def test_a_process_that_ends_is_named(tmp_path: Path) -> None:
    """With the end of its log; everything else is ended, too."""
    home = tmp_path / "home"
    command = [sys.executable, "example_dags/run_demo_ui.py", str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        wait_until(lambda: any("hubspot_bridge.gateway" in process.cmdline() for process in of_home(home)))
        for process in of_home(home):
            if "hubspot_bridge.gateway" in process.cmdline():
                process.kill()
        said, _ = demo.communicate(timeout=LONGEST)
    assert demo.returncode == 1
    assert f"--- the end of gateway.log\n\ngateway ended with -9: above is why, and more in {home / 'gateway.log'}.\n" in said
    assert of_home(home) == []
