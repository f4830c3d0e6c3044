"""A batch over several days, played in virtual time: a daily quota, messages that HubSpot refuses, a worker that is killed."""

from __future__ import annotations

import random
from collections import Counter

from airflow_provider_hubchan.batch.dead_letters import NullSink
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions, run_batch
from airflow_provider_hubchan.client.actions import Request, Response
from tests.batch.in_memory import MemoryStore
from tests.batch.played import Clock, PlayedDriver
from tests.client.canned import refusal, reply

#: Seconds of a request: about nineteen in a second.
SECONDS = 1 / 19


class Killed(BaseException):
    """The process is gone."""


class Account:
    """HubSpot for one account: a daily quota, and messages that it refuses, at random.

    :param daily: requests a day.
    :param rejected: part of the messages that are refused.
    :param store: of the task, whose worker is killed after *kill_after* requests.
    """

    def __init__(self, daily: int, rejected: float, store: MemoryStore) -> None:
        self._daily, self._rejected, self._store = daily, rejected, store
        self.left, self.kill_after = daily, -1
        self.sent = Counter[str]()

    def answer(self, request: Request) -> Response:
        if not self.left:
            return reply(429, {"message": "You have reached your daily limit.", "policyName": "DAILY"})
        self.left -= 1
        self.kill_after -= 1
        message_id = request.url.rpartition("/")[2]
        self.sent[message_id] += 1
        if self.kill_after == 0:
            self._store.frozen = True
            raise Killed
        if is_refused(message_id, self._rejected):
            return refusal(400)
        return reply(200, {"id": message_id, "status": {"statusType": "READ"}})

    def next_day(self) -> None:
        self.left = self._daily


def is_refused(message_id: str, rejected: float) -> bool:
    """True for a part of the messages, at random and always the same."""
    return random.Random(message_id).random() < rejected


def play(account: Account, store: MemoryStore, rows: list[str], clock: Clock, lines: list[str]) -> Report:
    """One try; its report is empty if the worker is killed."""
    report, driver = Report(), PlayedDriver(clock, account.answer, SECONDS, random.Random(7))
    store.frozen = False
    try:
        run_batch(
            driver,  # type: ignore[arg-type]
            "100200",
            rows,
            BatchOptions(status="READ", max_rejected=1.0),
            dead_letters=NullSink(),
            checkpoints=store,
            report=report,
            log=lines.append,
            warn=lines.append,
            clock=clock,
        )
    except Killed:
        return Report()
    return report
