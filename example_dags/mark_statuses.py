"""The smallest DAG: a task that knows what became of some messages, and the operator that tells HubSpot."""

from airflow.sdk import dag, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


@dag(schedule=None, tags=["hubspot"])
def mark_statuses() -> None:
    @task
    def ask_gateway() -> list[dict[str, str]]:
        return [
            {"message_id": "message-1", "status": "READ"},
            {"message_id": "message-2", "status": "FAILED", "error_message": "30003: Unreachable destination handset"},
        ]

    UpdateMessageStatusOperator(task_id="mark", messages=ask_gateway())


mark_statuses()
