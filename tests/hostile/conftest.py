"""The cases of a table are run a little ahead of their tests, many at the same time: most of each is waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest

from tests.hostile.runs import AT_ONCE, MAX_SECONDS, ended, start
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def run_of(request: pytest.FixtureRequest) -> Iterator[Callable[[Any, str], Any]]:
    """The run of a case with one of the module's ``DRIVERS``. Tests name them ``case`` and ``drive``. In the end no thread of
    a batch is left.
    """
    chosen: dict[tuple[str, str], Any] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec"):
            case: Any = item.callspec.params.get("case")
            drive = str(item.callspec.params.get("drive"))
            if case is not None:
                chosen[case.name, drive] = case
    order = list(chosen)
    positions = {key: position for position, key in enumerate(order)}
    started: dict[tuple[str, str], Future[Any]] = {}

    def run_of(case: Any, drive: str) -> Any:
        position = positions[case.name, drive]
        for key in order[position : position + AT_ONCE]:
            if key not in started:
                started[key] = start(request.module.DRIVERS[key[1]], chosen[key])
        return ended(started[case.name, drive])

    yield run_of
    wait(started.values(), MAX_SECONDS)
    wait_until(lambda: [thread.name for thread in threading.enumerate() if thread.name.startswith("hubchan-")] == [])
