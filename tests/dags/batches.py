"""Airflow runs a DAG in a test only if a file of its folder declares it; the tests say what is in it."""

from __future__ import annotations

from airflow.sdk import DAG, task

with DAG("batch", schedule=None):

    @task
    def mark() -> None:
        """Stand in for what a test puts here."""

    mark()
