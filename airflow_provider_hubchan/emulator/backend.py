"""The emulator without its server: what it holds, the faults it injects, and the requests it has received."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator.faults.schedule import Schedule, ScheduledFault, read_faults
from airflow_provider_hubchan.emulator.model.numbers import count_of
from airflow_provider_hubchan.emulator.model.records import Message
from airflow_provider_hubchan.emulator.model.world import DEMO_CUSTOMER, World
from airflow_provider_hubchan.emulator.request_log.entry import one_line, shortened
from airflow_provider_hubchan.emulator.request_log.ledger import Ledger
from airflow_provider_hubchan.emulator.snapshot import as_json, from_json
from airflow_provider_hubchan.emulator.webhook_sender import WebhookSender

#: Settings that the first portal and the first channel are made with.
FIXED = ("channel_id", "time_zone")


class HubspotBackend:
    """World, schedule of faults, ledger, and sender of webhooks. Everything is lost when the process ends, see `save`.

    :param settings: fields of `Settings`.
    :raises ValueError: names every setting that is not allowed.
    """

    #: The base URL, for the host field of a connection.
    url: str
    #: The refresh token of the first install, None for the usual one.
    refresh_token: str | None = None
    #: The ``webhookUrl`` that the first channel begins with, None for none.
    webhook: str | None = None

    def __init__(self, **settings: Any) -> None:
        self._initial_settings = settings
        self.schedule, self.ledger = Schedule(), Ledger()
        self._webhooks = WebhookSender(self.ledger)
        self.reset()

    def reset(self) -> None:
        """Start over: no messages, no tokens, no faults, an empty ledger, the clock at the present, the initial settings."""
        world = World(**self._initial_settings)
        if self.refresh_token:
            world.install.refresh_token = self.refresh_token
        if self.webhook is not None:
            world.set_webhook(self.webhook)
        self.world = world
        self._webhooks.clear()
        self.schedule.clear()
        self.ledger.clear()

    def choose(self, **settings: Any) -> None:
        """Change settings while it runs.

        :raises ValueError: a name or value that is not allowed, or a setting of `FIXED`; nothing is changed then.
        """
        current = vars(self.world.settings)
        if fixed := [name for name in FIXED if settings.get(name, current[name]) != current[name]]:
            raise ValueError(f"{' and '.join(fixed)} can be chosen at the start only")
        self.world.settings.change(**settings)

    def fault(self, **spec: Any) -> ScheduledFault:
        """Add a fault.

        :param spec: fields of `Fault`.
        :return: the fault in its place, which counts how many requests it has hit.
        :raises ValueError: names everything that is wrong with it.
        """
        return self.schedule.add(spec, self.world.clock.now())

    def faults(self, source: str | os.PathLike[str] | Iterable[Any]) -> list[ScheduledFault]:
        """Add several faults, or those of a YAML or JSON file: all or, if one is wrong, none.

        :param source: a path, or specs of faults.
        :raises ValueError: names everything that is wrong with any of them.
        """
        specs = read_faults(source) if isinstance(source, str | os.PathLike) else source
        return self.schedule.add_all(specs, self.world.clock.now())

    def agent_says(
        self, text: str, to: str = DEMO_CUSTOMER, *, thread: int | None = None, channel_id: str | None = None
    ) -> Message:
        """Have an agent write a message, of which the channel's ``webhookUrl`` is told. It does not wait for that.

        :param to: address of the customer, who is answered in the latest thread with them.
        :param thread: number of a thread, in the place of *to*.
        :param channel_id: of the channel, by default the first.
        :return: the message; its ``id`` is the one that its status is updated by.
        :raises ValueError: there is no such thread or channel, its account is archived or not authorized, or the text is empty.
        """
        message = self.world.add_reply(text, to=to, thread=thread, channel_id=channel_id)
        self.announce([message])
        return message

    def announce(self, messages: Iterable[Message]) -> None:
        """Send the webhook of each of these messages of agents, if its channel has a ``webhookUrl``."""
        world = self.world
        for message in messages:
            if self.world is not world:
                return  # it was reset meanwhile: nobody hears of these any more
            self._webhooks.send(message, world, self.schedule)

    def wait_for_webhooks(self, seconds: float = 30.0) -> None:
        """Wait until every webhook so far has been accepted by its receiver or given up, see `Ledger.deliveries`.

        :raises TimeoutError: that takes longer than *seconds*.
        """
        self._webhooks.wait(seconds)

    def messages(self, status: str | None = None) -> list[Message]:
        """The messages with this status, or all, in the order they came."""
        return [message for message in list(self.world.messages.values()) if status in (None, message.status)]

    def seen(self, last: int = 20) -> str:
        """The messages, the last requests and webhooks, in words and without secrets, to find out why a test has failed.

        :param last: how many requests, and how many webhooks, are shown, the newest.
        """
        entries = self.ledger.entries
        answers = Counter(f"with {'no answer' if entry.status is None else entry.status}" for entry in entries)
        hit = sum(entry.fault is not None for entry in entries)
        notes = f", {hit:,} hit by faults" if hit else ""
        notes += f"; {self.ledger.dropped:,} of them are not kept" if self.ledger.dropped else ""
        failed = self.messages("FAILED")
        return "\n".join(
            [
                f"{count_of(len(self.world.messages), 'message')}{_counted(self.world.counts())}",
                *(one_line(f"{shortened(each.id)} is FAILED: {shortened(each.error_message)}") for each in failed[:5]),
                *([f"and {len(failed) - 5:,} more are FAILED"] if len(failed) > 5 else []),
                f"{count_of(self.ledger.received, 'request')}{_counted(answers)}{notes}",
                *([f"the last {last}:"] if len(entries) > last else []),
                *(entry.as_line() for entry in entries[-last:]),
                *_deliveries_seen(self.ledger, last),
            ]
        )

    def state(self) -> dict[str, Any]:
        """Everything but the ledger as plain data, see `airflow_provider_hubchan.emulator.snapshot`."""
        return as_json(self.world, self.schedule)

    def restore(self, raw: str | bytes) -> None:
        """Replace everything but the ledger by a saved state.

        :param raw: a state as JSON.
        :raises ValueError: it is not one, or of another version; nothing is changed then.
        """
        self.world, self.schedule = from_json(raw)
        self._webhooks.clear()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file, all of it or nothing."""
        partial = Path(f"{os.fspath(path)}.part")
        partial.write_text(json.dumps(self.state()), encoding="utf-8")
        partial.replace(path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Restore the state of a file.

        :raises ValueError: see `restore`.
        """
        try:
            self.restore(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    def connection(self, **extra: Any) -> dict[str, Any]:
        """An Airflow connection to this emulator as plain data; as JSON it is a value for ``AIRFLOW_CONN_HUBCHAN_DEFAULT``.

        :param extra: more of the connection's extras.
        """
        install = self.world.install
        return {
            "conn_type": "hubchan",
            "host": self.url,
            "login": install.app.client_id,
            "password": install.app.client_secret,
            "extra": {"refresh_token": install.refresh_token, "channel_id": self.world.channel_id, **extra},
        }


def _deliveries_seen(ledger: Ledger, last: int) -> list[str]:
    """The last webhooks in words; nothing if none was sent."""
    shown = ledger.deliveries(last=last)
    head = f"{count_of(ledger.sent, 'webhook')} sent{f', the last {last}:' if ledger.sent > last else ''}"
    return [head, *(delivery.as_line() for delivery in shown)] if shown else []


def _counted(numbers: Mapping[str, int]) -> str:
    return ": " + ", ".join(f"{number:,} {name}" for name, number in sorted(numbers.items())) if numbers else ""
