"""Which values count as numbers, for settings, faults and control calls (a bool is not a number, though Python has it so), and
how a number of things is written.
"""

from __future__ import annotations

import math
from typing import Any


def is_number(value: Any, least: float = 0.0) -> bool:
    """True for an int or float that is finite and at least *least*."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < math.inf


def is_count(value: Any, least: int = 0) -> bool:
    """True for an int that is at least *least*."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def count_of(number: int, noun: str) -> str:
    """A number and what is counted: ``1 message``, ``2,000 messages``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
