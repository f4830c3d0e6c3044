"""Tests of the DAG mark_statuses, without a HubSpot account: on good days and on bad ones."""

from __future__ import annotations

import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator

DAG_FILE = Path(__file__).parents[1] / "dags" / "mark_statuses.py"
pytestmark = pytest.mark.hubspot_emulator(messages=["message-1", "message-2"])


def run(task_id: str = "mark") -> tuple[str, dict[str, Any]]:
    """Run the DAG in this process; give a task's state, and what it returned."""
    dag = runpy.run_path(str(DAG_FILE))["mark_statuses"]()
    finished = dag.test()
    task = finished.get_task_instance(task_id)
    return task.state, task.xcom_pull(task_ids=task_id)


def test_hubspot_knows_what_the_gateway_knows(hubspot_emulator: Emulator) -> None:
    state, report = run()
    assert (state, report["updated"]) == ("success", 2)
    assert hubspot_emulator.world.counts() == {"READ": 1, "FAILED": 1}
    (failed,) = hubspot_emulator.messages(status="FAILED")
    assert (failed.id, failed.error_message) == ("message-2", "30003: Unreachable destination handset")
    hubspot_emulator.ledger.assert_each_once(["message-1", "message-2"])


@pytest.mark.hubspot_emulator(messages=["message-1"])
def test_a_message_that_hubspot_does_not_know_makes_the_task_red(hubspot_emulator: Emulator) -> None:
    state, report = run()
    assert (state, report["updated"], report["rejected"]) == ("failed", 1, 1)
    assert len(hubspot_emulator.ledger.patches("message-2", status=404)) == 1, "a 404 is not tried again"


@pytest.mark.hubspot_emulator(limit=1, window=1.0)
def test_a_small_quota_only_takes_longer(hubspot_emulator: Emulator) -> None:
    state, report = run()
    assert (state, report["updated"]) == ("success", 2)
    hubspot_emulator.ledger.assert_each_once(["message-1", "message-2"])


def test_a_429_is_waited_for(hubspot_emulator: Emulator) -> None:
    hubspot_emulator.fault(message_id="message-1", status=429, headers={"Retry-After": "1"})
    state, report = run()
    assert (state, report["rate_limited"]) == ("success", 1)
    assert [entry.status for entry in hubspot_emulator.ledger.patches("message-1")] == [429, 200]


def test_an_expired_token_is_renewed(hubspot_emulator: Emulator) -> None:
    run()
    hubspot_emulator.world.clock.advance(1800)  # HubSpot's clock, not ours: the task believes that its token is good
    assert run()[0] == "success"
    assert len(hubspot_emulator.ledger.grants()) == 2
    assert len(hubspot_emulator.ledger.chosen(status=401)) >= 1


def test_a_revoked_app_makes_the_task_red(hubspot_emulator: Emulator) -> None:
    hubspot_emulator.world.install.revoked = True
    assert run()[0] == "failed"
    assert hubspot_emulator.world.counts() == {"SENT": 2}, "nothing has changed"


def test_a_broken_line_is_tried_again(hubspot_emulator: Emulator) -> None:
    hubspot_emulator.fault(message_id="message-1", drop="before", apply=True)  # done, but nobody was told
    assert run()[0] == "success"
    assert [entry.status for entry in hubspot_emulator.ledger.patches("message-1")] == [None, 200]


def test_after_a_killed_worker_every_message_is_right(hubspot_emulator: Emulator) -> None:
    hubspot_emulator.fault(message_id="message-1", delay=60.0)
    program = "import runpy, sys; runpy.run_path(sys.argv[1])['mark_statuses']().test()"
    worker = subprocess.Popen([sys.executable, "-c", program, str(DAG_FILE)])  # its environment has the connection, too
    while not hubspot_emulator.ledger.patches("message-1"):
        assert worker.poll() is None, "the DAG ended before it was killed"
        time.sleep(0.1)
    worker.kill()  # SIGKILL, in the middle of a request
    worker.wait()
    assert run()[0] == "success"
    assert hubspot_emulator.world.counts() == {"READ": 1, "FAILED": 1}
    assert [entry.status for entry in hubspot_emulator.ledger.patches("message-1")] == [None, 200]
