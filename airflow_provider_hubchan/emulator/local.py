"""A local HubSpot as one thing: what it knows, what it does wrong, what it has received. How it is reached is not said here."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator.faultfile import read_faults
from airflow_provider_hubchan.emulator.ledger import Ledger
from airflow_provider_hubchan.emulator.records import Message
from airflow_provider_hubchan.emulator.script import Placed, Script
from airflow_provider_hubchan.emulator.state import as_json, from_json
from airflow_provider_hubchan.emulator.world import World

#: Settings that the first portal and the first channel were made with.
FIXED = ("channel_id", "time_zone")


class LocalHubspot:
    """World, script of faults, and ledger. Arguments as for `Settings`."""

    #: The base URL, for the connection's host field.
    url: str
    #: The first install's, if it is not the usual one.
    refresh_token: str | None = None

    def __init__(self, **settings: Any) -> None:
        self._chosen = settings
        self.script, self.ledger = Script(), Ledger()
        self.reset()

    def reset(self) -> None:
        """Begin anew: no messages, no tokens, no faults, nothing in the ledger, the clock at the present."""
        world = World(**self._chosen)
        if self.refresh_token:
            world.install.refresh_token = self.refresh_token
        self.world = world
        self.script.clear()
        self.ledger.clear()

    def choose(self, **settings: Any) -> None:
        """Change settings while it runs.

        :raises ValueError: a name or a value that is none, or one that it was made with; nothing is changed then.
        """
        now = vars(self.world.settings)
        if fixed := [name for name in FIXED if settings.get(name, now[name]) != now[name]]:
            raise ValueError(f"{' and '.join(fixed)} can be chosen at the start only")
        self.world.settings.change(**settings)

    def fault(self, **spec: Any) -> Placed:
        """Script a fault, see `Fault`; what is returned tells how often it has struck."""
        return self.script.add(spec, self.world.clock.now())

    def messages(self, status: str | None = None) -> list[Message]:
        """Messages as they are now, in the order they came: those with this status, or all."""
        return [each for each in list(self.world.messages.values()) if status in (None, each.status)]

    def seen(self, last: int = 20) -> str:
        """What it holds and what it was asked, in words and without secrets: for whoever wonders why a test is red.

        :param last: how many requests are told of, the newest.
        """
        entries = self.ledger.entries
        answers = Counter(f"with {'no answer' if entry.status is None else entry.status}" for entry in entries)
        spoiled = sum(entry.fault is not None for entry in entries)
        more = f", {spoiled:,} spoiled by faults" if spoiled else ""
        more += f"; {self.ledger.dropped:,} of them are not kept" if self.ledger.dropped else ""
        failed = [f"{each.id} is FAILED: {each.error_message}" for each in self.messages("FAILED")]
        return "\n".join(
            [
                f"{len(self.world.messages):,} messages{_counted(self.world.counts())}",
                *failed[:5],
                *([f"and {len(failed) - 5:,} more are FAILED"] if len(failed) > 5 else []),
                f"{self.ledger.received:,} requests{_counted(answers)}{more}",
                *([f"the last {last}:"] if len(entries) > last else []),
                *(entry.as_line() for entry in entries[-last:]),
            ]
        )

    def faults(self, said: str | os.PathLike[str] | Iterable[Any]) -> list[Placed]:
        """Script several faults, or those of a YAML or JSON file: all or, if one is wrong, none.

        :raises ValueError: everything that is wrong with any of them.
        """
        specs = read_faults(said) if isinstance(said, str | os.PathLike) else said
        return self.script.add_all(specs, self.world.clock.now())

    def state(self) -> dict[str, Any]:
        """Everything but the ledger as plain data, see state.py."""
        return as_json(self.world, self.script)

    def restore(self, raw: str | bytes) -> None:
        """Take up a state; the ledger stays.

        :param raw: a state as JSON.
        :raises ValueError: it is none, or of another version; nothing has changed then.
        """
        self.world, self.script = from_json(raw)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file, all of it or nothing."""
        beside = Path(f"{os.fspath(path)}.part")
        beside.write_text(json.dumps(self.state()), encoding="utf-8")
        beside.replace(path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take up the state of a file, see `restore`."""
        try:
            self.restore(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

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


def _counted(numbers: Mapping[str, int]) -> str:
    return ": " + ", ".join(f"{number:,} {name}" for name, number in sorted(numbers.items())) if numbers else ""
