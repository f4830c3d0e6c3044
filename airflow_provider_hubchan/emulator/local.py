"""A local HubSpot as one thing: what it knows, what it does wrong, what it has received. How it is reached is not said here."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.emulator.faults import Script
from airflow_provider_hubchan.emulator.ledger import Ledger
from airflow_provider_hubchan.emulator.world import World


class LocalHubspot:
    """World, script of faults, and ledger. Arguments as for `Settings`."""

    #: The base URL, for the connection's host field.
    url: str

    def __init__(self, **settings: Any) -> None:
        self._chosen = settings
        self.script, self.ledger = Script(), Ledger()
        self.reset()

    def reset(self) -> None:
        """Begin anew: no messages, no tokens, no faults, nothing in the ledger, the clock at the present."""
        self.world = World(**self._chosen)
        self.script.clear()
        self.ledger.clear()

    def fault(self, **spec: Any) -> None:
        """Script a fault, see `Fault`."""
        self.script.add(spec)

    def connection(self, **extra: Any) -> dict[str, Any]:
        """An Airflow connection to this HubSpot as plain data; as JSON it is a value for ``AIRFLOW_CONN_HUBCHAN_DEFAULT``."""
        install = self.world.install
        return {
            "conn_type": "hubchan",
            "host": self.url,
            "login": install.app.client_id,
            "password": install.app.client_secret,
            "extra": {"refresh_token": install.refresh_token, "channel_id": self.world.channel_id, **extra},
        }
