"""Waits that end: each has a limit of its own, and all together have one."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds for everything, and between two looks.
TOTAL, LOOK = 570.0, 0.2
BEGAN = time.monotonic()
#: Set to end all waits.
ENOUGH = threading.Event()


class TooLate(Exception):
    """Something did not happen within its time."""


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
    end = min(time.monotonic() + seconds, BEGAN + TOTAL)
    while not (seen := look()):
        if time.monotonic() >= end:
            raise TooLate(f"{what}: not within {seconds:.0f} s" if end < BEGAN + TOTAL else f"{what}: no time left for it")
        if ENOUGH.wait(every):
            raise TooLate(f"{what}: not waited for any longer")
    return seen
