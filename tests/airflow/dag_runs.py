"""DAG runs in process."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator


class Ran:
    """A finished DAG run.

    :param done: a pattern of task ids that are taken for done, None for none.
    """

    def __init__(self, dag: DAG, done: str | None = None, **conf: Any) -> None:
        self._run = dag.test(run_conf=conf, mark_success_pattern=done)

    def state(self, task_id: str = "mark", map_index: int = -1) -> str:
        instance = self._run.get_task_instance(task_id, map_index=map_index)
        assert instance is not None
        return str(instance.state)

    def tries(self, task_id: str = "mark") -> int:
        instance = self._run.get_task_instance(task_id)
        assert instance is not None
        return int(instance.try_number)

    def run_state(self) -> str:
        return str(self._run.state)

    def xcom(self, task_id: str = "mark", map_index: int = -1) -> Any:
        instance = self._run.get_task_instance(task_id, map_index=map_index)
        assert instance is not None
        return instance.xcom_pull(task_ids=task_id, map_indexes=map_index)

    def rendered(self, task_id: str = "mark") -> dict[str, Any]:
        """What Airflow's UI shows under "Rendered Templates"."""
        from airflow.models.renderedtifields import RenderedTaskInstanceFields as Fields
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            where = Fields.run_id == self._run.run_id, Fields.task_id == task_id
            fields: dict[str, Any] = session.execute(select(Fields.rendered_fields).where(*where)).scalar_one()
            return fields


def mark(conf: dict[str, Any] | None = None, **arguments: Any) -> Ran:
    """Run a DAG of one operator."""
    with DAG("batch", schedule=None, render_template_as_native_obj=True) as dag:
        UpdateMessageStatusOperator(task_id="mark", **arguments)
    return Ran(dag, **(conf or {}))
