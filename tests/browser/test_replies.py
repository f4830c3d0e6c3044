"""The box at a thread of the page at ``/``: what an agent types there goes out, and its webhook is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from airflow_provider_hubchan.emulator import Emulator
from tests.browser.conftest import Watch, patch
from tests.browser.contrast import TOO_FAINT
from tests.emulator.webhook_receiver import Receiver

HTML = """<img src=x onerror="document.title='stolen'"> & <b>bold</b>"""


@pytest.fixture
def receiver(hubspot: Emulator) -> Iterator[Receiver]:
    """The channel's."""
    with Receiver() as receiver:
        hubspot.world.set_webhook(receiver.url)
        yield receiver


def thread(page: Page, number: int) -> Locator:
    """The thread with this number; the first one is m-1's to m-3's."""
    return page.locator(f'[data-thread="{7_700_880_000 + number}"]')


def box(page: Page, number: int) -> Locator:
    return thread(page, number).get_by_role("textbox")


def test_enter_sends_what_was_typed(page: Page, hubspot: Emulator, receiver: Receiver) -> None:
    """It is the thread's latest message, the receiver is told, and the box stays where the hands are, empty."""
    box(page, 1).click()
    page.keyboard.type("It comes tomorrow.")
    page.keyboard.press("Enter")
    expect(page.locator(".thread").first.locator(".message .text").last).to_have_text("It comes tomorrow.")
    expect(box(page, 1)).to_be_focused()
    expect(box(page, 1)).to_have_value("")
    hubspot.wait_for_webhooks()
    assert receiver.texts == ["It comes tomorrow."]
    message_id = receiver.received[0].event["message"]["id"]
    expect(page.locator("#webhooks")).to_contain_text("· 1 sent")
    expect(page.locator(f'[data-delivery="{message_id}"] .result')).to_have_text(re.compile(r"^200 in [\d.,]+ ms$"))
    assert patch(hubspot, message_id) == 200
    expect(page.locator(f'[data-message="{message_id}"] .status')).to_have_text("Read")


def test_it_works_with_the_keyboard_alone(page: Page, hubspot: Emulator, receiver: Receiver) -> None:
    """From the filter on: box by box, the button only where something was typed."""
    page.get_by_role("radio", name="All").focus()
    page.keyboard.press("Tab")
    expect(box(page, 0)).to_be_focused()
    expect(box(page, 0)).to_have_css("outline-style", "solid")
    page.keyboard.type("one")
    page.keyboard.press("Tab")
    expect(thread(page, 0).get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Space")
    expect(thread(page, 0).locator(".message .text").last).to_have_text("one")
    hubspot.wait_for_webhooks()
    assert receiver.texts == ["one"]


def test_news_does_not_disturb_who_types(page: Page, hubspot: Emulator) -> None:
    """Neither in this thread nor in others, which are moved meanwhile: text, cursor and focus stay."""
    box(page, 2).click()
    page.keyboard.type("half a sentence")
    page.keyboard.press("ArrowLeft")
    for message_id, status in (("m-12", "Read"), ("m-7", "Read"), ("m-1", "Read")):
        patch(hubspot, message_id)
        expect(page.locator(f'[data-message="{message_id}"] .status')).to_have_text(status)
        expect(box(page, 2)).to_be_focused()
    hubspot.agent_says("from elsewhere", thread=7_700_880_002)
    expect(page.locator(".thread").first.locator(".message .text").last).to_have_text("from elsewhere")
    expect(box(page, 2)).to_be_focused()
    page.keyboard.type("!")
    expect(box(page, 2)).to_have_value("half a sentenc!e")


def test_text_goes_in_and_out_as_text(page: Page, hubspot: Emulator, receiver: Receiver) -> None:
    """HTML is sent as it was typed, and shown so."""
    box(page, 0).fill(HTML)
    box(page, 0).press("Enter")
    expect(thread(page, 0).locator(".message .text").last).to_have_text(HTML)
    expect(page.locator("img")).to_have_count(0)
    hubspot.wait_for_webhooks()
    assert receiver.texts == [HTML]
    expect(page).to_have_title("Local HubSpot")


def test_nothing_is_sent_of_nothing(page: Page, hubspot: Emulator, receiver: Receiver) -> None:
    """Of spaces neither."""
    box(page, 0).fill("  ")
    box(page, 0).press("Enter")
    box(page, 0).fill("something")
    box(page, 0).press("Enter")
    hubspot_text = thread(page, 0).locator(".message .text").last
    expect(hubspot_text).to_have_text("something")
    hubspot.wait_for_webhooks()
    assert receiver.texts == ["something"]


def test_what_could_not_be_sent_stays_in_the_box(page: Page, watch: Watch, hubspot: Emulator) -> None:
    """And the page says why."""
    watch.expected = "400 (Bad Request)"
    page.route("**/_emulator/replies", lambda route: route.continue_(post_data='{"thread": 5, "text": "x"}'))
    box(page, 0).fill("hello")
    box(page, 0).press("Enter")
    expect(page.locator("#notice")).to_have_text("That did not work: there is no thread 5")
    expect(box(page, 0)).to_have_value("hello")
    assert len(hubspot.messages()) == 12


def test_a_webhook_that_failed_is_seen(page: Page, hubspot: Emulator) -> None:
    """With its error, its fault and which try it was; without a URL there is nothing about webhooks."""
    expect(page.locator(".thread")).to_have_count(4)
    expect(page.locator("#webhooks")).to_be_hidden()
    hubspot.world.set_webhook("http://127.0.0.1:9/hubspot?token=abc")
    hubspot.choose(webhook_tries=2, webhook_pause=0)
    hubspot.fault(webhook="unsigned")
    hubspot.agent_says("hello")
    expect(page.locator("#webhook-urls")).to_have_text("http://127.0.0.1:9/hubspot?token=*** · 2 sent")
    expect(page.locator("#deliveries .failed .result").first).to_have_text("connection refused: is the receiver running?")
    expect(page.locator("#deliveries .notes")).to_have_text(
        ["try 2, is sent without a signature", "is sent without a signature"]
    )
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        assert page.evaluate(TOO_FAINT) == []


@pytest.mark.parametrize("width", [375, 320, 768])
def test_it_fits_a_phone(page: Page, hubspot: Emulator, receiver: Receiver, width: int) -> None:
    """Nothing is wider than the screen, the box is as high as a thumb, and its text as large as keeps a phone from zooming."""
    page.set_viewport_size({"width": width, "height": 812})
    hubspot.world.set_webhook(f"{receiver.url}/{'long' * 60}")
    hubspot.agent_says("long" * 100, to="visitor" * 20)
    hubspot.wait_for_webhooks()
    box(page, 0).click()
    page.keyboard.type("hello")
    expect(thread(page, 0).get_by_role("button", name="Send")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 560:
        expect(box(page, 0)).to_have_css("font-size", "16px")
    thread(page, 0).get_by_role("button", name="Send").click()
    expect(thread(page, 0).locator(".message .text").last).to_have_text("hello")
