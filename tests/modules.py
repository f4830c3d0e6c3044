"""The modules of the package, the emulator's apart, and the errors that they define."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_provider_hubchan.client.errors import HubchanError
from tests.paths import ROOT

PACKAGE = "airflow_provider_hubchan"
SOURCE = ROOT / PACKAGE


def modules() -> Iterator[tuple[str, Path]]:
    """Each module of the package, by its name within it, with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield ".".join(path.relative_to(SOURCE).with_suffix("").parts), path


OURS = [(name, path) for name, path in modules() if not name.startswith("emulator") and not name.endswith("__init__")]


def errors(of: type[HubchanError]) -> Iterator[type[HubchanError]]:
    """An error class and all that are derived from it."""
    yield of
    for derived in of.__subclasses__():
        yield from errors(derived)
