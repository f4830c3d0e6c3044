"""The pages of the documentation: their tables, and what is between their fences."""

from __future__ import annotations

import re

from tests.paths import DOCS, ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
#: A fence, and the comment before it that names the file it shows: those are held by tests/docs/test_pages.py.
FENCE = re.compile(r"(<!-- (?:example_dags|docs)/\S+ -->\n)?^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def fences(kind: str) -> dict[str, str]:
    """What is between the fences of a kind, by page and number of its line."""
    found = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for fence in FENCE.finditer(text):
            shown, its, held = fence.groups()
            if its == kind and not shown:
                found[f"{page.name}:{text.count(chr(10), 0, fence.start()) + 1}"] = held
    return found


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    lines = text[text.index(f"| {heading}") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[2:]]
