"""Messages that HubSpot does not know yet, and those that have the wanted status already, against the local HubSpot."""

from __future__ import annotations

import pytest

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.batch.in_memory import MemoryStore, RecordingSink

UNKNOWN = {"status": 404, "body": {"message": "No such message.", "category": "OBJECT_NOT_FOUND"}}


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(20))
    return hubspot_emulator


@pytest.mark.slow
def test_a_message_that_is_not_found_is_retried_at_the_end(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The others do not wait for it, and the log says what is waited for."""
    hubspot.fault(message_id="m-3", **UNKNOWN)
    ids = [f"m-{number}" for number in range(20)]
    report = HubchanHook().update_message_statuses(ids, status="READ", not_found_grace=60.0)
    assert (report.updated, report.rejected) == (20, 0)
    patched = [entry.message_id for entry in hubspot.ledger.patches()]
    assert (patched[-1], patched.count("m-3"), len(patched)) == ("m-3", 2, 21)
    assert "HubSpot does not know 1 message yet (404); asking again in 2 seconds" in capsys.readouterr().out


@pytest.mark.slow
def test_a_message_that_stays_unknown_is_rejected_when_the_grace_is_over(hubspot: Emulator) -> None:
    """It is sent once more at the end of the grace, and the reason says how long that was."""
    options = BatchOptions(status="READ", not_found_grace=2.0)
    report = HubchanHook().run_batch(["nobody", "m-1"], options, dead_letters=RecordingSink())
    assert (report.updated, report.rejected, report.unresolved) == (1, 1, 0)
    assert len(hubspot.ledger.patches("nobody")) == 2
    assert report.problems[0]["reason"].endswith("It was so for 2 s (not_found_grace).")


def test_without_a_grace_an_unknown_message_is_rejected_at_once(hubspot: Emulator) -> None:
    """That is the default."""
    report = HubchanHook().update_message_statuses(["nobody", "m-1"], status="READ")
    assert (report.rejected, len(hubspot.ledger.patches("nobody"))) == (1, 1)


@pytest.mark.slow
def test_a_batch_that_ends_while_it_waits_leaves_what_is_not_found_for_a_retry(hubspot: Emulator) -> None:
    """Such rows are unresolved, not rejected: HubSpot might have known them later."""
    hook, store, report = HubchanHook(), MemoryStore(), Report()

    class Stopping(RecordingSink):
        def flush(self) -> bool:
            if len(self.outcomes) == 1:
                hook.stop()
            return True

    hubspot.fault(message_id="m-1", delay=2.5)
    options = BatchOptions(status="READ", not_found_grace=600.0, concurrency=1)
    hook.run_batch(["nobody", "m-1"], options, checkpoints=store, report=report, dead_letters=Stopping())
    assert (report.rows, report.rejected, report.unresolved + report.updated) == (2, 0, 2)
    assert report.unresolved >= 1
    hubspot.world.seed(["nobody"])
    again = HubchanHook().run_batch(["nobody", "m-1"], BatchOptions(status="READ"), checkpoints=store)
    assert again.unresolved == 0


def test_compare_before_write_skips_what_has_the_status_already(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run of the same batch reads and writes nothing; the plan says what it costs."""
    ids = [f"m-{number}" for number in range(20)]
    assert HubchanHook().update_message_statuses(ids, status="READ").updated == 20
    report = HubchanHook().update_message_statuses(ids, status="SENT", compare_before_write=True)
    assert (report.skipped, report.updated, report.requests) == (20, 0, 20)
    assert report.reasons == {("skipped", "already READ"): 20}
    assert len(hubspot.ledger.patches()) == 20
    assert "20 to send with 40 requests, a GET before each PATCH" in capsys.readouterr().out


@pytest.mark.slow
def test_a_404_without_a_category_is_held_once_after_its_grace(hubspot: Emulator) -> None:
    """It says nothing of the message until the address is proved; it is not sent again and again for that."""
    hubspot.fault(message_id="m-0", status=404, body={"message": "No."}, times=1000)
    hubspot.fault(message_id="m-1", status=404, body={"message": "No."}, times=1)
    sink = RecordingSink()
    options = BatchOptions(status="READ", not_found_grace=3.0, max_rejected=1)
    report = HubchanHook().run_batch(["m-0", "m-1"], options, dead_letters=sink)
    assert (report.rows, report.updated, report.rejected, report.unresolved) == (2, 1, 1, 0)
    assert [outcome.update.message_id for outcome in sink.outcomes if outcome.result != "updated"] == ["m-0"]
    assert len(hubspot.ledger.patches("m-0")) <= 3


def test_404s_without_a_category_alone_reject_their_rows_after_the_grace(hubspot: Emulator) -> None:
    """Fewer than twenty do not speak against the address, however often each was tried."""
    hubspot.fault(message_id="m-0", status=404, body={"message": "No."}, times=1000)
    options = BatchOptions(status="READ", not_found_grace=0.2, max_rejected=1)
    report = HubchanHook().run_batch(["m-0"], options, dead_letters=RecordingSink())
    assert (report.aborted, report.rejected) == (None, 1)
    assert len(hubspot.ledger.patches("m-0")) <= 2


def test_what_an_earlier_try_updated_proves_the_address(hubspot: Emulator) -> None:
    """A retry of many messages that HubSpot does not know is not taken for a wrong address."""
    store, ids = MemoryStore(), ["m-0", *(f"n-{number}" for number in range(25))]
    for message_id in ids[1:]:
        hubspot.fault(message_id=message_id, status=477, headers={"Retry-After": "7200"})
    options = BatchOptions(status="READ", concurrency=1)
    first = HubchanHook().run_batch(ids, options, checkpoints=store)
    assert (first.updated, first.unresolved) == (1, 25)
    hubspot.schedule.clear()
    for message_id in ids[1:]:
        hubspot.fault(message_id=message_id, status=404, body={"message": "No."})
    store.try_number = 2
    again = HubchanHook().run_batch(ids, options, checkpoints=store)
    assert (again.aborted, again.rejected, again.unresolved) == (None, 25, 0)
