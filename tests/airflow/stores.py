"""Airflow's task state store, and what may lie in it."""

from __future__ import annotations

from typing import Any


class Store(dict[str, Any]):
    """Airflow's task state store; with an *error* it is away.

    :ivar calls: what it was asked for, in order.
    """

    error: Exception | None = None

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.calls = list[str]()

    @property
    def writes(self) -> int:
        """How often something was stored or deleted."""
        return len(self.calls) - self.calls.count("get")

    def get(self, key: str, default: Any = None) -> Any:
        self._call("get")
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._call("set")
        self[key] = value

    def delete(self, key: str) -> None:
        self._call("delete")
        self.pop(key, None)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.error:
            raise self.error


def deep() -> list[Any]:
    """A list in a list, and so on: no recursive function gets to its end."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested
