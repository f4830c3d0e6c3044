"""Every night: send once more what could not be sent by day, and write down what still cannot be."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

LETTERS = os.environ.get("HUBCHAN_LETTERS", "/tmp/letters.jsonl")  # the report_file of the DAGs that run by day


@dag(schedule="@daily", catchup=False, tags=["hubspot"])
def reconcile_nightly() -> None:
    @task.short_circuit
    def anything_left() -> bool:
        """End here if everything was sent."""
        return Path(LETTERS).exists() and Path(LETTERS).stat().st_size > 0

    again = UpdateMessageStatusOperator(
        task_id="send_again",
        messages_file=LETTERS,
        report_file=LETTERS,  # replaced at the end by what is still left
        compare_before_write=True,  # somebody may have mended a message by hand
        not_found_grace=60,  # seconds
        max_rejected=1.0,  # those stay in the file for a person
        retries=2,
    )
    anything_left() >> again


reconcile_nightly()
