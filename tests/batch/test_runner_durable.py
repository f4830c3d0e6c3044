"""A batch in several tries, against the local HubSpot: nothing is lost, and nothing sent twice without need."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped, unused-ignore]

from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.client.models import Outcome
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.report_file import ReportFile
from airflow_provider_hubchan.row_files import read_file
from tests.batch.in_memory import RecordingSink
from tests.batch.tries import IDS, empty_store, run_interrupted_try, run_try
from tests.local_hubspot import REFUSAL


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def object_store() -> None:
    """An object store in memory, at ``memory://durable@``."""
    attach("memory", conn_id="durable", fs=MemoryFileSystem())


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


def test_a_retry_sends_what_is_left(hubspot: Emulator) -> None:
    """Rows done before are skipped and say in which try; the report covers the whole batch, and what all tries have cost."""
    store = empty_store()
    run_interrupted_try(hubspot, store, 120)
    before = len(hubspot.ledger.patches())
    done = len(hubspot.ledger.patches(status=200))
    report = run_try(store)
    assert (report.rows, report.skipped, report.updated) == (200, done, 200 - done)
    assert report.reasons == {("skipped", "done in try 1"): done}
    assert len(hubspot.ledger.patches()) - before == 200 - done
    assert report.requests == len(hubspot.ledger.patches())
    assert store.text is None


def test_a_try_that_waited_goes_on_counting(hubspot: Emulator) -> None:
    """A deferred task is still in its try: what it did before the wait is updated, not skipped."""
    store = empty_store()
    run_interrupted_try(hubspot, store, 120)
    store.try_number -= 1
    assert run_try(store).updated == 200


def test_a_third_try_goes_on_from_both_others(hubspot: Emulator) -> None:
    """Each row says in which try it was done."""
    store = empty_store()
    run_interrupted_try(hubspot, store, 50)
    run_interrupted_try(hubspot, store, 120)
    report = run_try(store)
    assert set(report.reasons) == {("skipped", "done in try 1"), ("skipped", "done in try 2")}
    assert report.skipped + report.updated == 200
    assert len(hubspot.ledger.patches(status=200)) == 200


def test_rejected_rows_stay_rejected_with_their_reasons(hubspot: Emulator, tmp_path: Path) -> None:
    """They are not sent again, and the report file of the retry has the lines of the first try, as they were."""
    rows = [{"message_id": name, "phone": "+1"} for name in ["nobody-1", *IDS, "nobody-2"]]
    path, store = tmp_path / "left.jsonl", empty_store()
    run_interrupted_try(hubspot, store, 120, rows=rows, dead_letters=ReportFile(str(path)))
    first = {line["row"]: line for line in lines(path) if line["outcome"] == "rejected"}
    assert first
    report = run_try(store, rows=rows, dead_letters=ReportFile(str(path)))
    assert (report.rows, report.rejected, report.unresolved) == (202, 2, 0)
    assert len(hubspot.ledger.patches("nobody-1")) == 1
    second = {line["row"]: line for line in lines(path)}
    assert sorted(second) == [1, 202]
    assert second[1] == first[1]
    assert second[1]["phone"] == "+1"
    assert {problem["correlation_id"] for problem in report.problems} == {line["correlation_id"] for line in second.values()}


def test_without_a_file_twenty_reasons_are_kept(hubspot: Emulator) -> None:
    """The others are counted, by their reasons."""
    rows = [f"nobody-{number}" for number in range(30)] + IDS
    store = empty_store()
    run_interrupted_try(hubspot, store, 120, rows=rows)
    report = run_try(store, rows=rows)
    assert (report.rejected, len(report.problems)) == (30, 20)
    assert all("HubSpot answered 404" in problem["reason"] for problem in report.problems)
    assert {count for (result, _), count in report.reasons.items() if result == "rejected"} == {30}


def test_a_row_whose_reason_is_in_the_checkpoint_alone_is_written_whole(hubspot: Emulator, tmp_path: Path) -> None:
    """The first try had no report file, or somebody removed it: the line of the second can be fed back all the same."""
    rows = [{"message_id": "nobody", "status": "FAILED", "error_message": "gone", "phone": "+1"}, *IDS]
    path, store = tmp_path / "left.jsonl", empty_store()
    run_interrupted_try(hubspot, store, 120, rows=rows)
    run_try(store, rows=rows, dead_letters=ReportFile(str(path)))
    (line,) = lines(path)
    assert (line["status"], line["error_message"], line["phone"]) == ("FAILED", "gone", "+1")
    assert (line["outcome"], line["try"], line["row"]) == ("rejected", 2, 1)
    assert "HubSpot answered 404" in line["reason"]
    hubspot.world.seed(["nobody"])
    again = HubchanHook().run_batch(read_file(str(path)), BatchOptions())
    assert (again.updated, again.rows) == (1, 1)


def test_a_killed_worker_costs_one_checkpoint(hubspot: Emulator) -> None:
    """The last checkpoint is what counts: rows after it are sent again, rows before it are not."""
    store = empty_store()
    run_interrupted_try(hubspot, store, 80)
    before = [entry.message_id for entry in hubspot.ledger.patches(status=200)]

    def kill(outcome: Outcome) -> None:
        store.frozen = True
        raise Killed

    hubspot.fault(message_id=IDS[150], status=404, body=REFUSAL)
    with pytest.raises(Killed):
        run_try(store, dead_letters=RecordingSink(kill))
    store.frozen = False
    hubspot.schedule.clear()
    report = run_try(store)
    assert report.skipped == len(before)
    assert report.skipped + report.updated == 200
    assert all(len(hubspot.ledger.patches(name, status=200)) == 1 for name in before)
    assert hubspot.world.counts() == {"READ": 200}


class Unfinished(ReportFile):
    """A report file whose process is gone before the last upload."""

    def __exit__(self, *error: object) -> None:
        raise Killed


@pytest.mark.parametrize("place", ["an object store", "this machine"])
def test_a_row_counts_as_rejected_when_its_dead_letter_is_durable(hubspot: Emulator, tmp_path: Path, place: str) -> None:
    """The worker is killed between a checkpoint and the next upload: the retry sends those rows once more, so that they have
    their reasons. What is on this machine's disk is not sent again.
    """
    rows, store = ["nobody-1", *IDS], empty_store()
    uri = "memory://durable@reports/left.jsonl" if place == "an object store" else str(tmp_path / "left.jsonl")
    with pytest.raises(Killed):
        run_interrupted_try(hubspot, store, 120, rows=rows, dead_letters=Unfinished(uri, clock=lambda: 0.0))
    assert store.text
    hubspot.schedule.clear()
    done = len(hubspot.ledger.patches(status=200))
    report = run_try(store, rows=rows, dead_letters=ReportFile(uri))
    assert (report.rejected, report.skipped, report.unresolved) == (1, done, 0)
    assert len(hubspot.ledger.patches("nobody-1")) == (2 if place == "an object store" else 1)
    (line,) = ReportFile(uri).earlier()
    assert line["message_id"] == "nobody-1"
    assert line["category"] == "OBJECT_NOT_FOUND"


def test_a_disk_that_is_full_costs_no_reason(hubspot: Emulator, tmp_path: Path) -> None:
    """All rows are tried and the dead letters are lost; a retry sends the rejected rows again, and only those."""
    rows, store = ["nobody-1", *IDS, "nobody-2"], empty_store()
    assert run_try(store, rows=rows, dead_letters=ReportFile("/dev/full")).rejected == 2
    path = tmp_path / "left.jsonl"
    assert run_try(store, rows=rows, dead_letters=ReportFile(str(path))).skipped == 200
    assert [(line["row"], line["category"]) for line in lines(path)] == [(1, "OBJECT_NOT_FOUND"), (202, "OBJECT_NOT_FOUND")]
    assert len(hubspot.ledger.patches(status=200)) == 200


def test_rejected_rows_of_an_object_store_are_not_sent_again(hubspot: Emulator) -> None:
    """The last upload comes at the end of the batch, and the checkpoint after it has them."""
    rows, store, uri = ["nobody-1", *IDS], empty_store(), "memory://durable@reports/unresolved.jsonl"
    run_interrupted_try(hubspot, store, 120, rows=rows, dead_letters=ReportFile(uri))
    run_try(store, rows=rows, dead_letters=ReportFile(uri))
    assert len(hubspot.ledger.patches("nobody-1")) == 1
    assert [line["category"] for line in ReportFile(uri).earlier()] == ["OBJECT_NOT_FOUND"]


def test_the_report_file_can_be_fed_back(hubspot: Emulator, tmp_path: Path) -> None:
    """Rejected and unresolved rows, fed back after the cause is fixed, and nothing else."""
    path, store = tmp_path / "left.jsonl", empty_store()
    run_interrupted_try(hubspot, store, 120, rows=[*IDS, "late"], dead_letters=ReportFile(str(path)))
    done = len(hubspot.ledger.patches(status=200))
    hubspot.world.seed(["late"])
    file = ReportFile(str(path), source=str(path))
    again = HubchanHook().run_batch(read_file(str(path)), BatchOptions(), dead_letters=file)
    assert (again.updated, again.rows) == (201 - done, 201 - done)
    assert path.read_text() == ""
    assert len(hubspot.ledger.patches(status=200)) == 201


def test_a_line_has_the_time_and_the_try(hubspot: Emulator, tmp_path: Path) -> None:
    """The time is ISO 8601 in UTC, beside what HubSpot answered."""
    path, store = tmp_path / "left.jsonl", empty_store()
    run_try(store, rows=["nobody"], dead_letters=ReportFile(str(path)))
    (line,) = lines(path)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", line["time"])
    assert (line["try"], line["outcome"], line["category"]) == (1, "rejected", "OBJECT_NOT_FOUND")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
