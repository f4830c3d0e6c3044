"""The hook: an Airflow connection in, HubSpot's custom-channels API out."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from airflow_provider_hubchan import assets
from airflow_provider_hubchan.batch.checkpoint import CheckpointStore, NullStore
from airflow_provider_hubchan.batch.dead_letters import DeadLetterSink, NullSink
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.row_reader import read_update
from airflow_provider_hubchan.batch.rows import Columns, Statuses
from airflow_provider_hubchan.batch.runner import BatchOptions, run_batch
from airflow_provider_hubchan.client import endpoints
from airflow_provider_hubchan.client.actions import OUT_OF_RUNTIME, STOPPED, Abort, Request
from airflow_provider_hubchan.client.connection_check import Diagnosis, check_connection
from airflow_provider_hubchan.client.daily_quota import next_reset
from airflow_provider_hubchan.client.error_texts import MAX_TEXT
from airflow_provider_hubchan.client.errors import BadConnection, BadInput
from airflow_provider_hubchan.client.flow import RetryConfig, fetch
from airflow_provider_hubchan.client.models import StatusName
from airflow_provider_hubchan.client.shared_state import shared_state
from airflow_provider_hubchan.connection import extra_warnings, missing_channel_fault, open_account
from airflow_provider_hubchan.connection_lookup import why_not_found
from airflow_provider_hubchan.mapped_output import in_slices
from airflow_provider_hubchan.metrics import record_batch
from airflow_provider_hubchan.validation import (
    BATCH_CHECKS,
    channel_id_faults,
    find_faults,
    join_faults,
    plain_text,
    seconds_faults,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

    from airflow_provider_hubchan.client.async_driver import AsyncDriver
    from airflow_provider_hubchan.client.models import Account
    from airflow_provider_hubchan.client.sync_driver import SyncDriver

_masking: set[asyncio.Future[None]] = set()
#: Connections that are being read, by the event loop and the connection's id.
_reading: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[Account]] = {}


class HubchanHook(BaseHook):
    """Marks outbound messages of a HubSpot custom channel as SENT, FAILED or READ.

    All hooks of a process whose connections are of one account and app share its rate limit and its access token.

    :param hubchan_conn_id: a connection of type ``hubchan``.
    :param retry: how often and how long to try again, None for the defaults.
    """

    conn_name_attr = "hubchan_conn_id"
    default_conn_name = "hubchan_default"
    conn_type = "hubchan"
    hook_name = "HubSpot Custom Channels"

    def __init__(self, hubchan_conn_id: str = default_conn_name, *, retry: RetryConfig | None = None) -> None:
        super().__init__()
        self.hubchan_conn_id = hubchan_conn_id
        self.retry = retry or RetryConfig()
        self._driver: SyncDriver | None = None
        self._stopped = False

    @cached_property
    def account(self) -> Account:
        """What the connection says, read once.

        :raises BadConnection: naming every field that is missing, misspelled, malformed or contradicts another; an
            `UnknownConnection` if nothing defines it.
        :raises AirflowNotFoundException: if it may be defined, and what defines it does not answer.
        """
        return self._open_account(needs_channel=False)

    def update_message_status(
        self, message_id: str, status: StatusName, error_message: str | None = None, *, channel_id: str | None = None
    ) -> dict[str, Any]:
        """Set the status of one message.

        :param message_id: HubSpot's id of an outbound message.
        :param status: ``SENT``, ``FAILED`` or ``READ``.
        :param error_message: why the delivery failed; only for FAILED.
        :param channel_id: its channel, None for the connection's.
        :return: the message as HubSpot has it now, with its text and people's names: take care where you store it.
        :raises BadConnection: if the connection cannot be used; nothing was sent.
        :raises BadInput: if *channel_id* is not a channel ID; nothing was sent.
        :raises BadRows: if the arguments cannot be sent; nothing was sent.
        :raises CallFailed: if HubSpot refused it, or there was no usable answer.
        """
        channel = self.resolve_channel(channel_id)
        message = self._fetch(self._update_request(message_id, status, error_message, channel))
        assets.record_lineage(self, self.portal, channel)
        return message

    def get_message(self, message_id: str, *, channel_id: str | None = None) -> dict[str, Any]:
        """Read one message; ``["status"]["statusType"]`` is its status, if HubSpot gives one.

        :param message_id: HubSpot's id of the message.
        :param channel_id: its channel, None for the connection's.
        :return: the message, with its text and people's names: take care where you store it.
        :raises BadRows: if *message_id* is not an id; nothing was sent.
        :raises BadConnection: if the connection cannot be used; nothing was sent.
        :raises BadInput: if *channel_id* is not a channel ID; nothing was sent.
        :raises CallFailed: if HubSpot refused the call, or there was no usable answer.
        """
        return self._fetch(self._get_request(message_id, channel_id))

    async def aupdate_message_status(
        self, message_id: str, status: StatusName, error_message: str | None = None, *, channel_id: str | None = None
    ) -> dict[str, Any]:
        """Set the status of one message, on an event loop. Not for triggers: a restarted one would send it twice.

        :param message_id: HubSpot's id of an outbound message.
        :param status: ``SENT``, ``FAILED`` or ``READ``.
        :param error_message: why the delivery failed; only for FAILED.
        :param channel_id: its channel, None for the connection's.
        :return: the message as HubSpot has it now, with its text and people's names: take care where you store it.
        :raises BadConnection: if the connection cannot be used; nothing was sent.
        :raises BadInput: if *channel_id* is not a channel ID; nothing was sent.
        :raises BadRows: if the arguments cannot be sent; nothing was sent.
        :raises CallFailed: if HubSpot refused it, or there was no usable answer.
        """
        channel = await asyncio.to_thread(self.resolve_channel, channel_id)  # it may read the connection
        async with await self.async_driver() as driver:
            request = self._update_request(message_id, status, error_message, channel)
            message = await driver.run(fetch(self.account, request, self.retry))
        await asyncio.to_thread(assets.record_lineage, self, self.portal, channel)  # its first call imports much
        return message

    async def aget_message(self, message_id: str, *, channel_id: str | None = None) -> dict[str, Any]:
        """Read one message, on an event loop; ``["status"]["statusType"]`` is its status, if HubSpot gives one.

        :param message_id: HubSpot's id of the message.
        :param channel_id: its channel, None for the connection's.
        :return: the message, with its text and people's names: take care where you store it.
        :raises BadRows: if *message_id* is not an id; nothing was sent.
        :raises BadConnection: if the connection cannot be used; nothing was sent.
        :raises BadInput: if *channel_id* is not a channel ID; nothing was sent.
        :raises CallFailed: if HubSpot refused the call, or there was no usable answer.
        """
        request = await asyncio.to_thread(self._get_request, message_id, channel_id)  # it may read the connection
        async with await self.async_driver() as driver:
            return await driver.run(fetch(self.account, request, self.retry))

    def update_message_statuses(
        self,
        rows: object,
        *,
        channel_id: str | None = None,
        status: str | None = None,
        error_message: str | None = None,
        columns: Columns | None = None,
        statuses: Statuses | None = None,
        max_rejected: int | float = 0,
        concurrency: int = 16,
        dry_run: bool = False,
        max_runtime: float = math.inf,
        not_found_grace: float = 0.0,
        compare_before_write: bool = False,
    ) -> Report:
        """Set the statuses of a whole batch: every row is tried, and every row is in the report.

        :param rows: ids, dicts with ``message_id``, ``status`` and ``error_message``, or a mapping of id to status.
        :param channel_id: the channel of all rows, None for the connection's.
        :param status: for rows that have none of their own.
        :param error_message: for FAILED rows that have none of their own.
        :param columns: our names to those of the rows, see docs/operator.md.
        :param statuses: a gateway's words to statuses, None for one that is not final; see docs/gateways.md.
        :param max_rejected: how many rows may be such that they cannot be sent: a count (int), or a share of all rows (float
            from 0 to 1). With more of them nothing is sent.
        :param concurrency: requests in flight at most, from 1.
        :param dry_run: read and order the rows, send nothing; all of them are *skipped*.
        :param max_runtime: seconds after which the batch ends; what is left is *unresolved*. ``math.inf`` for no end.
        :param not_found_grace: seconds until messages that HubSpot does not know (404) are *rejected*; see the operator.
        :param compare_before_write: GET each message first, and send nothing if it has that status already, or READ.
        :return: what became of every row.
        :raises BadInput: if *rows* is not a list of rows, or other arguments are wrong; nothing was sent.
        :raises BadRows: if more rows cannot be sent than *max_rejected* allows; nothing was sent.
        :raises BadConnection: naming every faulty field; nothing was sent.
        :raises BatchIncomplete: if it was stopped while the rows were read; nothing was sent.
        """
        arguments = {
            "channel_id": channel_id,
            "status": status,
            "error_message": error_message,
            "columns": columns,
            "statuses": statuses,
            "max_rejected": max_rejected,
            "concurrency": concurrency,
            "dry_run": dry_run,
            "compare_before_write": compare_before_write,
            "not_found_grace": not_found_grace,
        }
        faults = find_faults(BATCH_CHECKS, arguments)
        if max_runtime != math.inf:
            faults += seconds_faults(max_runtime=max_runtime)
        if faults:
            raise BadInput(f"wrong arguments, so nothing was sent: {join_faults(faults, MAX_TEXT - 100)}.")
        options = BatchOptions(
            status=plain_text(status),
            error_message=error_message,
            columns=columns,
            statuses=statuses,
            max_rejected=max_rejected,
            concurrency=concurrency,
            dry_run=dry_run,
            not_found_grace=not_found_grace,
            compare_before_write=compare_before_write,
        )
        return self.run_batch(rows, options, channel_id=channel_id, max_runtime=max_runtime)

    def test_connection(self) -> tuple[bool, str]:
        """Prove as much as can be proved without changing anything: token, account, scopes, who owns the channel.

        :return: True if updates will work; and what was found, or has to be fixed, or could not be checked now. Without
            secrets, within the timeout.
        """
        warnings: list[str] = []
        try:
            connection = self._find_connection()
            warnings = extra_warnings(connection)
            account = open_account(connection, self.log)
            diagnosis = check_connection(account, shared_state(account, mask).limiter, mask)
        except BadConnection as error:
            diagnosis = Diagnosis()
            for fault in error.faults:  # without the connection's id: Airflow tests a form under a made-up one
                diagnosis.fail(fault)
        diagnosis.notes += warnings
        return diagnosis.ok, str(diagnosis)

    def stop(self) -> None:
        """End what is running: what is not sent yet stays *unresolved*. Safe in a signal handler."""
        self._stopped = True
        if self._driver:
            self._driver.abort(STOPPED)

    # What follows is for the tasks of this provider; it is not in the API reference.

    @property
    def portal(self) -> int | None:
        """Id of the account, None as long as HubSpot has not told it: it does when a token is fetched."""
        return shared_state(self.account, mask).tokens.portal

    def resolve_channel(self, channel_id: str | None) -> str:
        """The channel to use.

        :param channel_id: as the user gave it, None for the connection's.
        :raises BadInput: if the argument is not a channel ID.
        :raises BadConnection: if neither the argument nor the connection names a channel; with all other faults of the
            connection, if it is read for that.
        """
        if faults := channel_id_faults(channel_id, "channel_id"):
            raise BadInput(faults[0])
        if channel := "" if channel_id is None else str(channel_id).strip():
            return channel
        if "account" not in vars(self):  # all faults in one error, the missing channel among them
            self.account = self._open_account(needs_channel=True)
        if not self.account.channel_id:
            raise BadConnection(self.hubchan_conn_id, [missing_channel_fault()])
        return self.account.channel_id

    def run_batch(
        self,
        rows: object,
        options: BatchOptions,
        *,
        channel_id: str | None = None,
        max_runtime: float = math.inf,
        dead_letters: DeadLetterSink | None = None,
        checkpoints: CheckpointStore | None = None,
        report: Report | None = None,
        out_of_time: Abort = OUT_OF_RUNTIME,
        context: Mapping[str, Any] | None = None,
    ) -> Report:
        """Set the statuses of a whole batch; arguments and errors as of `update_message_statuses`.

        :param dead_letters: takes every row that was not updated, in this thread.
        :param checkpoints: keeps progress for a later call with the same rows and arguments.
        :param report: takes every outcome; it is complete also if a signal or a timeout ends this.
        :param out_of_time: why rows are left when *max_runtime* is over.
        :param context: of a callback, for the tags of metrics; None for the task that runs.
        :return: *report*, or a new one.
        """
        ends = time.monotonic() + max_runtime
        channel, report = self.resolve_channel(channel_id), report or Report()
        with (
            self.sync_driver(max_runtime=ends - time.monotonic(), out_of_time=out_of_time) as driver,
            record_batch(driver, report, time.monotonic, self.hubchan_conn_id, channel, context),
        ):
            try:
                run_batch(
                    driver,
                    channel,
                    in_slices(rows),
                    options,
                    dead_letters=dead_letters or NullSink(),
                    checkpoints=checkpoints or NullStore(),
                    report=report,
                    log=self.log.info,
                    warn=self.log.warning,
                )
            finally:
                report.portal = self.portal
        if driver.counters.requests:
            assets.record_lineage(self, self.portal, channel)
        if report.aborted and report.aborted.refused_at and report.aborted.retry_after is None:
            # in a thread of its own: this one must stay open to signals
            with self.sync_driver(max_runtime=min(2 * self.account.timeout, ends - time.monotonic())) as driver:
                for abort in driver.run_all([next_reset(self.account, report.aborted)], 1):
                    report.aborted = abort or report.aborted
        return report

    def sync_driver(
        self, *, share: float = 1.0, max_runtime: float = math.inf, out_of_time: Abort = OUT_OF_RUNTIME
    ) -> SyncDriver:
        """A context manager that performs flows in threads.

        :param share: part of the account's quota that it may use, in (0, 1].
        :param max_runtime: seconds after which everything ends.
        :param out_of_time: why, for what has no answer then.
        :raises RuntimeError: on an event loop, which would be blocked.
        """
        from airflow_provider_hubchan.client.sync_driver import SyncDriver  # parsing a DAG file does not need requests

        if _on_a_running_loop():
            raise RuntimeError("This call would block the event loop: use aget_message or aupdate_message_status there.")
        limiter, tokens = shared_state(self.account, mask)
        deadline = time.monotonic() + max_runtime
        self._driver = driver = SyncDriver(
            self.account, limiter, tokens, self.retry, share=share, deadline=deadline, out_of_time=out_of_time
        )
        if self._stopped:  # the stop came before there was anything to stop
            driver.abort(STOPPED)
        return driver

    async def async_driver(
        self, *, share: float = 1.0, max_runtime: float = math.inf, out_of_time: Abort = OUT_OF_RUNTIME
    ) -> AsyncDriver:
        """An asynchronous context manager that performs flows on this event loop.

        :param share: part of the account's quota that it may use, in (0, 1].
        :param max_runtime: seconds after which everything ends, reading the connection included.
        :param out_of_time: why, for what has no answer then.
        """
        deadline = time.monotonic() + max_runtime
        await self._read_account()
        driver_class = await _async_driver_class()
        limiter, tokens = shared_state(self.account, mask)
        return driver_class(self.account, limiter, tokens, self.retry, share=share, deadline=deadline, out_of_time=out_of_time)

    async def _read_account(self) -> None:
        """Read the connection on an event loop, once for all hooks that need it at the same time: each reading waits for the
        supervisor in one of the few threads that all triggers share.
        """
        if "account" in vars(self):
            return
        key = (asyncio.get_running_loop(), self.hubchan_conn_id)
        if key not in _reading:
            # Before Airflow 3.3.2 even aget_connection waits for the supervisor on the loop, which on 3.2 may never end.
            reading = _reading[key] = asyncio.ensure_future(asyncio.to_thread(self._open_account, needs_channel=False))
            reading.add_done_callback(lambda _: _reading.pop(key, None))
        self.account = await asyncio.shield(_reading[key])  # one who is cancelled does not end it for the others

    def _open_account(self, *, needs_channel: bool) -> Account:
        return open_account(self._find_connection(), self.log, needs_channel=needs_channel)

    def _find_connection(self) -> Connection:
        try:
            return self.get_connection(self.hubchan_conn_id)
        except AirflowNotFoundException as error:
            if reason := why_not_found(self.hubchan_conn_id):
                raise reason from error
            raise

    def _fetch(self, request: Request) -> dict[str, Any]:
        with self.sync_driver() as driver:
            return driver.run(fetch(self.account, request, self.retry))

    def _get_request(self, message_id: str, channel_id: str | None) -> Request:
        update = read_update(message_id, "READ", None)  # the id is checked as that of an update is
        channel = self.resolve_channel(channel_id)  # before the account: its error names a missing channel, too
        return endpoints.get_message(self.account, channel, update.message_id)

    def _update_request(self, message_id: str, status: StatusName, error_message: str | None, channel: str) -> Request:
        return endpoints.update_message(self.account, channel, read_update(message_id, status, error_message))


async def _async_driver_class() -> type[AsyncDriver]:
    """The driver, imported when it is first needed: most tasks need no ``aiohttp``. In another thread, because that takes a
    quarter of a second, in which an event loop would stand still; also for those who come while it is being imported.
    """
    name = "airflow_provider_hubchan.client.async_driver"
    module = sys.modules.get(name)
    if not hasattr(module, "AsyncDriver"):
        module = await asyncio.to_thread(import_module, name)
    driver_class: type[AsyncDriver] = module.AsyncDriver  # type: ignore[union-attr]
    return driver_class


def mask(secret: str) -> None:
    """Give a secret to Airflow's masker; on an event loop in another thread, because the supervisor's answer would block it."""
    if _on_a_running_loop():
        masking = asyncio.ensure_future(asyncio.to_thread(mask_secret, secret))
        _masking.add(masking)  # a task that nothing refers to may be collected
        masking.add_done_callback(_masking.discard)
    else:
        mask_secret(secret)


def _on_a_running_loop() -> bool:
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False
