"""The drawings of the pages: who cannot see them hears them, light and dark can be read, and nothing comes from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.pages import page
from tests.paths import DOCS

SVG = "{http://www.w3.org/2000/svg}"
DRAWINGS = sorted((DOCS / "images").glob("*.svg"))
each_drawing = pytest.mark.parametrize("path", DRAWINGS, ids=[path.name for path in DRAWINGS])
#: The least contrast of text and of lines (WCAG 2.2, 1.4.3 and 1.4.11).
TEXT, LINES = 4.5, 3.0
#: What is drawn, by its class, and on which areas. Text without a class of its own is that of "text".
ON = {
    "text": (TEXT, ["page", "box", "copy"]),
    "number": (TEXT, ["dot"]),
    "way": (LINES, ["page"]),
    "tip": (LINES, ["page"]),
    "group": (LINES, ["page"]),
    "copy stroke": (LINES, ["page"]),
    "box stroke": (LINES, ["page"]),
}


def colours(style: str) -> dict[str, str]:
    """The colours of a style sheet by class: the fill, or the stroke if there is no fill; "box stroke" if there are both."""
    found: dict[str, str] = {}
    for name, rules in re.findall(r"\.?([\w-]+) \{([^{}]*)\}", style):
        values = dict(re.findall(r"\b(fill|stroke): (#[0-9a-f]{6})\b", rules))
        if "stroke" in values:
            found[f"{name} stroke" if "fill" in values else name] = values["stroke"]
        if "fill" in values:
            found[name] = values["fill"]
    return found


def schemes(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The colours of a drawing in light and in dark."""
    (style,) = (each.text or "" for each in ElementTree.parse(path).iter(f"{SVG}style"))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    return colours(light), colours(dark)


def luminance(colour: str) -> float:
    """WCAG's relative luminance of ``#rrggbb``, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@each_drawing
def test_a_drawing_says_what_it_shows(path: Path) -> None:
    """In a title and a description, which its root refers to; and the words in it are text, not curves."""
    root = ElementTree.parse(path).getroot()
    named = {each.get("id"): each.text for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert root.get("role") == "img"
    assert root.get("aria-labelledby", "").split() == list(named)
    assert len(named) == 2
    assert all(named.values())
    assert len(list(root.iter(f"{SVG}text"))) > 5


@each_drawing
def test_a_drawing_is_whole_without_a_network(path: Path) -> None:
    """No script, no image, no font and no style sheet of others: only parts of itself are referred to."""
    known = {"svg", "title", "desc", "style", "defs", "marker", "g", "path", "rect", "circle", "text", "tspan"}
    assert {each.tag.removeprefix(SVG) for each in ElementTree.parse(path).iter()} <= known
    text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"//|@import|@font-face|\bon\w+=|href|url\((?!#)", text)


@each_drawing
def test_a_drawing_is_legible_in_light_and_dark(path: Path) -> None:
    """Each colour has its other one, and both are far enough from what is behind them; no page shows through."""
    light, dark = schemes(path)
    assert light.keys() == dark.keys() == ON.keys() | {"page", "box", "copy", "dot"}
    for scheme in (light, dark):
        low = {(name, area) for name, (least, on) in ON.items() for area in on if contrast(scheme[name], scheme[area]) < least}
        assert low == set()


def test_each_hop_of_the_round_trip_has_its_heading() -> None:
    """The picture's numbers are those of the page, in its order."""
    root = ElementTree.parse(DOCS / "images" / "round-trip.svg").getroot()
    drawn = [each.text for each in root.iter(f"{SVG}text") if each.get("class") == "number"]
    assert drawn == re.findall(r"^## (\d+)\. ", page("round-trip"), flags=re.MULTILINE)
    assert len(drawn) > 1
