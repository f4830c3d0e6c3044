"""Two batches for OpenLineage, a green one and a red one. Run as a program: its listener has to be there from the start."""

from __future__ import annotations

from airflow.sdk import DAG
from airflow.utils.db import initdb

from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

DAGS = []
for dag_id, message_ids in (("lineage_green", ["m-1", "m-2"]), ("lineage_red", ["m-1", "nobody"])):
    with DAG(dag_id, schedule=None) as each:
        UpdateMessageStatusOperator(task_id="mark", messages=message_ids, status="READ")
    DAGS.append(each)

if __name__ == "__main__":
    initdb()
    for each in DAGS:
        each.test()
