"""Waiting for what another thread or process does."""

from __future__ import annotations

import threading
from collections.abc import Callable


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread brings about; half a minute is long enough for any machine."""
    for _ in range(3000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise TimeoutError("it did not come about in half a minute")
