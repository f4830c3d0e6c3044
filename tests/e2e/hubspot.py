"""A local HubSpot in a process of its own, and its control calls beside the API."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from tests.e2e.processes import Processes, free_port
from tests.e2e.waiting import until


@dataclass(frozen=True)
class Patch:
    """One PATCH.

    :param at: when it came, in seconds since the epoch by HubSpot's clock.
    :param status: what was answered, None if nothing was.
    """

    at: float
    message_id: str
    status: int | None


@dataclass(frozen=True)
class Webhook:
    """One try to tell the receiver of a message.

    :param status: what was answered, None if nothing was.
    """

    message_id: str
    status: int | None


class Hubspot:
    """One account with one channel, for one DAG, of whose name are the connection and the file of rows.

    :param name: of the DAG.
    :param rows: how many messages there are, and rows in the file.
    :param options: more options of the emulator's command line.
    """

    def __init__(self, processes: Processes, folder: Path, name: str, rows: int, *options: str) -> None:
        self.name, self.rows = name, rows
        self._processes, self._file, self._options = processes, folder / f"{name}.jsonl", options
        self._url, self._token = f"http://127.0.0.1:{free_port()}", ""

    @property
    def ids(self) -> list[str]:
        """Of the messages, in the order of the rows."""
        return [f"{self.name}-{number}" for number in range(1, self.rows + 1)]

    def start(self, *more: str) -> None:
        """Write the file of rows and start the emulator with these messages.

        :param more: more options of its command line.
        """
        self._file.write_text("".join(json.dumps({"message_id": each}) + "\n" for each in self.ids), encoding="utf-8")
        port = self._url.rpartition(":")[2]
        options = ("--port", port, "--messages", str(self._file), *self._options, *more)
        self._processes.start(f"hubspot-{self.name}", sys.executable, "-m", "airflow_provider_hubchan.emulator", *options)

    def connection(self) -> tuple[str, str]:
        """Wait until it answers; give the name and value of the environment variable that is Airflow's connection to it."""
        until(f"the emulator of {self.name}", 60, self._healthy)
        return f"AIRFLOW_CONN_{self.name.upper()}", json.dumps(self.settings())

    def settings(self) -> dict[str, Any]:
        """Airflow's connection to it."""
        settings: dict[str, Any] = self._get("connection")
        return settings

    def slow_down(self, delay: float, times: int = 1_000_000) -> None:
        """Answer every PATCH, or the next ones, so many seconds later: sent by so many threads, they come at an even rate."""
        self._post("faults", {"method": "PATCH", "delay": delay, "times": times})

    def refuse(self, status: int, retry_after: int, delay: float) -> None:
        """Answer the next PATCH with this status and ask to wait for so many seconds; slow all others down."""
        self.hurry()
        refusal = {"method": "PATCH", "status": status, "headers": {"Retry-After": str(retry_after)}, "times": 1}
        self._post("faults", [refusal, {"method": "PATCH", "delay": delay, "times": 1_000_000}])

    def hurry(self) -> None:
        """Answer at once again, and as asked."""
        requests.delete(f"{self._url}/_emulator/faults", timeout=10).raise_for_status()

    def set_clock(self, before_midnight: float) -> None:
        """Move the clock forward to so many seconds before midnight in the account."""
        self._post("clock", {"before_midnight": before_midnight})

    def reply(self, text: str, to: str) -> str:
        """An agent writes to a customer; gives the message's id."""
        message_id: str = self._post("replies", {"text": text, "to": to})["message_id"]
        return message_id

    def webhooks(self) -> list[Webhook]:
        """All tries to send one, in their order."""
        return [Webhook(each["message_id"], each["status"]) for each in self._get("deliveries")]

    def statuses(self) -> dict[str, int]:
        """How many messages have each status."""
        counts: dict[str, int] = self._get("messages")["counts"]
        return counts

    def status_of_each(self) -> dict[str, str]:
        """The status of each message."""
        statuses: dict[str, str] = self._get("messages")["messages"]
        return statuses

    def patches(self) -> Counter[str]:
        """How many PATCHes of each message were answered with 2xx."""
        return Counter(self._get("patches")["by_message"])

    def sent(self) -> dict[str, list[dict[str, str]]]:
        """What the PATCHes of each message said, whatever was answered."""
        sent: dict[str, list[dict[str, str]]] = {}
        for entry in self._get("ledger?method=PATCH"):
            sent.setdefault(entry["message_id"], []).append(entry["body"])
        return sent

    def ledger(self) -> list[Patch]:
        """All PATCHes, in the order they came."""
        return [
            Patch(datetime.fromisoformat(entry["at"].replace("Z", "+00:00")).timestamp(), entry["message_id"], entry["status"])
            for entry in self._get("ledger?method=PATCH")
        ]

    def gets(self, message_id: str) -> int:
        """How many GETs there were of this message."""
        return len(self._get(f"ledger?method=GET&message_id={message_id}"))

    def read(self, message_id: str) -> None:
        """Do what HubSpot does when somebody reads a message, with a token of nobody else's."""
        self._token = self._token or self._post("tokens", {})["access_token"]
        channel = self.settings()["extra"]["channel_id"]
        url = f"{self._url}/conversations/custom-channels/2026-03/{channel}/messages/{message_id}"
        headers = {"Authorization": f"Bearer {self._token}"}
        requests.patch(url, json={"statusType": "READ"}, headers=headers, timeout=10).raise_for_status()

    def secrets(self) -> list[str]:
        """What is secret in its connection."""
        connection = self.settings()
        return [connection["password"], connection["extra"]["refresh_token"]]

    def _healthy(self) -> bool:
        self._processes.alive(f"hubspot-{self.name}")
        try:
            return bool(self._get("health"))
        except requests.ConnectionError:
            return False

    def _get(self, what: str) -> Any:
        reply = requests.get(f"{self._url}/_emulator/{what}", timeout=10)
        reply.raise_for_status()
        return reply.json()

    def _post(self, what: str, body: dict[str, Any] | list[dict[str, Any]]) -> Any:
        reply = requests.post(f"{self._url}/_emulator/{what}", json=body, timeout=10)
        reply.raise_for_status()
        return reply.json()
