"""Which Airflow runs the tests: where 3.2 does less, a test says what it does instead."""

from __future__ import annotations

from importlib.metadata import version

AIRFLOW = tuple(int(part) for part in version("apache-airflow-core").split(".")[:2])
#: Airflow keeps task state and has retry policies.
SINCE_3_3 = AIRFLOW >= (3, 3)
