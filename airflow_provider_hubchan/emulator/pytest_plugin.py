"""The emulator as pytest fixtures; a failed test reports what it saw. Opt in from your topmost ``conftest.py``:

pytest_plugins = ["airflow_provider_hubchan.emulator.pytest_plugin"]
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from airflow_provider_hubchan.emulator.model.settings import Settings
from airflow_provider_hubchan.emulator.server import Emulator

MARKERS = (
    "hubspot_emulator(**settings, tls=, allowed_hosts=, webhook=, messages=, faults=): what the fixture hubspot_emulator "
    "begins with",
    "hubchan_connection(conn_id, **extra): what the fixture hubchan_connection sets up",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def hubspot_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A fresh emulator, without a rate limit unless one is set. The connection ``hubchan_default`` leads to it.

    Its marker, or an indirect parameter, sets fields of `Settings`, and beside them *tls*, *allowed_hosts* and *webhook* of
    `Emulator`, *messages* (how many, or their ids) and *faults* (a list, or a YAML or JSON file).
    """
    settings = _arguments(request)
    messages, faults = settings.pop("messages", 0), settings.pop("faults", ())
    begins = {name: settings.pop(name) for name in ("tls", "allowed_hosts", "webhook") if name in settings}
    Settings().change(**settings)  # names everything that is wrong
    with Emulator(**begins, **({} if "plan" in settings else {"limit": 0}) | settings) as emulator:
        # The port may have been an earlier test's. What is cached by address and login must not be found again.
        emulator.refresh_token = f"refresh-{uuid.uuid4()}"
        emulator.reset()
        ids = (f"message-{number}" for number in range(1, messages + 1)) if isinstance(messages, int) else messages
        emulator.world.seed(ids)
        emulator.faults(faults)
        with emulator.as_connection():
            yield emulator


@pytest.fixture
def hubchan_connection(request: pytest.FixtureRequest, hubspot_emulator: Emulator) -> Iterator[str]:
    """The id of a connection that leads to `hubspot_emulator`, ``hubchan_default`` unless another is given.

    Its marker, or an indirect parameter, gives the id, and as keywords more of the connection's extras.
    """
    arguments = _arguments(request, "conn_id")
    conn_id = arguments.pop("conn_id", "hubchan_default")
    with hubspot_emulator.as_connection(conn_id, **arguments):
        yield conn_id


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test reports what each emulator among its fixtures saw, whichever fixture made it."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {}).values()
        for emulator in {id(each): each for each in fixtures if isinstance(each, Emulator)}.values():
            report.sections.append((f"HubSpot emulator at {emulator.url}", emulator.seen()))
    return report


def _arguments(request: pytest.FixtureRequest, positional: str | None = None) -> dict[str, Any]:
    """The arguments of a fixture: of the markers with its name, the nearest last, and then of its indirect parameter.

    :param positional: the name of the one argument that may be given by position, None for none.
    """
    arguments: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(str(request.fixturename)))):
        arguments |= marker.kwargs | _by_name(marker.args, positional)
    parameter = getattr(request, "param", {})
    return arguments | (parameter if isinstance(parameter, dict) else _by_name((parameter,), positional))


def _by_name(arguments: tuple[Any, ...], name: str | None) -> dict[str, Any]:
    if arguments and name is None:
        raise TypeError(f"settings are given by name, like limit=100; given was {arguments[0]!r}")
    return {str(name): arguments[0]} if arguments else {}
