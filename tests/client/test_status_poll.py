"""What a wait makes of HubSpot's answers."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_hubchan.client.actions import Halt, Lost, Reply
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.status_poll import Watch, WatchFailed, Wish
from tests.client.canned import play, reply

NOW = 1000.0


def message(status: Any) -> Reply:
    return reply(200, {"id": "m", "status": status})


def looked(watch: Watch, *answers: Reply | Lost) -> Watch:
    """A look, with one answer for each open message."""
    for story, answer in zip(list(watch.look(Account(), "7", NOW)), answers, strict=True):
        play(story, answer)
    return watch


@pytest.mark.parametrize(
    ("said", "there"),
    [
        (message({"statusType": "SENT"}), True),
        (message({"statusType": "READ"}), True),
        (message({"statusType": "SOON"}), False),
        (message({}), False),
        (message("SENT"), False),
        (message(None), False),
        (reply(200, {"id": "m"}), False),
    ],
    ids=["SENT", "READ", "a new one", "no type", "a text", "null", "none"],
)
def test_a_message_is_there_when_hubspot_says_so(said: Reply, there: bool) -> None:
    """A status is optional in HubSpot's schema: none means none yet."""
    watch = looked(Watch(["m"], Wish()), said)
    watch.check()
    assert (watch.is_done, watch.open) == (there, [] if there else ["m"])


def test_only_open_messages_are_asked_for() -> None:
    """One look after the other."""
    watch = looked(Watch(["a", "b", "a"], Wish(("READ",))), message({"statusType": "READ"}), message({"statusType": "SENT"}))
    assert watch.open == ["b"]
    looked(watch, message({"statusType": "READ"}))
    assert watch.is_done
    assert (watch.result(), watch.counts()) == ({"a": "READ", "b": "READ"}, {"READ": 2, "messages": 2})


def test_a_part_is_enough_where_a_part_is_asked_for() -> None:
    """Two of three."""
    watch = looked(Watch(["a", "b", "c"], Wish(), needed=2), message({"statusType": "SENT"}), message({}), message({}))
    assert not watch.is_done
    looked(watch, message({"statusType": "READ"}), message({}))
    assert watch.is_done


FAILED = {"statusType": "FAILED", "failureDetails": {"errorMessage": "30003: gone"}}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (message(FAILED), "m: FAILED, 30003: gone"),
        (message({"statusType": "FAILED"}), "m: FAILED, and HubSpot gives no reason"),
        (message({"statusType": "RECEIVED"}), "m: it is an incoming message, RECEIVED"),
        (reply(404, {"message": "no"}), "m: HubSpot answered 404: no."),
        (reply(400, {"message": "no"}), "m: HubSpot answered 400: no."),
        (reply(403, {"message": "no"}), "m: HubSpot answered 403: no."),
    ],
)
def test_a_wait_that_is_of_no_use_fails(said: Reply, why: str) -> None:
    """With what HubSpot says of the message."""
    with pytest.raises(WatchFailed, match="1 of 2 messages will not be SENT or READ") as caught:
        looked(Watch(["m", "n"], Wish()), said, message({"statusType": "SENT"})).check()
    assert why in str(caught.value)


def test_a_refusal_of_everything_is_said_once() -> None:
    """Not twenty times."""
    halt = Halt(Problem("HubSpot answered 403: no. Grant the scope.", "403"), permanent=True)
    with pytest.raises(WatchFailed, match=r"^HubSpot answered 403: no\. Grant the scope\.$"):
        Watch(["a", "b"], Wish()).check(halt)


@pytest.mark.parametrize("wish", [Wish(fail_on=()), Wish(("FAILED",))])
def test_failed_may_be_waited_for_or_left_alone(wish: Wish) -> None:
    """Who waits for FAILED finds it; who fails on nothing waits on."""
    watch = looked(Watch(["m"], wish), message(FAILED))
    watch.check()
    assert watch.is_done == ("FAILED" in wish.statuses)


def test_an_unknown_message_may_be_young() -> None:
    """Until the grace is over."""
    watch = looked(Watch(["m"], Wish(), unknown_until=NOW + 1), reply(404, {}))
    watch.check()
    assert "1 got no answer: not known yet" in str(watch)


@pytest.mark.parametrize("said", [reply(429, {"policyName": "DAILY"}), reply(477, b"", Retry_After="7200")])
def test_what_passes_is_not_yet(said: Reply) -> None:
    """A closed account opens again."""
    watch = looked(Watch(["m"], Wish()), said)
    watch.check()
    assert (watch.is_done, watch.troubles.total()) == (False, 1)


def test_what_was_seen_goes_through_any_store() -> None:
    """Wanted statuses are known again; others may have changed."""
    watch = looked(Watch(["a", "b", "c"], Wish(("READ",), ())), message({"statusType": "READ"}), message(FAILED), message({}))
    again = Watch(["a", "b", "c"], Wish(("READ",)))
    again.recall(watch.seen())
    assert (again.statuses, again.open) == ({"a": "READ"}, ["b", "c"])
    with pytest.raises(ValueError, match="3 statuses for 2 messages"):
        Watch(["a", "b"], Wish()).recall(watch.seen())
    with pytest.raises(ValueError, match=r"\w"):
        again.recall("no base64!")


def test_an_error_names_twenty() -> None:
    """And counts the others."""
    watch = Watch([f"m-{number}" for number in range(30)], Wish())
    looked(watch, *[message(FAILED)] * 30)
    with pytest.raises(WatchFailed, match="; and 10 more"):
        watch.check()
