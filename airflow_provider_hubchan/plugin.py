"""Airflow's plugin of this provider. Every Airflow process loads it, so it imports little."""

from __future__ import annotations

from airflow.sdk.plugins_manager import AirflowPlugin

from airflow_provider_hubchan.links import LINKS


class HubchanPlugin(AirflowPlugin):
    """The links of our tasks, which the API server makes."""

    name = "hubchan"
    operator_extra_links = list(LINKS)  # noqa: RUF012  # of an instance, as Airflow declares it
