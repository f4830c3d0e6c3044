"""A task of one's own that reads a gateway's callbacks, tells HubSpot with the hook, and says itself when it has failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_hubchan.client.errors import BadConnection, BadRows
from airflow_provider_hubchan.hooks import HubchanHook

# What the gateway calls it.
COLUMNS = {"message_id": "reference", "status": "event", "error_message": "reason"}
STATUSES = {"delivered": "SENT", "seen": "READ", "undeliverable": "FAILED"}


@dag(
    schedule="*/5 * * * *",
    catchup=False,
    max_active_runs=1,  # two runs would read the same files
    params={"folder": "/tmp/callbacks"},
    tags=["hubspot"],
)
def mark_callbacks() -> None:
    @task(retries=2, multiple_outputs=False)  # the report is one XCom, without one more for each of its counters
    def mark(params: Any = None) -> dict[str, Any]:
        """The webhook receiver leaves a file for each callback; it is put aside when HubSpot has answered."""
        files = sorted(Path(params["folder"]).glob("*.json"))
        callbacks = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        try:
            report = HubchanHook().update_message_statuses(callbacks, columns=COLUMNS, statuses=STATUSES)
        except (BadRows, BadConnection) as fault:  # nothing was sent, and a retry would find the same
            raise AirflowFailException(str(fault)) from fault

        if report.aborted and report.aborted.permanent:  # revoked credentials, a missing scope: a person has to act
            raise AirflowFailException(str(report.aborted.problem))
        if report.unresolved:  # no answer: the retry sends all of them again, which does no harm
            raise RuntimeError(f"{report.counts()}. {report.top_reasons()}")
        for file in files:
            file.rename(file.with_suffix(".done"))  # not removed: HubSpot may have rejected it
        if report.rejected:
            raise AirflowFailException(f"{report.counts()}. {report.top_reasons()}")
        return report.summary()

    mark()


mark_callbacks()
