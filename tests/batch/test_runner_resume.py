"""A batch in several tries, against the local HubSpot: nothing is lost, and nothing sent twice without need."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.client.report import Report
from airflow_provider_hubchan.client.status import Outcome
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.reportfile import ReportFile
from airflow_provider_hubchan.rows import read_file
from tests.helpers import Kept, Letters

IDS = [f"m-{number}" for number in range(200)]


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


def mark(kept: Kept, rows: Any = IDS, **other: Any) -> Report:
    kept.attempt += 1
    return HubchanHook().update_message_statuses(rows, **{"status": "READ", "keeper": kept, **other})


def kept() -> Kept:
    fresh = Kept()
    fresh.attempt = 0
    return fresh


def break_off(hubspot: Emulator, progress: Kept, at: int, **other: Any) -> None:
    """A first try that ends after so many outcomes because a day's quota is used up."""
    for name in IDS[at:]:
        hubspot.fault(message_id=name, status=477, headers={"Retry-After": "3600"})
    report = mark(progress, **other)
    assert report.unresolved
    hubspot.script.clear()


def test_a_retry_sends_what_is_left(hubspot: Emulator) -> None:
    """Rows done before are skipped and say in which try; the report covers the whole batch, and what all tries have cost."""
    progress = kept()
    break_off(hubspot, progress, 120)
    before = len(hubspot.ledger.patches())
    done = len(hubspot.ledger.patches(status=200))
    report = mark(progress)
    assert (report.rows, report.skipped, report.updated) == (200, done, 200 - done)
    assert report.reasons == {("skipped", "done in try 1"): done}
    assert len(hubspot.ledger.patches()) - before == 200 - done
    assert report.requests == len(hubspot.ledger.patches())
    assert progress.text is None


def test_a_try_that_waited_goes_on_counting(hubspot: Emulator) -> None:
    """A deferred task is still in its try: what it did before the wait is updated, not skipped."""
    progress = kept()
    break_off(hubspot, progress, 120)
    progress.attempt -= 1
    assert mark(progress).updated == 200


def test_a_third_try_knows_of_both_others(hubspot: Emulator) -> None:
    """Each row says in which try it was done."""
    progress = kept()
    break_off(hubspot, progress, 50)
    break_off(hubspot, progress, 120)
    report = mark(progress)
    assert set(report.reasons) == {("skipped", "done in try 1"), ("skipped", "done in try 2")}
    assert report.skipped + report.updated == 200
    assert len(hubspot.ledger.patches(status=200)) == 200


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rows": [*IDS, "one more"]}, id="a row more"),
        pytest.param({"rows": list(reversed(IDS))}, id="another order"),
        pytest.param({"status": "SENT"}, id="another status"),
        pytest.param({"channel_id": "7"}, id="another channel"),
    ],
)
def test_a_batch_that_is_another_one_starts_over(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    """Its rows were never sent; the log says why."""
    hubspot.world.add_channel("7")
    progress = kept()
    break_off(hubspot, progress, 120)
    report = mark(progress, **change)
    assert report.skipped == 0
    assert "Rows or arguments are not those of the last try: starting over." in capsys.readouterr().out


@pytest.mark.parametrize("text", ['{"version": 9}', '{"version": 1, "fingerprint": "x"}', '{"marks": 7}'])
def test_progress_of_another_version_starts_over(hubspot: Emulator, text: str) -> None:
    """What cannot be understood is not believed."""
    progress = kept()
    progress.text = text
    assert mark(progress).updated == 200


def test_rejected_rows_stay_rejected_with_their_reasons(hubspot: Emulator, tmp_path: Path) -> None:
    """They are not sent again, and the report file of the retry has the lines of the first try, as they were."""
    rows = [{"message_id": name, "phone": "+1"} for name in ["nobody-1", *IDS, "nobody-2"]]
    path, progress = tmp_path / "left.jsonl", kept()
    break_off(hubspot, progress, 120, rows=rows, letters=ReportFile(str(path)))
    first = {line["row"]: line for line in lines(path) if line["outcome"] == "rejected"}
    assert first
    report = mark(progress, rows=rows, letters=ReportFile(str(path)))
    assert (report.rows, report.rejected, report.unresolved) == (202, 2, 0)
    assert len(hubspot.ledger.patches("nobody-1")) == 1
    second = {line["row"]: line for line in lines(path)}
    assert sorted(second) == [1, 202]
    assert second[1] == first[1]
    assert second[1]["phone"] == "+1"
    assert {problem["correlation_id"] for problem in report.problems} == {line["correlation_id"] for line in second.values()}


def test_without_a_file_twenty_reasons_are_kept(hubspot: Emulator) -> None:
    """The others are counted, and say in which try they were decided."""
    rows = [f"nobody-{number}" for number in range(30)] + IDS
    progress = kept()
    break_off(hubspot, progress, 120, rows=rows)
    report = mark(progress, rows=rows)
    assert (report.rejected, len(report.problems)) == (30, 20)
    assert all("HubSpot answered 404" in problem["reason"] for problem in report.problems)
    assert report.reasons["rejected", "decided in try 1"] == 30


def test_a_killed_worker_costs_one_checkpoint(hubspot: Emulator) -> None:
    """What was kept last is what counts: rows after it are sent again, rows before it are not."""
    progress = kept()
    break_off(hubspot, progress, 80)
    before = [entry.message_id for entry in hubspot.ledger.patches(status=200)]

    def kill(outcome: Outcome) -> None:
        progress.frozen = True
        raise Killed

    hubspot.fault(message_id=IDS[150], status=404)
    with pytest.raises(Killed):
        mark(progress, letters=Letters(kill))
    progress.frozen = False
    hubspot.script.clear()
    report = mark(progress)
    assert report.skipped == len(before)
    assert report.skipped + report.updated == 200
    assert all(len(hubspot.ledger.patches(name, status=200)) == 1 for name in before)
    assert hubspot.world.counts() == {"READ": 200}


def test_progress_is_kept_every_two_seconds_and_at_the_end(hubspot: Emulator) -> None:
    """Not for every row: the store takes some hundredths of a second for each call."""
    progress = kept()
    break_off(hubspot, progress, 199)
    assert 1 <= progress.saved <= 4


def test_what_is_kept_stays_small_whatever_the_batch(hubspot: Emulator) -> None:
    """Airflow warns about more than 64 KB; here half of the rows are rejected, for long reasons."""
    hubspot.world.seed(f"n-{number}" for number in range(0, 3000, 2))
    body = {"message": "no " * 1000, "category": "VALIDATION_ERROR", "correlationId": "c" * 36}
    for number in range(1, 3000, 2):
        hubspot.fault(message_id=f"n-{number}", status=400, body=body)
    hubspot.fault(message_id="n-2998", status=477, headers={"Retry-After": "3600"})
    progress = kept()
    mark(progress, rows=[f"n-{number}" for number in range(3000)])
    assert 0 < len(progress.text or "") < 65_535


def test_a_dry_run_keeps_nothing(hubspot: Emulator) -> None:
    """And a later try takes nothing for done."""
    progress = kept()
    assert mark(progress, dry_run=True).skipped == 200
    assert progress.saved == 0


def test_the_report_file_is_the_redrive(hubspot: Emulator, tmp_path: Path) -> None:
    """Rejected and unresolved rows, fed back after the cause is mended, and nothing else."""
    path, progress = tmp_path / "left.jsonl", kept()
    break_off(hubspot, progress, 120, rows=[*IDS, "late"], letters=ReportFile(str(path)))
    done = len(hubspot.ledger.patches(status=200))
    hubspot.world.seed(["late"])
    again = HubchanHook().update_message_statuses(read_file(str(path)), letters=ReportFile(str(path), source=str(path)))
    assert (again.updated, again.rows) == (201 - done, 201 - done)
    assert path.read_text() == ""
    assert len(hubspot.ledger.patches(status=200)) == 201


def test_a_line_says_when_and_in_which_try(hubspot: Emulator, tmp_path: Path) -> None:
    """ISO 8601 in UTC, beside what HubSpot said."""
    path, progress = tmp_path / "left.jsonl", kept()
    mark(progress, rows=["nobody"], letters=ReportFile(str(path)))
    (line,) = lines(path)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", line["time"])
    assert (line["try"], line["outcome"], line["category"]) == (1, "rejected", "OBJECT_NOT_FOUND")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
