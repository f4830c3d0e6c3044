"""Every error and warning of the provider is in docs/errors.md, and nothing there is of the past."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_hubchan import get_provider_info
from airflow_provider_hubchan.client.errors import HubchanError
from airflow_provider_hubchan.client.replies import TRANSIENT
from airflow_provider_hubchan.client.responses import Closure, Fault, Refusal, Rejected, Unauthorized, meaning
from airflow_provider_hubchan.connection import named
from tests.client.canned import reply
from tests.docs.pages import table
from tests.modules import OURS, errors
from tests.paths import DOCS

PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")
OURS_SAY = PAGE[PAGE.index("## What the provider says") :]
ENTRIES = [
    entry for cell in re.findall(r"^\| (`.*?) \|", OURS_SAY, flags=re.MULTILINE) for entry in re.findall(r"`([^`]+)`", cell)
]
CLASSES = {error.__name__ for error in errors(HubchanError)}
#: What takes the text of an error, a warning or a bad row as its argument, and names that hold such a text.
CALLS = re.compile(r".*(Error|Exception|Timeout)|BadRow|Problem|problem|fail|warning|error|__init__")
NAMES = re.compile(r"why|where|text|left|reason|waited|named|faults|_faults|_hopeless|troubles|_?[A-Z_]+")
#: What is said when nothing is wrong, pieces of longer texts, and what is no text for people.
FINE = {
    "less than a second",
    "no answer yet",
    "of … messages are ……",
    "what the function returns",
    "and … more",
    "map index …,",
}
MACHINE = re.compile(r"SELECT|INSERT|CREATE TABLE|FROM entry|https?:|\\")


def words(node: ast.AST) -> Iterator[str]:
    """The texts in a piece of code, ``…`` for what is put into them."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    elif isinstance(node, ast.Constant):
        yield node.value if isinstance(node.value, str) else ""
    elif not isinstance(node, ast.Compare):
        for part in ast.iter_child_nodes(node):
            yield from words(part)


def complaints(tree: ast.AST) -> Iterator[ast.AST]:
    """The places of a module where the text of an error or a warning may stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = getattr(node.func, "value", None)
            to_list = name == "append" and re.fullmatch(r".*faults|notes", getattr(owner, "id", getattr(owner, "attr", "")))
            if name in CLASSES or CALLS.fullmatch(name) or to_list:
                yield from node.args
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            held = {getattr(each, "id", getattr(each, "attr", "")) for target in targets for each in ast.walk(target)}
            if any(map(NAMES.fullmatch, held)):
                yield from (*targets, node.value)
        elif isinstance(node, ast.Return) and node.value:
            yield node.value


def shortened(text: str) -> str:
    """A text without what varies at its beginning."""
    return re.sub(r"%[a-z]", "…", text).strip().lstrip("… ;:,(")


def texts() -> Iterator[tuple[str, str]]:
    """Every text that a user may see as an error or a warning, with its module."""
    for name, path in OURS:
        if name == "metrics":  # its texts are meanings of metrics, and stand in docs/metrics.md
            continue
        for place in complaints(ast.parse(path.read_text(encoding="utf-8"))):
            for text in words(place):
                if shortened(text) and not MACHINE.search(text):
                    yield name, shortened(text)


TEXTS = sorted(set(texts()))
SENTENCES = [(name, text) for name, text in TEXTS if text.count(" ") >= 2]


@pytest.mark.parametrize(("name", "text"), SENTENCES, ids=[f"{name}: {text[:40]}" for name, text in SENTENCES])
def test_every_text_is_in_the_catalogue(name: str, text: str) -> None:
    """By how it begins: whoever searches the page for a few words of a log finds them."""
    explained = text in FINE or any(text.startswith(shortened(entry)) for entry in ENTRIES)
    assert explained, f"docs/errors.md does not explain what {name} says: {text}"


@pytest.mark.parametrize("entry", [*sorted(FINE), *(entry for entry in ENTRIES if entry not in CLASSES)])
def test_every_entry_is_of_the_present(entry: str) -> None:
    """A text that no code says any more would be searched for in vain."""
    assert shortened(entry)
    assert any(text.startswith(shortened(entry)) for _, text in TEXTS)


#: Modules whose texts send people to the connection; elsewhere a channel_id is a row's, or the task's.
SPEAK_OF_FIELDS = (
    "connection",
    "drivers",
    "client.models",
    "client.connection_check",
    "client.replies",
    "client.oauth",
    "client.responses",
)
INFO: dict[str, Any] = get_provider_info()
FIELDS = ("login", "password", *INFO["connection-types"][0]["conn-fields"])


@pytest.mark.parametrize(("name", "text"), [each for each in SENTENCES if each[0] in SPEAK_OF_FIELDS])
def test_a_field_is_called_what_the_form_calls_it(name: str, text: str) -> None:
    """Whoever looks for it in the form, or in an environment variable, finds it: label and name."""
    for field in FIELDS:
        text = text.replace(named(field), "")
    assert not re.findall(rf"\b({'|'.join(FIELDS)})\b", text)


def test_every_class_is_in_the_catalogue() -> None:
    """With when it is raised, and what to do."""
    assert set(ENTRIES) >= CLASSES


#: What a row of the first table says that the provider does, and what an answer of that status then means.
DOES = {
    "": Rejected,
    "fetches a new token": Unauthorized,
    "tries": Fault,
    "ends the batch": Refusal,
    "[waits elsewhere]": Closure,
}
STATUS_ROWS = [row for row in table(PAGE, "answer | outcome |") if re.fullmatch(r"[\d, ]+", row[0])]


@pytest.mark.parametrize(("statuses", "outcome", "does", "_"), STATUS_ROWS, ids=[row[0] for row in STATUS_ROWS])
def test_a_status_means_what_the_page_says(statuses: str, outcome: str, does: str, _: str) -> None:
    """Rejected, tried again, or the end of the batch, for each status that a row names."""
    (kind,) = (kind for words, kind in DOES.items() if (does.startswith(words) if words else not does))
    assert (kind is Rejected) == outcome.startswith("rejected")
    assert {type(meaning(reply(int(status), {"message": "No."}))) for status in statuses.split(", ")} == {kind}


def test_every_status_that_is_tried_again_is_on_the_page() -> None:
    """Those below 500; above, HubSpot's own are named."""
    named = {status for row in STATUS_ROWS for status in row[0].split(", ")}
    assert {str(status) for status in TRANSIENT} - {"429"} <= named  # 429 has rows of its own
