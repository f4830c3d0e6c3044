"""Waits that end: each has a limit of its own, and all together have one."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two looks.
LOOK = 0.2
BEGAN = time.monotonic()
#: Set to end all waits.
ENOUGH = threading.Event()


class _All:
    """What all waits have together."""

    end = BEGAN + 570.0


class TooLate(Exception):
    """Something did not happen within its time."""


def allow(seconds: float) -> None:
    """Let everything together take so many seconds, from the beginning."""
    _All.end = BEGAN + seconds


def say(text: str) -> None:
    """Tell on stderr how far it is."""
    sys.stderr.write(f"[{time.monotonic() - BEGAN:4.0f} s] {text}\n")  # at once: scenarios talk beside each other


def until(what: str, seconds: float, look: Callable[[], T | None], every: float = LOOK) -> T:
    """Look again and again until there is something to see, and give it.

    :param what: what is waited for, for the error.
    :param seconds: how long to wait at most.
    :param look: gives None, False or nothing while there is nothing to see.
    :param every: seconds between two looks.
    :raises TooLate: if there was nothing in time.
    """
    end = min(time.monotonic() + seconds, _All.end)
    while not (seen := look()):
        if time.monotonic() >= end:
            raise TooLate(f"{what}: not within {seconds:.0f} s" if end < _All.end else f"{what}: no time left for it")
        if ENOUGH.wait(every):
            raise TooLate(f"{what}: not waited for any longer")
    return seen
