"""The outbox: who has a message, what the gateway has said of it, and what HubSpot has been told.

On PostgreSQL: ``BRIDGE_TEST_URL=postgresql+psycopg2://… python -m pytest tests/bridge/test_outbox.py``.
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hubspot_bridge import outbox as outbox_module
from hubspot_bridge.outbox import ASK_AFTER, MESSAGES, Outbox
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

from airflow_provider_hubchan.gateways import TWILIO
from tests.bridge.leasing import lease_all
from tests.bridge.webhooks import NOW, stored


def fill(outbox: Outbox, *message_ids: str) -> None:
    for message_id in message_ids:
        outbox.add(stored(message_id))


def leased(outbox: Outbox, limit: int = 10, now: float = NOW) -> list[str]:
    return [message.message_id for message in outbox.lease(limit, now, 60)[1]]


def hand_over(outbox: Outbox, message_id: str, now: float = NOW) -> None:
    """Store a message, and have the gateway accept it."""
    outbox.add(stored(message_id))
    lease, _ = outbox.lease(1, now, 60)
    assert outbox.note_accepted(lease, message_id, f"SM-{message_id}", now)


def row(outbox: Outbox, message_id: str = "m-1") -> dict[str, Any]:
    (found,) = (each for each in outbox.all() if each["message_id"] == message_id)
    return found


def unmarked(outbox: Outbox) -> list[tuple[str, str]]:
    return [(each["message_id"], each["status"]) for each in outbox.unmarked(100)]


def test_a_message_is_stored_once(outbox: Outbox) -> None:
    """The second one is refused, and changes nothing."""
    assert outbox.add(stored("m-1", "first"))
    assert not outbox.add(stored("m-1", "second"))
    assert row(outbox)["text"] == "first"


def test_a_message_comes_out_as_it_went_in(outbox: Outbox) -> None:
    """Lists, too."""
    message = stored("m-1", "Grüße 😀")
    outbox.add(message)
    assert outbox.lease(1, NOW, 60)[1] == [message]


def test_the_oldest_are_leased_first(outbox: Outbox) -> None:
    """By the time at which the agent wrote them: webhooks may come in another order."""
    for message_id, second in (("a", 3), ("b", 1), ("c", 2)):
        outbox.add(stored(message_id, created_at=NOW + second))
    assert [leased(outbox, 2), leased(outbox, 2), leased(outbox, 2)] == [["b", "c"], ["a"], []]


def test_a_lease_ends(outbox: Outbox) -> None:
    """At its second, and not before: then somebody else gets the message."""
    fill(outbox, "m-1")
    assert leased(outbox) == ["m-1"]
    assert leased(outbox, now=NOW + 59.9) == []
    assert leased(outbox, now=NOW + 60) == ["m-1"]


def test_what_is_released_is_free_at_once(outbox: Outbox) -> None:
    """Of this lease, and only what has not been handed over."""
    fill(outbox, "m-1", "m-2", "m-3")
    lease, _ = outbox.lease(2, NOW, 60)
    leased(outbox)
    outbox.note_accepted(lease, "m-1", "SM1", NOW)
    outbox.release(lease)
    assert leased(outbox) == ["m-2"]


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(lambda outbox, lease: outbox.note_accepted(lease, "m-1", "SM1", NOW), id="accepted"),
        pytest.param(lambda outbox, lease: outbox.note_refused(lease, "m-1", "failed", "21211"), id="refused"),
    ],
)
def test_whose_lease_is_over_notes_nothing(outbox: Outbox, note: Callable[[Outbox, str], bool]) -> None:
    """A slow worker wakes up when another one has the message, or has handed it over."""
    fill(outbox, "m-1")
    slow, _ = outbox.lease(1, NOW, 60)
    other, _ = outbox.lease(1, NOW + 60, 60)
    assert not note(outbox, slow)
    assert row(outbox)["state"] == "leased"
    assert outbox.note_accepted(other, "m-1", "SM2", NOW)
    assert not note(outbox, slow)
    assert (row(outbox)["gateway_id"], row(outbox)["gateway_word"]) == ("SM2", None)
    outbox.release(slow)
    assert leased(outbox, now=NOW + 1000) == []


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "undelivered"])
def test_a_callback_outweighs_a_refusal(outbox: Outbox, word: str) -> None:
    """The gateway has the message, whoever handed it over first; what it refuses is to have it a second time."""
    fill(outbox, "m-1")
    outbox.lease(1, NOW, 60)  # handed over, and killed
    lease, _ = outbox.lease(1, NOW + 60, 60)
    outbox.note_word("m-1", word)
    assert not outbox.note_refused(lease, "m-1", "failed", "this key is used up")
    found = row(outbox)
    assert (found["state"], found["gateway_word"], found["gateway_error"]) == ("handed_over", word, None)


def test_an_outbox_that_is_there_is_opened_without_a_lock(outbox: Outbox, outbox_url: str) -> None:
    """PostgreSQL locks the whole table for CREATE INDEX IF NOT EXISTS: each task would wait for all who write, and the receiver
    for the task.
    """
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with Outbox(outbox_url, TWILIO) as again:
            assert again.add(stored("m-1"))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert statements
    assert not [each for each in statements if "CREATE" in each]


def test_several_may_create_the_outbox_at_once(outbox: Outbox, outbox_url: str) -> None:
    """The receiver and both DAGs start in the same second, and there is no table yet."""
    MESSAGES.drop(outbox.engine)
    with ThreadPoolExecutor(8) as pool:
        outboxes = list(pool.map(lambda _: Outbox(outbox_url, TWILIO), range(8)))
    assert [each.add(stored("m-1")) for each in outboxes] == [True] + 7 * [False]
    for each in outboxes:
        each.engine.dispose()


def test_what_the_table_refuses_is_not_taken_for_a_repetition(outbox: Outbox) -> None:
    """Another rule of the table than "each id once", such as a column that somebody has added: it is an error, or HubSpot would
    get 200 for a message that nobody has.
    """
    with pytest.raises(IntegrityError):
        outbox.add(replace(stored("m-1"), text=None))  # type: ignore[arg-type]
    assert outbox.all() == []


def pools() -> list[Any]:
    spawn = multiprocessing.get_context("spawn")
    return [
        pytest.param(lambda: ThreadPoolExecutor(4), id="threads"),
        pytest.param(lambda: ProcessPoolExecutor(2, mp_context=spawn), id="processes"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pool", pools())
def test_two_workers_never_lease_the_same_message(outbox: Outbox, outbox_url: str, pool: Callable[[], Any]) -> None:
    """All is leased, each message to one of them."""
    messages = [f"m-{number:03}" for number in range(150)]
    fill(outbox, *messages)
    with pool() as workers:
        shares = list(workers.map(lease_all, [outbox_url] * 4, [NOW] * 4))
    assert sorted(message_id for share in shares for message_id in share) == messages


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (["sent", "delivered"], "delivered"),
        (["delivered", "sent"], "delivered"),
        (["undelivered", "sent", "queued"], "undelivered"),
        (["read", "delivered", "sent"], "read"),
        (["delivered", "read"], "read"),
        (["undelivered", "delivered"], "delivered"),
        (["failed", "failed"], "failed"),
        (["undelivered", "read", "undelivered"], "read"),
    ],
)
def test_callbacks_come_in_any_order(outbox: Outbox, words: list[str], last: str) -> None:
    """What is not final changes no end, and nothing changes READ."""
    hand_over(outbox, "m-1")
    assert all(outbox.note_word("m-1", word) for word in words)
    assert row(outbox)["gateway_word"] == last


def test_a_callback_for_nobody_is_said_to_be_one(outbox: Outbox) -> None:
    """And a word that nobody knows is an error, not a status."""
    assert not outbox.note_word("m-1", "delivered")
    with pytest.raises(KeyError, match="exploded"):
        outbox.note_word("m-1", "exploded")


def test_a_callback_may_be_faster_than_the_note(outbox: Outbox) -> None:
    """The worker notes the gateway's id after it: what the callback said stays, and nobody asks for the message."""
    fill(outbox, "m-1")
    lease, _ = outbox.lease(1, NOW, 60)
    assert outbox.note_word("m-1", "undelivered", "30003")
    assert outbox.note_accepted(lease, "m-1", "SM1", NOW)
    found = row(outbox)
    assert (found["state"], found["gateway_id"], found["gateway_word"]) == ("handed_over", "SM1", "undelivered")
    assert outbox.without_end(NOW + 10 * ASK_AFTER, 10) == []


def test_only_what_hubspot_does_not_show_is_marked(outbox: Outbox) -> None:
    """A reply is SENT from the start: "delivered" is no news, unless HubSpot has been told FAILED before."""
    for message_id, word in (("a", "delivered"), ("b", "undelivered"), ("c", "read"), ("d", "sent")):
        hand_over(outbox, message_id)
        outbox.note_word(message_id, word, "30003: gone" if word == "undelivered" else "")
    assert outbox.unmarked(10) == [
        {"message_id": "b", "status": "undelivered", "error_message": "30003: gone"},
        {"message_id": "c", "status": "read"},
    ]
    assert len(outbox.unmarked(1)) == 1

    outbox.note_marked(outbox.unmarked(10), {})
    assert unmarked(outbox) == []
    outbox.note_word("b", "delivered")
    assert unmarked(outbox) == [("b", "delivered")]


def test_what_changes_while_it_is_marked_is_marked_again(outbox: Outbox) -> None:
    """HubSpot was told what was listed, and not what has come since."""
    hand_over(outbox, "m-1")
    outbox.note_word("m-1", "undelivered")
    rows = outbox.unmarked(10)
    outbox.note_word("m-1", "read")
    outbox.note_marked(rows, {})
    assert row(outbox)["marked_status"] == "FAILED"
    assert unmarked(outbox) == [("m-1", "read")]


@pytest.mark.parametrize("is_refused", [False, True])
def test_what_hubspot_may_have_been_told_is_corrected(outbox: Outbox, is_refused: bool) -> None:
    """FAILED was listed, and whoever marked was killed before it was noted: HubSpot may show FAILED, when it is "delivered"."""
    if is_refused:
        fill(outbox, "m-1")
        lease, _ = outbox.lease(1, NOW, 60)
        outbox.note_refused(lease, "m-1", "failed", "21211")  # a row of this run
    else:
        hand_over(outbox, "m-1")
        outbox.note_word("m-1", "undelivered")
        outbox.unmarked(10)
    outbox.note_word("m-1", "delivered")
    assert unmarked(outbox) == [("m-1", "delivered")]
    outbox.note_marked(outbox.unmarked(10), {})
    assert unmarked(outbox) == []


def test_what_hubspot_rejects_is_not_sent_again(outbox: Outbox) -> None:
    """Its reason stays for a person; the next status is sent, and clears it."""
    hand_over(outbox, "m-1")
    outbox.note_word("m-1", "undelivered")
    outbox.note_marked(outbox.unmarked(10), {"m-1": "HubSpot answered 404"})
    assert (unmarked(outbox), row(outbox)["marked_error"]) == ([], "HubSpot answered 404")
    (statement,) = re.findall(r"^    (UPDATE messages SET.+)", outbox_module.__doc__ or "", flags=re.MULTILINE)
    with outbox.engine.begin() as connection:
        connection.execute(text(statement))
    assert unmarked(outbox) == [("m-1", "undelivered")], "unless a person wants it"
    outbox.note_marked(outbox.unmarked(10), {"m-1": "HubSpot answered 404"})
    outbox.note_word("m-1", "read")
    outbox.note_marked(outbox.unmarked(10), {})
    assert (row(outbox)["marked_status"], row(outbox)["marked_error"]) == ("READ", None)


def test_words_of_others_fit_into_every_database(outbox: Outbox) -> None:
    """Half of an emoji and NUL are JSON, and may be in a form; a reason or an id may be of any length."""
    odd = "cut \ud83d\0off" + "x" * 10_000
    clean = "cut ?off" + "x" * 10_000
    outbox.add(replace(stored("m-1"), text=odd, channel_id=odd, channel_account_id=odd, recipients=(odd,), thread_ids=(odd,)))
    lease, (message,) = outbox.lease(1, NOW, 60)
    assert (message.text, message.channel_id, message.recipients) == (clean, clean, (odd,))
    assert outbox.note_accepted(lease, "m-1", odd, NOW)
    outbox.note_word("m-1", "undelivered", odd)
    outbox.note_marked(outbox.unmarked(1), {"m-1": odd})
    assert [row(outbox)[name] for name in ("gateway_id", "gateway_error", "marked_error")] == [clean] * 3


def test_the_gateway_is_asked_ever_more_rarely(outbox: Outbox) -> None:
    """A quarter of an hour after the message, and each time when it is twice as old; never once it has ended."""
    hand_over(outbox, "m-1")
    asked, now = [], NOW
    while now < NOW + 24 * 3600:
        if outbox.without_end(now, 10) == [("m-1", "SM-m-1")]:
            asked.append(now - NOW)
            outbox.ask_again("m-1", now)
        now += 60
    assert asked == [ASK_AFTER * 2**times for times in range(7)]
    assert outbox.note_word("m-1", "delivered")
    outbox.ask_again("m-1", now)
    assert outbox.without_end(NOW + 1e9, 10) == []


def test_every_word_of_the_gateway_has_its_place(outbox: Outbox) -> None:
    """Each of Twilio's can be noted, and those that stand for FAILED or READ are marked."""
    for word in TWILIO:
        hand_over(outbox, word)
        assert outbox.note_word(word, word)
    expected = {word for word, status in TWILIO.items() if status in ("FAILED", "READ")}
    assert {message_id for message_id, _ in unmarked(outbox)} == expected
