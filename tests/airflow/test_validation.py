"""How faults become one text, and which numbers are durations."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_hubchan.validation import join_faults, seconds_faults


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
