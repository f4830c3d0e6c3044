"""HubSpot's custom-channels API: decide what to send, send it, keep the rate limit, authenticate. No Airflow, no batches.

Some names were documented under other modules before. `_MOVED` keeps these paths importable.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

#: The modules that were, and where each documented name of theirs is now.
_MOVED = {
    "account": {"Account": ("client.models", "Account")},
    "patience": {"Patience": ("client.flow", "RetryConfig")},
    "report": {"BatchIncomplete": ("batch.report", "BatchIncomplete"), "Report": ("batch.report", "Report")},
    "watch": {"WatchFailed": ("client.errors", "StatusPollFailed")},
}


class _MovedModule(ModuleType):
    """Stands for a module that was; what it had is imported when it is asked for."""

    def __init__(self, name: str, names: dict[str, tuple[str, str]]) -> None:
        super().__init__(f"{__name__}.{name}", "Its names have moved.")
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, new_name = self._names[name]
        return getattr(import_module(f"{__name__.rpartition('.')[0]}.{module}"), new_name)


for _name, _names in _MOVED.items():
    sys.modules[f"{__name__}.{_name}"] = _MovedModule(_name, _names)
