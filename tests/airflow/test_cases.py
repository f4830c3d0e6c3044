"""Small files of people who do this job, each with its right outcome; as the table in their README says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.gateways import INFOBIP, TWILIO, WHATSAPP
from tests.airflow.dag_runs import mark
from tests.paths import CASES

pytestmark = pytest.mark.usefixtures("airflow_database")

TWILIO_COLUMNS = {"message_id": "client_ref", "status": "MessageStatus", "error_message": "ErrorCode"}
INFOBIP_COLUMNS = {"message_id": "callbackData", "status": "status.groupName", "error_message": "error.description"}
WHATSAPP_COLUMNS = {"message_id": "biz_opaque_callback_data", "error_message": "errors.0.title"}


@dataclass(frozen=True)
class Case:
    """How a file is given, and what comes of it.

    :param sent: what HubSpot got, by the number of the message: status, or status and error message; None if nothing was sent.
    :param rejected: message ids of the rejected rows that the report file has; None for a line that names none.
    :param skipped: how many rows were skipped.
    :param says: texts that the log has.
    """

    file: str
    sent: Mapping[int, str | tuple[str, str]] | None
    rejected: tuple[str | None, ...] = ()
    skipped: int = 0
    says: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)


NINE = dict.fromkeys((1, 2, 3, 4, 5, 6, 8, 9, 10), "SENT")
CASES_TO_RUN = [
    Case("two-status-columns.csv", None, says=("'status'", "twice")),
    Case(
        "status-in-capitals.csv",
        None,
        says=("'Status' is almost 'status'", "columns={'status': 'Status'}"),
        arguments={"status": "SENT"},
    ),
    Case("utf-16.csv", {1: "SENT", 2: "READ"}),
    Case("receipts.csv.gz", {1: "SENT", 2: "READ"}),
    Case("semicolons.csv", {1: ("FAILED", "30003: unreachable, try later"), 2: "SENT"}),
    Case("key-twice.jsonl", None, (None,), says=("row 2: ", "'status' is there twice")),
    Case("deep.jsonl", {1: "SENT", 3: "READ"}, (None,), arguments={"max_rejected": 1}),
    Case("array.json", {1: "SENT", 2: "READ"}),
    Case("no-error.csv", {1: "SENT", 2: "READ", 3: ("FAILED", "000")}, says=("2 error messages beside SENT or READ",)),
    Case("one-bad-word.jsonl", NINE, ("message-7",), arguments={"max_rejected": 1}),
    Case("one-bad-word.jsonl", None, ("message-7",), says=("row 7: status is 'BOUNCED'",)),
    Case("nan-beside.jsonl", {1: "SENT"}, ("unknown-id",), arguments={"max_rejected": 1}),
    Case(
        "twilio.csv",
        {1: "SENT", 2: ("FAILED", "30003"), 4: "READ", 5: "SENT"},
        skipped=2,
        says=("2 skipped: not final",),
        arguments={"columns": TWILIO_COLUMNS, "statuses": TWILIO},
    ),
    Case(
        "infobip.jsonl",
        {1: "SENT", 2: ("FAILED", "Absent subscriber"), 3: "SENT"},
        skipped=1,
        says=("1 skipped: not final",),
        arguments={"columns": INFOBIP_COLUMNS, "statuses": INFOBIP},
    ),
    Case(
        "infobip.jsonl",
        {1: "SENT", 2: ("FAILED", "Absent subscriber")},
        skipped=2,
        arguments={
            "columns": INFOBIP_COLUMNS | {"status": "status.name"},
            "statuses": {
                "DELIVERED_TO_HANDSET": "SENT",
                "UNDELIVERABLE_NOT_DELIVERED": "FAILED",
                "DELIVERED_TO_OPERATOR": None,
                "PENDING_ENROUTE": None,
            },
        },
    ),
    Case(
        "whatsapp.jsonl",
        {1: "READ", 2: ("FAILED", "Message undeliverable")},
        skipped=2,
        says=("1 skipped: superseded", "1 skipped: not final"),
        arguments={"columns": WHATSAPP_COLUMNS, "statuses": WHATSAPP},
    ),
]


@pytest.mark.parametrize("case", CASES_TO_RUN, ids=lambda case: f"{case.file}-{len(case.arguments)}")
def test_a_file_ends_as_its_readme_says(
    case: Case, hubspot_emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What HubSpot got, the report, the report file, and what the log says."""
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 11))
    report_file = tmp_path / "report.jsonl"
    ran = mark(messages_file=str(CASES / case.file), report_file=str(report_file), **case.arguments)
    sent = {
        patch.path.rsplit("/", 1)[-1]: (patch.body["statusType"], patch.body.get("errorMessage"))
        for patch in hubspot_emulator.ledger.patches(status=200)
    }
    expected = {number: each if isinstance(each, tuple) else (each, None) for number, each in (case.sent or {}).items()}
    assert sent == {f"message-{number}": each for number, each in expected.items()}

    lines = (
        [json.loads(line, parse_constant=refuse) for line in report_file.read_text().splitlines()]
        if report_file.exists()
        else []
    )
    assert [line.get("message_id") for line in lines if line["outcome"] == "rejected"] == list(case.rejected)
    log = " ".join(capsys.readouterr().out.split())
    for text in case.says:
        assert text in log
    assert ran.state() == ("failed" if case.sent is None else "success")
    assert ran.tries() == 1
    if case.sent is not None:
        summary = ran.xcom()
        assert (summary["updated"], summary["skipped"], summary["rejected"], summary["unresolved"]) == (
            *(len(case.sent), case.skipped, len(case.rejected), 0),
        )
    else:
        assert "nothing was sent" in log


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def test_what_a_report_file_has_of_bad_rows(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """As they came: a row with its other keys, a line that could not be parsed as its text."""
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 11))
    report_file = tmp_path / "report.jsonl"
    mark(messages_file=str(CASES / "one-bad-word.jsonl"), report_file=str(report_file), max_rejected=1)
    (line,) = map(json.loads, report_file.read_text().splitlines())
    assert (line["message_id"], line["status"], line["batch"]) == ("message-7", "BOUNCED", "n-1")
    mark(messages_file=str(CASES / "deep.jsonl"), report_file=str(report_file), max_rejected=1)
    (line,) = map(json.loads, report_file.read_text().splitlines())
    assert (line["row"], line["line"]) == (2, (CASES / "deep.jsonl").read_text().splitlines()[1])
