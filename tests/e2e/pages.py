"""Airflow's pages as a person uses them: the connections, a DAG's Trigger button, and a task's details."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page, ViewportSize

#: The connection's type, as the form calls it.
TYPE = "HubSpot Custom Channels"
#: Sizes of the window in which all of a form fits, or a row and what appears below it.
TALL: ViewportSize = {"width": 1280, "height": 1300}
FLAT: ViewportSize = {"width": 1280, "height": 500}


class Connections:
    """The page Admin > Connections, with one connection in it.

    :param page: of a browser.
    :param url: Airflow's.
    """

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url = page, f"{url}/connections"
        self._form = page.get_by_role("dialog")

    def add(self, connection_id: str, standard: Mapping[str, str], extra: Mapping[str, str], picture: Path | None) -> list[str]:
        """Add a connection of our type.

        :param standard: what to type into the standard fields, by their names.
        :param extra: the same for the extra fields.
        :param picture: where to draw the form before it is saved, None for nowhere.
        :return: the labels of the extra fields.
        """
        self._page.goto(self._url)
        self._page.get_by_role("button", name="Add Connection").click()
        self._form.locator("[name=connection_id]").fill(connection_id)
        self._form.get_by_role("combobox").first.click()
        self._page.get_by_role("option", name=TYPE).click()
        self._fill(standard, extra)
        self._form.get_by_text("Seconds for connecting").wait_for()  # with the last field, the standard ones go
        labels = self._form.locator("label:visible").all_inner_texts()  # at once: one by one, one may go meanwhile
        if picture:
            self._page.set_viewport_size(TALL)  # it is longer than most screens
            self._form.locator(":focus").blur()  # such a field has a thick border
            self._form.screenshot(path=picture, animations="disabled", caret="hide")
        self._save()
        return labels

    def edit(self, standard: Mapping[str, str], extra: Mapping[str, str]) -> None:
        """Change these fields of the connection, and none of the others."""
        self._page.goto(self._url)
        self._page.get_by_role("button", name="Edit Connection").click()
        self._fill(standard, extra)
        self._save()

    def test(self, picture: Path | None = None) -> tuple[str, str]:
        """Press the button Test of the connection's row; give the title and the text of what appears.

        :param picture: where to draw the page with it, None for nowhere.
        """
        self._page.goto(self._url)  # what appeared before is gone
        self._page.get_by_role("button", name="Test Connection").click()
        toast = self._page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection")
        title, _, text = toast.inner_text().partition("\n")
        if picture:
            toast.hover()  # it stays as long as the mouse is there
            self._page.set_viewport_size(FLAT)
            self._page.screenshot(path=picture, animations="disabled")
        return title, text

    def _fill(self, standard: Mapping[str, str], extra: Mapping[str, str]) -> None:
        for name, text in standard.items():
            self._form.locator(f"input[name={name}]").fill(text)
        self._form.get_by_text("Extra Fields", exact=True).click()
        for name, text in extra.items():
            self._form.locator(f"[name=element_{name}]").fill(text)

    def _save(self) -> None:
        self._form.get_by_role("button", name="Save").click()
        self._form.wait_for(state="hidden")


def trigger(page: Page, dag: str, run_id: str, parameters: Mapping[str, str]) -> None:
    """Press Trigger on the page of a DAG, fill in the dialog, press Trigger there. Then the page is the run's.

    :param dag: the address of its page.
    :param parameters: what to type over the defaults of these parameters of the DAG.
    """
    page.goto(dag)
    page.get_by_role("button", name="Trigger Dag").click()
    dialog = page.get_by_role("dialog")
    for name, text in parameters.items():
        dialog.locator(f"[name=element_{name}]").fill(text)
    dialog.get_by_role("button", name="Advanced Options").click()
    dialog.get_by_label("Run ID").fill(run_id)
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(f"{dag}/runs/{run_id}")


def links(page: Page, task_id: str, picture: Path | None) -> dict[str, Locator]:
    """The extra links of a task, by what is written on them. Then the page is that task's, its tab Details.

    :param page: of a run whose tasks have ended.
    :param picture: where to draw them, None for nowhere.
    """
    page.get_by_role("table").get_by_role("link", name=task_id, exact=True).click()
    page.get_by_role("link", name="Details", exact=True).click()
    heading = page.get_by_text("Extra Links", exact=True)
    heading.wait_for()
    if picture:
        page.set_viewport_size(TALL)
        page.get_by_role("row").filter(has_text="State").filter(has_text="success").wait_for()  # the page is filled bit by bit
        page.screenshot(path=picture, animations="disabled", clip=_below(heading))
    return {link.inner_text(): link for link in heading.locator("xpath=..").get_by_role("link").all()}


def _below(heading: Locator) -> FloatRect:
    """The tabs above it, the links and some rows: not the whole page, which is full of times of day."""
    place = heading.bounding_box()
    assert place is not None
    left, top = place["x"] - 16, place["y"] - 64
    return {"x": left, "y": top, "width": TALL["width"] - left, "height": 276}
