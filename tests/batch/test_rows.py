from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_hubchan.batch.dead_letters import format_dead_letter
from airflow_provider_hubchan.batch.rows import NumberedRows, numbered, read_rows
from airflow_provider_hubchan.batch.store import UpdateStore
from airflow_provider_hubchan.client.errors import BadInput, BadRow, BadRows, Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update


def updates(rows: object, **defaults: Any) -> list[Any]:
    """The updates of a batch's rows and the outcomes of those that are not sent, each in row order."""
    with UpdateStore(read_rows(numbered(rows), **defaults)) as store:
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
        pytest.param({"status": "SENT"}, "message_id is missing", id="no id"),
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
            {"message_id": "m", "status": "SENT", "error_message": "x"},
            "error_message is only for FAILED, and status is 'SENT'",
            id="an error message on SENT",
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
            "key 'messageId' is HubSpot's name, write 'message_id', message_id is missing",
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
    assert caught.value.bad == (BadRow(1, reason),)


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
        "4 of 240 rows cannot be sent (row 3: message_id is missing; "
        "rows 17-19: status is 'sent', not one of SENT, FAILED, READ). Fix them upstream; nothing was sent."
    )


def test_bad_rows_beyond_twenty_reasons_are_counted() -> None:
    """The text stays short however many rows are bad; the exception still has them all."""
    with pytest.raises(BadRows) as caught:
        updates([{"message_id": "m", "status": f"x{number}"} for number in range(5000)])
    assert len(str(caught.value)) < 3000
    assert "and 4,980 more). Fix" in str(caught.value)
    assert len(caught.value.bad) == 5000
    with pytest.raises(BadRows) as caught:
        updates([None, "m"] * 10_000, status="READ")
    assert len(str(caught.value)) < 1000
    assert "95, 97, 99 and 9,950 more: message_id is missing" in str(caught.value)


@pytest.mark.parametrize("rows", ["['m-1']", b"m", 5, None])
def test_messages_of_another_kind_say_what_to_pass(rows: object) -> None:
    """Text (a template without native rendering) and scalars are refused with the way out."""
    with pytest.raises(BadInput, match="render_template_as_native_obj=True"):
        numbered(rows)


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
