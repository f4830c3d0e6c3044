"""The outbox in every order of events: workers that are killed between any two steps, callbacks that come in any order,
and twice, a clock that jumps, against a gateway that knows its keys.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hubspot_bridge.outbox import Outbox

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.webhooks import NOW, stored

MESSAGES = ["a", "b", "c", "d", "e", "f", "refuse-1", "refuse-2"]
WORDS = ["undelivered", "delivered", "read", "sent"]
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


class Play:
    """Three workers, eight messages, a gateway, and HubSpot; what happens next is drawn."""

    def __init__(self, outbox: Outbox, draw: random.Random) -> None:
        self.outbox, self.draw = outbox, draw
        self.now = NOW
        self.added: set[str] = set()
        self.at_gateway: dict[str, str] = {}
        self.leases: dict[str, tuple[str, float]] = {}  # by message: who has it, until when
        self.workers = [Worker(), Worker(), Worker()]
        self.ranks: dict[str, int] = {}  # of the highest word that the gateway has said
        self.shown: dict[str, str] = {}  # what HubSpot shows
        for message in MESSAGES[1:]:
            self.webhook(message)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["message_id"]: row for row in self.outbox.all()}

    def webhook(self, message: str = MESSAGES[0]) -> None:
        """A message that is new, or comes again."""
        assert self.outbox.add(stored(message)) == (message not in self.added)
        self.added.add(message)
        self.shown.setdefault(message, "SENT")

    def start(self) -> None:
        """A minute later, or when the clock was set back, a worker leases, and hands over a message; it takes the place of one
        that is killed, if there is one.
        """
        self.now += self.draw.choice([SECONDS, 0.0, -10.0])
        lease, messages = self.outbox.lease(3, self.now, SECONDS)
        for message in messages:
            _, until = self.leases.get(message.message_id, ("", self.now))
            assert until <= self.now, "somebody else has it"
            self.leases[message.message_id] = lease, self.now + SECONDS
        self.workers[self.draw.randrange(3)] = Worker(lease, [message.message_id for message in messages])
        self.go_on()

    def go_on(self) -> None:
        """The gateway takes the next message of a worker, under its key; the answer may be lost on the way."""
        ready = [each for each in self.workers if each.todo and not each.answer]
        if not ready:
            return
        worker = self.draw.choice(ready)
        message = worker.todo.pop(0)
        gateway_id = None if "refuse" in message else self.at_gateway.setdefault(message, f"SM{len(self.at_gateway)}")
        if self.draw.random() < 0.3:
            assert self.outbox.note_failed(worker.lease, message) == self.holds(worker, message)
        else:
            worker.answer = message, gateway_id

    def note(self) -> None:
        """A worker notes its answer, in time or not."""
        answered = [each for each in self.workers if each.answer]
        if not answered:
            return
        worker = self.draw.choice(answered)
        assert worker.answer
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

    def end(self) -> None:
        """A worker comes to its end, and gives back what is left."""
        number = self.draw.randrange(3)
        worker, self.workers[number] = self.workers[number], Worker()
        self.outbox.release(worker.lease)
        self.leases = {message: held for message, held in self.leases.items() if held[0] != worker.lease or not held[0]}

    def callback(self) -> None:
        """Before the answer is noted or after it, twice, and in any order."""
        self.say(list(self.at_gateway))

    def say(self, messages: list[str]) -> None:
        """The gateway says something about one of these messages."""
        if not messages:
            return
        message, word = self.draw.choice(messages), self.draw.choice(WORDS)
        before = self.rows[message]["gateway_word"]
        assert self.outbox.note_word(message, word)
        rank, highest = {"read": 2, "delivered": 1, "undelivered": 1}.get(word, 0), self.ranks.get(message, 0)
        assert self.rows[message]["gateway_word"] == (word if rank >= highest else before)
        self.ranks[message] = max(rank, highest)

    def mark(self, is_noted: bool | None = None) -> None:
        """HubSpot is told what was listed; a callback for one of these comes meanwhile, and the note may be lost."""
        listed = self.outbox.unmarked(10)
        if is_noted is None:
            self.say([row["message_id"] for row in listed if row["message_id"] in self.at_gateway])
        for row in listed:
            self.shown[row["message_id"]] = str(TWILIO[row["status"]])
        if is_noted or self.draw.random() < 0.5:
            self.outbox.note_marked(listed, {})

    def check(self) -> None:
        """What is confirmed is there, and what has been handed over is known by the gateway's id."""
        rows = self.rows
        assert rows.keys() == self.added
        for message, row in rows.items():
            if row["state"] == "handed_over":
                assert row["gateway_id"] == self.at_gateway[message]

    def finish(self) -> None:
        """All workers are dead; one that lives delivers everything, and HubSpot shows what the gateway says."""
        lease, messages = self.outbox.lease(10, self.now + 10_000, SECONDS)
        for each in messages:
            if "refuse" in each.message_id:
                assert self.outbox.note_refused(lease, each.message_id, "failed", "21211")
            else:
                gateway_id = self.at_gateway.setdefault(each.message_id, f"SM{len(self.at_gateway)}")
                assert self.outbox.note_accepted(lease, each.message_id, gateway_id, self.now)
        self.check()
        self.mark(is_noted=True)
        assert self.outbox.unmarked(10) == []
        for message, row in self.rows.items():
            assert row["state"] == ("refused" if "refuse" in message else "handed_over")
            assert self.shown[message] == (TWILIO.get(row["gateway_word"]) or "SENT")

    def holds(self, worker: Worker, message: str) -> bool:
        """Whether the outbox should take a note of this worker about the message."""
        return self.leases.get(message, ("", 0.0))[0] == worker.lease != ""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_in_any_order_of_events(outbox: Outbox, seed: int) -> None:
    """Nor delivered under two ids, nor changed by who has lost the lease; at the end HubSpot shows what the gateway says."""
    play = Play(outbox, random.Random(seed))
    for _ in range(60):
        happens = (play.webhook, play.start, play.go_on, play.note, play.note, play.end, play.callback, play.mark)
        play.draw.choice(happens)()
        play.check()
    play.finish()
