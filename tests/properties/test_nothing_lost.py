"""Random tries of one batch: faults, kills, stops, clears, clock jumps. Whatever happens, the report is true in the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.batch.progress import Progress
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Outcome
from airflow_provider_hubchan.client.shared_state import reset
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.batch.in_memory import MemoryStore, RecordingSink
from tests.local_hubspot import REFUSAL

pytestmark = pytest.mark.slow

#: Two messages have several updates, and HubSpot does not know one.
ROWS = [{"message_id": f"m-{number}", "status": status} for number, status in enumerate(["SENT", "READ", "FAILED"] * 5)]
ROWS += [
    {"message_id": "m-0", "status": "READ"},
    {"message_id": "m-1", "status": "SENT"},
    {"message_id": "x", "status": "SENT"},
]
SENDS = sorted({row["message_id"] for row in ROWS})
RETRY = RetryConfig(max_attempts=2, max_throttles=2, base_delay=0.0, break_after=4)
BURST = {"policyName": "TEN_SECONDLY_ROLLING"}

FAULT = st.sampled_from(
    [
        {"status": 500},
        {"status": 503, "times": 3},
        {"status": 503, "headers": {"Retry-After": "900"}},
        {"status": 429, "body": BURST, "headers": {"Retry-After": "0.01"}},
        {"status": 429, "body": {"policyName": "DAILY"}},
        {"status": 477, "headers": {"Retry-After": "7200"}},
        {"status": 401, "body": REFUSAL},
        {"status": 401, "body": REFUSAL, "times": 2},
        {"status": 403, "body": REFUSAL},
        {"status": 404, "body": REFUSAL},
        {"status": 400, "body": REFUSAL},
        {"drop": "before"},
        {"drop": "before", "apply": True, "times": 2},
        {"drop": "half"},
        {"status": 500, "apply": True, "times": 2},
    ]
)


@dataclass
class Try:
    """What happens in one try.

    :param faults: to which message.
    :param ends: after how many outcomes, and how; None if it may end by itself.
    :param jump: seconds that HubSpot's clock moves before it: tokens end.
    """

    faults: dict[str, dict[str, Any]]
    ends: tuple[int, str] | None
    jump: float
    cleared: bool


TRIES = st.lists(
    st.builds(
        Try,
        faults=st.dictionaries(st.sampled_from(SENDS), FAULT, max_size=6),
        ends=st.none() | st.tuples(st.integers(1, 15), st.sampled_from(["killed", "timeout", "stopped"])),
        jump=st.sampled_from([0.0, 3600.0, 86400.0]),
        cleared=st.sampled_from([False, False, False, True]),
    ),
    max_size=4,
)


class Gone(BaseException):
    """The process is killed, or the task has timed out."""


@pytest.fixture(scope="module")
def hubspot() -> Iterator[Emulator]:
    with Emulator(limit=200, window=0.02) as emulator:  # a short window: after a 429 the account waits for it
        yield emulator


def accepted(hubspot: Emulator) -> Counter[str]:
    """How often each message was updated."""
    done = (entry for entry in hubspot.ledger.patches() if entry.status == 200 or (entry.fault and entry.fault.applies))
    return Counter(str(entry.message_id) for entry in done)


def positions_done(store: MemoryStore) -> list[int]:
    """Positions that the next try will not send."""
    if store.text is None:
        return []
    digits = Progress.parse(json.loads(store.text)).done.digits()
    return [position for position, digit in enumerate(digits) if digit == ord("1")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tries=TRIES)
def test_nothing_is_lost_and_nothing_sent_twice_without_need(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, tries: list[Try]
) -> None:
    """After each try all rows are accounted for; checkpoints are believed; a last try without faults sends the rest."""
    reset()
    hubspot.reset()
    hubspot.world.seed(name for name in SENDS if name != "x")
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(hubspot.connection()))
    store, order = MemoryStore(), send_order()
    for number, each in enumerate([*tries, Try({}, None, 0.0, cleared=False)], 1):
        if each.cleared:
            store.text = None
        hubspot.world.clock.advance(each.jump)
        for name, fault in each.faults.items():
            hubspot.fault(message_id=name, **fault)
        done = {order[position] for position in positions_done(store)}
        before = accepted(hubspot)
        report = attempt(store, number, each)
        after = accepted(hubspot)
        hubspot.schedule.clear()

        if not store.frozen:  # a process that is killed does not report
            assert report.rows == report.updated + report.skipped + report.rejected + report.unresolved == len(ROWS)
        assert all(after[name] == before[name] for name in done)
        assert {order[position] for position in positions_done(store)} <= {
            str(sent.message_id) for sent in hubspot.ledger.patches()
        }

    assert report.unresolved == 0
    for name in SENDS:
        statuses = [entry.body["statusType"] for entry in hubspot.ledger.patches(name) if entry.status == 200]
        assert "READ" not in statuses or statuses[statuses.index("READ") :] == ["READ"] * statuses.count("READ")
    rejected = {problem["message_id"] for problem in report.problems}  # some of them after they had been accepted
    assert report.updated + report.skipped >= len(set(after) - rejected)
    assert {name for name in SENDS if name not in after} <= rejected
    assert "x" in rejected


def attempt(store: MemoryStore, number: int, each: Try) -> Report:
    """One try, to its end, whatever that is."""
    store.try_number, store.frozen = number, False
    hook, report, seen = HubchanHook(retry=RETRY), Report(), 0

    def end(outcome: Outcome) -> None:
        nonlocal seen
        seen += 1
        if each.ends is None or seen != each.ends[0]:
            return None
        if each.ends[1] == "stopped":
            return hook.stop()
        store.frozen = each.ends[1] == "killed"
        raise Gone

    with suppress(Gone):
        options = BatchOptions(concurrency=3)
        hook.run_batch(ROWS, options, checkpoints=store, report=report, dead_letters=RecordingSink(end))
    return report


def send_order() -> dict[int, str]:
    """Which message is at which position: rows in order, the one that counts for each message."""
    counts = {row["message_id"]: number for number, row in enumerate(ROWS) if row["message_id"] not in ("m-0", "m-1")}
    counts |= {"m-0": 15, "m-1": 1}
    return dict(enumerate(sorted(counts, key=lambda name: counts[name])))
