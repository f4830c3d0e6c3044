"""Tasks of every class that has links: of the operator, mapped and not, of the decorator, and of a class derived from ours."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


class DerivedOperator(UpdateMessageStatusOperator):
    """As users derive one."""


with DAG("links", schedule=None) as dag:
    UpdateMessageStatusOperator(task_id="green", messages=["m-1"], status="READ")
    UpdateMessageStatusOperator(task_id="red", messages=["m-1", "nobody"], status="READ")
    UpdateMessageStatusOperator(task_id="empty", messages=[], status="READ")
    UpdateMessageStatusOperator(task_id="not_begun", messages="{{ 'm-1' }}", status="READ")
    UpdateMessageStatusOperator.partial(task_id="mapped", status="READ").expand(messages=[["m-1"], ["m-2"]])
    DerivedOperator(task_id="derived", messages=["m-1"], status="READ")

    @task.hubchan_status(status="READ")
    def decorated() -> list[str]:
        return ["m-1"]

    decorated()
