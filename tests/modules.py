"""The modules of the package, the emulator's apart, and the errors that they define."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from airflow_provider_hubchan.client.errors import HubchanError
from tests.paths import ROOT
from tests.versions import SINCE_3_3

PACKAGE = "airflow_provider_hubchan"
SOURCE = ROOT / PACKAGE


def modules() -> Iterator[tuple[str, Path]]:
    """Each module of the package, by its name within it, with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield ".".join(path.relative_to(SOURCE).with_suffix("").parts), path


#: All but the emulator's.
OURS = [(name, path) for name, path in modules() if not name.startswith("emulator") and not name.endswith("__init__")]
#: Those that this Airflow can import: without retry policies it cannot import ours.
IMPORTABLE = [name for name, _ in OURS if SINCE_3_3 or name != "retries"]


def errors() -> list[type[HubchanError]]:
    """The base of all errors and every class of the package that is derived from it, whatever was imported before."""
    for name in IMPORTABLE:
        import_module(f"{PACKAGE}.{name}")
    return [error for error in _with_derived(HubchanError) if error.__module__.startswith(f"{PACKAGE}.")]


def _with_derived(error: type[HubchanError]) -> Iterator[type[HubchanError]]:
    yield error
    for derived in error.__subclasses__():
        yield from _with_derived(derived)
