"""The hook: an Airflow connection in, HubSpot's custom-channels API out."""

from __future__ import annotations

import asyncio
import math
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_hubchan.client import calls, delivery
from airflow_provider_hubchan.client.batch import Manner, mark
from airflow_provider_hubchan.client.blocking import Driver
from airflow_provider_hubchan.client.checkpoint import Keeper, Nowhere
from airflow_provider_hubchan.client.checkup import check_up
from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.letter import Letters, NoFile
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.client.renewal import with_renewal
from airflow_provider_hubchan.client.report import Report
from airflow_provider_hubchan.client.shared import shared
from airflow_provider_hubchan.client.status import Status, read_one
from airflow_provider_hubchan.client.steps import STOPPED, Request
from airflow_provider_hubchan.connection import open_account

if TYPE_CHECKING:
    from airflow_provider_hubchan.client.account import Account


class HubchanHook(BaseHook):
    """Marks outbound messages of a HubSpot custom channel as SENT, FAILED or READ.

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

    def update_message_status(
        self, message_id: str, status: Status, error_message: str | None = None, *, channel_id: str | None = None
    ) -> dict[str, Any]:
        """Set the status of one message.

        :param error_message: why the delivery failed; only for FAILED.
        :param channel_id: its channel, None for the connection's.
        :return: the message as HubSpot has it now, with its text and people's names: mind where you put it.
        :raises BadRows: if the arguments cannot be sent; nothing was.
        :raises CallFailed: if HubSpot refused it, or there was no good answer.
        """
        return self._call(self._update(message_id, status, error_message, channel_id))

    def get_message(self, message_id: str, *, channel_id: str | None = None) -> dict[str, Any]:
        """Read one message; ``["status"]["statusType"]`` is its status, if HubSpot gives one.

        :param channel_id: its channel, None for the connection's.
        :raises CallFailed: if HubSpot refused the call, or there was no good answer.
        """
        return self._call(calls.get_message(self.account, self._channel(channel_id), message_id))

    async def aupdate_message_status(
        self, message_id: str, status: Status, error_message: str | None = None, *, channel_id: str | None = None
    ) -> dict[str, Any]:
        """The same as `update_message_status`, on an event loop. Not for triggers: a restarted one would send it twice."""
        await self._aread()
        return await self._acall(self._update(message_id, status, error_message, channel_id))

    async def aget_message(self, message_id: str, *, channel_id: str | None = None) -> dict[str, Any]:
        """The same as `get_message`, on an event loop."""
        await self._aread()
        return await self._acall(calls.get_message(self.account, self._channel(channel_id), message_id))

    def update_message_statuses(
        self,
        rows: object,
        *,
        channel_id: str | None = None,
        status: str | None = None,
        error_message: str | None = None,
        concurrency: int = 16,
        dry_run: bool = False,
        max_runtime: float = math.inf,
        not_found_grace: float = 0.0,
        compare_before_write: bool = False,
        letters: Letters | None = None,
        keeper: Keeper | None = None,
        report: Report | None = None,
    ) -> Report:
        """Set the statuses of a whole batch: every row is tried, and every row is in the report.

        :param rows: ids, dicts with ``message_id``, ``status`` and ``error_message``, or a mapping of id to status.
        :param channel_id: the channel of all rows, None for the connection's.
        :param status: for rows that carry none of their own.
        :param error_message: for FAILED rows that carry none of their own.
        :param concurrency: requests in flight at most, from 1.
        :param dry_run: read and order the rows, send nothing; all of them are *skipped*.
        :param max_runtime: seconds after which the batch ends; what is left is *unresolved*.
        :param not_found_grace: seconds until messages that HubSpot does not know (404) are *rejected*; see the operator.
        :param compare_before_write: GET each message first, and leave alone what is so already, or READ.
        :param letters: takes every row that was not updated, in this thread.
        :param keeper: keeps progress for a later call with the same rows and arguments.
        :param report: takes every outcome; it is whole also if a signal or a timeout breaks this off.
        :raises BadRows: naming every bad row; nothing was sent.
        :raises BadConnection: naming every faulty field; nothing was sent.
        """
        channel, report = self._channel(channel_id), report or Report()
        with self._drive(max_runtime) as driver:
            mark(
                driver,
                channel,
                rows,
                status=status,
                error_message=error_message,
                manner=Manner(concurrency, dry_run, not_found_grace, compare_before_write),
                letters=letters or NoFile(),
                keeper=keeper or Nowhere(),
                report=report,
                say=self.log.info,
            )
        if report.halt and report.halt.refused_at and report.halt.retry_after is None:
            with self._drive() as driver:
                report.halt = driver.run(with_renewal(self.account, report.halt))
        return report

    def stop(self) -> None:
        """End a running batch: what is not sent yet stays *unresolved*. Safe in a signal handler."""
        self._stopped = True
        if self._driver:
            self._driver.end(STOPPED)

    def test_connection(self) -> tuple[bool, str]:
        """Prove as much as can be proved without changing anything: token, account, scopes, who owns the channel.

        :return: whether updates will work, and what was found or has to be mended; without secrets, within the timeout.
        """
        try:
            found = check_up(self.account, shared(self.account, mask_secret).pace, mask_secret)
        except BadConnection as fault:
            return False, str(fault)
        return found.ok, str(found)

    def _drive(self, max_runtime: float = math.inf) -> Driver:
        if _on_a_running_loop():  # it would stand still, and with it whoever on it is just fetching the token
            raise RuntimeError("This call would block the event loop: use aget_message or aupdate_message_status there.")
        ends = time.monotonic() + max_runtime
        self._driver = driver = Driver(self.account, *shared(self.account, mask_secret), self.patience, deadline=ends)
        if self._stopped:  # told to stop before there was anything to stop
            driver.end(STOPPED)
        return driver

    def _call(self, request: Request) -> dict[str, Any]:
        with self._drive() as driver:
            return driver.run(delivery.fetch(self.account, request, self.patience))

    async def _acall(self, request: Request) -> dict[str, Any]:
        from airflow_provider_hubchan.client import aio  # most tasks need no aiohttp, and its import costs time

        async with aio.Driver(self.account, *shared(self.account, mask_secret), self.patience) as driver:
            return await driver.run(delivery.fetch(self.account, request, self.patience))

    def _update(self, message_id: str, status: Status, error_message: str | None, channel_id: str | None) -> Request:
        channel = self._channel(channel_id)
        return calls.update_message(self.account, channel, read_one(message_id, status, error_message))

    def _channel(self, channel_id: str | None) -> str:
        channel = str(channel_id or self.account.channel_id or "").strip()
        if not channel:
            raise BadConnection(self.hubchan_conn_id, ["channel_id is set neither there nor as the task's argument"])
        return channel

    async def _aread(self) -> None:
        if "account" not in self.__dict__:
            self.__dict__["account"] = open_account(await self.aget_connection(self.hubchan_conn_id), self.log)


def _on_a_running_loop() -> bool:
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False
