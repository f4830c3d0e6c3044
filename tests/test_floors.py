"""Who may import whom: a module imports only from floors below its own, and each floor knows only what it may know."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.modules import OURS, PACKAGE, SOURCE, modules

#: Floor of each module. Those at half floors stand on a driver, or on a neighbour of their whole floor.
FLOORS = {
    "operators": 7.0,
    "sensors": 7.0,
    "triggers": 6.0,
    "hooks": 5.0,
    "rows": 5.0,
    "instances": 5.0,
    "reportfile": 5.0,
    "progress": 5.0,
    "verdict": 5.0,
    "arguments": 6.5,
    "waiting": 6.5,
    "links": 5.0,
    "lineage": 5.5,
    "assets": 4.6,
    "telemetry": 4.9,
    "retries": 6.0,
    "notifications": 6.0,
    "callbacks": 5.5,
    "decorators": 7.5,
    "drivers": 4.8,
    "connection": 4.5,
    "client.batch": 4.5,
    "client.blocking": 4.0,
    "client.aio": 4.0,
    "client.delivery": 3.0,
    "client.checkup": 4.5,
    "client.report": 3.0,
    "client.journal": 3.5,
    "client.checkpoint": 3.5,
    "client.renewal": 3.5,
    "client.advice": 3.5,
    "client.recall": 4.0,
    "client.watch": 3.5,
    "client.sessions": 3.0,
    "client.shared": 3.0,
    "client.wire": 2.0,
    "client.calls": 2.0,
    "client.sheet": 2.0,
    "client.marks": 2.0,
    "client.letter": 2.0,
    "client.token": 2.0,
    "client.status": 1.0,
    "client.pace": 1.0,
    "client.claim": 0.0,
    "client.lanes": 0.0,
    "client.clock": 0.0,
    "client.crew": 0.0,
    "client.patience": 1.0,
    "client.steps": 1.0,
    "client.replies": 1.0,
    "client.errors": 0.0,
    "client.account": 0.0,
}
#: What a floor may import beside the standard library and the floors below.
MAY_IMPORT = {
    "operators": {"airflow", "pendulum"},
    "waiting": {"airflow", "pendulum"},
    "links": {"airflow"},
    "arguments": {"airflow"},
    "assets": {"airflow"},
    "lineage": {"airflow", "attrs"},
    "telemetry": {"airflow", "opentelemetry"},
    "retries": {"airflow"},
    "notifications": {"airflow"},
    "callbacks": {"airflow"},
    "decorators": {"airflow"},
    "sensors": {"airflow"},
    "triggers": {"airflow"},
    "reportfile": {"airflow"},
    "progress": {"airflow"},
    "verdict": {"airflow"},
    "hooks": {"airflow"},
    "rows": {"airflow"},
    "instances": {"airflow"},
    "connection": {"airflow"},
    "drivers": {"airflow"},
    "client.aio": {"aiohttp", "yarl"},
    "client.sessions": {"requests", "urllib3"},
    "client.journal": {"pendulum"},
    "client.renewal": {"pendulum"},
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; a name taken from our packages counts as that module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            base = str(node.module)
            names = {f"{base}.{alias.name}" for alias in node.names}
            of_ours = {name for name in names if (SOURCE.parent / Path(*name.split("."))).with_suffix(".py").exists()}
            found |= of_ours or {base}
    return found


def test_every_module_has_a_floor() -> None:
    """A new module gets its place in the picture before it gets code."""
    assert {name for name, _ in OURS} == set(FLOORS)


@pytest.mark.parametrize(("name", "path"), OURS, ids=[name for name, _ in OURS])
def test_a_module_imports_only_from_below(name: str, path: Path) -> None:
    """The walk goes down once and comes up once."""
    for imported in imports(path):
        first = imported.split(".")[0]
        if first == PACKAGE:
            below = imported.removeprefix(PACKAGE).removeprefix(".")
            assert not below or FLOORS[below] < FLOORS[name], f"{name} imports {imported}"
        elif first not in sys.stdlib_module_names:
            assert first in MAY_IMPORT.get(name, set()), f"{name} imports {imported}"


def test_the_package_itself_imports_nothing() -> None:
    """Every Airflow process reads it for the provider's info."""
    assert imports(SOURCE / "__init__.py") == set()


def test_the_emulator_stands_apart() -> None:
    """It imports nothing of ours, and nothing of ours imports it: one mistake must not agree with itself."""
    for name, path in modules():
        of_ours = {imported for imported in imports(path) if imported.startswith(PACKAGE)}
        of_emulator = {imported for imported in of_ours if imported.startswith(f"{PACKAGE}.emulator")}
        assert of_ours == of_emulator if name.startswith("emulator") else not of_emulator, name
