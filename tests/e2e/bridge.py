"""The other half of a channel, from example_dags: receiver and gateway as processes of their own, and the outbox."""

from __future__ import annotations

import secrets
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import redis
import requests

from tests.e2e.processes import Processes, free_port
from tests.e2e.servers import start_redis
from tests.e2e.waiting import until
from tests.paths import EXAMPLES

RECEIVER, GATEWAY = "receiver", "gateway"
#: Both DAGs: one delivers, the other one marks.
DAGS = ("deliver_outbox", "mark_receipts")
#: What each of them waits for, if it runs on signals.
SIGNALS = ("hubspot_replies", "hubspot_receipts")
#: Seconds until the gateway ends what is late.
LATE = 10.0
#: The statuses that the gateway's last words stand for.
FINAL = {"failed": "FAILED", "undelivered": "FAILED", "delivered": "SENT", "read": "READ"}


class Bridge:
    """Everything that is between HubSpot and the gateway, but for the DAGs.

    :param processes: where its own are started; receiver, gateway and DAGs get their settings by the environment.
    :param folder: for the outbox.
    """

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes, self._outbox = processes, folder / "outbox.db"
        self._ports = {RECEIVER: free_port(), GATEWAY: free_port()}
        self._urls = {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        self._folder, self._redis_url = folder, ""
        self.webhook_url, self.gateway_url = f"{self._urls[RECEIVER]}/hubspot", self._urls[GATEWAY]

    def add_redis(self) -> None:
        """Start Redis, for signals, and tell Airflow where it is; before `start`."""
        self._redis_url = start_redis(self._processes, self._folder)
        self._processes.environment["AIRFLOW_CONN_SIGNALS"] = self._redis_url

    def start(self, client_secret: str, *options: str) -> None:
        """Start receiver and gateway, and wait until they answer.

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
        options = ("--port", str(self._ports[GATEWAY]), "--late", str(LATE), *options)
        self._processes.start(GATEWAY, sys.executable, "-m", "hubspot_bridge.gateway", *options, folder=EXAMPLES)
        self.start_receiver()
        until("receiver and gateway", 60, lambda: self._answers(RECEIVER) and self._answers(GATEWAY))

    def start_receiver(self) -> None:
        """Start the receiver, or start it again; it answers a second or two later."""
        command = ("-m", "uvicorn", "--factory", "hubspot_bridge.receiver:from_environment", "--app-dir", str(EXAMPLES))
        options = ("--port", str(self._ports[RECEIVER]), "--log-level", "warning")
        self._processes.start(RECEIVER, sys.executable, *command, *options)

    def kill_receiver(self) -> None:
        """SIGKILL, whatever it is doing."""
        self._processes.kill(RECEIVER)

    def run_on_signals(self) -> None:
        """The receiver signals by Redis; the DAGs run on signals when Airflow has read their file again."""
        self._processes.environment["SIGNAL_URL"] = self._redis_url
        self.kill_receiver()
        self.start_receiver()
        (self._folder / "on-signals").touch()

    def is_listened_to(self) -> bool:
        """True if Airflow's triggerer waits for the signals of both DAGs."""
        with closing(redis.Redis.from_url(self._redis_url)) as client:
            return all(listeners for _, listeners in client.pubsub_numsub(*SIGNALS))

    def kill_redis(self) -> None:
        """SIGKILL; what it knew is lost."""
        self._processes.kill("redis")

    def start_redis(self) -> None:
        """Start it again, at the same address."""
        self._processes.again("redis")

    def freeze_gateway(self) -> None:
        """From now on the gateway answers nothing, and does what it was asked for when it goes on."""
        self._processes.send_signal(GATEWAY, signal.SIGSTOP)

    def thaw_gateway(self) -> None:
        """Let the gateway go on."""
        self._processes.send_signal(GATEWAY, signal.SIGCONT)

    def leave_unanswered(self, posts: int) -> None:
        """The gateway takes the next messages, and answers 502 all the same."""
        requests.post(f"{self.gateway_url}/control", json={"unanswered": posts}, timeout=10).raise_for_status()

    def ledger(self) -> list[dict[str, Any]]:
        """What the gateway knows of each message; its ``key`` is HubSpot's id."""
        reply = requests.get(f"{self.gateway_url}/ledger", timeout=10)
        reply.raise_for_status()
        messages: list[dict[str, Any]] = reply.json()
        return messages

    def ends(self) -> dict[str, str | None]:
        """The status that the gateway's last word about each message implies; None while it is not the last."""
        return {each["key"]: FINAL.get(each["status"]) for each in self.ledger()}

    def states(self) -> dict[str, str]:
        """How far each message is, by the outbox; none if there is no outbox yet."""
        return dict(self._ask("SELECT message_id, state FROM messages")) if self._outbox.exists() else {}

    def make_older(self, seconds: float) -> None:
        """So much time goes by for the outbox: leases end, and the gateway is asked for what no callback has told."""
        times = ("leased_until", "handed_over_at", "ask_after")
        self._ask(f"UPDATE messages SET {', '.join(f'{name} = {name} - {seconds}' for name in times)}")

    def _ask(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self._outbox, timeout=30)) as connection, connection:
            return connection.execute(sql).fetchall()

    def _answers(self, name: str) -> bool:
        """True if there is an answer, whatever it is."""
        self._processes.alive(name)
        try:
            requests.get(self._urls[name], timeout=10)
        except requests.ConnectionError:
            return False
        return True
