"""The hook: an Airflow connection in, HubSpot's custom-channels API out."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

from airflow_provider_hubchan import assets
from airflow_provider_hubchan.batch.checkpoint import Keeper, Nowhere
from airflow_provider_hubchan.batch.dead_letters import Letters, NoFile
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.rows import Status, read_one
from airflow_provider_hubchan.batch.runner import Manner, mark
from airflow_provider_hubchan.client import endpoints, flow
from airflow_provider_hubchan.client.actions import Request
from airflow_provider_hubchan.client.connection_check import Finding, check_up
from airflow_provider_hubchan.client.daily_quota import with_renewal
from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.shared_state import shared
from airflow_provider_hubchan.drivers import DrivingHook, announce
from airflow_provider_hubchan.metrics import observed


class HubchanHook(DrivingHook):
    """Marks outbound messages of a HubSpot custom channel as SENT, FAILED or READ.

    :param hubchan_conn_id: a connection of type ``hubchan``.
    :param patience: how often and how long to try again.
    """

    def update_message_status(
        self, message_id: str, status: Status, error_message: str | None = None, *, channel_id: str | None = None
    ) -> dict[str, Any]:
        """Set the status of one message.

        :param message_id: HubSpot's id of an outbound message.
        :param status: ``SENT``, ``FAILED`` or ``READ``.
        :param error_message: why the delivery failed; only for FAILED.
        :param channel_id: its channel, None for the connection's.
        :return: the message as HubSpot has it now, with its text and people's names: mind where you put it.
        :raises BadConnection: if the connection cannot be used; nothing was sent.
        :raises BadInput: if *channel_id* is no channel's; nothing was sent.
        :raises BadRows: if the arguments cannot be sent; nothing was.
        :raises CallFailed: if HubSpot refused it, or there was no good answer.
        """
        channel = self.channel(channel_id)
        message = self._call(self._update(message_id, status, error_message, channel))
        assets.collect(self, self.portal, channel)
        return message

    def get_message(self, message_id: str, *, channel_id: str | None = None) -> dict[str, Any]:
        """Read one message; ``["status"]["statusType"]`` is its status, if HubSpot gives one.

        :param message_id: HubSpot's id of the message.
        :param channel_id: its channel, None for the connection's.
        :return: the message, with its text and people's names: mind where you put it.
        :raises BadRows: if *message_id* is no id; nothing was sent.
        :raises BadConnection: if the connection cannot be used; nothing was sent.
        :raises BadInput: if *channel_id* is no channel's; nothing was sent.
        :raises CallFailed: if HubSpot refused the call, or there was no good answer.
        """
        return self._call(self._get(message_id, channel_id))

    async def aupdate_message_status(
        self, message_id: str, status: Status, error_message: str | None = None, *, channel_id: str | None = None
    ) -> dict[str, Any]:
        """The same as `update_message_status`, on an event loop. Not for triggers: a restarted one would send it twice.

        :param message_id: as there.
        :param status: as there.
        :param error_message: as there.
        :param channel_id: as there.
        :return: as there.
        :raises BadConnection: as there.
        :raises BadInput: as there.
        :raises BadRows: as there.
        :raises CallFailed: as there.
        """
        async with await self.adriver() as driver:
            channel = self.channel(channel_id)
            request = self._update(message_id, status, error_message, channel)
            message = await driver.run(flow.fetch(self.account, request, self.patience))
        await asyncio.to_thread(assets.collect, self, self.portal, channel)  # its first call imports much
        return message

    async def aget_message(self, message_id: str, *, channel_id: str | None = None) -> dict[str, Any]:
        """The same as `get_message`, on an event loop.

        :param message_id: as there.
        :param channel_id: as there.
        :return: as there.
        :raises BadRows: as there.
        :raises BadConnection: as there.
        :raises BadInput: as there.
        :raises CallFailed: as there.
        """
        async with await self.adriver() as driver:
            request = self._get(message_id, channel_id)
            return await driver.run(flow.fetch(self.account, request, self.patience))

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
        :return: *report*, or a new one.
        :raises BadInput: if *rows* are no rows at all, or *channel_id* is no channel's; nothing was sent.
        :raises BadRows: naming every bad row; nothing was sent.
        :raises BadConnection: naming every faulty field; nothing was sent.
        :raises BatchIncomplete: if it was stopped while the rows were read; nothing was sent.
        """
        channel, report = self.channel(channel_id), report or Report()
        tags = {"hubchan_conn_id": self.hubchan_conn_id, "channel_id": channel}
        with self.driver(max_runtime=max_runtime) as driver, observed(driver, report, time.monotonic, **tags):
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
        if driver.counts.requests:
            assets.collect(self, self.portal, channel)
        if report.halt and report.halt.refused_at and report.halt.retry_after is None:
            # in a thread of its own: this one must stay open to signals
            with self.driver(max_runtime=2 * self.account.timeout) as driver:
                for told in driver.run_all([with_renewal(self.account, report.halt)], 1):
                    report.halt = told or report.halt
        return report

    def test_connection(self) -> tuple[bool, str]:
        """Prove as much as can be proved without changing anything: token, account, scopes, who owns the channel.

        :return: True if updates will work; and what was found, or has to be mended, or could not be checked now. Without
            secrets, within the timeout.
        """
        try:
            found = check_up(self.account, shared(self.account, announce).pace, announce)
        except BadConnection as fault:
            found = Finding()
            for each in fault.faults:  # without the id: Airflow tests a form under a made-up one
                found.fail(each)
        return found.ok, str(found)

    def _call(self, request: Request) -> dict[str, Any]:
        with self.driver() as driver:
            return driver.run(flow.fetch(self.account, request, self.patience))

    def _get(self, message_id: str, channel_id: str | None) -> Request:
        known = read_one(message_id, "READ", None).message_id  # as strict as with an update
        return endpoints.get_message(self.account, self.channel(channel_id), known)

    def _update(self, message_id: str, status: Status, error_message: str | None, channel: str) -> Request:
        return endpoints.update_message(self.account, channel, read_one(message_id, status, error_message))
