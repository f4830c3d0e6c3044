"""The older name of `airflow_provider_hubchan.emulator.pytest_plugin`, which it loads."""

from __future__ import annotations

pytest_plugins = ["airflow_provider_hubchan.emulator.pytest_plugin"]
