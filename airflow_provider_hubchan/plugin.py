"""Airflow's plugin of this provider. Every Airflow process loads it, so it imports little."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from airflow_provider_hubchan import ui
from airflow_provider_hubchan.links import LINKS


class HubchanPlugin(AirflowPlugin):
    """The links of our tasks, which the API server makes, and the page of their batches, which it serves."""

    name = "hubchan"
    operator_extra_links = list(LINKS)  # noqa: RUF012  # of an instance, as Airflow declares it
    external_views = [ui.nav_entry()]  # noqa: RUF012

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page. It is made when it is asked for, in the API server alone: other processes do not load FastAPI for it."""
        return [{"app": ui.create_app(), "url_prefix": ui.PREFIX, "name": "HubSpot statuses"}]
