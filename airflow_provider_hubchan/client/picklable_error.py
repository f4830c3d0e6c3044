"""Exceptions that cross processes: a process pool, an executor or a copy gives them back as they were."""

from __future__ import annotations

import copyreg
from typing import Any


class PicklableError(Exception):
    """The base of the exceptions of this provider whose ``__init__`` takes something else than their text."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Build it again from its text and its fields, without ``__init__``, to which an exception's own way gives the text."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]
