"""A limit of time for a coroutine, the same on every Python."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class TimeIsOver(Exception):
    """A coroutine had not ended in time, and was cancelled."""


async def run_in_time(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    """Await *coroutine*; cancel it after so many *seconds*.

    ``asyncio.timeout`` does the same from Python 3.11. ``asyncio.wait_for`` can lose a cancellation in 3.10 and 3.11
    (bpo-37658), and raises an error that the coroutine may raise, too.

    :return: what it returns.
    :raises TimeIsOver: if it had not ended by then. It has ended now: its ``finally`` blocks have run.
    """
    task = asyncio.create_task(coroutine)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        if is_late := not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if is_late:
        raise TimeIsOver
    return task.result()
