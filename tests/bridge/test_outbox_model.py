"""The outbox in every order of events: workers that are killed between any two steps, callbacks that come in any order,
and twice, a clock that jumps, against a gateway that knows its keys.
"""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from hubspot_bridge.outbox import Outbox
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.webhooks import NOW, stored

WORKERS = st.integers(0, 2)
MESSAGES = ["a", "b", "c", "d", "e", "f", "refuse-1", "refuse-2"]
NUMBERS = st.integers(0, 7)  # one of those that there are
WORDS = st.sampled_from(["undelivered", "delivered", "read", "sent"])
SECONDS = 60.0


class Worker:
    """What a worker has in its memory, and what is lost with it.

    :ivar lease: the name of its lease.
    :ivar todo: messages that it has still to hand over.
    :ivar answer: a message and the gateway's answer that is not noted yet: its id there, or None for a refusal.
    """

    def __init__(self, lease: str = "", todo: list[str] | None = None) -> None:
        self.lease, self.todo = lease, todo or []
        self.answer: tuple[str, str | None] | None = None


class OutboxMachine(RuleBasedStateMachine):
    """Three workers, eight messages, a gateway, and HubSpot."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.added: set[str] = set()
        self.at_gateway: dict[str, str] = {}
        self.leases: dict[str, tuple[str, float]] = {}  # by message: who has it, until when
        self.workers = [Worker(), Worker(), Worker()]
        self.ranks: dict[str, int] = {}  # of the highest word that the gateway has said
        self.shown: dict[str, str] = {}  # what HubSpot shows

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.outbox = Outbox(f"sqlite:///{self.folder.name}/outbox.db", TWILIO)
        with self.outbox.engine.connect() as connection:  # the only one: no power fails here
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        for message in MESSAGES[1:]:
            self.webhook(message)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["message_id"]: row for row in self.outbox.all()}

    @rule(message=st.sampled_from(MESSAGES[:2]))
    def webhook(self, message: str) -> None:
        assert self.outbox.add(stored(message)) == (message not in self.added)
        self.added.add(message)
        self.shown.setdefault(message, "SENT")

    @rule(seconds=st.sampled_from([SECONDS, SECONDS - 1, -10.0]))
    def clock(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=WORKERS, limit=st.sampled_from([3, 1]), is_answered=st.booleans())
    def start(self, number: int, limit: int, is_answered: bool) -> None:
        """A worker leases, and hands over its first message; it takes the place of one that is killed, if there is one."""
        lease, messages = self.outbox.lease(limit, self.now, SECONDS)
        for message in messages:
            _, until = self.leases.get(message.message_id, ("", self.now))
            assert until <= self.now, "somebody else has it"
            self.leases[message.message_id] = lease, self.now + SECONDS
        self.workers[number] = Worker(lease, [message.message_id for message in messages])
        self.go_on(number, is_answered)

    @rule(number=WORKERS, is_answered=st.booleans())
    def go_on(self, number: int, is_answered: bool) -> None:
        """The gateway takes the next message, under its key; the answer may be lost on the way."""
        worker = self.workers[number]
        if not worker.todo or worker.answer:
            return
        message = worker.todo.pop(0)
        gateway_id = None if "refuse" in message else self.at_gateway.setdefault(message, f"SM{len(self.at_gateway)}")
        if is_answered:
            worker.answer = message, gateway_id
        else:
            assert self.outbox.note_failed(worker.lease, message) == self.holds(worker, message)

    @rule(number=WORKERS)
    def note(self, number: int) -> None:
        worker = self.workers[number]
        if not worker.answer:
            return
        message, gateway_id = worker.answer
        worker.answer, before, holds = None, self.rows[message], self.holds(worker, message)
        if gateway_id:
            assert self.outbox.note_accepted(worker.lease, message, gateway_id, self.now) == holds
        else:
            assert self.outbox.note_refused(worker.lease, message, "failed", "21211") == holds
        if holds:
            self.leases[message] = "", float("inf")  # nobody gets it again
        else:
            assert self.rows[message] == before, "who has lost the lease changes nothing"

    @rule(number=WORKERS)
    def end(self, number: int) -> None:
        """A worker comes to its end, and gives back what is left."""
        worker, self.workers[number] = self.workers[number], Worker()
        self.outbox.release(worker.lease)
        self.leases = {message: held for message, held in self.leases.items() if held[0] != worker.lease or not held[0]}

    @rule(number=NUMBERS, word=WORDS)
    def callback(self, number: int, word: str) -> None:
        """Before the answer is noted or after it, twice, and in any order."""
        if self.at_gateway:
            self.say(sorted(self.at_gateway)[number % len(self.at_gateway)], word)

    def say(self, message: str, word: str) -> None:
        before = self.rows[message]["gateway_word"]
        assert self.outbox.note_word(message, word)
        rank, highest = {"read": 2, "delivered": 1, "undelivered": 1}.get(word, 0), self.ranks.get(message, 0)
        assert self.rows[message]["gateway_word"] == (word if rank >= highest else before)
        self.ranks[message] = max(rank, highest)

    @rule(is_noted=st.booleans(), number=NUMBERS, word=WORDS)
    def mark(self, is_noted: bool, number: int, word: str) -> None:
        """HubSpot is told what was listed; a callback for one of these comes meanwhile, and the note may be lost."""
        listed = self.outbox.unmarked(10)
        called_back = [row["message_id"] for row in listed if row["message_id"] in self.at_gateway]
        if called_back:
            self.say(called_back[number % len(called_back)], word)
        for row in listed:
            self.shown[row["message_id"]] = str(TWILIO[row["status"]])
        if is_noted:
            self.outbox.note_marked(listed, {})

    @invariant()
    def what_is_confirmed_is_there(self) -> None:
        if hasattr(self, "outbox"):
            rows = self.rows
            assert rows.keys() == self.added
            for message, row in rows.items():
                if row["state"] == "handed_over":
                    assert row["gateway_id"] == self.at_gateway[message]

    def teardown(self) -> None:
        """All workers are dead; one that lives delivers everything, and HubSpot shows what the gateway says."""
        if not hasattr(self, "outbox"):
            return
        lease, messages = self.outbox.lease(10, self.now + 10_000, SECONDS)
        for each in messages:
            if "refuse" in each.message_id:
                assert self.outbox.note_refused(lease, each.message_id, "failed", "21211")
            else:
                gateway_id = self.at_gateway.setdefault(each.message_id, f"SM{len(self.at_gateway)}")
                assert self.outbox.note_accepted(lease, each.message_id, gateway_id, self.now)
        self.what_is_confirmed_is_there()
        self.mark(True, 0, "sent")
        assert self.outbox.unmarked(10) == []
        for message, row in self.rows.items():
            assert row["state"] == ("refused" if "refuse" in message else "handed_over")
            assert self.shown[message] == (TWILIO[row["gateway_word"]] if row["gateway_word"] else None) or "SENT"
        self.outbox.__exit__()
        self.folder.cleanup()

    def holds(self, worker: Worker, message: str) -> bool:
        """Whether the outbox should take a note of this worker about the message."""
        return self.leases.get(message, ("", 0.0))[0] == worker.lease != ""


@pytest.mark.slow
def test_nothing_is_lost_in_any_order_of_events() -> None:
    """Nor delivered under two ids, nor changed by who has lost the lease; at the end HubSpot shows what the gateway says."""
    limits = settings(max_examples=80, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(OutboxMachine, settings=limits)
