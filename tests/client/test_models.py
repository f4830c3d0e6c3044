"""The statuses of a message, and what is derived from them."""

from __future__ import annotations

from enum import Enum, EnumMeta
from typing import Any, get_args

import pytest

from airflow_provider_hubchan.client import status_poll
from airflow_provider_hubchan.client.models import (
    DELIVERED_STATUSES,
    FAILURE_STATUSES,
    WRITABLE,
    Account,
    MessageStatus,
    StatusName,
)
from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from tests.client.canned import reply, run_flow

Definition = tuple[str, str, int, bool, bool]
SENT: Definition = ("SENT", "S", 0, True, False)


def define_statuses(**members: Any) -> list[Any]:
    """The members of an enum that is made as `MessageStatus` is: that one has members, so it cannot be extended."""
    namespace = EnumMeta.__prepare__("Statuses", (str, Enum))
    namespace["__new__"] = vars(MessageStatus)["__new_member__"]
    for name, definition in members.items():
        namespace[name] = definition
    return list(EnumMeta("Statuses", (str, Enum), namespace))


def test_every_status_has_a_code_of_its_own() -> None:
    """A snapshot has one character for each message, and one of them means that there is no status."""
    codes = [*(status.code for status in MessageStatus), status_poll._NO_STATUS]
    assert all(len(code) == 1 for code in codes)
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("code", ["", "GO", "S"], ids=["no code", "two characters", "the code of SENT"])
def test_a_status_without_a_code_of_its_own_cannot_be_defined(code: str) -> None:
    """The class is not made, so that no snapshot can lose a message's status."""
    with pytest.raises(ValueError, match="GONE needs a code of one character that no other status has"):
        define_statuses(SENT=SENT, GONE=("GONE", code, 0, True, False))


def test_a_status_with_a_code_of_its_own_can_be_defined() -> None:
    """The error above is of the code alone."""
    assert define_statuses(SENT=SENT, GONE=("GONE", "G", 0, True, False)) == ["SENT", "GONE"]


def test_the_literal_for_type_checkers_has_the_writable_statuses() -> None:
    """A type cannot be derived from the enum, so it is written down a second time."""
    assert get_args(StatusName) == tuple(status.value for status in WRITABLE)


def test_a_writable_status_says_whether_the_message_was_delivered() -> None:
    """Each of them is on one side."""
    assert sorted([*DELIVERED_STATUSES, *FAILURE_STATUSES]) == sorted(status.value for status in WRITABLE)


@pytest.mark.parametrize("status", WRITABLE)
def test_a_snapshot_keeps_every_status_that_can_be_waited_for(status: MessageStatus) -> None:
    """A message that has arrived is not asked for again after a restart, also with a status that is added later."""
    target = Target((status.value,), fail_on=())
    poll = StatusPoll(["m", "n"], target)
    responses = reply(200, {"id": "m", "status": {"statusType": status.value}}), reply(200, {"id": "n"})
    for flow, response in zip(list(poll.poll(Account(), "7", 0.0)), responses, strict=True):
        run_flow(flow, response)
    restored = StatusPoll(["m", "n"], target)
    restored.restore(poll.snapshot())
    assert (restored.statuses, restored.open) == ({"m": status.value}, ["n"])


def test_a_snapshot_keeps_all_writable_statuses_at_once() -> None:
    """Their codes are not mixed up."""
    names = tuple(status.value for status in WRITABLE)
    poll = StatusPoll(names, Target(names, fail_on=()))
    for flow, name in zip(list(poll.poll(Account(), "7", 0.0)), names, strict=True):
        run_flow(flow, reply(200, {"id": name, "status": {"statusType": name}}))
    restored = StatusPoll(names, poll.target)
    restored.restore(poll.snapshot())
    assert restored.statuses == {name: name for name in names}
