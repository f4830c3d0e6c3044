"""The example DAGs of docs/gateways.md: five gateways' reports as they come, against the local HubSpot."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from tests.airflow.dag_runs import Ran
from tests.docs.pages import fences
from tests.examples import load
from tests.paths import EXAMPLES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_database")]

IDS = {f"message-{number}" for number in range(1, 12)}
#: An id that HubSpot does not know, in each report; and the message whose word no mapping has, in the one of SMPP.
TOO_OLD, UNKNOWN_WORD = "message-of-last-year", "message-11"


@dataclass(frozen=True)
class Expected:
    """What a gateway's report comes to.

    :param failed: why each FAILED message failed, by the number of the message; None where the report does not say.
    :param sent: numbers of the messages that are updated to SENT, which they were from the start, as all others.
    :param reasons: what the reasons of the rows that are not updated hold, and how many rows there are of each.
    """

    failed: dict[int, str | None]
    read: set[int]
    sent: set[int]
    reasons: dict[str, int]

    @property
    def messages(self) -> dict[str, tuple[str, str | None]]:
        """Status and error message of all messages of the local HubSpot, by their ids."""
        read = {f"message-{number}": ("READ", None) for number in self.read}
        failed = {f"message-{number}": ("FAILED", reason) for number, reason in self.failed.items()}
        return dict.fromkeys(IDS, ("SENT", None)) | read | failed

    @property
    def updated(self) -> Counter[str]:
        """How many requests HubSpot accepted for each message."""
        return Counter(f"message-{number}" for number in [*self.failed, *self.read, *self.sent])

    @property
    def rejected(self) -> set[str]:
        """The ids of the rows that are rejected."""
        return {TOO_OLD, UNKNOWN_WORD} if "BUFFERD" in self.reasons else {TOO_OLD}


EXPECTED = {
    "twilio": Expected(
        failed={2: "30003", 6: "21610", 8: None},
        read={4},
        sent={1, 3, 5, 9},
        reasons={"is not final": 6, "superseded": 3, "404": 1},
    ),
    "infobip": Expected(
        failed={2: "Absent subscriber", 5: "Phone switched off", 6: None},
        read=set(),
        sent={1, 3, 7, 8, 9},
        reasons={"is not final": 4, "superseded": 2, "404": 1},
    ),
    "whatsapp": Expected(
        failed={2: "Message undeliverable", 10: None},
        read={1, 4, 7, 8},
        sent={5, 6},
        reasons={"is not final": 4, "superseded": 4, "404": 1},
    ),
    "smpp": Expected(
        failed={2: "011", 3: "027", 5: None, 10: "045"},
        read=set(),
        sent={1, 4, 7, 8},
        reasons={"is not final": 4, "superseded": 2, "404": 1, "BUFFERD": 1},
    ),
    "aws": Expected(
        failed={
            2: "The carrier cannot be reached",
            3: "Blocked by the carrier",
            6: "The number is not valid",
            7: "Not delivered in time",
            8: None,
        },
        read=set(),
        sent=set(),
        reasons={"is not final": 8, "superseded": 1, "404": 1},
    ),
}


def messages(hubspot: Emulator) -> dict[str, tuple[str, str | None]]:
    """Status and error message of each message of the local HubSpot."""
    return {message_id: (each.status, each.error_message) for (_, message_id), each in hubspot.world.messages.items()}


def reasons(report_file: str, kinds: dict[str, int]) -> Counter[str]:
    """How often each of the *kinds* is the reason of a line in a report file."""
    lines = [json.loads(line) for line in Path(report_file).read_text(encoding="utf-8").splitlines()]
    return Counter(next((kind for kind in kinds if kind in line["reason"]), line["reason"]) for line in lines)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_gateways_report_is_marked(hubspot_emulator: Emulator, tmp_path: Path, name: str) -> None:
    """Duplicates, late events, words in any case and words that are not final: one update for each message that has an end.

    An id that HubSpot does not know is rejected, and so is a word that the mapping does not have; both are in the report file.
    """
    expected = EXPECTED[name]
    hubspot_emulator.world.seed(IDS)
    dag = getattr(load(f"mark_{name}"), f"mark_{name}")()
    assert len(dag.tasks) == 1
    ran = Ran(dag, folder=str(tmp_path))
    assert ran.state() == "success"
    assert messages(hubspot_emulator) == expected.messages
    assert hubspot_emulator.ledger.updates() == expected.updated

    report = ran.xcom()
    updated, rejected = len(expected.updated), len(expected.rejected)
    skipped = expected.reasons["is not final"] + expected.reasons["superseded"]
    counters = {"rows": updated + skipped + rejected, "updated": updated, "skipped": skipped, "rejected": rejected}
    assert {key: report[key] for key in counters} == counters
    assert {problem["message_id"] for problem in report["problems"]} == expected.rejected
    assert reasons(report["report_file"], expected.reasons) == expected.reasons


def test_infobips_names_leave_out_what_the_operator_has_taken(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """The page's mapping of names, on the example's report: a message that only the operator has is not sent."""
    by_group = EXPECTED["infobip"]
    by_name = replace(by_group, sent=by_group.sent - {3}, reasons=by_group.reasons | {"is not final": 5})
    (text,) = (text for text in fences("python").values() if "DELIVERED_TO_OPERATOR" in text)
    hubspot_emulator.world.seed(IDS)
    with DAG("batch", schedule=None) as dag:
        exec(text, {"UpdateMessageStatusOperator": UpdateMessageStatusOperator})
    mark: Any = dag.get_task("mark")
    mark.messages_file = str(EXAMPLES / "data" / "gateways" / "infobip.jsonl")
    mark.report_file, mark.max_rejected = str(tmp_path / "not_updated.jsonl"), 1
    assert Ran(dag).state() == "success"
    assert messages(hubspot_emulator) == by_name.messages
    assert hubspot_emulator.ledger.updates() == by_name.updated
    assert reasons(mark.report_file, by_name.reasons) == by_name.reasons
