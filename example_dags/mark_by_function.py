"""A function that knows what became of some messages, and is itself the task that tells HubSpot."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.gateways import SMPP


@dag(schedule=None, tags=["hubspot"])
def mark_by_function() -> None:
    @task
    def ask_gateway() -> list[dict[str, str]]:
        return [
            {"id": "message-1", "state": "READ"},
            {"id": "message-2", "state": "UNDELIV"},
            {"id": "message-3", "state": "DELIVRD"},
        ]

    @task.hubchan_status(
        statuses=SMPP | {"READ": "READ"},
        error_message="the gateway could not deliver it",
        max_rejected=0.01,
    )
    def mark(events: Any) -> dict[str, str]:
        return {event["id"]: event["state"] for event in events}

    mark(ask_gateway())


mark_by_function()
