"""HubSpot's words are cleaned where they come in: one short line without control characters and secrets, and few labels."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.hostile.cases import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    FETCHED_TOKEN,
    MAX_REASON,
    REFRESH_TOKEN,
    ROTATED_TOKEN,
    Case,
    case,
    check,
    is_presentable,
    spellings,
)
from tests.hostile.runs import DRIVERS, Run
from tests.hostile.server import answer, page

ODD_TEXTS = {
    "NUL": "a\x00b",
    "a lone surrogate": "a\ud800b\udfff",
    "colours of a terminal": "\x1b[31;1mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "line breaks": "done.\r\n[2026-12-01] ERROR - Task failed\n\n\x0b\x0c\x85",
    "line separators": "a\u2028b\u2029c",
    "a text from right to left": "\u202eabc\u2066\u200f",
    "invisible characters": "\u200b\ufeff\u00ad",
    "private and unassigned characters": "\ue000\uffff\U0010ffff",
    "a megabyte": "x" * 900_000,
    "a megabyte of NUL": "\x00" * 150_000,
    "a megabyte of words": "word " * 150_000,
    "white space": " \t\n" * 1000,
    "nothing": "",
    "the words of a template": "{{ conn.x.password }} {% raw %} %s %(a)s {0} \\x00",
    "HTML": "<script>alert(1)</script>&lt;",
}
FIELDS = (
    "message",
    "category",
    "subCategory",
    "correlationId",
    "policyName",
    "errorType",
    "error",
    "status",
    "error_description",
)


def words(text: Any, status: int = 400, **other: Any) -> bytes:
    """An error whose every field is the same text."""
    return answer(status, {**dict.fromkeys(FIELDS, text), "errors": [{"message": text}], "context": {text: [text]}, **other})


TEXTS = [
    *(
        case(f"{name} with status 400", words(text), outcome="rejected")
        for name, text in ODD_TEXTS.items()
        if name not in ("a megabyte", "a megabyte of NUL", "a megabyte of words")
    ),
    *(
        case(f"{name} with status 403", words(text, 403), ends="for good")
        for name, text in ODD_TEXTS.items()
        if len(text) < 10_000
    ),
    *(case(f"{name} with status 503", words(text, 503)) for name, text in ODD_TEXTS.items() if len(text) < 10_000),
    *(
        case(f"{name} of {len(text):,} as {field}", answer(400, {"message": "no", field: text}), outcome="rejected")
        for name, text in ODD_TEXTS.items()
        if len(text) > 10_000
        for field in ("message", "category", "subCategory", "correlationId")
    ),
    case(
        "bytes in the header's correlation ID",
        answer(400, {"message": "no"}, "X-HubSpot-Correlation-Id: \xff\x9b31m"),
        outcome="rejected",
    ),
    case(
        "a header's correlation ID of 8,000",
        answer(400, {"message": "no"}, "X-HubSpot-Correlation-Id: " + "c" * 8000),
        outcome="rejected",
    ),
    case(
        "a header's correlation ID on a page",
        answer(403, b"<html>", "X-HubSpot-Correlation-Id: " + "c" * 8000, Content_Type="text/html"),
    ),
    case("a list of 50,000 errors", answer(400, {"message": "no", "errors": [{"message": "x"}] * 30_000}), outcome="rejected"),
    case("a daily limit with odd words", words("DAILY\x00\x1b[31m\n", 429), ends="for now"),
]


def repeated(text: str) -> list[Case]:
    """A secret in a spelling, in every place of a reply."""
    cases = [
        case(f"{place} {text[:40]}", reply, outcome=outcome, ends=ends)
        for place, reply, outcome, ends in [
            ("400", words(text), "rejected", ""),
            ("400, inside a sentence,", words(f"token={text}&x=1 was refused"), "rejected", ""),
            ("400, where it is cut,", words("y" * (299 - len(text) // 2) + text), "rejected", ""),
            ("403", words(text, 403), "unresolved", "for good"),
            ("a title", page(403, text), "unresolved", ""),
        ]
    ]
    if text.isascii() and text.isprintable():
        cases.append(
            case(f"a header {text}", answer(400, {"message": "no"}, f"X-HubSpot-Correlation-Id: {text}"), outcome="rejected")
        )
    return cases


SPELLED = [
    Case(f"{spelling}, {each.name}", each.script, each.outcome, ends=each.ends)
    for spelling, text in spellings(ACCESS_TOKEN).items()
    for each in repeated(text)
]
#: What the token address is sent, and so can repeat.
FORM = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
REFUSED = {"status": "BAD_CLIENT_ID", "error": "invalid_client"}
KNOWN = (CLIENT_SECRET, REFRESH_TOKEN, FETCHED_TOKEN, ROTATED_TOKEN)
ROTATION = answer(body={"access_token": FETCHED_TOKEN, "expires_in": 1800, "refresh_token": ROTATED_TOKEN})
TOKEN_ADDRESS = [
    Case(
        f"the token address repeats the form, {spelling}",
        {"token": [[words(" ".join(spellings(secret)[spelling] for secret in FORM.values()))]]},
        ends="for good",
    )
    for spelling in spellings("")
] + [
    Case("the form as it was sent", {"token": [[answer(400, {"message": urlencode(FORM), **REFUSED})]]}, ends="for good"),
    Case("the form as JSON", {"token": [[answer(400, {"message": json.dumps(FORM), **REFUSED})]]}, ends="for good"),
    Case("the form in a title", {"token": [[page(503, urlencode(FORM))]]}, ends="for now", reason="token"),
    *(
        Case(
            f"a message repeats every secret, {spelling}",
            {"m-1": [[words(" ".join(spellings(secret)[spelling] for secret in KNOWN))]], "token": [[ROTATION]]},
            "rejected",
            requests=(1, 1),
        )
        for spelling in spellings("")
    ),
    Case(
        "the token address repeats a rotated refresh token",
        {"token": [[ROTATION], [words(ROTATED_TOKEN)]], "m-1": [[answer(401, {"message": "no"})]]},
        requests=(1, 1),
        ends="for good",
    ),
]
CASES = [*TEXTS, *SPELLED, *TOKEN_ADDRESS]


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_said_of_a_row_can_be_shown_to_anybody(case: Case, drive: str, run_of: Callable[[Case, str], Run]) -> None:
    """In a log, a database and a page: reason, label, category and correlation ID."""
    check(case, run_of(case, drive))


def distinct(field: str, text: Callable[[int], str], status: int = 400) -> Case:
    """Rows that differ in one field of their replies."""
    rows = tuple(f"m-{number}" for number in range(20))
    script = {row: [[answer(status, {"message": "no", field: text(number)})]] for number, row in enumerate(rows)}
    return Case("", script, "rejected", rows=rows)  # type: ignore[arg-type]


def uuid_of(number: int) -> uuid.UUID:
    return uuid.UUID(int=random.Random(number).getrandbits(128))


@pytest.mark.parametrize("field", ["category", "subCategory", "policyName", "errorType", "status"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda number: str(uuid_of(number)), id="a UUID"),
        pytest.param(lambda number: f"a{uuid_of(number).hex}", id="hexadecimal digits"),
        pytest.param(lambda number: f"NOT_FOUND_{uuid_of(number)}", id="a word with a UUID"),
        pytest.param(lambda number: f"OBJECT_NOT_FOUND_{81234567890 + number}", id="a word with an id"),
        pytest.param(lambda number: f"message m-{number} is unknown", id="a sentence"),
        pytest.param(lambda number: chr(0x4E00 + number) * 5, id="characters of another script"),
    ],
)
def test_labels_are_few_however_many_replies_differ(field: str, text: Callable[[int], str]) -> None:
    """Rows are counted by label, in the last line of the log: twenty rows are not twenty reasons."""
    run = DRIVERS["threads"](distinct(field, text))
    labels = {outcome.problem.label for outcome in run.outcomes.values() if outcome.problem}
    assert len(labels) <= 2
    assert run.report
    assert is_presentable(run.report.top_reasons(), MAX_REASON)


def test_labels_keep_the_words_of_hubspot() -> None:
    """Different causes are told apart."""
    kinds = ["VALIDATION_ERROR", "ChannelIntegrationMessagePublishError.TEXT_TOO_LONG"]
    run = DRIVERS["threads"](distinct("category", lambda number: kinds[number % 2]))
    labels = {outcome.problem.label for outcome in run.outcomes.values() if outcome.problem}
    assert labels == {f"400 {kind}" for kind in kinds}


@pytest.mark.parametrize("drive", DRIVERS)
def test_a_summary_of_odd_replies_is_small(drive: str) -> None:
    """What XCom keeps of twenty rows with a megabyte each."""
    rows = tuple(f"m-{number}" for number in range(5))
    reply = answer(400, {"message": "no", "category": "x" * 400_000, "correlationId": "y" * 400_000})
    run = DRIVERS[drive](Case("", {row: [[reply]] for row in rows}, "rejected", rows=rows))
    assert len(json.dumps([str(outcome.problem) for outcome in run.outcomes.values()])) < 10_000
    if run.report:
        assert len(json.dumps(run.report.summary())) < 10_000
