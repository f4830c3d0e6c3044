"""The other half of a channel, from example_dags: receiver and gateway as processes of their own, and the outbox."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import requests

from tests.e2e.processes import Processes, free_port
from tests.e2e.waiting import until
from tests.paths import EXAMPLES

RECEIVER, GATEWAY = "receiver", "gateway"
#: Seconds until the gateway ends what is late.
LATE = 10.0


class Bridge:
    """Everything that is between HubSpot and the gateway, but for the DAGs.

    :param processes: where its own are started; receiver, gateway and DAGs get their settings by the environment.
    :param folder: for the outbox.
    """

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes, self._outbox = processes, folder / "outbox.db"
        self._ports = {RECEIVER: free_port(), GATEWAY: free_port()}
        self._urls = {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        self.webhook_url, self.gateway_url = f"{self._urls[RECEIVER]}/hubspot", self._urls[GATEWAY]

    def start(self, client_secret: str, *options: str) -> None:
        """Start receiver and gateway, and wait until both answer.

        :param client_secret: of the app, by which HubSpot signs.
        :param options: more options of the gateway's command line.
        """
        self._processes.environment |= {
            "OUTBOX_URL": f"sqlite:///{self._outbox}",
            "HUBSPOT_CLIENT_SECRET": client_secret,
            "WEBHOOK_URL": self.webhook_url,
            "CALLBACK_URL": f"{self._urls[RECEIVER]}/receipts",
            "CALLBACK_SECRET": secrets.token_hex(16),
            "GATEWAY_URL": self.gateway_url,
        }
        gateway = ("-m", "hubspot_bridge.gateway", "--port", str(self._ports[GATEWAY]), "--late", str(LATE), *options)
        self._processes.start(GATEWAY, sys.executable, *gateway, folder=EXAMPLES)
        self.start_receiver()
        until("receiver and gateway", 60, lambda: self._answers(RECEIVER) and self._answers(GATEWAY))

    def start_receiver(self) -> None:
        """Start the receiver, or start it again; it answers a second or two later."""
        command = ("-m", "uvicorn", "--factory", "hubspot_bridge.receiver:from_environment", "--app-dir", str(EXAMPLES))
        options = ("--port", str(self._ports[RECEIVER]), "--log-level", "warning")
        self._processes.start(RECEIVER, sys.executable, *command, *options)

    def _answers(self, name: str) -> bool:
        """True if there is an answer, whatever it is."""
        self._processes.alive(name)
        try:
            requests.get(self._urls[name], timeout=10)
        except requests.ConnectionError:
            return False
        return True
