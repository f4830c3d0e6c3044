"""Looking through the environment of a process in which other threads set and delete variables: other tasks' hooks, a debugger,
pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

#: How often it is looked through: a variable has to go in the same few microseconds each time.
MAX_ATTEMPTS = 100


def look_through(read: Callable[[], T]) -> T:
    """What *read* finds in ``os.environ``. It lists the names first and then asks for each value; if a variable has gone in
    between, it is asked again.

    :raises KeyError: each time another variable had gone.
    """
    for _ in range(MAX_ATTEMPTS - 1):
        with suppress(KeyError):
            return read()
    return read()
