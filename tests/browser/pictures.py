"""Draw docs/images/emulator*.png and watch-*.png: ``make pictures``."""

from __future__ import annotations

import sys

from tests.browser import batch_pictures
from tests.browser.chromium import chromium
from tests.browser.lively import lively
from tests.paths import DOCS

IMAGES = DOCS / "images"
#: Width, height and colours of each.
PICTURES = {"emulator": (1280, 800, "light"), "emulator-phone": (375, 812, "dark")}


def main() -> int:
    """Take them all of the same minute."""
    with lively(port=8920) as hubspot, chromium() as browser:
        for name, (width, height, colours) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if colours == "dark" else "light",
                device_scale_factor=1 if width > 500 else 2,
                reduced_motion="reduce",
                timezone_id="Europe/Vienna",
            )
            page.goto(hubspot.url)
            page.locator(".thread").nth(199).wait_for()
            if width < 500:
                page.locator("#waiting").evaluate("card => card.scrollIntoView()")  # the inbox is below
            page.screenshot(path=IMAGES / f"{name}.png")
            print(f"docs/images/{name}.png: {(IMAGES / f'{name}.png').stat().st_size:,} bytes")
            page.close()
        batch_pictures.draw(browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
