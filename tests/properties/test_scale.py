"""Thousands of updates through the operator: the report, the faults and HubSpot's ledger agree to the last row."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from tests.airflow.dag_runs import mark
from tests.local_hubspot import sockets_to

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_database")]

#: Each kind of fault comes five times, in another place of the batch each time.
ROWS = 3_000
BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}
LATER: dict[str, str] = {"Retry-After": "1"}

# Faults that one more request gets over, …
PASSING: list[dict[str, Any]] = [
    *({"status": status} for status in (408, 423, 500, 502, 503, 504, 521, 522, 523, 524, 525, 526)),
    {"status": 503, "headers": LATER},
    {"status": 502, "body": "<html>Bad gateway"},
    {"status": 429, "body": BURST},
    {"status": 429, "body": BURST, "headers": {"Retry-After": "0"}},
    {"status": 429, "body": {"message": "You have reached your secondly limit."}},
    {"status": 401, "body": {"message": "expired", "category": "EXPIRED_AUTHENTICATION"}},
    {"status": 200, "body": "<html>Log in"},
    {"delay": 9.0},
    {"drop": "before"},
    {"drop": "before", "apply": True},
    {"drop": "half", "status": 200, "body": {"id": "half"}},
]
# … answers that no request gets over, and faults that outlast five tries.
FINAL: list[dict[str, Any]] = [
    {"status": status, "body": {"message": "No.", "category": "X"}} for status in (400, 404, 405, 409, 414, 415, 422)
]
LASTING: list[dict[str, Any]] = [{"status": 503, "times": 5}, {"drop": "before", "times": 5}]


IDS = [f"m-{number}" for number in range(ROWS)]


def test_every_update_is_accounted_for(hubspot_emulator: Emulator) -> None:
    """Without faults: each row is sent once and updated, and no thread or socket is left."""
    ids = IDS[:1000]
    hubspot_emulator.world.seed(ids)
    ran = mark(messages=ids, status="READ")
    summary = ran.xcom()
    assert (ran.state(), summary["rows"], summary["updated"], summary["requests"]) == ("success", 1000, 1000, 1000)
    assert Counter(entry.message_id for entry in hubspot_emulator.ledger.patches(status=200)) == Counter(ids)
    assert sockets_to(hubspot_emulator) == []
    assert [thread for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == []


@pytest.fixture
def hubspot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """As good as no limit, in a short window: a burst 429 holds everybody for the fifth of a second."""
    with Emulator(limit=0, window=0.2) as emulator:
        emulator.world.seed(IDS)
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(emulator.connection(timeout=6.0)))
        yield emulator


def test_five_percent_faults_end_as_they_must(hubspot: Emulator) -> None:
    """Every kind of fault in turn on every twentieth row: the fault decides the outcome and how often the row is sent."""
    expected, sends = Counter[str](updated=ROWS), Counter(IDS)
    kinds = [(fault, "updated", 1) for fault in PASSING] + [(fault, "rejected", 0) for fault in FINAL]
    for turn, message_id in enumerate(IDS[::20]):
        fault, result, more = kinds[turn % len(kinds)] if turn >= len(LASTING) else (LASTING[turn], "unresolved", 4)
        hubspot.fault(message_id=message_id, **fault)
        expected["updated"] -= 1
        expected[result] += 1
        sends[message_id] += more
    ran = mark(messages=IDS, status="READ")
    summary, ledger = ran.xcom(), hubspot.ledger
    assert ran.state() == "failed"
    assert {result: summary[result] for result in ("updated", "rejected", "unresolved")} == dict(expected)
    assert summary["skipped"] == 0
    assert Counter(entry.message_id for entry in ledger.patches()) == sends
    assert summary["requests"] == sum(sends.values())
    assert hubspot.world.counts()["READ"] == summary["updated"]
    assert max(entry.others_in_flight for entry in ledger.patches()) == 0, "never two requests for one message at a time"
    assert sockets_to(hubspot) == []
