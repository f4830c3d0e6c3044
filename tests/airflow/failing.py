"""What a backend of Airflow's may raise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Unreadable(Exception):
    """An error whose text raises another one."""

    def __str__(self) -> str:
        raise RuntimeError("there is no text")


class Failing:
    """An object whose every use raises an error.

    :param error: the error.
    """

    def __init__(self, error: BaseException) -> None:
        object.__setattr__(self, "error", error)

    def _fail(self, *_: object, **__: object) -> Any:
        raise object.__getattribute__(self, "error")

    __call__ = __getattr__ = __setattr__ = __getitem__ = __enter__ = __bool__ = _fail

    def __iter__(self) -> Iterator[Any]:
        return iter((self._fail(),))


#: Errors of a backend, by a word for each.
ERRORS: dict[str, Exception] = {
    "lost": ConnectionError("the server is away"),
    "lines": ValueError("one\nERROR two\x1b[31m" + "x" * 10_000),
    "unreadable": Unreadable(),
    "deep": RecursionError("maximum recursion depth exceeded"),
    "half": OSError("half a character: \ud83d"),
}
