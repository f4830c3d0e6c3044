"""How faults become one text, and which numbers are durations."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_provider_hubchan.validation import (
    WrongArguments,
    columns_faults,
    join_faults,
    message_statuses_faults,
    path_check,
    seconds_faults,
    statuses_faults,
    store_check,
)


@pytest.mark.parametrize("size", [80, 300, 1400])
@pytest.mark.parametrize(
    "faults",
    [["a; b; c"] * 5 + ["z" * 1500], ["z" * 1500], ["z" * 1500, "a; b"], ["a; b; c"] * 400, ["a; b" * 90, "c"] * 9],
    ids=["last is long", "one", "first is long", "many", "mixed"],
)
def test_faults_that_do_not_fit_are_counted(faults: list[str], size: int) -> None:
    """Whole faults as far as they fit, and how many there are beyond; a fault may hold the mark between two."""
    text = join_faults(faults, size)
    assert len(text) <= size
    shown, _, more = text.rpartition("; and ")
    left = int(more.removesuffix(" more").replace(",", "")) if shown else 0
    shown = shown or text
    count = len(faults) - left
    assert shown == "; ".join(faults[:count]) or (count == 1 and shown == faults[0][: len(shown) - 1] + "…")


@pytest.mark.parametrize("seconds", [10**400, 1e300, 2**63, float("inf"), float("nan"), "5", True, None, -1])
def test_what_cannot_be_waited_for_is_no_duration(seconds: Any) -> None:
    """Numbers that overflow where they are added to a time are refused by name, however long they are."""
    (fault,) = seconds_faults(max_wait=seconds)
    assert fault.startswith("max_wait is ")
    assert len(fault) < 200


@pytest.mark.parametrize("seconds", [0, 0.5, 26 * 3600, 100 * 365 * 24 * 3600])
def test_durations_end_at_a_hundred_years(seconds: float) -> None:
    """Longer than any batch."""
    assert seconds_faults(max_wait=seconds) == []


def test_wrong_arguments_can_be_pickled() -> None:
    """Airflow sends exceptions from one process to another."""
    error = WrongArguments("Wrong arguments", ["one", "two"])
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.faults) == (str(error), error.faults)


@pytest.mark.parametrize("path", ["id,status\nm-1,SENT\n" * 300, "a\0b", "x" * 5000], ids=["content", "NUL", "long"])
def test_content_is_no_path(path: str) -> None:
    """It is named in a few characters: it is data, and would fill the log."""
    (fault,) = path_check("messages_file").faults(path)
    assert fault.endswith("give the path, not the content")
    assert len(fault) < 200


@pytest.mark.parametrize(
    ("uri", "package"), [("nope" * 400 + "://x", "the fsspec package of that file system"), ("gs://x/y", "google")]
)
def test_a_store_that_nothing_opens_is_named_shortly(uri: str, package: str) -> None:
    """With the package for it, if that is a common one."""
    (fault,) = store_check("report_file").faults(uri)
    assert package in fault
    assert len(fault) < 500


def test_what_nothing_renders_is_no_template() -> None:
    """A column of that name there would never be."""
    assert "it is no template" in columns_faults({"message_id": "{{ params.column }}"})[0]
    assert "it is no template" in statuses_faults({"{{ params.word }}": "SENT"})[0]
    assert message_statuses_faults("statuses", {"READ": 1}, least=1)
