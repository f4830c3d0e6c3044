"""A page of Chromium that looks at an emulator: whatever a test does, it asks nobody else, and complains of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests
from playwright.sync_api import Browser, Page

from airflow_provider_hubchan.emulator import Emulator
from tests.browser.chromium import chromium


@dataclass
class Watch:
    """What a page asked for and complained of.

    :param expected: a text of complaints that the test brings about.
    """

    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected: str | None = None

    def check(self, origin: str) -> None:
        elsewhere = [url for url in self.asked if not url.startswith((f"{origin}/", "data:"))]
        assert not elsewhere
        assert [each for each in self.complaints if self.expected is None or self.expected not in each] == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as browser:
            yield browser
    except FileNotFoundError as missing:
        pytest.exit(str(missing), returncode=1)


@pytest.fixture
def hubspot() -> Iterator[Emulator]:
    with Emulator(limit=10) as emulator:
        emulator.world.seed(f"m-{number}" for number in range(1, 13))
        yield emulator


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(browser: Browser, hubspot: Emulator, watch: Watch) -> Iterator[Page]:
    """It shows the emulator's page."""
    with watched_page(browser, watch, hubspot.url) as page:
        yield page


@contextmanager
def watched_page(browser: Browser, watch: Watch, origin: str) -> Iterator[Page]:
    """A page that shows what is at an origin; at the end it has asked nobody else, and complained of nothing."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(15_000)
    page.on("request", lambda request: watch.asked.append(request.url))
    page.on("console", lambda said: watch.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: watch.complaints.append(str(fault)))
    page.goto(origin)
    yield page
    page.close()
    watch.check(origin)


def patch(hubspot: Emulator, message_id: str, status: str = "READ", **more: str) -> int:
    """Update a message as a program does, with a token of its own; gives the status code."""
    url = f"{hubspot.url}/conversations/custom-channels/2026-03/{hubspot.world.channel_id}/messages/{message_id}"
    headers = {"Authorization": f"Bearer {hubspot.world.issue()}"}
    return requests.patch(url, json={"statusType": status, **more}, headers=headers, timeout=10).status_code
