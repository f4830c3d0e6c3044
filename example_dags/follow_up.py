"""Two DAGs and an asset: when statuses were written, somebody looks at how many HubSpot refused."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_hubchan.assets import channel_asset
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

CHANNEL = channel_asset(portal=62515, channel_id="100200")


@dag(schedule=None, params={"read": []}, render_template_as_native_obj=True, tags=["hubspot"])
def write_statuses() -> None:
    UpdateMessageStatusOperator(
        task_id="mark",
        messages="{{ params.read }}",
        status="READ",
        max_rejected=0.01,
        outlets=[CHANNEL],
    )


@dag(schedule=[CHANNEL], params={"most": 100}, tags=["hubspot"])
def look_at_statuses() -> None:
    @task
    def look(triggering_asset_events: Any = None, params: Any = None) -> int:
        """What the events say together; a task that fails here calls a person."""
        rejected: int = sum(event.extra["rejected"] for event in triggering_asset_events[CHANNEL])
        if rejected > params["most"]:
            raise ValueError(f"HubSpot refused {rejected} updates since the last look")
        return rejected

    look()


write_statuses()
look_at_statuses()
