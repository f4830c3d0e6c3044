"""From an Airflow connection to something that can send: what every hook of this provider is made of."""

from __future__ import annotations

import asyncio
import math
import time
from functools import cached_property
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_hubchan.client.actions import STOPPED
from airflow_provider_hubchan.client.errors import BadConnection, BadInput
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.shared_state import shared
from airflow_provider_hubchan.connection import channel_faults, named, open_account

if TYPE_CHECKING:
    from airflow_provider_hubchan.client import async_driver
    from airflow_provider_hubchan.client.models import Account
    from airflow_provider_hubchan.client.sync_driver import Driver


_telling: set[asyncio.Future[None]] = set()


class DrivingHook(BaseHook):
    """Reads the connection once, and makes drivers that share its account's pace and token with the whole process.

    :param hubchan_conn_id: a connection of type ``hubchan``.
    :param patience: how often and how long to try again.
    """

    conn_name_attr = "hubchan_conn_id"
    default_conn_name = "hubchan_default"
    conn_type = "hubchan"
    hook_name = "HubSpot Custom Channels"

    def __init__(self, hubchan_conn_id: str = default_conn_name, *, patience: Patience | None = None) -> None:
        super().__init__()
        self.hubchan_conn_id = hubchan_conn_id
        self.patience = patience or Patience()
        self._driver: Driver | None = None
        self._stopped = False

    @cached_property
    def account(self) -> Account:
        """What the connection says.

        :raises BadConnection: naming every field that is missing, malformed or contradicts another.
        """
        return open_account(self.get_connection(self.hubchan_conn_id), self.log)

    @property
    def portal(self) -> int | None:
        """Id of the account, None as long as HubSpot has not told it: it does when a token is fetched."""
        return shared(self.account, announce).bearer.portal

    def stop(self) -> None:
        """End what is running: what is not sent yet stays *unresolved*. Safe in a signal handler."""
        self._stopped = True
        if self._driver:
            self._driver.end(STOPPED)

    def channel(self, channel_id: str | None) -> str:
        """The channel to use.

        :raises BadInput: if the argument cannot be one.
        :raises BadConnection: if neither the argument nor the connection names one.
        """
        if faults := channel_faults(channel_id, "channel_id"):
            raise BadInput(faults[0])
        channel = ("" if channel_id is None else str(channel_id).strip()) or self.account.channel_id
        if not channel:
            raise BadConnection(
                self.hubchan_conn_id, [f"{named('channel_id')} is set neither there nor as the task's argument"]
            )
        return channel

    def driver(self, *, share: float = 1.0, max_runtime: float = math.inf) -> Driver:
        """A context manager that performs stories in threads.

        :param share: part of the account's pace that it may use, in (0, 1].
        :param max_runtime: seconds after which everything ends.
        :raises RuntimeError: on an event loop, which would stand still.
        """
        from airflow_provider_hubchan.client.sync_driver import Driver  # where a DAG file is parsed, nobody needs requests

        if _on_a_running_loop():
            raise RuntimeError("This call would block the event loop: use aget_message or aupdate_message_status there.")
        pace, bearer = shared(self.account, announce)
        deadline = time.monotonic() + max_runtime
        self._driver = driver = Driver(self.account, pace, bearer, self.patience, share=share, deadline=deadline)
        if self._stopped:  # told to stop before there was anything to stop
            driver.end(STOPPED)
        return driver

    async def adriver(self, *, share: float = 1.0) -> async_driver.Driver:
        """An asynchronous context manager that performs stories on this event loop; arguments as of `driver`."""
        from airflow_provider_hubchan.client import async_driver  # most tasks need no aiohttp, and its import costs time

        # Before Airflow 3.3.2 even aget_connection waits for the supervisor on the loop, which on 3.2 may never end.
        await asyncio.to_thread(lambda: self.account)
        return async_driver.Driver(self.account, *shared(self.account, announce), self.patience, share=share)


def announce(secret: str) -> None:
    """Tell Airflow's masker; on an event loop in another thread, for the way to the supervisor must not block it."""
    if _on_a_running_loop():
        telling = asyncio.ensure_future(asyncio.to_thread(mask_secret, secret))
        _telling.add(telling)  # a task that nobody holds may vanish
        telling.add_done_callback(_telling.discard)
    else:
        mask_secret(secret)


def _on_a_running_loop() -> bool:
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False
