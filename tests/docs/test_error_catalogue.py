"""Every error and warning of the provider is in docs/errors.md, and nothing there is of the past."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_hubchan import get_provider_info
from airflow_provider_hubchan.client.actions import NoResponse, Response
from airflow_provider_hubchan.client.error_texts import are, count_of
from airflow_provider_hubchan.client.responses import (
    NO_RESPONSE_RULES,
    RULES,
    Accepted,
    Blocked,
    QuotaExhausted,
    Rejected,
    Rule,
    Throttled,
    Transient,
    Unauthorized,
    classify,
    is_transient,
)
from airflow_provider_hubchan.connection import field_names
from airflow_provider_hubchan.metrics import METRICS
from tests.docs.pages import table
from tests.modules import OURS, errors, modules
from tests.paths import DOCS

PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")
OURS_SAY = PAGE[PAGE.index("## What the provider says") :]
ENTRIES = [
    entry for cell in re.findall(r"^\| (`.*?) \|", OURS_SAY, flags=re.MULTILINE) for entry in re.findall(r"`([^`]+)`", cell)
]
CLASSES = {error.__name__ for error in errors()}
#: What takes the text of an error, a warning or a bad row as its argument, and names that hold such a text.
CALLS = re.compile(r".*(Error|Exception|Timeout)|best_effort|BadRow|WrongArguments|Problem|problem|fail|warning|error|__init__")
NAMES = re.compile(r"where|text|left|reason|instance|named|faults?|_faults|_failed|unanswered|_?[A-Z_]+")
#: Texts for when nothing is wrong, pieces of longer texts, and an error that only a change of the code can raise.
FINE = {
    "Extra Fields JSON",
    "the extra …",
    "less than a second",
    "no row has an answer yet",
    "what the function returns",
    "what mapped task … returned",
    "and … more",
    "no comma or bracket after it",
    'save it as "CSV UTF-8"',
    "unpack it, or compress the CSV or JSON Lines file with gzip instead",
    "write one object on each line (jq -c . does it)",
    "write the rows as CSV or JSON Lines",
    "map index …,",
    "bytes of …",
    "it gives no reason",
    "needs a code of one character that no other status has, not …",
    "its text cannot be read",
    *(metric.meaning for metric in METRICS),  # they stand in docs/metrics.md
}
MACHINE = re.compile(r"SELECT|INSERT|CREATE TABLE|FROM entry|https?:|\\")


def written(part: ast.expr) -> str:
    """A piece of a formatted text: a counted noun in the plural, ``…`` for other values."""
    match part:
        case ast.Constant(str(text)):
            return text
        case ast.FormattedValue(ast.Call(ast.Name("count_of"), [_, ast.Constant(str(noun))])):
            return f"… {noun}s"
        case ast.FormattedValue(ast.Call(ast.Name("are"))):
            return "are"
    return "…"


def words(node: ast.AST) -> Iterator[str]:
    """The texts in a piece of code, ``…`` for what is put into them."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(map(written, node.values))
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
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value:
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


#: Counts that are never 1: a limit, what is longer than one, what is named only from 2.
NEVER_ONE = re.compile(r"_?[A-Z_]+|len\(value\)|settings\..*limit|max_size|attempts|.* or every|updates\[message_id\]")
COUNTED = re.compile(
    r" (\w+ )?(rows|messages|requests|times|bytes|characters|cells|columns|updates|outcomes|statuses|instances|ids|lines"
    r"|seconds|minutes|calls|tries|values)\b| (are|were|have)\b"
)


@pytest.mark.parametrize(("name", "path"), [pytest.param(name, path, id=name) for name, path in modules()])
def test_what_is_counted_agrees_with_its_number(name: str, path: Path) -> None:
    """One row is "1 row" and "is": `count_of` and `are` write what depends on a number."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for value, after in itertools.pairwise(node.values if isinstance(node, ast.JoinedStr) else ()):
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant) or written(value) != "…":
                continue
            source = ast.unparse(value.value)
            if COUNTED.match(str(after.value)) and not NEVER_ONE.fullmatch(source):
                found.append(f"line {value.lineno}: {{{source}}}{after.value!s}")
    assert found == []


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 rows are"), (1, "1 row is"), (2, "2 rows are"), (1_000, "1,000 rows are")], ids=str
)
def test_a_counted_noun_agrees_with_its_number(number: int, text: str) -> None:
    """Nothing, one, many, and many thousands."""
    assert f"{count_of(number, 'row')} {are(number)}" == text


#: Modules whose texts send people to the connection; elsewhere a channel_id is a row's, or the task's.
SPEAK_OF_FIELDS = (
    "connection",
    "hooks",
    "client.models",
    "client.connection_check",
    "client.oauth",
    "client.responses",
)
INFO: dict[str, Any] = get_provider_info()
FIELDS = ("login", "password", *INFO["connection-types"][0]["conn-fields"])


@pytest.mark.parametrize(("name", "text"), [each for each in SENTENCES if each[0] in SPEAK_OF_FIELDS])
def test_a_field_is_called_what_the_form_calls_it(name: str, text: str) -> None:
    """Whoever looks for it in the form, or in an environment variable, finds it: label and name."""
    if "proxy" in text:  # its user and password are not the connection's
        return
    for field in FIELDS:
        text = text.replace(field_names(field), "")
    assert not re.findall(rf"\b({'|'.join(FIELDS)})\b", text)


def test_every_class_is_in_the_catalogue() -> None:
    """With when it is raised, and what to do."""
    assert set(ENTRIES) >= CLASSES


class AnswerRow(NamedTuple):
    """A row of the first table: an answer of HubSpot, and what follows from it."""

    answer: str
    concerns: str
    outcome: str
    does: str
    advice: str

    @property
    def verdict(self) -> type[Any]:
        """The verdict that the outcome of a row and what the provider does stand for."""
        (verdict,) = (
            verdict
            for verdict, (outcome, does) in VERDICTS.items()
            if _begins(self.outcome, outcome) and _begins(self.does, does)
        )
        return verdict


def _begins(cell: str, words: str) -> bool:
    return cell.startswith(words) if words else not cell


#: How the cells *outcome* and *what the provider does* begin, by verdict; an empty text is an empty cell.
VERDICTS: dict[type[Any], tuple[str, str]] = {
    Accepted: ("updated", ""),
    Rejected: ("rejected", ""),
    Transient: ("", "tries "),
    Throttled: ("", "blocks the whole account"),
    Unauthorized: ("", "fetches a new token"),
    QuotaExhausted: ("unresolved", "[waits elsewhere]"),
    Blocked: ("unresolved", "ends the batch"),
}
#: How the page writes the statuses of a rule that are no short list.
RANGES = {
    range(200): "1xx",
    range(200, 300): "2xx",
    range(300, 400): "3xx",
    range(400, 500): "any other 4xx",
    range(500, 1000): "500 and above",
}
ANSWER_ROWS = [AnswerRow(*row) for row in table(PAGE, "answer | concerns |")]
BY_STATUS = [row for row in ANSWER_ROWS if not row.answer.startswith("`")]
BY_REASON = [row for row in ANSWER_ROWS if row.answer.startswith("`")]


def answer_of(rule: Rule) -> str:
    """How the page writes the answers that a rule is for, without examples."""
    statuses = RANGES[rule.statuses] if isinstance(rule.statuses, range) else ", ".join(map(str, rule.statuses))
    policy = re.sub(r"\(.*?\)", "", rule.policy)  # without what may not stand before it
    needs = {"HubSpot": "", "somebody else": " not from HubSpot", "anybody": ""}[rule.author]
    if rule.statuses == range(200, 300):
        needs = " with a JSON object" if rule.author == "HubSpot" else ""
    return statuses + needs + (f", {policy}" if policy else "") + (f" `{rule.sub_category}`" if rule.sub_category else "")


def test_the_first_table_is_the_rules() -> None:
    """Every rule is a row with its verdict and whom that concerns, in the order in which they decide; no other row is there."""
    expected = [(answer_of(rule), rule.verdict, rule.verdict.scope) for rule in RULES]
    assert [(row.answer.split(":")[0], row.verdict, row.concerns) for row in BY_STATUS] == expected


def test_the_first_table_has_every_way_to_get_no_answer() -> None:
    """With its verdict and whom that concerns, and nothing else."""
    rows = [(reason, row.verdict, row.concerns) for row in BY_REASON for reason in re.findall(r"`([^`]+)`", row.answer)]
    assert len(rows) == len(NO_RESPONSE_RULES)
    assert set(rows) == {(reason, verdict, verdict.scope) for reason, (verdict, _) in NO_RESPONSE_RULES.items()}
    for reason, verdict, _ in rows:
        assert type(classify(NoResponse(reason))) is verdict


@pytest.mark.parametrize("row", BY_STATUS, ids=[row.answer for row in BY_STATUS])
def test_an_answer_means_what_the_page_says(row: AnswerRow) -> None:
    """Each status that a row names, as its rule or as an example of it, with the policy or sub-category of the row."""
    named = [int(status) for status in re.findall(r"\b\d{3}\b", row.answer)]
    named += {"1xx": [100, 101, 103], "2xx": [200, 201, 299], "3xx": [300, 301, 399]}.get(row.answer[:3], [])
    (policy,) = re.findall(r", ([a-z]+)$", row.answer) or [""]
    (sub_category,) = re.findall(r"`(.*)`", row.answer) or [""]
    name = "TEN_SECONDLY_ROLLING" if "ten-secondly" in row.answer else policy.upper()
    fields = {"message": "No.", "policyName": name, "subCategory": sub_category}
    bodies = [json.dumps(fields).encode()]
    if "not from HubSpot" in row.answer:
        bodies = [b"<html>", b"[]", b"", b"{}"]
    elif row.answer.startswith("2xx"):
        bodies = [b'{"id": "m-1"}'] if row.verdict is Accepted else [b"<html>", b"[]", b""]
    verdicts = [classify(Response(status, {}, body)) for status in named for body in bodies]
    assert verdicts, row.answer
    assert {type(verdict) for verdict in verdicts} == {row.verdict}
    if row.verdict is Transient:
        most = {"tries again": None, "tries twice": 2}[" ".join(row.does.split(" ")[:2]).rstrip(":,")]
        assert {verdict.max_attempts for verdict in verdicts if isinstance(verdict, Transient)} == {most}
    if row.verdict is Throttled:
        wait = {"for a second": 1.0, "for a third of a second": None}[row.does.split(", ")[1].removeprefix("else ")]
        assert {verdict.retry_after for verdict in verdicts if isinstance(verdict, Throttled)} == {wait}


def test_an_answer_without_a_body_may_be_a_success() -> None:
    """204, which the page names, and no other status."""
    assert {status for status in range(200, 300) if isinstance(classify(Response(status, {}, b"")), Accepted)} == {204}


def test_every_status_that_is_tried_again_is_on_the_page() -> None:
    """Those below 500; above, HubSpot's own are named."""
    named = {int(status) for row in BY_STATUS for status in re.findall(r"\b\d{3}\b", row.answer)}
    assert {status for status in range(200, 500) if is_transient(status)} <= named
    assert {500, 502, 503, 504, 521, 522, 523, 524, 525, 526} <= named
