"""At two in the night: ask the gateway what became of messages that are still without a last word, and tell HubSpot."""

from __future__ import annotations

import csv
import json
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

log = logging.getLogger(__name__)

DATA = Path(__file__).parent / "data"
COLUMNS = {"message_id": "id", "status": "state", "error_message": "text"}
STATUSES = {"delivered": "SENT", "read": "READ", "undelivered": "FAILED", "queued": None}  # None: still on its way


def alert(context: Any) -> None:
    """Tell a person, here by the log; an ``SmtpNotifier`` or a ``SlackNotifier`` is given in the same place."""
    report = context["ti"].xcom_pull(task_ids=context["ti"].task_id) or {}
    log.error("%s: %s of %s rows rejected.", context["run_id"], report.get("rejected"), report.get("rows"))


@dag(
    schedule="0 2 * * *",
    catchup=False,
    params={
        "outbox": str(DATA / "pending.csv"),
        "gateway": str(DATA / "gateway.json"),
        "dry_run": Param(True, type="boolean", description="For the first week: plan, and send nothing"),
    },
    tags=["hubspot"],
)
def sweep_pending() -> None:
    @task
    def list_pending(params: Any = None, dag_run: Any = None) -> list[str]:
        """Sent more than six hours ago and without a last word: a query of your outbox."""
        before = dag_run.run_after - timedelta(hours=6)
        with open(params["outbox"], encoding="utf-8", newline="") as file:
            return [row["message_id"] for row in csv.DictReader(file) if datetime.fromisoformat(row["sent_at"]) < before]

    @task
    def ask_gateway(message_ids: Any, params: Any = None) -> list[dict[str, str]]:
        """What the gateway answers, in its words, without the messages that it does not know."""
        states = json.loads(Path(params["gateway"]).read_text(encoding="utf-8"))
        return [{"id": each, **states[each]} for each in message_ids if each in states]

    @task.short_circuit
    def in_earnest(params: Any = None) -> bool:
        return not params["dry_run"]

    rows = ask_gateway(list_pending())
    plan = UpdateMessageStatusOperator(
        task_id="plan",
        messages=rows,
        columns=COLUMNS,
        statuses=STATUSES,
        max_rejected=0.01,
        dry_run=True,
        on_failure_callback=alert,
    )
    mark = UpdateMessageStatusOperator(
        task_id="mark",
        messages=rows,
        columns=COLUMNS,
        statuses=STATUSES,
        compare_before_write=True,  # what has its status already is skipped, and READ stays READ
        max_rejected=0.01,
        retries=2,
        on_failure_callback=alert,
    )
    plan >> in_earnest() >> mark


sweep_pending()
