"""What HubSpot's responses mean for a wait."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_hubchan.client.actions import Abort, NoResponse, Response
from airflow_provider_hubchan.client.errors import CallFailed, Problem, StatusPollFailed
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.status_poll import Look, StatusPoll, Target
from tests.client.canned import refusal, reply, run_flow

NOW = 1000.0


def message(status: Any) -> Response:
    return reply(200, {"id": "m", "status": status})


def polled(poll: StatusPoll, *responses: Response | NoResponse) -> StatusPoll:
    """One poll, with one response for each open message."""
    for flow, response in zip(list(poll.poll(Account(), "7", NOW)), responses, strict=True):
        run_flow(flow, response)
    return poll


@pytest.mark.parametrize(
    ("response", "arrived"),
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
def test_a_message_has_arrived_when_hubspot_says_so(response: Response, arrived: bool) -> None:
    """A status is optional in HubSpot's schema: none means none yet."""
    poll = polled(StatusPoll(["m"], Target()), response)
    poll.check()
    assert (poll.is_done, poll.open) == (arrived, [] if arrived else ["m"])


def test_only_open_messages_are_asked_for() -> None:
    """One poll after the other: those that have arrived are left out."""
    poll = polled(
        StatusPoll(["a", "b", "a"], Target(("READ",))), message({"statusType": "READ"}), message({"statusType": "SENT"})
    )
    assert poll.open == ["b"]
    polled(poll, message({"statusType": "READ"}))
    assert poll.is_done
    assert (poll.result(), poll.counts()) == ({"a": "READ", "b": "READ"}, {"READ": 2, "messages": 2})


def test_a_part_is_enough_where_a_part_is_asked_for() -> None:
    """Two of three messages will do."""
    poll = polled(StatusPoll(["a", "b", "c"], Target(), needed=2), message({"statusType": "SENT"}), message({}), message({}))
    assert not poll.is_done
    polled(poll, message({"statusType": "READ"}), message({}))
    assert poll.is_done


FAILED = {"statusType": "FAILED", "failureDetails": {"errorMessage": "30003: gone"}}


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (message(FAILED), "m: FAILED, 30003: gone"),
        (message({"statusType": "FAILED"}), "m: FAILED, and HubSpot gives no reason"),
        (message({"statusType": "RECEIVED"}), "m: it is an incoming message, RECEIVED"),
        (reply(404, {"message": "no"}), "m: HubSpot answered 404: no."),
        (reply(400, {"message": "no"}), "m: HubSpot answered 400: no."),
        (reply(403, {"message": "no"}), "m: HubSpot answered 403: no."),
    ],
)
def test_a_wait_that_is_of_no_use_fails(response: Response, reason: str) -> None:
    """The error repeats what HubSpot says of the message."""
    with pytest.raises(StatusPollFailed, match="1 of 2 messages will not be SENT or READ") as caught:
        polled(StatusPoll(["m", "n"], Target()), response, message({"statusType": "SENT"})).check()
    assert reason in str(caught.value)


def test_a_refusal_of_everything_is_named_once() -> None:
    """One sentence stands for all messages, not one for each."""
    abort = Abort(Problem("HubSpot answered 403: no. Grant the scope.", "403"), permanent=True)
    with pytest.raises(CallFailed, match=r"^HubSpot answered 403: no\. Grant the scope\.$"):
        StatusPoll(["a", "b"], Target()).check(abort)


@pytest.mark.parametrize("target", [Target(fail_on=()), Target(("FAILED",))])
def test_failed_may_be_waited_for_or_left_alone(target: Target) -> None:
    """A wait for FAILED finds it, and a wait that fails on nothing goes on."""
    poll = polled(StatusPoll(["m"], target), message(FAILED))
    poll.check()
    assert poll.is_done == ("FAILED" in target.statuses)


def test_an_unknown_message_may_be_known_later() -> None:
    """A 404 is no failure until the grace is over."""
    poll = polled(StatusPoll(["m"], Target(), unknown_until=NOW + 1), refusal(404))
    poll.check()
    assert "1 got no answer: not found yet" in str(poll)


@pytest.mark.parametrize("response", [reply(429, {"policyName": "DAILY"}), reply(477, b"", Retry_After="7200")])
def test_a_transient_failure_is_not_yet(response: Response) -> None:
    """A used-up quota is reset, and a move of the account ends."""
    poll = polled(StatusPoll(["m"], Target()), response)
    poll.check()
    assert (poll.is_done, poll.unanswered.total()) == (False, 1)


def test_a_snapshot_restores_every_status() -> None:
    """Those that are not wanted may have changed since, so their messages are asked for again."""
    poll = polled(
        StatusPoll(["a", "b", "c"], Target(("READ",), ())), message({"statusType": "READ"}), message(FAILED), message({})
    )
    again = StatusPoll(["a", "b", "c"], Target(("READ",)))
    again.restore(poll.snapshot())
    assert (again.statuses, again.open) == ({"a": "READ", "b": "FAILED"}, ["b", "c"])
    with pytest.raises(ValueError, match="statuses of 3 messages, not of 2"):
        StatusPoll(["a", "b"], Target()).restore(poll.snapshot())
    with pytest.raises(ValueError, match=r"\w"):
        again.restore("no base64!")


def test_a_snapshot_has_the_statuses_that_are_not_known_here() -> None:
    """HubSpot may add one, and no mode of the sensor may lose it from its counts; from the eleventh on they have one name."""
    ids = [f"m-{number}" for number in range(12)]
    poll = polled(StatusPoll(ids, Target()), *(message({"statusType": f"NEW\n{number}"}) for number in range(12)))
    again = StatusPoll(ids, Target())
    again.restore(poll.snapshot())
    assert (again.counts(), again.result()) == (poll.counts(), poll.result())
    assert (again.counts()["NEW 9"], again.counts()["another status"]) == (1, 2)


def test_messages_that_arrived_before_are_counted() -> None:
    """A trigger asks for those that are open, and its log and its errors are about all."""
    poll = polled(StatusPoll(["a", "b"], Target(), needed=4, arrived=3), message({"statusType": "SENT"}), refusal(404))
    assert (poll.is_done, str(poll), poll.counts()["messages"]) == (True, "4 of 5 messages are SENT or READ", 5)
    with pytest.raises(StatusPollFailed, match="1 of 5 messages will not be SENT or READ"):
        poll.check()


@pytest.mark.parametrize(
    ("left", "look"),
    [
        (3600.0, Look(3600.0, is_last=False)),
        (1.0, Look(1.0, is_last=False)),
        (0.9, Look(600.0, is_last=True)),
        (-5.0, Look(600.0, is_last=True)),
    ],
)
def test_the_last_look_begins_when_the_time_is_over(left: float, look: Look) -> None:
    """One that had less than a second would be broken off, and know nothing; the others end with the time."""
    assert Look.at(NOW, NOW + left) == look


def test_an_error_names_twenty() -> None:
    """The others are counted."""
    poll = StatusPoll([f"m-{number}" for number in range(30)], Target())
    polled(poll, *[message(FAILED)] * 30)
    with pytest.raises(StatusPollFailed, match="; and 10 more"):
        poll.check()


LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    "answer",
    [
        {"statusType": 7},
        {"statusType": ["READ"]},
        {"statusType": {"statusType": "READ"}},
        {"statusType": True},
        {"statusType": ""},
        [],
        "READ",
        7,
    ],
    ids=["number", "list", "object", "true", "empty", "a list", "a text", "a number"],
)
def test_a_status_of_another_type_is_none(answer: Any) -> None:
    """HubSpot may answer with any JSON in any field."""
    poll = polled(StatusPoll(["m"], Target()), message(answer))
    poll.check()
    assert (poll.is_done, poll.counts(), poll.result()) == (False, {"messages": 1}, {})


def test_statuses_that_are_not_known_are_few_and_short() -> None:
    """They go into XCom and the log."""
    ids = [f"m-{number}" for number in range(100)]
    poll = StatusPoll(ids, Target())
    polled(poll, *(message({"statusType": f"{number}\n\x1b[31m{LONG}"}) for number in range(100)))
    poll.check()
    assert len(poll.counts()) == 12  # ten of them, one name for the others, and the number of messages
    assert poll.counts()["another status"] == 90
    assert all(name.isprintable() and len(name) <= 40 for name in poll.counts())
    assert poll.open == ids


@pytest.mark.parametrize(
    "details",
    [LONG, 7, ["gone"], {"a": 1}, None, " \n ", "gone\x1b[2J\nINFO fine\ud800"],
    ids=["long", "number", "list", "object", "null", "blank", "control characters"],
)
def test_the_reason_of_a_failed_message_is_one_short_line(details: Any) -> None:
    """Whatever HubSpot has in ``errorMessage``."""
    failed = {"statusType": "FAILED", "failureDetails": {"errorMessage": details}}
    with pytest.raises(StatusPollFailed) as caught:
        polled(StatusPoll(["m"], Target()), message(failed)).check()
    text = str(caught.value)
    assert text.startswith("1 of 1 message will not be SENT or READ (m: FAILED, ")
    assert text.isprintable()
    assert len(text) <= 700


def test_long_ids_make_no_long_texts() -> None:
    """An id may have a thousand characters: it is shortened where it is shown, and a result has fewer of them."""
    ids = [f"{number:01000d}" for number in range(500)]
    poll = polled(StatusPoll(ids, Target()), *[message(FAILED)] * 500)
    with pytest.raises(StatusPollFailed, match=r"500 of 500 messages will not be .* and \d+ more\)\.$") as caught:
        poll.check()
    assert len(str(caught.value)) <= 1500
    assert poll.result() == dict.fromkeys(ids[:100], "FAILED")
    assert len(json.dumps(poll.counts())) < 100


def test_words_of_hubspot_make_no_long_texts() -> None:
    """Category and correlation id as well."""
    answer = reply(400, {"message": LONG, "category": LONG, "correlationId": LONG})
    with pytest.raises(StatusPollFailed) as caught:
        polled(StatusPoll(["m", "n"], Target()), answer, answer).check()
    assert len(str(caught.value)) <= 1500
