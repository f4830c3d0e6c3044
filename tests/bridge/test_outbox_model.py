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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.webhooks import NOW, stored

WORKERS = st.integers(0, 2)
MESSAGES = st.sampled_from(["a", "b", "c", "refused"])
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
    """Three workers, four messages, a gateway, and HubSpot."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.added: set[str] = set()
        self.at_gateway: dict[str, str] = {}
        self.leases: dict[str, tuple[str, float]] = {}  # by message: who has it, until when
        self.workers = [Worker(), Worker(), Worker()]
        self.ranks: dict[str, int] = {}  # of the highest word that the gateway has said
        self.listed: list[dict[str, str]] = []
        self.shown: dict[str, str] = {}  # what HubSpot shows

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.outbox = Outbox(f"sqlite:///{self.folder.name}/outbox.db", TWILIO)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["message_id"]: row for row in self.outbox.all()}

    @rule(message=MESSAGES)
    def webhook(self, message: str) -> None:
        assert self.outbox.add(stored(message)) == (message not in self.added)
        self.added.add(message)
        self.shown.setdefault(message, "SENT")

    @rule(seconds=st.sampled_from([1.0, SECONDS - 1, SECONDS, -10.0]))
    def clock(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=WORKERS, limit=st.integers(1, 3))
    def lease(self, number: int, limit: int) -> None:
        """Also in place of a worker that had a lease: it was killed before."""
        lease, messages = self.outbox.lease(limit, self.now, SECONDS)
        for message in messages:
            _, until = self.leases.get(message.message_id, ("", self.now))
            assert until <= self.now, "somebody else has it"
            self.leases[message.message_id] = lease, self.now + SECONDS
        self.workers[number] = Worker(lease, [message.message_id for message in messages])

    @precondition(lambda self: any(each.todo and not each.answer for each in self.workers))
    @rule(data=st.data(), is_answered=st.booleans())
    def hand_over(self, data: st.DataObject, is_answered: bool) -> None:
        """The gateway takes it, under its key; the answer may be lost on the way."""
        worker = data.draw(st.sampled_from([each for each in self.workers if each.todo and not each.answer]))
        message = worker.todo.pop(0)
        gateway_id = None if message == "refused" else self.at_gateway.setdefault(message, f"SM{len(self.at_gateway)}")
        if is_answered:
            worker.answer = message, gateway_id
        else:
            assert self.outbox.note_failed(worker.lease, message) == self.holds(worker, message)

    @precondition(lambda self: any(each.answer for each in self.workers))
    @rule(data=st.data())
    def note(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from([each for each in self.workers if each.answer]))
        message, gateway_id = worker.answer
        worker.answer, before, holds = None, self.rows[message], self.holds(worker, message)
        if gateway_id:
            assert self.outbox.note_accepted(worker.lease, message, gateway_id, self.now) == holds
        else:
            assert self.outbox.note_refused(worker.lease, message, "failed", "21211") == holds
        if holds:
            del self.leases[message]
            self.leases[message] = "", float("inf")  # nobody gets it again
        else:
            assert self.rows[message] == before, "who has lost the lease changes nothing"

    @rule(number=WORKERS)
    def end(self, number: int) -> None:
        """A worker comes to its end, and gives back what is left."""
        worker, self.workers[number] = self.workers[number], Worker()
        self.outbox.release(worker.lease)
        self.leases = {message: held for message, held in self.leases.items() if held[0] != worker.lease or not held[0]}

    @precondition(lambda self: self.at_gateway)
    @rule(data=st.data(), word=st.sampled_from(["queued", "sent", "undelivered", "delivered", "read"]))
    def callback(self, data: st.DataObject, word: str) -> None:
        """Before the answer is noted or after it, twice, and in any order."""
        message = data.draw(st.sampled_from(sorted(self.at_gateway)))
        before = self.rows[message]["gateway_word"]
        assert self.outbox.note_word(message, word)
        rank, highest = {"read": 2, "delivered": 1, "undelivered": 1}.get(word, 0), self.ranks.get(message, 0)
        assert self.rows[message]["gateway_word"] == (word if rank >= highest else before)
        self.ranks[message] = max(rank, highest)

    @rule()
    def list_unmarked(self) -> None:
        self.listed = self.outbox.unmarked(10)

    @rule(is_noted=st.booleans())
    def mark(self, is_noted: bool) -> None:
        """HubSpot is told what was listed, however old that is; the note of it may be lost."""
        for row in self.listed:
            self.shown[row["message_id"]] = str(TWILIO[row["status"]])
        if is_noted:
            self.outbox.note_marked(self.listed, {})

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
        lease, messages = self.outbox.lease(10, self.now + 1000, SECONDS)
        for message in messages:
            if message.message_id == "refused":
                self.outbox.note_refused(lease, "refused", "failed", "21211")
            else:
                gateway_id = self.at_gateway.setdefault(message.message_id, f"SM{len(self.at_gateway)}")
                assert self.outbox.note_accepted(lease, message.message_id, gateway_id, self.now)
        self.what_is_confirmed_is_there()
        for _ in range(2):  # the second time is for what had changed when a mark was not noted
            self.list_unmarked()
            self.mark(True)
        assert self.outbox.unmarked(10) == []
        for message, row in self.rows.items():
            assert row["state"] == ("refused" if message == "refused" else "handed_over")
            assert self.shown[message] == (TWILIO[row["gateway_word"]] if row["gateway_word"] else None) or "SENT"
        self.outbox.__exit__()
        self.folder.cleanup()

    def holds(self, worker: Worker, message: str) -> bool:
        """Whether the outbox should take a note of this worker about the message."""
        return self.leases.get(message, ("", 0.0))[0] == worker.lease != ""


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestOutbox.pytestmark = [pytest.mark.slow]
