"""Whatever a file holds: every row is accounted for, none has another status than its own, and what is refused can be read."""

from __future__ import annotations

import gzip
import json
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.batch.dead_letters import format_dead_letter
from airflow_provider_hubchan.batch.rows import numbered
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.errors import BadInput, BadRow, Problem
from airflow_provider_hubchan.client.models import Outcome, Update
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.row_files import read_file
from tests.properties.row_tables import (
    ARGUMENTS,
    CELLS,
    DIALECTS,
    OURS,
    THEIRS,
    VALUES,
    Arguments,
    CsvTable,
    Dialect,
    Entry,
    Expected,
    JsonTable,
    csv_tables,
    json_tables,
    outcome_of,
    winners,
)

Write = Callable[[str, bytes], str]
SUFFIXES = st.sampled_from([".csv", ".jsonl", ".json", ".txt", "", ".csv.gz"])
#: In a file, as a part of it.
PLACES = st.floats(0, 1, exclude_max=True)
TIME = "2026-09-01T00:00:00Z"


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write a file; it is overwritten by the next of that name."""
    folder = tmp_path_factory.mktemp("rows")

    def write(name: str, content: bytes) -> str:
        path = folder / name
        path.write_bytes(content)
        return str(path)

    return write


def assert_readable(text: str) -> None:
    """No longer than a log's line may be, without control characters and half characters."""
    assert 0 < len(text) <= 1500
    assert not {"Cc", "Cs"} & set(map(unicodedata.category, text))


def read(uri: str, arguments: Arguments) -> list[Entry] | None:
    """The entries of a file, None if it is refused as a whole, in a readable text."""
    try:
        return arguments.read(uri)
    except BadInput as error:
        assert_readable(str(error))
        return None


def assert_accounted(entries: Sequence[Entry], arguments: Arguments, write: Write) -> None:
    """Each entry is an update, or one of the rows that are not sent; each can be fed back from a report file."""
    for entry in entries:
        if isinstance(entry, BadRow):
            assert_readable(entry.reason)
            assert_readable(entry.label)
    with UpdateStore(iter(entries)) as store:
        assert (store.rows, store.bad) == (len(entries), sum(isinstance(entry, BadRow) for entry in entries))
        sent, not_sent = list(store.updates()), list(store.not_sent())
        best = winners(list(map(outcome_of, entries)))
        assert {update.message_id: outcome_of(update) for update in sent} == best
        assert store.size == len(sent) == len(best)
        assert sorted([each.row for each in sent] + [each.update.row for each in not_sent]) == [_row(each) for each in entries]
        if bad_rows := store.too_many_bad_rows(0):
            assert_readable(str(bad_rows))
    unresolved = [Outcome(each, "unresolved", Problem("no answer", "no answer", 503, "X", "id")) for each in sent]
    assert_fed_back([*not_sent, *unresolved], arguments, write)


def assert_fed_back(outcomes: Sequence[Outcome], arguments: Arguments, write: Write) -> None:
    """A report file of these outcomes is JSON, and reading it with the same arguments gives the same rows again."""
    letters = [format_dead_letter(outcome, 1, TIME) for outcome in outcomes]
    for letter in letters:
        strict_json(letter)
    again = arguments.read(write("report.jsonl", "".join(f"{letter}\n" for letter in letters).encode()))
    assert len(again) == len(outcomes)
    for outcome, entry in zip(outcomes, again, strict=True):
        if isinstance(outcome.update, BadRow):
            assert isinstance(entry, BadRow), (outcome, entry)
            assert outcome.problem
            reason = entry.reason.removeprefix("its line could not be read: write the keys of the row instead of it. ")
            assert reason == outcome.problem.reason.replace("nan", "None")  # null in the report file: it is absent
            assert entry.message_id.encode(errors="replace").decode() == outcome.update.message_id
        else:
            update = entry.update if isinstance(entry, Outcome) else entry
            assert isinstance(update, Update)
            assert isinstance(entry, Outcome) == (outcome.result == "skipped")
            assert _fields(update) == _fields(outcome.update)


def strict_json(text: str) -> Any:
    """What a line of JSON stands for, if it is such in the sense of RFC 8259, with each key once."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    assert "\n" not in text
    return json.loads(text.encode(), object_pairs_hook=unique, parse_constant=pytest.fail)


def _fields(update: Update) -> tuple[object, ...]:
    return update.message_id, update.status, update.error_message, json.loads(update.rest or "{}")


def _row(entry: Entry) -> int:
    return entry.update.row if isinstance(entry, Outcome) else entry.row


def properties(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )


def expected_of_csv(table: CsvTable, dialect: Dialect) -> tuple[list[str], list[tuple[int, Expected]]]:
    """The records of a table as text, and number and outcome of every row: the number of its last line."""
    lines = dialect.lines([table.header, *table.rows])
    ends, expected, number = [], [], 0
    for line in lines:
        number += line.count("\n") + (not line.endswith("\n"))
        ends.append(number)
    for end, each in zip(ends[1:], table.expected(), strict=True):
        if each:
            expected.append((end, each))
    return lines, expected


def got(entries: Sequence[Entry]) -> list[tuple[int, Expected]]:
    return [(_row(entry), outcome_of(entry)) for entry in entries]


@properties(150)
@given(table=csv_tables(), dialect=DIALECTS)
def test_each_row_of_a_csv_file_has_its_own_status(write: Write, table: CsvTable, dialect: Dialect) -> None:
    """Whatever the cells hold, delimiters, quotes, line ends, and however the file is written."""
    lines, expected = expected_of_csv(table, dialect)
    entries = read(write("rows.csv", dialect.write(lines)), table.arguments)
    assert entries is not None
    assert got(entries) == expected
    assert_accounted(entries, table.arguments, write)
    rows = [cells for cells, each in zip(table.rows, table.expected(), strict=True) if each]
    for entry, cells in zip(entries, rows, strict=True):
        update = entry.update if isinstance(entry, Outcome) else entry
        if isinstance(update, Update):  # it keeps the other columns for the report file
            row = {name.strip(): cell or None for name, cell in zip(table.header, cells, strict=True)}
            others = {name: cell for name, cell in row.items() if re.match(r"c\d ?", name)}
            assert others.items() <= json.loads(update.rest or "{}").items()


@pytest.mark.slow
@properties(200)
@given(table=json_tables(), dialect=DIALECTS)
def test_each_row_of_a_json_lines_file_has_its_own_status(write: Write, table: JsonTable, dialect: Dialect) -> None:
    """Whatever JSON has, and lines that are no JSON at all."""
    lines = ['{"c": null}' + dialect.line_end, *(f"{row.text}{dialect.line_end}" for row in table.rows)]
    entries = read(write("rows.jsonl", dialect.write(lines)), table.arguments)
    assert entries is not None
    assert got(entries) == [(1, ("bad",)), *((number, row.expected) for number, row in enumerate(table.rows, 2))]
    assert_accounted(entries, table.arguments, write)


@properties(60)
@given(table=json_tables(), separator=st.sampled_from([",", ",\n", " ,\r\n  "]), dialect=DIALECTS)
def test_each_row_of_a_json_array_has_its_own_status(write: Write, table: JsonTable, separator: str, dialect: Dialect) -> None:
    """The same rows as elements of one array, over one line or many; one that is no JSON refuses the file."""
    content = dialect.write([f"[{separator.join(row.text for row in table.rows)}]"])
    entries = read(write("rows.json", content), table.arguments)
    if any(row.is_json is False for row in table.rows):
        assert entries is None
        return
    assert entries is not None
    assert got(entries) == [(number, row.expected) for number, row in enumerate(table.rows, 1)]
    assert_accounted(entries, table.arguments, write)


@properties(100)
@given(table=csv_tables(), dialect=DIALECTS, at=PLACES)
def test_a_csv_file_that_ends_in_the_middle_changes_no_other_row(
    write: Write, table: CsvTable, dialect: Dialect, at: float
) -> None:
    """All rows before the cut are what they were; gzip that is cut is refused."""
    lines, expected = expected_of_csv(table, dialect)
    content = dialect.write(lines)
    entries = read(write("rows.csv", content[: int(at * len(content))]), table.arguments)
    if entries:
        assert not dialect.is_gzip
        assert got(entries)[:-1] == expected[: len(entries) - 1]
        assert_accounted(entries, table.arguments, write)


@pytest.mark.slow
@properties(100)
@given(tables=st.lists(json_tables(), min_size=2, max_size=2), dialect=DIALECTS)
def test_files_that_were_put_one_after_the_other_have_the_rows_of_both(
    write: Write, tables: list[JsonTable], dialect: Dialect
) -> None:
    """With a byte order mark in the middle, or as two members of a gzip file."""
    arguments = tables[0].arguments
    contents = [
        dialect.write([f"{row}{dialect.line_end}" for row in ("7", *(row.text for row in table.rows))]) for table in tables
    ]
    entries = read(write("rows.jsonl", b"".join(contents)), arguments)
    apart = [read(write("rows.jsonl", content), arguments) for content in contents]
    assert entries is not None
    assert apart[0] is not None
    assert apart[1] is not None
    assert [outcome_of(entry) for entry in entries] == [outcome_of(entry) for entry in [*apart[0], *apart[1]]]


#: Bytes that a file may begin with, or have in its middle.
PIECES = st.sampled_from(
    [
        *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK\x03\x04", b"\0", b"\xff", b"\xed\xa0\x80", b"\xd8\x00"),
        *(b"\n", b"\r\n", b"\r", b"{", b"}", b"[", b"]", b"[]", b'"', b",", b";", b"<a", b"sep=;\n", b"NaN", b'"\\ud800"'),
        *(b"message_id", b"status", b"SENT", b"READ", b'{"message_id": "m-1", "status": "SENT"}\n'),
        b"message_id,status\nm-1,SENT\n",
    ]
)
MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), PIECES | st.binary(max_size=3)), max_size=3
)


def mutated(content: bytes, mutations: Sequence[tuple[float, int, bytes]]) -> bytes:
    """Some bytes replaced by others.

    :param mutations: where, as a part of the whole; how many bytes; by which.
    """
    for at, length, piece in mutations:
        begin = int(at * len(content))
        content = content[:begin] + piece + content[begin + length :]
    return content


def csv_content(table: CsvTable, dialect: Dialect) -> bytes:
    return dialect.write(dialect.lines([table.header, *table.rows]))


def json_content(table: JsonTable, dialect: Dialect) -> bytes:
    return dialect.write([f"{row.text}{dialect.line_end}" for row in table.rows if len(row.text) < 1000])


CONTENTS = st.one_of(
    st.lists(PIECES | st.binary(max_size=4), max_size=12).map(b"".join),
    st.lists(PIECES, max_size=12).map(b"".join).map(gzip.compress),
    st.binary(max_size=60),
    st.builds(mutated, st.builds(csv_content, csv_tables(), DIALECTS), MUTATIONS),
    st.builds(mutated, st.builds(json_content, json_tables(), DIALECTS), MUTATIONS),
)


@pytest.mark.slow
@properties(800)
@given(content=CONTENTS, suffix=SUFFIXES, arguments=ARGUMENTS)
def test_any_bytes_are_read_or_refused_in_a_readable_text(
    write: Write, content: bytes, suffix: str, arguments: Arguments
) -> None:
    """Damaged files, binary ones, two in one: nothing but `BadInput`, and what was read is accounted for."""
    entries = read(write(f"rows{suffix}", content), arguments)
    if entries is not None:
        assert_accounted(entries, arguments, write)


class Hostile:
    """An object whose methods all fail."""

    def fail(self, *others: object) -> Any:
        raise RuntimeError("\x07 no " * 1000)

    __str__ = __repr__ = __bool__ = __eq__ = __ne__ = __index__ = __len__ = __iter__ = __contains__ = fail
    __hash__ = object.__hash__


HASHABLE = st.one_of(
    st.text(max_size=3), st.integers(), st.none(), st.floats(), st.binary(max_size=3), st.tuples(st.integers())
)
OBJECTS = st.recursive(
    st.one_of(HASHABLE, VALUES, CELLS, st.decimals(), st.dates(), st.complex_numbers(), st.builds(Hostile), st.just(type)),
    lambda each: st.one_of(
        st.lists(each, max_size=3),
        st.tuples(each, each),
        st.dictionaries(
            HASHABLE | st.sampled_from(["message_id", "status", "error_message", "Status", "outcome"]), each, max_size=4
        ),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.lists(each, max_size=2).map(iter),
    ),
    max_leaves=8,
)


@properties(200)
@given(messages=OBJECTS.filter(lambda each: not isinstance(each, Hostile)) | st.lists(OBJECTS, max_size=3), arguments=ARGUMENTS)
@example(messages=[Hostile(), {"message_id": "m", "status": Hostile()}], arguments=THEIRS)
@example(messages=[{"message_id": "m", "status": "FAILED", "error_message": Hostile(), "to": Hostile()}], arguments=OURS)
def test_any_object_as_messages_is_read_or_refused_in_a_readable_text(messages: object, arguments: Arguments) -> None:
    """What a task returned, however odd: nothing but `BadInput`, every row accounted for, every dead letter JSON."""
    try:
        entries = list(arguments.reader().read(numbered(messages, arguments.columns)))
    except BadInput as error:
        assert_readable(str(error))
        return
    with UpdateStore(entries) as store:
        outcomes = [*store.not_sent(), *(Outcome(each, "rejected", Problem("no", "no")) for each in store.updates())]
    assert len(outcomes) == len(entries)
    for outcome in outcomes:
        assert outcome.problem
        assert_readable(outcome.problem.reason)
        strict_json(format_dead_letter(outcome, 1, TIME))


def dirty_table() -> list[dict[str, str]]:
    """300 rows of a gateway: each message twice or more, words of all kinds, what no row should hold; the same at each call."""
    random = Random(15)
    ids = [*(f"m-{number}" for number in range(80)), "a/b", "ü 1", "100%", "?#", "..", "unknown", "", "  "]
    words = ["delivered", " Delivered", "UNDELIVERED", "seen", "queued", "Straße", "1", "bounced", "", "SENT", "NaN", "0"]
    reasons = ["", "30003", "gone;\nreally, gone", '"quoted"', "000", "No Error", "ß\u2028ü", " "]
    return [
        {
            "to": random.choice(["+1", "", "a\tb", "\x1a", "=1+1", "|;,"]),
            "client ref": random.choice(ids),
            "Message Status": random.choice(words[:7] * 3 + words),
            "Error.Code": random.choice(reasons),
        }
        for _ in range(300)
    ]


def dirty_csv() -> tuple[bytes, list[Expected]]:
    """Every twentieth record has a cell too many."""
    dialect = Dialect(delimiter=";", line_end="\r\n", encoding="utf-8-sig", is_gzip=True)
    rows = dirty_table()
    table = CsvTable(list(rows[0]), [[*row.values(), *["x"] * (at % 20 == 0)] for at, row in enumerate(rows)], THEIRS)
    return csv_content(table, dialect), [each for each in table.expected() if each]


def dirty_json_lines() -> tuple[bytes, list[Expected]]:
    """Every twentieth line is cut, a few have half characters, numbers, nested values or a key twice."""
    lines, expected = [], []
    values: list[object] = [1, "\ud800", 30003.0, True, None, {"a": []}, math.nan, 10**30]
    for at, row in enumerate(dirty_table()):
        fields: dict[str, object] = dict(row)
        if at % 5 == 0:
            fields[["client ref", "Message Status", "Error.Code"][at % 3]] = values[at // 5 % len(values)]
        text = json.dumps(fields)
        if at % 20 == 0:
            text = text[:-1] if at % 40 else f'{text[:-1]}, "to": 1}}'
        lines.append(text)
        names = ("client ref", "Message Status", "Error.Code")
        expected.append(("bad",) if at % 20 == 0 else THEIRS.expect(*(fields[name] for name in names)))
    return "\n".join(lines).encode(), expected


@pytest.mark.parametrize(
    ("name", "content"), [("rows.csv.gz", dirty_csv()), ("rows.jsonl", dirty_json_lines())], ids=["CSV", "JSON Lines"]
)
def test_hubspot_has_of_a_dirty_table_what_its_rows_say(
    hubspot_emulator: Emulator, write: Write, name: str, content: tuple[bytes, list[Expected]]
) -> None:
    """Every message has the status and the error message of the row that counts for it; the other rows are in the report."""
    written, expected = content
    best = winners(expected)
    known = {str(message_id) for message_id in best} - {"unknown"}
    hubspot_emulator.world.seed(known)
    report = HubchanHook().update_message_statuses(
        read_file(write(name, written), THEIRS.columns),
        columns=THEIRS.columns,
        statuses=THEIRS.statuses,
        error_message=THEIRS.error_message,
        max_rejected=1.0,
    )
    sent = {
        message.id: ("update", message.id, message.status, message.error_message)
        for message in hubspot_emulator.world.messages.values()
    }
    assert sent == {message_id: each for message_id, each in best.items() if message_id != "unknown"}
    assert len(hubspot_emulator.ledger.patches(status=200)) == len(known) > 60
    bad, not_final = expected.count(("bad",)), sum(each[0] == "not final" for each in expected)
    assert bad > 20
    assert not_final > 20
    assert (report.rows, report.updated, report.rejected) == (len(expected), len(known), bad + ("unknown" in best))
    assert report.skipped == len(expected) - bad - len(best)
