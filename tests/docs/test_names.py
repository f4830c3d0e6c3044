"""Names are the field's: none of those that the code and the pages used before is left in code, docs and logs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.modules import SOURCE
from tests.paths import ROOT

#: Words that no name of a type, function, variable or module is made of any more; the field's word is beside.
OLD_PARTS = {
    "claim": "fair_share",
    "crew": "worker_pool",
    "egg": "message_payload",
    "eggs": "message_payload",
    "halt": "abort",
    "hopeless": "failed",
    "journal": "progress_log",
    "keeper": "checkpoint_store",
    "lane": "share",
    "lanes": "share",
    "manner": "options",
    "nowhere": "null",
    "pace": "limiter",
    "patience": "retry_config",
    "pulse": "traffic",
    "sheet": "store",
    "slips": "problems",
    "spoil": "injection",
    "spoiled": "injected",
    "story": "flow",
    "stories": "flows",
    "tally": "summary",
    "ticket": "permit",
    "tickets": "permits",
    "wish": "target",
}
#: Whole names that say nothing of the value they stand for, or that were those of types.
OLD_NAMES = {
    *("said", "asked", "told", "known", "letter", "letters"),
    *("Step", "Reply", "Lost", "Stopped", "Meaning", "Throttle", "Closure", "Refusal", "Line", "Marks", "NoFile", "Settled"),
    *("Finding", "Watch", "WatchFailed", "GaveUp", "Numbered", "Answered", "Refused", "Strike", "Beat", "Wanted", "Occasion"),
}
#: Words that neither pages nor texts of the code use any more, but for the parts of longer terms that are the field's.
OLD_WORDS = re.compile(
    r"\b(?:claims?|crews?|halts?|halted|journals?|keepers?|lanes?|mend(?:s|ed|ing)?|patience|pace[ds]?|sheets?|stor(?:y|ies)|"
    r"tally|tickets?|(?<!dead )(?<!dead-)letters?|eggs?|spoil(?:s|ed|t)?|pulse|floors?)\b",
    re.IGNORECASE,
)
CODE = sorted(SOURCE.rglob("*.py"))
#: It keeps the documented names of before importable.
ALIASES = SOURCE / "client" / "__init__.py"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def old_words(path: Path) -> set[str]:
    """The old words of a file; constants of HubSpot's, in capitals, are not words."""
    return {word for word in OLD_WORDS.findall(path.read_text(encoding="utf-8")) if not word.isupper()}


def parts(name: str) -> Iterator[str]:
    """The words that a name is made of, in lower case."""
    for part in name.split("_"):
        yield from (word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part))


def names(tree: ast.AST) -> Iterator[str]:
    """Every name of a piece of code: of types, functions, parameters, variables, attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield name


@pytest.mark.parametrize("path", CODE, ids=[str(path.relative_to(SOURCE)) for path in CODE])
def test_no_old_name_is_in_the_code(path: Path) -> None:
    """Neither as a name nor as the part of one; nor as the name of the file."""
    found = {*names(ast.parse(path.read_text(encoding="utf-8"))), path.stem, path.parent.name}
    old = {name for name in found if name in OLD_NAMES or OLD_PARTS.keys() & set(parts(name))}
    assert not old


@pytest.mark.parametrize(
    "path", [path for path in CODE if path != ALIASES], ids=[str(path.relative_to(SOURCE)) for path in CODE if path != ALIASES]
)
def test_no_old_word_is_in_texts_of_the_code(path: Path) -> None:
    """Logs, errors, docstrings and comments speak as the pages do."""
    assert old_words(path) == set()


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_no_old_word_is_on_a_page(path: Path) -> None:
    """Where a page had a word of its own for something, it now has the field's."""
    assert old_words(path) == set()
