"""The demo's DAG, as Airflow has it from example_dags."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "example_dags"))

from mark_delivery_report import mark_delivery_report

mark_delivery_report()
