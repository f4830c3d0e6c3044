"""The example DAGs as modules, and how many XComs the tasks of a DAG write."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from airflow.sdk import DAG

from tests.paths import EXAMPLES


def load(name: str) -> ModuleType:
    """A new module of a file of ``example_dags``."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tasks_with_multiple_outputs(dag: DAG) -> list[str]:
    """The tasks that write one XCom for each key of the mapping they return, besides the mapping itself."""
    return [f"{dag.dag_id}.{task.task_id}" for task in dag.tasks if getattr(task, "multiple_outputs", False)]
