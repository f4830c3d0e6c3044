"""A headless Chromium that asks nobody but the pages it is shown. Every name under ``.example`` leads it to this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",  # as DNS rebinding does
)
MISSING = "Chromium is missing: apt-get install chromium (or have chromium or google-chrome on the PATH otherwise)"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it.

    :raises FileNotFoundError: it is not installed; says how to get it.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()
