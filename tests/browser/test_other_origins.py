"""Pages of other origins in a real browser, which try what a page may try at a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from airflow_provider_hubchan.emulator import Emulator
from tests.browser.another_server import another_server

#: Sends what needs no leave of the server, and gives what the script got to see of the answers.
ATTACK = """async (url) => {
  const sent = (path, body, type) => seen(path, { method: "POST", mode: "no-cors", body, headers: { "Content-Type": type } });
  const seen = async (path, options) => fetch(url + path, options).then((reply) => reply.text(), () => "nothing");
  const image = new Image();
  await sent("/_emulator/reset", "", "text/plain");
  await sent("/_emulator/faults", '{"status": 500}', "text/plain");
  await sent("/oauth/2026-03/token/revoke", REVOKE, "application/x-www-form-urlencoded");
  await new Promise((done) => { image.onload = image.onerror = done; image.src = url + "/account-info/2026-03/details"; });
  navigator.sendBeacon(url + "/_emulator/reset");
  return Promise.all([seen("/_emulator/connection"), seen("/"), seen("/_emulator/faults", { method: "DELETE" })]);
}"""
FORM = """(url) => {
  const form = Object.assign(document.createElement("form"), { method: "POST", action: url + "/_emulator/reset" });
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(15_000)
    yield page
    page.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_origin_reads_and_changes_nothing(stranger: Page, hubspot: Emulator, host: str) -> None:
    """Of another port, another name of this machine, or another site: neither by scripts, images and beacons nor by a form."""
    install = hubspot.world.install
    revoke = f"client_id={install.app.client_id}&client_secret={install.app.client_secret}&token={install.refresh_token}"
    with another_server() as port:
        stranger.goto(f"http://{host}:{port}/")
        assert stranger.evaluate(ATTACK.replace("REVOKE", f"'{revoke}'"), hubspot.url) == ["nothing"] * 3
        with stranger.expect_response(f"{hubspot.url}/_emulator/reset") as reset:
            stranger.evaluate(FORM, hubspot.url)
        assert reset.value.status == 403
    assert (hubspot.world.counts(), list(hubspot.schedule), install.revoked) == ({"SENT": 12}, [], False)
    assert hubspot.ledger.received == 0


def test_a_name_that_was_made_to_lead_here_shows_nothing(stranger: Page, hubspot: Emulator) -> None:
    """For the browser it is the page's own server, so that its scripts may read whatever is answered."""
    rebound = f"http://rebound.example:{urlsplit(hubspot.url).port}"
    reply = stranger.goto(f"{rebound}/")
    assert reply is not None
    assert reply.status == 403
    asked = """async ([path, method]) => (await fetch(path, { method })).status"""
    calls = [("/_emulator/connection", "GET"), ("/_emulator/reset", "POST"), ("/oauth/2026-03/token", "POST")]
    assert [stranger.evaluate(asked, [path, method]) for path, method in calls] == [403, 403, 403]
    assert hubspot.ledger.received == 0


def test_the_page_is_shown_in_no_frame_but_by_a_link(stranger: Page, hubspot: Emulator) -> None:
    """A frame could be laid under the pointer; a link shows the whole page and gives nothing to where it stood."""
    with another_server() as port:
        stranger.goto(f"http://evil.example:{port}/")
        with stranger.expect_response(f"{hubspot.url}/") as framed:
            stranger.evaluate(
                "(url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url + '/' }))",
                hubspot.url,
            )
        assert framed.value.status == 403
        stranger.evaluate("(url) => { location.href = url + '/' }", hubspot.url)
        stranger.wait_for_selector("[data-message=m-5]")
