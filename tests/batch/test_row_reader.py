from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from airflow_provider_hubchan.batch.dead_letters import format_dead_letter
from airflow_provider_hubchan.batch.row_reader import RowReader, read_rows, read_update
from airflow_provider_hubchan.batch.rows import NumberedRows, bad_line, numbered
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.errors import BadRow, BadRows, Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update


def updates(rows: object, **defaults: Any) -> list[Any]:
    """The updates of a batch's rows and the outcomes of those that are not sent, each in row order."""
    with UpdateStore(read_rows(numbered(rows, defaults.get("columns")), **defaults)) as store:
        if bad_rows := store.too_many_bad_rows(max_rejected=0):
            raise bad_rows
        return [*store.updates(), *store.not_sent()]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["m-1"], [Update(1, "m-1", MessageStatus.SENT)], id="an id takes the task's status"),
        pytest.param([17], [Update(1, "17", MessageStatus.SENT)], id="an int is an id"),
        pytest.param([" m-1\n"], [Update(1, "m-1", MessageStatus.SENT)], id="space around an id is not part of it"),
        pytest.param(
            [{"message_id": "m", "status": "READ"}], [Update(1, "m", MessageStatus.READ)], id="the row's own status comes first"
        ),
        pytest.param(
            [{"message_id": "m", "status": "FAILED", "error_message": " 30003: gone "}],
            [Update(1, "m", MessageStatus.FAILED, "30003: gone")],
            id="the row's own error message comes first",
        ),
        pytest.param(
            [{"message_id": "m", "status": "FAILED", "error_message": 30003}],
            [Update(1, "m", MessageStatus.FAILED, "30003")],
            id="a gateway's code, which native rendering makes a number",
        ),
        pytest.param(
            [{"message_id": "m", "status": "FAILED"}],
            [Update(1, "m", MessageStatus.FAILED, "no answer")],
            id="the task's error message",
        ),
        pytest.param(
            [{"message_id": "m", "status": "READ", "error_message": ""}],
            [Update(1, "m", MessageStatus.READ)],
            id="a blank text is none",
        ),
        pytest.param(
            {"m": "READ", "n": "SENT"}, [Update(1, "m", MessageStatus.READ), Update(2, "n", MessageStatus.SENT)], id="a mapping"
        ),
        pytest.param(
            [{"message_id": "m", "to": "+1555"}],
            [Update(1, "m", MessageStatus.SENT, None, '{"to": "+1555"}')],
            id="other keys are left alone",
        ),
        pytest.param(
            iter(["a", "b"]), [Update(1, "a", MessageStatus.SENT), Update(2, "b", MessageStatus.SENT)], id="any iterable"
        ),
        pytest.param([], [], id="no rows"),
    ],
)
def test_rows_are_read(rows: object, expected: list[Update]) -> None:
    """Ids, dicts and mappings become updates, numbered from 1; the task's arguments stand for what a row does not have."""
    assert updates(rows, status="SENT", error_message="no answer") == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param({"status": "SENT"}, "message_id is missing (the keys are 'status')", id="no id"),
        pytest.param(None, "message_id is missing", id="null"),
        pytest.param("  ", "message_id is blank", id="blank id"),
        pytest.param({"message_id": 1.5}, "message_id is a float, not a string", id="a float would lose digits"),
        pytest.param({"message_id": True}, "message_id is a bool, not a string", id="a bool"),
        pytest.param({"message_id": "m", "status": "sent"}, "status is 'sent', not one of SENT, FAILED, READ", id="unknown"),
        pytest.param({"message_id": "m", "status": ["SENT"]}, "status is ['SENT'], not one of SENT, FAILED, READ", id="list"),
        pytest.param(
            {"message_id": "m", "status": "RECEIVED"},
            "status is 'RECEIVED', which only HubSpot sets, on incoming messages",
            id="RECEIVED",
        ),
        pytest.param(
            {"message_id": "m", "status": "FAILED", "error_message": True},
            "error_message is a bool, not a string",
            id="no text",
        ),
        pytest.param("\ud83d", r"message_id '\ud83d' holds half a character (a lone surrogate)", id="half an emoji"),
        pytest.param(
            {"message_id": "m", "status": "FAILED", "error_message": "\ud83d"},
            "error_message holds half a character (a lone surrogate)",
            id="half an emoji in the text",
        ),
        pytest.param(
            {"messageId": "m", "status": "SENT"},
            "'messageId' is almost 'message_id': name it so, or write columns={'message_id': 'messageId'}, "
            "message_id is missing (the keys are 'messageId', 'status')",
            id="HubSpot's own key",
        ),
        pytest.param(
            {"message_id": "m", "channel_id": "2"}, "channel_id is '2', but this batch goes to channel '1'", id="other channel"
        ),
        pytest.param(BadRow(1, "it is not JSON"), "it is not JSON", id="a line that could not be parsed"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(row: object, reason: str) -> None:
    """The reason names the key and the value, whatever is wrong with a row."""
    with pytest.raises(BadRows) as caught:
        updates([row], status="SENT", channel_id="1")
    assert [bad_row.reason for bad_row in caught.value.bad] == [reason]


def test_half_a_character_in_the_tasks_error_message_is_bad_too() -> None:
    """An error message is checked, whether it comes from a row or from the task."""
    with pytest.raises(BadRows, match="row 1: error_message holds half a character"):
        updates(["m"], status="FAILED", error_message="\ud83d")


def test_a_row_without_a_status_anywhere_is_bad() -> None:
    """No status in the row and none as the task's argument is an error, not a guess."""
    with pytest.raises(BadRows, match="status is missing, in the row and as the task's argument"):
        updates(["m-1"])


def test_all_bad_rows_are_named_at_once() -> None:
    """One error names every bad row, equal reasons together, and says that nothing was sent."""
    rows: list[Any] = [f"m-{number}" for number in range(240)]
    rows[2] = {"status": "SENT"}
    rows[16] = rows[17] = rows[18] = {"message_id": "m", "status": "sent"}
    with pytest.raises(BadRows) as caught:
        updates(rows, status="SENT")
    assert str(caught.value) == (
        "4 of 240 rows cannot be sent (row 3: message_id is missing (the keys are 'status'); "
        "rows 17-19: status is 'sent', not one of SENT, FAILED, READ). Fix them upstream; nothing was sent."
    )


def test_bad_rows_beyond_twenty_reasons_are_counted() -> None:
    """The text stays short however many rows are bad; the exception still has them all."""
    with pytest.raises(BadRows) as caught:
        updates([{"message_id": "m", "status": f"x{number}"} for number in range(5000)])
    assert len(str(caught.value)) < 1500
    assert "rows 20: status" not in str(caught.value)
    assert "row 20: status is 'x19', not one of SENT, FAILED, READ; and 4,980 more). Fix" in str(caught.value)
    assert (caught.value.count, len(caught.value.bad)) == (5000, 1000)
    with pytest.raises(BadRows) as caught:
        updates([None, "m"] * 10_000, status="READ")
    assert len(str(caught.value)) < 1000
    assert "95, 97, 99 and 9,950 more: message_id is missing" in str(caught.value)


def test_rows_may_bring_their_own_numbers() -> None:
    """The lines of a file keep their numbers."""
    assert updates(NumberedRows([(7, "m")]), status="READ") == [Update(7, "m", MessageStatus.READ)]


def test_a_row_that_a_report_marks_as_skipped_stays_skipped() -> None:
    """A report file can be fed back whole: an update that was superseded then must not be sent now."""
    line = json.loads(
        format_dead_letter(
            Outcome(Update(2, "m", MessageStatus.SENT), "skipped", Problem("superseded by row 9", "superseded")), 1, ""
        )
    )
    (entry,) = updates([line])
    assert isinstance(entry, Outcome)
    assert entry.result == "skipped"


def test_reasons_do_not_grow_from_report_to_report() -> None:
    """A line of the log can hold them, whatever a file has at their place."""
    outcome = Outcome(Update(2, "m", MessageStatus.SENT), "skipped", Problem("x" * 1490 + "\t\ud800", "superseded"))
    for _ in range(3):
        (outcome,) = updates([json.loads(format_dead_letter(outcome, 1, ""))])
        assert outcome.problem
        assert len(outcome.problem.reason) <= 1500
        assert outcome.problem.reason.isprintable()


def test_the_reason_of_a_line_that_was_not_parsed_is_readable() -> None:
    """Python's parsers quote a delimiter as it is, be it a tab."""
    assert bad_line(1, "x", "'\t' expected after '\"'", "not CSV").reason == "' ' expected after '\"'"


def test_a_row_that_was_not_final_does_not_get_the_tasks_status() -> None:
    """Its next report would say that of a message of which nothing is known."""
    (skipped,) = updates([{"message_id": "m", "status": "queued"}], statuses={"queued": None}, status="FAILED")
    line = json.loads(format_dead_letter(skipped, 1, ""))
    (entry,) = updates([line], statuses={"queued": None}, status="FAILED", error_message="no answer")
    assert (entry.result, entry.update.status, entry.update.error_message) == ("skipped", None, None)


def test_columns_of_the_users_own_do_not_skip_a_row() -> None:
    """Only a line that has all keys of a report is taken for one."""
    row = {"message_id": "m", "status": "SENT", "outcome": "skipped", "reason": "the gateway's", "row": 4}
    (update,) = updates([row])
    assert isinstance(update, Update)
    assert json.loads(update.rest or "") == {"outcome": "skipped", "reason": "the gateway's", "row": 4}


def test_a_row_keeps_what_else_it_holds() -> None:
    """The report file has its other keys; what an earlier report added is not the row's own."""
    (update,) = updates([{"message_id": "m", "status": "SENT", "phone": "+1", "at": 7}])
    assert isinstance(update, Update)
    line = json.loads(format_dead_letter(Outcome(update, "rejected", Problem("no", "no")), 1, ""))
    assert (line["phone"], line["at"], line["message_id"]) == ("+1", 7, "m")
    assert updates([line]) == [update]


def test_a_rows_own_keys_survive_a_report() -> None:
    """Where a report file needs their names, they are put under another key, and back again, twice."""
    row = {"message_id": "m", "status": "SENT", "time": "noon", "row": "A-77", "phone": "+1"}
    (update,) = updates([row])
    for _ in range(2):
        assert isinstance(update, Update)
        line = json.loads(format_dead_letter(Outcome(update, "rejected", Problem("no", "no")), 1, "2026"))
        assert (line["time"], line["row"], line["phone"]) == ("2026", 1, "+1")
        assert line["as_it_came"] == {"time": "noon", "row": "A-77"}
        (update,) = updates([line])


def test_a_row_that_no_file_can_hold_is_bad() -> None:
    """It is named, like every other bad row."""
    with pytest.raises(BadRows, match="cannot be written as JSON"):
        updates([{"message_id": "m", "status": "SENT", "at": {(1, 2): "x"}}])


@pytest.mark.parametrize(("error_message", "expected"), [(30003, "30003"), ("  ", None), (" gone ", "gone"), (None, None)])
def test_the_tasks_error_message_is_read_like_a_rows(error_message: Any, expected: str | None) -> None:
    """Native rendering makes a number of "30003"; blank text is none."""
    assert updates(["m"], status="FAILED", error_message=error_message) == [Update(1, "m", MessageStatus.FAILED, expected)]


COLUMNS = {"message_id": "client_ref", "status": "data.state", "error_message": "errors.0.title"}


def read(row: object, **arguments: Any) -> Any:
    """The entry of one row."""
    (entry,) = RowReader(**arguments).read([(1, row)])
    return entry


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({"client_ref": "m", "data": {"state": "SENT"}}, ("m", "SENT", None), id="nested"),
        pytest.param(
            {"client_ref": "m", "data": {"state": "FAILED"}, "errors": [{"title": "gone"}, {"title": "other"}]},
            ("m", "FAILED", "gone"),
            id="an element of a list",
        ),
        pytest.param(
            {"client_ref": "m", "data.state": "READ", "data": {"state": "SENT"}}, ("m", "READ", None), id="as it stands"
        ),
        pytest.param({"client_ref": "m", "data": {"state": "FAILED"}, "errors": []}, ("m", "FAILED", "?"), id="an empty list"),
        pytest.param(
            {"client_ref": "m", "data": {"state": "FAILED"}, "errors": None}, ("m", "FAILED", "?"), id="null on the way"
        ),
        pytest.param(
            {"client_ref": "m", "data": {"state": "FAILED"}, "errors": "x"}, ("m", "FAILED", "?"), id="text on the way"
        ),
        pytest.param(
            {"client_ref": "m", "data": {"state": "FAILED"}, "errors": {"0": {"title": "gone"}}},
            ("m", "FAILED", "gone"),
            id="a number that is a key",
        ),
        pytest.param({"client_ref": "m", "data": {"state": "SENT"}, "status": 404}, ("m", "SENT", None), id="our own name"),
        pytest.param("m", ("m", "SENT", None), id="an id has no columns"),
    ],
)
def test_columns_lead_to_the_values(row: object, expected: tuple[str, str, str | None]) -> None:
    """A name is looked up as it stands, else its dots lead into objects and its numbers into lists."""
    update = read(row, columns=COLUMNS, error_message="?", status="SENT")
    assert (update.message_id, update.status, update.error_message) == expected


def test_a_column_may_be_said_not_to_be_there() -> None:
    """None: what the rows have under a name of ours, or almost, is something else."""
    row = {"message_id": "m", "Status": "200 OK"}
    assert (
        "columns={'status': 'Status'}, with None instead of the name if it is something else" in read(row, status="SENT").reason
    )
    update = read(row, status="SENT", columns={"status": None})
    assert (update.status, update.rest) == ("SENT", '{"Status": "200 OK"}')
    assert read(row | {"status": "x"}, status="READ", columns={"status": None}).status == "READ"


@pytest.mark.parametrize(
    ("row", "columns", "reason"),
    [
        ({"data": {"state": "SENT"}}, COLUMNS, "message_id (client_ref) is missing (the keys are 'data')"),
        ({"client_ref": "m"}, COLUMNS, "status (data.state) is missing, in the row and as the task's argument"),
        (
            {"client_ref": "m", "data": {"state": "sent"}},
            COLUMNS,
            "status (data.state) is 'sent', not one of SENT, FAILED, READ",
        ),
        (
            {"message_id": "m", "status": "SENT", "lane": "7"},
            {"channel_id": "lane"},
            "channel_id (lane) is '7', but this batch",
        ),
    ],
)
def test_a_reason_names_the_column(row: object, columns: dict[str, str | None], reason: str) -> None:
    """The user finds it in his file."""
    assert read(row, columns=columns, channel_id="1").reason.startswith(reason)


@pytest.mark.parametrize(
    "name",
    ["Status", "STATUS", " status", "status ", "statusType", "Status Type", '"status"', "'status'", "\ufeffstatus", "status:"],
)
def test_a_name_that_is_almost_ours_is_refused(name: str) -> None:
    """Its value would be lost in silence, and the task's status stand for it."""
    bad_row = read({"message_id": "m", name: "FAILED"}, status="SENT")
    assert isinstance(bad_row, BadRow)
    assert "is almost 'status': name it so, or write columns={'status': " in bad_row.reason
    assert read({"message_id": "m", name: "FAILED"}, status="SENT", columns={"status": name}).status == "FAILED"


@pytest.mark.parametrize(
    "name", ["message id", "Message-ID", "messageid", "MessageId", "error message", "Error-Message", "errorMessage"]
)
def test_so_are_the_other_names(name: str) -> None:
    """All three of them, in any spelling."""
    assert f"{name!r} is almost '" in read({"message_id": "m", "status": "FAILED", name: "x"}).reason


@pytest.mark.parametrize(
    "name", ["status_code", "http_status", "status.1", "error", "id", "message", "statuses", "fehler_status"]
)
def test_other_names_are_the_users_own(name: str) -> None:
    """They are left alone."""
    assert read({"message_id": "m", "status": "SENT", name: "x"}).rest == json.dumps({name: "x"})


WORDS = {"delivered": "SENT", "Read": "READ", "UNDELIV": "FAILED", "queued": None, 3: "FAILED", "true": "SENT"}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *(("delivered", "SENT"), ("DELIVERED", "SENT"), (" Delivered\n", "SENT"), ("read", "READ"), ("undeliv", "FAILED")),
        *((3, "FAILED"), ("3", "FAILED"), (True, "SENT")),
    ],
)
def test_a_gateways_word_is_a_status(word: object, status: str) -> None:
    """Without regard to case and surrounding space; numbers and truth values are words as JSON writes them."""
    update = read({"message_id": "m", "status": word}, statuses=WORDS)
    assert (update.status, update.rest) == (status, json.dumps({"status": word}))


@pytest.mark.parametrize("word", ["BUFFRD", "SENT", "", 1.5, ["delivered"], {"a": 1}, False, 4])
def test_an_unknown_word_is_a_row_that_cannot_be_sent(word: object) -> None:
    """Also one of HubSpot's: the gateway's SENT may be less than ours. Only what is absent takes the task's status."""
    entry = read({"message_id": "m", "status": word}, statuses=WORDS)
    assert isinstance(entry, BadRow)
    assert entry.label == (f"unknown status {word!r}" if word else "no status" if word == "" else "unknown status False")
    assert entry.message_id == "m"


def test_a_word_that_is_not_final_is_skipped() -> None:
    """It supersedes nothing and is superseded by nothing."""
    rows = [{"message_id": "m", "status": word} for word in ("delivered", "queued")]
    update, outcome = updates(rows, statuses=WORDS)
    assert (update.row, update.status) == (1, "SENT")
    assert (outcome.result, outcome.problem) == ("skipped", Problem("status 'queued' is not final", "not final"))


def test_the_later_of_two_equal_words_counts() -> None:
    """So that ``TWILIO | {"Sent": "SENT"}`` says what it seems to."""
    assert read({"message_id": "m", "status": "sent"}, statuses={"sent": None, "Sent": "SENT"}).status == "SENT"


class Ambiguous:
    """What is neither true nor false, as an array."""

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array is ambiguous")

    def __ne__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]


class NAType(Ambiguous):
    """As pandas has it."""


@pytest.mark.parametrize(
    "absent", [None, "", " ", float("nan"), Decimal("nan"), NAType()], ids=["None", "empty", "blank", "nan", "Decimal", "NA"]
)
def test_absent_is_absent(absent: object) -> None:
    """Whatever stands for no value: the task's status and error message stand in."""
    update = read({"message_id": "m", "status": absent, "error_message": absent}, status="FAILED", error_message="gone")
    assert (update.status, update.error_message) == ("FAILED", "gone")
    assert read({"message_id": absent, "status": "SENT"}).label == "no message_id"


@pytest.mark.parametrize("name", ["message_id", "status", "error_message", "channel_id"])
def test_a_value_whose_truth_is_ambiguous_is_named(name: str) -> None:
    """It is a bad value like any other."""
    entry = read({"message_id": "m", "status": "FAILED"} | {name: Ambiguous()}, channel_id="1")
    assert isinstance(entry, BadRow)
    assert entry.reason.startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("value", "text"),
    [(30003, "30003"), (30003.0, "30003"), (1.5, "1.5"), (" gone ", "gone"), (float("inf"), "inf"), (0, "0"), ("000", "000")],
)
def test_a_code_is_an_error_message(value: object, text: str) -> None:
    """A column of codes in which some are missing is one of floats in pandas."""
    assert read({"message_id": "m", "status": "FAILED", "error_message": value}).error_message == text


@pytest.mark.parametrize("reason", ["No Error", "0", 0, "000"])
def test_a_reason_beside_another_status_is_left_out_and_counted(reason: object) -> None:
    """HubSpot takes none there; the report file still has it."""
    reader = RowReader()
    row = {"message_id": "m", "status": "SENT", "error_message": reason}
    (update,) = reader.read([(1, row)])
    assert isinstance(update, Update)
    assert (update.error_message, reader.reasons_left_out) == (None, 1)
    line = json.loads(format_dead_letter(Outcome(update, "rejected", Problem("no", "no")), 1, ""))
    assert line["as_it_came"] == {"error_message": reason}
    assert "error_message" not in line
    assert read(line) == update


def test_a_single_update_with_such_a_reason_is_refused() -> None:
    """There is no report that could count it."""
    with pytest.raises(BadRows, match="error_message is only for FAILED, and status is 'SENT'"):
        read_update("m", "SENT", "gone")


def test_a_row_of_sql_says_to_make_a_dict() -> None:
    """A tuple has no names."""
    entry = read(("m", "SENT"), status="SENT")
    assert entry.reason == "message_id is a tuple, not a string: give a dict for each row, as dict(zip(names, row)) makes it"
    assert entry.original == '{"message_id": ["m", "SENT"]}'


def test_what_json_does_not_have_is_written_as_text_or_null() -> None:
    """A strict reader takes the line; what is absent stays so, and is no text of that name."""
    row = {"message_id": "m", "status": "SENT", "price": float("nan"), "deep": [{"a": float("-inf")}], "at": date(2026, 9, 1)}
    row["discount"] = Decimal("NaN")
    update = read(row)
    assert json.loads(update.rest) == {
        "price": None,
        "deep": [{"a": "-Infinity"}],
        "at": "2026-09-01",
        "discount": None,
    }
    assert json.loads(read(row | {"status": "x"}).original)["price"] is None


@pytest.mark.parametrize("nothing", [float("nan"), Decimal("NaN")], ids=["a float", "a Decimal"])
def test_an_absent_id_is_so_in_a_report_that_is_fed_back(nothing: object) -> None:
    """NaN does not come back as the id of a message of that name."""
    bad_row = read({"message_id": nothing, "status": "SENT"})
    line = json.loads(format_dead_letter(Outcome(bad_row, "rejected", Problem(bad_row.reason, bad_row.label)), 1, ""))
    assert read(line).reason == bad_row.reason == "message_id is missing"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("beside", [nested(100_000), {(1, 2): "x"}, 10**5000], ids=["depth", "a key", "digits"])
def test_what_no_json_can_hold_is_named_and_shortened(beside: object) -> None:
    """The row is bad, the others are not; the report file has the rest of it."""
    entry = read({"message_id": "m", "status": "SENT", "raw": beside, "to": "+1"})
    assert isinstance(entry, BadRow)
    assert entry.label == "not JSON"
    original = json.loads(entry.original or "")
    assert (original["message_id"], original["to"], len(original["raw"]) < 200) == ("m", "+1", True)


def test_a_number_of_five_thousand_digits_is_no_id() -> None:
    """Python does not write it."""
    assert read(10**5000, status="SENT").reason == "message_id is a int, not a string"


def dead_letter(entry: Any) -> dict[str, Any]:
    """What a report file has of an entry."""
    outcome = Outcome(entry, "rejected", Problem(entry.reason, entry.label)) if isinstance(entry, BadRow) else entry
    if isinstance(outcome, Update):
        outcome = Outcome(outcome, "rejected", Problem("404", "404"))
    line = json.loads(format_dead_letter(outcome, 1, "2026"))
    assert isinstance(line, dict)
    return line


def test_a_bad_row_is_written_as_it_came_and_read_again() -> None:
    """With another translation it is good; without one it is bad for the same reason."""
    row = {"client_ref": "m", "state": "BUFFRD", "row": 77, "status": {"group": 1}, "time": "noon"}
    columns = {"message_id": "client_ref", "status": "state"}
    bad_row = read(row, columns=columns, statuses=WORDS)
    line = dead_letter(bad_row)
    assert {key: line[key] for key in ("client_ref", "state", "status", "row", "outcome", "sendable", "as_it_came")} == {
        "client_ref": "m",
        "state": "BUFFRD",
        "status": {"group": 1},
        "row": 1,
        "outcome": "rejected",
        "sendable": False,
        "as_it_came": {"row": 77, "time": "noon"},
    }
    again = read(line, columns=columns, statuses=WORDS)
    assert (again.reason, json.loads(again.original)) == (bad_row.reason, row)
    update = read(line, columns=columns, statuses=WORDS | {"buffrd": "READ"})
    assert (update.message_id, update.status, json.loads(update.rest)) == ("m", "READ", row)


def test_a_good_row_is_written_with_our_names_and_read_without_translation() -> None:
    """Else its SENT would be the gateway's "sent", which is not final."""
    row = {"client_ref": "m", "state": "delivered", "status": {"group": 1}, "Status": "x", "message_id": "theirs"}
    arguments: Any = {"columns": {"message_id": "client_ref", "status": "state"}, "statuses": WORDS | {"sent": None}}
    update = read(row, **arguments)
    line = dead_letter(update)
    assert (line["message_id"], line["status"], line["state"]) == ("m", "SENT", "delivered")
    assert line["as_it_came"] == {"status": {"group": 1}, "message_id": "theirs"}
    for _ in range(2):
        again = read(dead_letter(update), **arguments)
        assert (again.message_id, again.status, json.loads(again.rest)) == ("m", "SENT", json.loads(update.rest))
        update = again


def test_a_line_that_was_not_parsed_stays_bad_when_it_is_fed_back() -> None:
    """With the reason that it had."""
    bad_row = bad_line(3, '{"message_id": \udcff\n', "it is not JSON", "not JSON")
    line = dead_letter(bad_row)
    assert line["line"] == '{"message_id": \\udcff'
    again = read(line)
    how = "its line could not be read: write the keys of the row instead of it. "
    assert (again.reason, again.original) == (how + bad_row.reason, bad_row.original)
    assert read(dead_letter(again)).reason == again.reason
    del line["line"]
    assert read(line | {"message_id": "m", "status": "SENT"}).status == "SENT"


def test_a_row_that_is_not_final_keeps_its_word() -> None:
    """In the report file, and it is skipped when that is fed back."""
    line = dead_letter(read({"message_id": "m", "status": "queued", "error_message": "0"}, statuses=WORDS))
    assert line["as_it_came"] == {"status": "queued", "error_message": "0"}
    assert (line["outcome"], "status" in line) == ("skipped", False)
    assert read(line, statuses=WORDS).result == "skipped"


@pytest.mark.parametrize("text", ["\x00\x1b[31m", "a\nb", "\ud83d", "\u2028"])
def test_a_reason_is_readable(text: str) -> None:
    """No control character and no half character of a row gets into an error."""
    with pytest.raises(BadRows) as caught:
        updates([{"message_id": text + "m", "status": text + "x" * 10_000}])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("mark", [False, "False", "false", " FALSE ", 0, 0.0, "0"])
def test_a_bad_row_stays_one_when_another_program_has_written_its_report(mark: object) -> None:
    """A spreadsheet or a data frame makes text or a number of false, and text of an object."""
    columns, row = {"status": "state"}, {"message_id": "m", "status": "SENT", "state": "bounced", "row": 7}
    line = dead_letter(read(row, columns=columns, statuses=WORDS))
    line |= {"sendable": mark, "as_it_came": json.dumps(line["as_it_came"]), "line": None, "category": ""}
    again = read(line, columns=columns, statuses=WORDS)
    assert again.label == "unknown status 'bounced'"
    assert json.loads(again.original)["row"] == 7


@pytest.mark.parametrize("mark", [None, "", float("nan"), True, "True", 1.0])
def test_so_does_a_good_row(mark: object) -> None:
    """What says nothing, or that it can be sent."""
    line = dead_letter(read({"message_id": "m", "status": "queued"}, statuses=WORDS | {"queued": "SENT"}))
    assert read(line | {"sendable": mark}, statuses=WORDS).status == "SENT"


@pytest.mark.parametrize(
    ("message_id", "fault"),
    [
        ("a\0b", r"'a\x00b' holds a control character"),
        ("a\x1b[31mb", "holds a control character"),
        ("a\nb", "holds a control character"),
        ("m" * 1001, "is longer than 1,000 characters"),
        ('{"message_id": "m", "status": "SENT"}', "is JSON text: give what it stands for, as json.loads makes it"),
        ('["m"]', "is JSON text"),
    ],
)
def test_what_cannot_be_an_id_is_refused(message_id: str, fault: str) -> None:
    """It would go into an address, a database and a page."""
    entry = read(message_id, status="SENT")
    assert isinstance(entry, BadRow)
    assert fault in entry.reason
    assert len(entry.message_id) <= 200
    assert entry.message_id.isprintable()


@pytest.mark.parametrize("message_id", ["m" * 1000, "{3F25-04E0}", "[m]", "ü 1/2?#%", "\u200dm"])
def test_any_other_text_can(message_id: str) -> None:
    """Ids are opaque."""
    assert read(message_id, status="SENT").message_id == message_id


class Vendor(str, Enum):
    """As a gateway's own package has its words."""

    GONE = "UNDELIV"
    SENT = "READ"


class Code(Enum):
    GONE = 3


@pytest.mark.parametrize(
    ("word", "status"), [(Vendor.GONE, "FAILED"), (Vendor.SENT, "READ"), (Code.GONE, "FAILED"), (3.0, "FAILED")]
)
def test_a_word_may_be_a_member_of_an_enum(word: object, status: str) -> None:
    """In the rows and in the mapping; its value counts, not its name."""
    assert read({"message_id": "m", "status": word}, statuses=WORDS).status == status
    assert read({"message_id": "m", "status": "undeliv"}, statuses={Vendor.GONE: "FAILED"}).status == "FAILED"
    assert read({"message_id": "m", "status": Vendor.SENT}).status == "READ"


def test_a_status_is_read_without_the_space_around_it() -> None:
    """As an id is: CSV files have a space after the comma."""
    assert read({"message_id": "m", "status": " SENT"}).status == "SENT"


@pytest.mark.parametrize("reason", [False, [], {"name": "NO_ERROR"}, ["x"], b"x"])
def test_whatever_stands_beside_another_status_is_left_out(reason: object) -> None:
    """It is no error message, so its kind does not matter; for FAILED it does."""
    reader = RowReader()
    (update,) = reader.read([(1, {"message_id": "m", "status": "READ", "error_message": reason})])
    assert isinstance(update, Update)
    assert reader.reasons_left_out == 1
    assert read({"message_id": "m", "status": "FAILED", "error_message": reason}).label == "bad error_message"


def test_a_row_with_many_faults_has_a_short_reason() -> None:
    """It goes into XCom and into the log."""
    entry = read({"message_id": "m", **{f"sta{'-' * number}tus": "x" for number in range(1, 2000)}})
    assert len(entry.reason) <= 1500
    assert entry.label == "misspelled key, no status"


class Hostile:
    """An object of which everything fails."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_a_row_of_which_everything_fails_is_a_bad_row() -> None:
    """The others are read."""
    rows: list[Any] = [{Hostile(): 1, "message_id": "m"}, "n"]
    bad_row, update = RowReader(status="SENT").read(enumerate(rows, 1))
    assert isinstance(bad_row, BadRow)
    assert (bad_row.reason, bad_row.label) == ("it cannot be read (RuntimeError: no text)", "not readable")
    assert isinstance(update, Update)


def test_a_report_that_was_fed_back_twice_says_so_once() -> None:
    """The reason of a skipped row does not grow."""
    outcome = read({"message_id": "m", "status": "queued"}, statuses=WORDS)
    for _ in range(3):
        outcome = read(dead_letter(outcome))
        assert outcome.problem.reason == "in an earlier report: status 'queued' is not final"
