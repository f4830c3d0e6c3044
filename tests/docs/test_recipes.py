"""The recipes of docs/recipes.md, each on the bad day that it is for, against the local HubSpot."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.airflow.dag_runs import Ran
from tests.examples import load
from tests.local_hubspot import before_midnight
from tests.paths import DOCS, EXAMPLES
from tests.versions import SINCE_3_3
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_database")]

PAGE = DOCS / "recipes.md"
#: Seconds, a minute more than a token lives.
TOKEN_LIFE = 31 * 60


def write_rows(path: Path, ids: list[str]) -> str:
    path.write_text("".join(f'{{"message_id": "{name}"}}\n' for name in ids))
    return str(path)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, connection: dict[str, Any]) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


def test_every_situation_has_its_section() -> None:
    """Twelve sections, each with its bad day but the last two, which are about bad days; the table leads to each."""
    page = PAGE.read_text()
    sections = re.split(r"^## (?=\d+\. )", page, flags=re.MULTILINE)[1:]
    assert [int(section.split(".")[0]) for section in sections] == list(range(1, 13))
    assert [number for number, section in enumerate(sections, 1) if "*Bad day:*" not in section] == [11, 12]
    for section in sections:
        title = section.splitlines()[0]
        anchor = re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        assert f"](#{anchor})" in page, title


@pytest.mark.parametrize(
    ("takes", "tries", "counts", "states"),
    [
        (1000, 1, Counter(SENT=5), {"send_whatsapp": "success", "mark": "success", "close_campaign": "success"}),
        (3, 2, Counter(SENT=5), {"send_whatsapp": "success", "mark": "success", "close_campaign": "success"}),
        (1, 2, Counter(SENT=2, FAILED=3), {"send_whatsapp": "failed", "mark": "success", "close_campaign": "upstream_failed"}),
        (0, 2, Counter(FAILED=5), {"send_whatsapp": "failed", "mark": "success", "close_campaign": "upstream_failed"}),
    ],
)
def test_2_what_was_sent_before_the_gateway_went_away_stays_sent(
    hubspot_emulator: Emulator, tmp_path: Path, takes: int, tries: int, counts: Any, states: Any
) -> None:
    """Each try hands over what the last one left, none of it twice. What no try did is FAILED, and the run is red."""
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 6))
    dag = load("mark_partial_delivery").mark_partial_delivery()
    dag.get_task("send_whatsapp").retry_delay = timedelta(0)
    ran = Ran(dag, folder=str(tmp_path), gateway_takes=takes)
    assert hubspot_emulator.world.counts() == counts
    assert {task_id: ran.state(task_id) for task_id in states} == states
    assert (ran.tries("send_whatsapp"), ran.run_state() == "success") == (tries, counts["FAILED"] == 0)
    assert len(hubspot_emulator.ledger.patches()) == 5, "none is FAILED while there is a try left"
    (noted,) = tmp_path.iterdir()
    assert noted.read_text().split() == [f"message-{number}" for number in range(1, counts["SENT"] + 1)]
    if counts["FAILED"]:
        error_message = hubspot_emulator.world.messages["100200", "message-5"].error_message
        assert str(error_message).startswith("gateway unavailable, run manual__")


def test_4_pending_messages_are_swept_at_night(
    hubspot_emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new one is left out, one still on its way and what has its status already are skipped, a dry run sends nothing."""
    sweep = load("sweep_pending").sweep_pending
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 7))
    outbox = tmp_path / "pending.csv"
    outbox.write_text((EXAMPLES / "data" / "pending.csv").read_text() + "message-7,2999-01-01T00:00:00+00:00\n")

    ran = Ran(sweep(), outbox=str(outbox))
    assert (ran.xcom("plan")["rows"], ran.state("mark")) == (6, "skipped")
    assert "Not updated: 5 skipped: dry run; 1 skipped: not final." in capsys.readouterr().out
    assert hubspot_emulator.ledger.patches() == []

    ran = Ran(sweep(), outbox=str(outbox), dry_run=False)
    report = ran.xcom("mark")
    assert (ran.state("mark"), report["updated"], report["skipped"]) == ("success", 3, 3)
    assert hubspot_emulator.world.counts() == {"SENT": 3, "READ": 1, "FAILED": 2}
    assert hubspot_emulator.world.messages["100200", "message-3"].error_message == "Unreachable destination handset"


def test_4_a_person_is_alerted_when_too_many_are_rejected(hubspot_emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """One of six is more than one in a hundred: red, and the callback has the numbers."""
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 6))
    assert Ran(load("sweep_pending").sweep_pending(), dry_run=False).state("mark") == "failed"
    assert "1 of 6 rows rejected." in caplog.text


def test_4_a_word_that_nobody_knows_stops_the_plan(
    hubspot_emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent, and the callback has the numbers."""
    gateway = tmp_path / "gateway.json"
    gateway.write_text('{"message-1": {"state": "held by partner"}, "message-2": {"state": "read"}}')
    ran = Ran(load("sweep_pending").sweep_pending(), gateway=str(gateway), dry_run=False)
    assert (ran.state("plan"), ran.xcom("plan")["rejected"], ran.state("mark")) == ("failed", 1, "upstream_failed")
    assert "1 of 2 rows rejected." in caplog.text
    assert hubspot_emulator.ledger.patches() == []


def test_5_a_used_up_day_costs_no_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """412 of 600 rows fit into the day: the other 188 follow after midnight, nothing twice, in the task's first try.

    Airflow 3.2 keeps no progress: there the task fails, and says so.
    """
    ids = [f"m-{number}" for number in range(600)]
    with Emulator(limit=0, daily=412) as hubspot:
        connect(monkeypatch, "hubchan_default", hubspot.connection())
        hubspot.world.seed(ids)
        dag = load("mark_over_days").mark_over_days()
        dag.get_task("mark").defer_after = 0.0
        if not SINCE_3_3:
            dag.get_task("mark").retries = 0  # minutes away
        with before_midnight(hubspot, 4.0):
            ran = Ran(dag, rows=write_rows(tmp_path / "rows.jsonl", ids), folder=str(tmp_path))
        ended = ("success", 600, 1) if SINCE_3_3 else ("failed", 412, 1)
        assert (ran.state(), ran.xcom()["updated"], ran.tries()) == ended
        assert set(hubspot.ledger.updates().values()) == {1}
    log = capsys.readouterr().out
    assert "188 rows left; the account's daily quota resets at 00:00 US/Eastern, in" in log
    assert ("Waiting outside the worker slot." if SINCE_3_3 else "Not deferred: without a checkpoint") in log


@pytest.fixture
def in_background(hubspot_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The connection of the backfill, with a part of the quota."""
    connect(monkeypatch, "hubchan_backfill", hubspot_emulator.connection(requests_per_10s=1000))
    return hubspot_emulator


def test_6_a_dry_run_says_how_long_it_takes(in_background: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan is in the log, at the background's rate; no person is asked, and nothing is sent."""
    ran = Ran(load("backfill").backfill())
    assert (ran.state("plan"), ran.state("approve"), ran.state("mark")) == ("success", "skipped", "skipped")
    assert "994 rows: 994 to send, 0 skipped. Quota 1,000 requests per 10 s" in capsys.readouterr().out
    assert in_background.ledger.entries == []


def test_6_without_a_persons_word_nothing_is_sent(in_background: Emulator, answers: Any) -> None:
    """Rejected is skipped. In Airflow 3.2 ``dag.test()`` cannot ask a person: there the task that asks fails."""
    if SINCE_3_3:
        answers("backfill", "Reject")
    ran = Ran(load("backfill").backfill(), dry_run=False)
    assert (ran.state("approve"), ran.state("mark")) == (("success", "skipped") if SINCE_3_3 else ("failed", "upstream_failed"))
    assert in_background.ledger.entries == []


def test_6_a_backfill_outlives_tokens_and_a_worker(
    in_background: Emulator, answers: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four token lives and one restart of the worker: every row is sent, and no row twice."""
    from airflow.sdk import get_current_context

    ids = [f"m-{number}" for number in range(400)]
    in_background.world.seed(ids)
    in_background.fault(delay=0.02, times=100_000)
    in_background.fault(message_id="m-399", delay=10.0)  # so the batch is not over before the worker is restarted
    done = in_background.ledger.patches

    def hours_pass() -> None:
        for life in (1, 2, 3, 4):
            wait_until(lambda until=50 * life: len(done(status=200)) >= until)  # type: ignore[misc]
            in_background.world.clock.advance(TOKEN_LIFE)
            wait_until(lambda before=life: len(in_background.ledger.grants()) > before)  # type: ignore[misc]
        wait_until(lambda: len(done(status=200)) >= 250)
        os.kill(os.getpid(), signal.SIGUSR1)

    def restart_worker(*_: object) -> None:
        """As Airflow does on SIGTERM."""
        get_current_context()["task"].on_kill()  # type: ignore[union-attr]
        in_background.schedule.clear()

    dag = load("backfill").backfill()
    dag.get_task("mark").retry_delay = timedelta(0)
    before = signal.signal(signal.SIGUSR1, restart_worker)
    try:
        if SINCE_3_3:
            answers("backfill", "Approve")
        thread = threading.Thread(target=hours_pass)
        thread.start()
        taken_for_done = None if SINCE_3_3 else "approve"  # which needs a person, and 3.2's dag.test() has none
        ran = Ran(dag, taken_for_done, path=write_rows(tmp_path / "rows.jsonl", ids), folder=str(tmp_path), dry_run=False)
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    report = ran.xcom()
    assert (ran.state(), ran.tries(), report["rejected"]) == ("success", 2, 0)
    assert report["updated"] + report["skipped"] == 400
    assert len(in_background.ledger.updates()) == 400
    assert len(in_background.ledger.grants()) >= 5
    if not SINCE_3_3:  # it keeps no progress: the next try sends all of them again
        assert report["skipped"] == 0
        return
    assert report["skipped"] >= 234
    assert len(done(status=200)) <= 416, "at most what was under way when the worker went is sent again"
    assert "Going on where an earlier try ended" in capsys.readouterr().out


def test_7_a_brand_that_fails_does_not_stop_the_others(hubspot_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app of one brand is revoked: its batches are red, those of the others are sent, and the table says so."""
    world = hubspot_emulator.world
    for number, brand in enumerate(("hubspot_north", "hubspot_south", "hubspot_west"), 1):
        app, portal = world.add_app(brand), world.add_portal(number)
        install = world.add_install(app, portal)
        for file in (EXAMPLES / "data" / "brands" / brand).iterdir():
            world.add_channel(file.stem, app)
            world.seed([row["message_id"] for row in csv.DictReader(file.read_text().splitlines())], file.stem)
        login = {"login": app.client_id, "password": app.client_secret, "extra": {"refresh_token": install.refresh_token}}
        connect(monkeypatch, brand, {"conn_type": "hubchan", "host": hubspot_emulator.url, **login})
        install.revoked = brand == "hubspot_north"
    dag = load("mark_several_brands").mark_several_brands()
    dag.get_task("mark").partial_kwargs["retry_delay"] = timedelta(0)
    ran = Ran(dag)
    assert [ran.state("mark", index) for index in range(5)] == ["failed", "failed", "success", "success", "success"]
    assert ran.run_state() == "failed"
    assert world.counts() == {"SENT": 8, "READ": 3, "FAILED": 1}
    table = ran.xcom("tell")
    assert len(table.splitlines()) == 2 + 5
    assert table in PAGE.read_text(), "the table that the page shows"


def test_8_who_has_read_has_read(hubspot_emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """612 events are 187 messages; 150 of them are sent, once; a late event an hour later takes nothing back."""
    module = load("mark_read_receipts")
    hubspot_emulator.world.seed(f"message-{number}" for number in range(1, 188))
    report = Ran(module.mark_read_receipts()).xcom()
    assert (report["rows"], report["updated"], report["skipped"]) == (612, 150, 220 + 205 + 37)
    assert "Not updated: 220 skipped: not final; 205 skipped: superseded; 37 skipped: " in capsys.readouterr().out
    assert hubspot_emulator.world.counts() == {"READ": 150, "SENT": 37}

    late = tmp_path / "late.csv"
    late.write_text("id,event\n" + "".join(f"message-{number},delivered\n" for number in range(1, 51)))
    report = Ran(module.mark_read_receipts(), events=str(late)).xcom()
    assert (report["updated"], report["skipped"]) == (0, 50)
    assert hubspot_emulator.world.counts()["READ"] == 150


def test_8_all_files_that_landed_are_one_batch(tmp_path: Path) -> None:
    """Two events of the asset, two files; the params are for a run by hand."""
    module = load("mark_read_receipts")
    paths = []
    for name in ("a", "b"):
        paths.append(tmp_path / f"{name}.csv")
        paths[-1].write_text(f"id,event\n{name},read\n")
    events = {module.EVENTS: [SimpleNamespace(extra={"path": str(path)}) for path in paths]}
    rows = module.mark_read_receipts().get_task("mark").python_callable(params={}, triggering_asset_events=events)
    assert rows == [{"id": "a", "event": "read"}, {"id": "b", "event": "read"}]


def test_9_poison_is_put_aside_and_sent_again_once_it_is_fixed(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """3 of 500 ids are nobody's: 497 updated, green, three dead letters; two are of another channel, one is purged."""
    report, poison = tmp_path / "report.jsonl", ["moved-1", "moved-2", "purged"]
    good = [f"m-{number}" for number in range(497)]
    report.write_text(
        "".join(f'{{"message_id": "{name}", "state": "READ", "code": "", "text": ""}}\n' for name in good + poison)
    )
    hubspot_emulator.world.seed(good)
    hubspot_emulator.world.add_channel("100201")
    hubspot_emulator.world.seed(["moved-1", "moved-2"], "100201")

    ran = Ran(load("mark_delivery_report").mark_delivery_report(), report=str(report), folder=str(tmp_path))
    summary = ran.xcom("mark_statuses")
    assert (ran.state("mark_statuses"), summary["updated"], summary["rejected"]) == ("success", 497, 3)
    dead_letters = read_lines(Path(summary["report_file"]))
    assert sorted(line["message_id"] for line in dead_letters) == poison
    assert all(line["category"] and line["correlation_id"] for line in dead_letters)

    ran = Ran(load("reconcile_nightly").reconcile_nightly(), folder=str(tmp_path), channel_id="100201")
    assert (ran.state("send_again", 0), ran.xcom("send_again", 0)["updated"]) == ("success", 2)
    assert [line["message_id"] for line in read_lines(Path(summary["report_file"]))] == ["purged"]


def test_10_a_fault_is_waited_out_and_a_revoked_app_is_not(
    hubspot_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 503 is "not yet"; credentials that no retry repairs fail the gate at once."""
    gate = load("gate_on_read").gate_on_read
    hubspot_emulator.world.seed(["message-1", "message-2", "message-3"])
    for message in hubspot_emulator.world.messages.values():
        message.status = "READ"
    hubspot_emulator.fault(message_id="message-2", status=503)
    assert Ran(gate()).state("wait_until_read") == "success"
    hubspot_emulator.world.install.revoked = True
    hubspot_emulator.world.tokens.clear()
    assert Ran(gate()).state("wait_until_read") == "failed"
    assert "Install the app in the account again" in capsys.readouterr().out


def test_11_the_first_days_texts_are_those_of_the_button(hubspot_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private app's token, a scope that is missing, the right app: what the page shows is what the button says."""
    token = hubspot_emulator.world.issue(value="pat-na1-1234")
    private = {"conn_type": "hubchan", "host": hubspot_emulator.url, "extra": {"access_token": token}}
    connect(monkeypatch, "hubchan_default", private)
    results = [HubchanHook().test_connection()]

    connect(monkeypatch, "hubchan_default", hubspot_emulator.connection())
    scopes, hubspot_emulator.world.install.scopes = hubspot_emulator.world.install.scopes, ("oauth",)
    results.append(HubchanHook().test_connection())
    hubspot_emulator.world.install.scopes = scopes
    results.append(HubchanHook().test_connection())
    assert [ok for ok, _ in results] == [False, False, True]
    shown = " ".join(PAGE.read_text().replace("\n> ", "\n").split())
    for _, text in results:
        assert re.sub(r"(?<=correlationId )[^)]+", "…", text) in shown


def test_12_a_dag_is_tested_without_hubspot(hubspot_emulator: Emulator) -> None:
    """A burst of 429s, a token that has ended and an unknown message: the report has all of it, nothing is lost."""
    hubspot_emulator.world.seed(["message-1", "message-2"])
    hubspot_emulator.world.settings.change(window=0.5)  # after a 429 a whole window may have to pass
    burst = {"message": "You have reached your ten_secondly_rolling limit.", "policyName": "TEN_SECONDLY_ROLLING"}
    hubspot_emulator.fault(message_id="message-3", status=429, body=burst, times=2)
    hubspot_emulator.fault(message_id="message-2", status=401, body={"category": "EXPIRED_AUTHENTICATION"})
    ran = Ran(load("mark_by_function").mark_by_function())
    report = ran.xcom("mark")
    assert ran.state("mark") == "failed", "one of three is more than one in a hundred"
    assert (report["updated"], report["rejected"], report["rate_limited"]) == (2, 1, 2)
    assert [problem["message_id"] for problem in report["problems"]] == ["message-3"]
    assert len(hubspot_emulator.ledger.grants()) == 2
