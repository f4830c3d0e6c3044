"""Exceptions cross processes: each of the package is pickled and copied with its text and its fields."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_hubchan.batch.json_objects import DuplicateKeyError
from airflow_provider_hubchan.batch.report import BatchIncomplete, Report
from airflow_provider_hubchan.client.actions import STOPPED, Aborted
from airflow_provider_hubchan.client.errors import (
    BadConnection,
    BadInput,
    BadRow,
    BadRows,
    CallFailed,
    HubchanError,
    Problem,
    StatusPollFailed,
    UnknownConnection,
)
from airflow_provider_hubchan.client.models import Outcome
from airflow_provider_hubchan.client.picklable_error import PicklableError
from airflow_provider_hubchan.client.reply_bounds import ReplyTooLarge
from airflow_provider_hubchan.client.time_limit import TimeIsOver
from airflow_provider_hubchan.emulator.api.http import ApiError, Response
from airflow_provider_hubchan.emulator.asgi import BodyTooLarge
from airflow_provider_hubchan.emulator.origin_check import OriginError
from airflow_provider_hubchan.file_formats import FormatError
from airflow_provider_hubchan.report_file import _PlaceTakenError
from airflow_provider_hubchan.sensors import CannotPollError
from airflow_provider_hubchan.validation import WrongArguments
from tests.modules import PACKAGE, modules
from tests.versions import SINCE_3_3

PROBLEM = Problem("HubSpot answered 403: no. Grant the scope.", "403", 403, "MISSING_SCOPES", "c-1")
REPORT = Report(report_file="left.jsonl", aborted=STOPPED)
REPORT.add(Outcome(BadRow(1, "message_id is missing"), "rejected", PROBLEM))

#: One of each class of the package, with all its fields.
EXAMPLES: list[Exception] = [
    PicklableError("no"),
    HubchanError("no"),
    BadInput("messages is a float"),
    BadRows([BadRow(row, "message_id is missing", "no message_id", "", '{"a": 1}') for row in (1, 2, 7)], 9, "1"),
    BadConnection("hubspot", ["the timeout is -1", "the host is missing"]),
    CallFailed(PROBLEM, permanent=True, retry_after=7.5),
    StatusPollFailed("2 of 3 messages will not be READ"),
    BatchIncomplete("3 rows left", REPORT, 18_720.0),
    Aborted(STOPPED),
    WrongArguments("Wrong arguments of task 'mark'", ["status is 'sent'", "deferrable is 'yes'"]),
    CannotPollError("Connection 'hubspot' is not defined"),
    DuplicateKeyError("'message_id'"),
    UnknownConnection("hubspot"),
    TimeIsOver(),
    ReplyTooLarge(),
    FormatError("it is a ZIP archive: unpack it"),
    ApiError(Response(404, {"message": "no"})),
    OriginError(403, "no"),
    BodyTooLarge(),
    _PlaceTakenError("is a folder now"),
]


def pickled(error: Any, protocol: int) -> Any:
    """What another process gets."""
    return pickle.loads(pickle.dumps(error, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    **{f"protocol {number}": partial(pickled, protocol=number) for number in range(pickle.HIGHEST_PROTOCOL + 1)},
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def exception_classes() -> set[type[BaseException]]:
    """Every exception class that a module of the package defines."""
    found = set[type[BaseException]]()
    for name, path in modules():
        if path.name in ("__init__.py", "__main__.py") or (name == "retries" and not SINCE_3_3):
            continue
        module = import_module(f"{PACKAGE}.{name}")
        classes = (value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__)
        found.update(value for value in classes if issubclass(value, BaseException))
    return found


def test_every_exception_of_the_package_is_tried() -> None:
    """A new class has to be added to the examples."""
    assert {type(error) for error in EXAMPLES} == exception_classes()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_exception_keeps_its_text_and_fields(error: Exception, way: Callable[[Any], Any]) -> None:
    """As a task on another machine, or a process pool, gives it back."""
    again = way(error)
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


class CustomerLost(BatchIncomplete):
    """An error of a user's own, which takes what it likes."""

    def __init__(self, *, customer: str) -> None:
        super().__init__(f"the batch of {customer} is incomplete", REPORT)
        self.customer = customer


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_derived_class_with_arguments_of_its_own_keeps_its_fields(way: Callable[[Any], Any]) -> None:
    """Users derive from ours without a thought of pickling."""
    error = CustomerLost(customer="ada")
    error.__dict__["__notes__"] = ["while marking"]  # as Python 3.11 and later keep notes
    again = way(error)
    assert (type(again), str(again), again.customer) == (CustomerLost, "the batch of ada is incomplete", "ada")
    assert vars(again) == vars(error)
