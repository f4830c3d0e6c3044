"""Every night: send once more what could not be sent by day, and write down what still cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

LEFT = ('"outcome": "rejected"', '"outcome": "unresolved"')


@dag(schedule="@daily", catchup=False, max_active_runs=1, params={"folder": "/tmp", "channel_id": ""}, tags=["hubspot"])
def reconcile_nightly() -> None:
    @task
    def list_dead_letters(params: Any = None) -> list[dict[str, str]]:
        """The report files of the day that hold rows to be sent; what was skipped on purpose needs nobody."""
        files = sorted(Path(params["folder"]).glob("not_updated-*.jsonl"))
        left = [str(file) for file in files if any(outcome in file.read_text(encoding="utf-8") for outcome in LEFT)]
        return [{"messages_file": file, "report_file": file} for file in left]  # replaced at the end by what is still left

    UpdateMessageStatusOperator.partial(
        task_id="send_again",
        channel_id="{{ params.channel_id }}",  # empty: that of the connection
        compare_before_write=True,  # somebody may have fixed a message by hand
        max_rejected=1.0,  # those stay in their file for a person
        max_active_tis_per_dagrun=1,
        retries=2,
    ).expand_kwargs(list_dead_letters())


reconcile_nightly()
