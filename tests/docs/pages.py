"""The pages of the documentation: their tables, and what is between their fences."""

from __future__ import annotations

import ast
import re
import textwrap

from tests.paths import DOCS, ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
#: A fence, and the comment before it that names what it shows, for `shown_code`: those are held by tests/docs/test_pages.py.
FENCE = re.compile(r"(<!-- (?:example_dags|docs)/\S+ -->\n)?^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


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


def shown_code(name: str) -> str:
    """The code that a page shows, of a file or of one function or class in it.

    :param name: ``example_dags/mark_twilio.py``, or an excerpt as pytest names one: ``…/receiver.py::create_app.webhook``.
    :raises LookupError: the file has no such function or class.
    """
    path, _, inside = name.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    if not inside:
        return text
    body: list[ast.stmt] = ast.parse(text).body
    for part in inside.split("."):
        found = [each for each in body if isinstance(each, DEFINITIONS) and each.name == part]
        if not found:
            raise LookupError(f"{path} has no {inside}")
        body = found[0].body
    first = min([found[0].lineno, *(each.lineno for each in found[0].decorator_list)])
    return textwrap.dedent("".join(text.splitlines(keepends=True)[first - 1 : found[0].end_lineno]))
