"""What the documentation site adds to docs/: README as its first page, the changelog, a menu of the pages that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
#: Pages that lie outside docs/, and where they come from.
BORROWED = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
#: A script, style sheet, font or image that a browser would ask another machine for.
FOREIGN = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave out pages that are not there, and put those that nobody listed last."""
    there = {path.name for path in (ROOT / "docs").glob("*.md")} | BORROWED.keys()
    listed: set[str] = set()
    nav = [kept for entry in config.nav or [] if (kept := _there(entry, there, listed))]
    more: list[Any] = sorted(there - listed)
    config.nav = [*nav, {"More": more}] if more else nav
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Borrow pages from outside docs/."""
    for name, source in BORROWED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Turn links between the repository's files into links between pages."""
    if page.file.src_uri == "errors.md":
        page.meta["search"] = {"boost": 2}  # who searches for the words of a log wants what they mean
    if page.file.src_uri in BORROWED:
        markdown = markdown.replace("](docs/", "](")
    for name, source in BORROWED.items():
        markdown = re.sub(rf"\]\((?:\.\./)?{re.escape(source)}\b", f"]({name}", markdown)
    return markdown


def on_post_page(output: str, *, page: Page, **_: Any) -> str:
    """See that the page is whole without a network.

    :raises PluginError: if it is not.
    """
    if foreign := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} takes something from another machine: {foreign[0]}")
    return output


def _there(entry: Any, there: set[str], listed: set[str]) -> Any:
    """An entry of the menu without the pages that are not there; None if nothing is left.

    :param listed: takes the names of all pages that the menu lists.
    """
    if isinstance(entry, str):
        listed.add(entry)
        return entry if entry in there else None
    ((title, below),) = entry.items()
    if isinstance(below, str):
        return {title: below} if _there(below, there, listed) else None
    kept = [each for one in below if (each := _there(one, there, listed))]
    return {title: kept} if kept else None
