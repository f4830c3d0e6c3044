"""The page of the stand-in gateway, which ``make demo-ui`` begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hubspot_bridge.gateway import StandIn
from playwright.sync_api import Browser, Locator, Page, expect

from tests.bridge.serving import served
from tests.browser.another_server import another_server
from tests.browser.conftest import Watch, watched_page
from tests.browser.contrast import TOO_FAINT

HTML = """<img src=x onerror="document.title='stolen'"> & <b>bold</b>"""
#: Nobody listens there, so that callbacks come to nothing.
CALLBACK = "http://127.0.0.1:9/receipts"
LINKS = {"inbox": "http://127.0.0.1:8920", "airflow": "http://127.0.0.1:8080/"}
#: Asks for each call what a page sees of its answer; the second is what a page may send without leave.
ATTACK = """async (url) => {
  const body = '{"broken": true, "failing": true}';
  const call = (type, mode) => fetch(url + "/control", { method: "POST", mode, body, headers: { "Content-Type": type } });
  const seen = (answer) => answer.then((reply) => reply.type, () => "nothing");
  navigator.sendBeacon(url + "/control", body);
  const sent = [call("application/json", "cors"), call("text/plain", "no-cors"), fetch(url + "/ledger")];
  return Promise.all(sent.map(seen));
}"""


@pytest.fixture
def gateway() -> Iterator[str]:
    """Its address; callbacks are repeated at once."""
    with served(StandIn(late=3600, pause=0, links=LINKS).app) as url:
        yield url


@pytest.fixture
def send(gateway: str) -> Callable[..., int]:
    """Hand a text over."""

    def send(text: str, key: str = "m-1", to: str = "+15550100") -> int:
        body = {"to": to, "body": text, "status_callback": CALLBACK}
        return requests.post(f"{gateway}/messages", json=body, headers={"Idempotency-Key": key}, timeout=30).status_code

    return send


@pytest.fixture
def page(browser: Browser, gateway: str, watch: Watch) -> Iterator[Page]:
    """It shows the gateway's page, and asks nobody else."""
    with watched_page(browser, watch, gateway) as page:
        yield page


def messages(page: Page) -> Locator:
    return page.locator("#messages > li")


def state(gateway: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{gateway}/control", timeout=30).json()
    return {name: found[name] for name in ("broken", "failing")}


def test_messages_are_shown_with_their_words(page: Page, send: Callable[..., int]) -> None:
    """The newest first, each with its words so far, and why it failed; a message that changes stays where it is."""
    expect(page.locator("#empty")).to_be_visible()
    send("Your table is booked. Read", "m-1")
    send("please fail", "m-2", to="+15550101")
    send("refuse this", "m-3")
    expect(messages(page).locator(".text")).to_have_text(["refuse this", "please fail", "Your table is booked. Read"])
    expect(messages(page).locator(".status")).to_have_text(["failed", "undelivered", "read"])
    expect(messages(page).last.locator(".words li")).to_have_text(["queued", "sent", "delivered", "read"])
    expect(messages(page).nth(1)).to_contain_text("+15550101")
    expect(page.locator(".reason")).to_have_text(
        ["21211: The 'To' number is not a valid phone number.", "30003: Unreachable destination handset"]
    )
    expect(page.locator("#empty")).to_be_hidden()
    send("Your table is booked. Read", "m-1")
    expect(messages(page).last).to_contain_text("handed over 2 times")


def test_the_gateway_is_broken_and_repaired_with_the_keyboard(
    page: Page, gateway: str, send: Callable[..., int], watch: Watch
) -> None:
    """Every state is one key away and says what it means; what came meanwhile stays as it ended."""
    watch.expected = "503"
    expect(page.get_by_role("radio", name="Works")).to_be_checked()
    page.get_by_role("radio", name="Works").focus()
    with page.expect_response("**/control") as changed:
        page.keyboard.press("ArrowRight")
    assert changed.value.ok
    expect(page.get_by_role("radio", name="Delivers nothing")).to_be_focused()
    expect(page.locator("#meaning")).to_contain_text("delivers none")
    assert state(gateway) == {"broken": False, "failing": True}
    assert send("Hello", "m-1") == 201
    expect(messages(page).locator(".status")).to_have_text("undelivered")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.keyboard.press("ArrowRight")
    assert state(gateway) == {"broken": True, "failing": False}
    assert send("Hello", "m-2") == 503
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.keyboard.press("ArrowRight")
    assert state(gateway) == {"broken": False, "failing": False}
    assert send("Hello", "m-2") == 201
    expect(messages(page).locator(".status")).to_have_text(["delivered", "undelivered"])


def test_somebody_elses_change_is_seen(page: Page, gateway: str) -> None:
    """The switch shows what the gateway does, whoever has chosen it."""
    requests.post(f"{gateway}/control", json={"broken": True}, timeout=30)
    expect(page.get_by_role("radio", name="No answer")).to_be_checked()
    expect(page.locator("#meaning")).to_contain_text("503")


def test_it_leads_to_the_other_pages(page: Page) -> None:
    """By the addresses that it was given."""
    expect(page.get_by_role("link", name="HubSpot inbox")).to_have_attribute("href", "http://127.0.0.1:8920/")
    expect(page.get_by_role("link", name="deliver_outbox")).to_have_attribute(
        "href", "http://127.0.0.1:8080/dags/deliver_outbox"
    )
    expect(page.locator("#schedule")).to_be_visible()


def test_alone_it_leads_nowhere(browser: Browser) -> None:
    """Started without addresses, it has no links, and says nothing of a schedule."""
    with served(StandIn().app) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("[data-live=yes]")).to_be_visible()
        expect(page.get_by_role("link")).to_have_count(0)
        expect(page.locator("#schedule")).to_be_hidden()
        page.close()


def test_it_says_so_when_the_gateway_is_gone(browser: Browser) -> None:
    """What was shown stays."""
    with served(StandIn().app) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator(".live")).to_contain_text("Live")
    expect(page.locator(".live")).to_have_text("The gateway does not answer. Trying again …")
    page.close()


def test_text_is_shown_as_text(page: Page, send: Callable[..., int]) -> None:
    """HTML in a message and in a number does nothing."""
    send(HTML, to=HTML)
    expect(messages(page).locator(".text")).to_have_text(HTML)
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Stand-in gateway")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_origin_breaks_nothing(browser: Browser, gateway: str, host: str) -> None:
    """Neither by what a form may send nor by JSON, for which the browser asks the gateway first; nor does it read anything."""
    stranger = browser.new_page()
    with another_server() as port:
        stranger.goto(f"http://{host}:{port}/")
        assert stranger.evaluate(ATTACK, gateway) == ["nothing", "opaque", "nothing"]
    stranger.close()
    assert state(gateway) == {"broken": False, "failing": False}


def test_a_name_that_was_made_to_lead_here_shows_nothing(browser: Browser, gateway: str) -> None:
    """For the browser it is the page's own server; the gateway knows its names."""
    stranger = browser.new_page()
    reply = stranger.goto(f"http://rebound.example:{urlsplit(gateway).port}/")
    assert reply is not None
    assert reply.status == 400
    stranger.close()


@pytest.mark.parametrize("width", [1280, 768, 375, 320])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_can_be_read_on_every_screen(page: Page, send: Callable[..., int], colours: str, width: int) -> None:
    """By day and by night, with the contrast that WCAG AA asks for, and nothing is wider than the screen."""
    page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 812})
    for number, text in enumerate(("long" * 100, "please fail", "late")):
        send(text, f"m-{number}", to="+1555" * 30 if number else "+15550100")
    expect(page.locator(".reason")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for choice in ("Delivers nothing", "Works"):
        page.get_by_role("radio", name=choice).check(force=True)
        assert page.evaluate(TOO_FAINT) == []
