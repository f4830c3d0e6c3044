"""The page at ``/`` as people use it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from airflow_provider_hubchan.emulator import Emulator
from tests.browser.conftest import Watch, patch
from tests.browser.contrast import TOO_FAINT

EVIL = """<img src=x onerror="document.title='stolen'"><script>document.title='stolen'</script>"""


def message(page: Page, message_id: str) -> Locator:
    return page.locator(f'[data-message="{message_id}"]')


def test_statuses_change_while_one_looks(page: Page, hubspot: Emulator) -> None:
    """Without loading anything anew; the thread becomes the first, and the counts follow."""
    expect(message(page, "m-5").locator(".status")).to_have_text("Sent")
    page.evaluate("document.body.dataset.kept = 'yes'")
    assert patch(hubspot, "m-5") == 200
    expect(message(page, "m-5").locator(".status")).to_have_text("Read")
    expect(page.locator(".thread").first.locator("code")).to_have_text(["m-4", "m-5", "m-6"])
    expect(page.locator("#count-READ")).to_have_text("1")
    expect(page.locator("body")).to_have_attribute("data-kept", "yes")


def test_a_failure_says_why(page: Page, hubspot: Emulator) -> None:
    """In words beneath the message, not by colour alone."""
    patch(hubspot, "m-2", "FAILED", errorMessage="30003: Unreachable destination handset")
    expect(message(page, "m-2")).to_contain_text("Failed")
    expect(message(page, "m-2").locator(".reason")).to_have_text("30003: Unreachable destination handset")


def test_text_stays_text(page: Page, hubspot: Emulator) -> None:
    """HTML in an error message or an id is shown as it was written, and does nothing."""
    hubspot.world.seed([EVIL])
    patch(hubspot, "m-2", "FAILED", errorMessage=EVIL)
    hubspot.fault(message_id=EVIL, status=500)
    expect(message(page, "m-2").locator(".reason")).to_have_text(EVIL)
    expect(page.locator("code", has_text="onerror")).to_have_text(EVIL)
    expect(page.locator("#fault-list")).to_contain_text(EVIL)
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Local HubSpot")


def test_the_plot_moves_and_shows_429s(page: Page, hubspot: Emulator) -> None:
    """How much of the quota is used, and in red what was more than that."""
    expect(page.locator("#of")).to_have_text("of 10 in the last 10 seconds")
    answers = [patch(hubspot, "m-1") for _ in range(14)]
    assert answers.count(429) == 4
    expect(page.locator("#used")).to_have_text("10")
    expect(page.locator("#refused")).to_have_text("4")
    expect(page.locator("#refused-bars")).to_have_attribute("d", re.compile(r"^M"))
    expect(page.locator("#plot")).to_have_attribute("aria-label", re.compile("10 of 10 .* 4 answers of 429"))
    at = page.locator("#moving").get_attribute("transform")
    expect(page.locator("#moving")).not_to_have_attribute("transform", str(at))
    line = page.locator("#line").get_attribute("d")
    hubspot.world.clock.advance(20)
    expect(page.locator("#used")).to_have_text("0")
    expect(page.locator("#line")).not_to_have_attribute("d", str(line))


def test_who_wants_no_motion_gets_none(page: Page, hubspot: Emulator) -> None:
    """The plot is drawn anew when there is something new, and does not glide; no status flashes."""
    page.emulate_media(reduced_motion="reduce")
    hubspot.world.clock.run(0)
    patch(hubspot, "m-1")
    expect(message(page, "m-1").locator(".status")).to_have_text("Read")
    assert page.evaluate("document.getAnimations().length") == 0


def test_tokens_faults_and_the_day_are_counted(page: Page, hubspot: Emulator) -> None:
    """The day only if it has a quota."""
    expect(page.locator("#tokens")).to_have_text("0")
    expect(page.locator("#day")).to_be_hidden()
    hubspot.world.settings.change(daily=500)
    patch(hubspot, "m-1")
    hubspot.fault(status=500, times=3)
    expect(page.locator("#tokens")).to_have_text("1")
    expect(page.locator("#faults")).to_have_text("1")
    expect(page.locator("#day-text")).to_have_text("1 of 500")


def test_a_fault_is_injected_by_keyboard_alone(page: Page, hubspot: Emulator) -> None:
    """What has the focus is seen to have it; the fault strikes the call it is for, then all is well again."""
    expect(page.locator(".live")).to_contain_text("Live")
    for name in ("Pause", "Reset", "Inject a fault"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name)).to_be_focused()
        expect(page.get_by_role("button", name=name)).to_have_css("outline-style", "solid")
    page.keyboard.press("Enter")
    expect(page.get_by_label("What happens")).to_be_focused()
    page.keyboard.type("500: ")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.type("m-3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#fault-list li")).to_have_text(re.compile("answers 500 to PATCH calls about m-3.*2"))
    expect(page.get_by_role("button", name="Inject a fault")).to_be_focused()
    assert [patch(hubspot, "m-2"), patch(hubspot, "m-3"), patch(hubspot, "m-3"), patch(hubspot, "m-3")] == [200, 500, 500, 200]
    expect(page.locator("#faults")).to_have_text("0")
    expect(page.locator("#waiting")).to_be_hidden()


def test_every_fault_of_the_form_is_one(page: Page, hubspot: Emulator) -> None:
    """The emulator takes what the form makes of each of its choices, and forgets them all at once. A webhook is no call."""
    for name in ("What happens", "To which calls"):
        choices = page.get_by_label(name).locator("option")
        for number in range(1, choices.count()):
            page.get_by_role("button", name="Inject a fault").click()
            page.get_by_label(name).select_option(index=number)
            page.get_by_role("button", name="Inject", exact=True).click()
            expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Inject a fault").click()
        page.get_by_label("What happens").select_option(index=0)
        expect(page.get_by_label("To which calls")).to_be_enabled()
        page.get_by_role("button", name="Cancel").click()
    assert len(list(hubspot.schedule)) == 21
    expect(page.locator("#faults")).to_have_text("21")
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator("#faults")).to_have_text("0")


def test_a_fault_that_cannot_be_says_so(page: Page, watch: Watch) -> None:
    """What the emulator answers is shown in the form, which stays."""
    watch.expected = "400 (Bad Request)"
    page.route("**/_emulator/faults", lambda route: route.continue_(post_data='{"times": 0}'))
    page.get_by_role("button", name="Inject a fault").click()
    page.get_by_role("button", name="Inject", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("times must be at least 1, or always; it is 0")


def test_reset_asks_first(page: Page, hubspot: Emulator) -> None:
    """Then everything is gone, and messages can be sent at once."""
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".thread")).to_have_count(4)
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(page.locator(".thread")).to_have_count(0)
    assert not hubspot.world.messages
    page.get_by_role("button", name="Send 30 messages").click()
    expect(page.locator(".thread")).to_have_count(10)


def test_the_server_is_asked_for_what_is_looked_for(page: Page, hubspot: Emulator) -> None:
    """By status and by text; of many threads two hundred are shown, and how many there are."""
    hubspot.world.seed(f"more-{number}" for number in range(1, 1000))
    patch(hubspot, "more-7", "FAILED")
    expect(page.locator("#rest")).to_have_text("200 of 337 threads, the latest first. Search for any other.")
    page.get_by_role("radio", name="Failed").check(force=True)
    expect(page.locator(".thread code")).to_have_text(["more-7", "more-8", "more-9"])
    page.get_by_label("Search for a message id or a thread").fill("nothing")
    expect(page.locator("#why-empty")).to_have_text("No thread fits.")
    page.get_by_role("radio", name="All").check(force=True)
    page.get_by_label("Search for a message id or a thread").fill("more-998")
    expect(page.locator(".thread code")).to_have_text(["more-997", "more-998", "more-999"])


def test_it_can_be_paused(page: Page, hubspot: Emulator) -> None:
    """What is shown stays until one goes on."""
    expect(page.locator(".thread")).to_have_count(4)
    page.get_by_role("button", name="Pause").click()
    patch(hubspot, "m-1")
    expect(page.locator(".live")).to_have_text("Paused, there is news")
    expect(message(page, "m-1").locator(".status")).to_have_text("Sent")
    page.get_by_role("button", name="Pause").click()
    expect(message(page, "m-1").locator(".status")).to_have_text("Read")


def test_it_comes_back_when_the_emulator_does(page: Page, hubspot: Emulator, watch: Watch) -> None:
    """Meanwhile it says that nobody answers."""
    watch.expected = "net::ERR_"
    expect(page.locator(".thread")).to_have_count(4)
    hubspot.__exit__(None, None, None)
    expect(page.locator(".live")).to_have_text("The emulator does not answer. Trying again …")
    with Emulator(port=int(hubspot.url.rpartition(":")[2])) as other:
        other.world.seed(["n-1"])
        expect(page.locator(".thread code")).to_have_text(["n-1"])
        expect(page.locator(".live")).to_contain_text("Live")


@pytest.mark.parametrize("width", [375, 320, 768])
def test_nothing_is_wider_than_the_screen(page: Page, hubspot: Emulator, width: int) -> None:
    """Not even with long words; the form fits, too."""
    page.set_viewport_size({"width": width, "height": 812})
    hubspot.world.seed(["long" * 60])
    patch(hubspot, "m-2", "FAILED", errorMessage="unbreakable" * 30)
    hubspot.fault(message_id="long" * 60, status=500)
    page.get_by_text("Connect Airflow").click()
    expect(page.locator("#connection")).to_contain_text("AIRFLOW_CONN_HUBCHAN_DEFAULT")
    expect(page.locator(".reason")).to_be_visible()
    expect(page.locator("#fault-list")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Inject a fault").click()
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= width


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everything_can_be_read_by_day_and_by_night(page: Page, hubspot: Emulator, colours: str) -> None:
    """Its colours are those that the system is set to, and every text has the contrast that WCAG AA asks for."""
    page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    for number in range(12):
        patch(hubspot, f"m-{number % 3 + 1}", ("READ", "SENT", "FAILED")[number % 3], errorMessage="30003")
    hubspot.fault(status=500)
    expect(page.locator("#refused")).to_have_text("2")
    expect(page.locator(".reason")).to_be_visible()
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (brightness < 60) == (colours == "dark")
    assert page.evaluate(TOO_FAINT) == []
    page.get_by_role("button", name="Inject a fault").click()
    assert page.evaluate(TOO_FAINT) == []
