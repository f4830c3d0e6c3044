"""The local HubSpot as pytest fixtures, and what it saw in the report of a red test. Opt in from your top ``conftest.py``:

pytest_plugins = ["airflow_provider_hubchan.emulator.fixture"]
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.settings import Settings

MARKERS = (
    "hubspot_emulator(**settings, tls=, messages=, faults=): what the fixture hubspot_emulator begins with",
    "hubchan_connection(conn_id, **extra): what the fixture hubchan_connection sets up",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def hubspot_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A fresh HubSpot, without a limit unless one is asked for. The connection ``hubchan_default`` leads to it.

    Its marker, or an indirect parameter, chooses `Settings`, and beside them *tls*, *messages* (so many, or ids) and *faults*
    (a list, or a YAML or JSON file).
    """
    asked = _asked(request)
    messages, faults, tls = asked.pop("messages", 0), asked.pop("faults", ()), asked.pop("tls", False)
    Settings().change(**asked)  # names everything that is wrong
    with Emulator(tls=tls, **({} if "plan" in asked else {"limit": 0}) | asked) as emulator:
        # The port may be an earlier test's. Who remembers tokens and quotas by address and login must not find them again.
        emulator.refresh_token = f"refresh-{uuid.uuid4()}"
        emulator.reset()
        ids = (f"message-{number}" for number in range(1, messages + 1)) if isinstance(messages, int) else messages
        emulator.world.seed(ids)
        emulator.faults(faults)
        with emulator.as_connection():
            yield emulator


@pytest.fixture
def hubchan_connection(request: pytest.FixtureRequest, hubspot_emulator: Emulator) -> Iterator[str]:
    """The id of a connection that leads to `hubspot_emulator`, ``hubchan_default`` unless another is asked for.

    Its marker, or an indirect parameter, gives the id, and as keywords more of the connection's extras.
    """
    asked = _asked(request, "conn_id")
    conn_id = asked.pop("conn_id", "hubchan_default")
    with hubspot_emulator.as_connection(conn_id, **asked):
        yield conn_id


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A red test says what each emulator among its fixtures saw, whichever fixture made it."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {}).values()
        for emulator in {id(each): each for each in fixtures if isinstance(each, Emulator)}.values():
            report.sections.append((f"HubSpot emulator at {emulator.url}", emulator.seen()))
    return report


def _asked(request: pytest.FixtureRequest, positional: str | None = None) -> dict[str, Any]:
    """What the markers with the fixture's name say, the nearest last, and then its indirect parameter."""
    asked: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(str(request.fixturename)))):
        asked |= marker.kwargs | _first(marker.args, positional)
    parameter = getattr(request, "param", {})
    return asked | (parameter if isinstance(parameter, dict) else _first((parameter,), positional))


def _first(arguments: tuple[Any, ...], name: str | None) -> dict[str, Any]:
    if arguments and name is None:
        raise TypeError(f"settings are given by name, like limit=100; given was {arguments[0]!r}")
    return {str(name): arguments[0]} if arguments else {}
