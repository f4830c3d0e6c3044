"""HubSpot's custom-channels API: decide what to send, send it, keep the rate limit, authenticate. No Airflow, no batches.

Some names were documented under other modules before. `_MOVED` keeps these paths importable.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: The former modules, and where each documented name of theirs is now.
_MOVED = {
    "account": {"Account": ("client.models", "Account")},
    "patience": {"Patience": ("client.flow", "RetryConfig")},
    "report": {"BatchIncomplete": ("batch.report", "BatchIncomplete"), "Report": ("batch.report", "Report")},
    "watch": {"WatchFailed": ("client.errors", "StatusPollFailed")},
}


class _MovedModule(ModuleType):
    """A former module: its names are imported from where they are now."""

    def __init__(self, name: str, names: dict[str, tuple[str, str]]) -> None:
        super().__init__(f"{__name__}.{name}", "Its names have moved.")
        self.__spec__ = ModuleSpec(self.__name__, None)
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, new_name = self._names[name]
        return getattr(import_module(f"{__name__.rpartition('.')[0]}.{module}"), new_name)


for _name, _names in _MOVED.items():
    _module = _MovedModule(_name, _names)
    sys.modules[_module.__name__] = globals()[_name] = _module
