"""A local HubSpot for demos and tests: `Emulator`, or ``python -m airflow_provider_hubchan.emulator``.

It writes HubSpot's contract down a second time and imports nothing of the rest of the package, so that a mistake in the client
is not repeated here and goes unnoticed.
"""

from __future__ import annotations

try:
    from airflow_provider_hubchan.emulator.server import Emulator
except ModuleNotFoundError as missing:
    package = str(missing.name).split(".")[0]
    raise ModuleNotFoundError(
        f"The emulator needs {package}: pip install 'airflow-provider-hubchan[emulator]'", name=package
    ) from missing

__all__ = ["Emulator"]
