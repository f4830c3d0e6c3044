"""What tests of the client and of Airflow need of the local HubSpot beside its own interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api.http import Request
from airflow_provider_hubchan.emulator.model.world import World
from airflow_provider_hubchan.emulator.request_log.entry import Entry
from airflow_provider_hubchan.emulator.request_log.ledger import Ledger
from tests.waiting import wait_until

#: The body of an error of HubSpot's, for faults: without one, nobody could tell that HubSpot refused something.
REFUSAL = {"status": "error", "message": "No.", "category": "VALIDATION_ERROR", "correlationId": "c-1"}


@contextmanager
def before_midnight(emulator: Emulator, seconds: float) -> Iterator[None]:
    """The emulator's clock stands still, so many seconds before midnight, until it has refused a call with 429."""
    clock = emulator.world.clock
    clock.run(0)
    emulator.world.before_midnight(seconds)

    def run_again() -> None:
        wait_until(lambda: bool(emulator.ledger.chosen(status=429)))
        clock.run(1)

    thread = threading.Thread(target=run_again)
    thread.start()
    yield
    thread.join()


def sockets_to(emulator: Emulator) -> list[Any]:
    """Our ends of connections to the emulator."""
    port = int(emulator.url.rsplit(":", 1)[1])
    return [each for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == port]


class HeaderLedger(Ledger):
    """A ledger that also keeps the headers of every request."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[Mapping[str, str]] = []

    def begin(self, request: Request, world: World) -> Entry:
        self.headers.append(request.headers)
        return super().begin(request, world)


def account_of(emulator: Emulator, **other: Any) -> Account:
    """The account of an emulator, without Airflow."""
    connection = emulator.connection()
    return Account(
        base_url=connection["host"],
        client_id=connection["login"],
        client_secret=connection["password"],
        refresh_token=connection["extra"]["refresh_token"],
        channel_id=connection["extra"]["channel_id"],
        **other,
    )
