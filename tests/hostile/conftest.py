"""The cases of a table are run before its first test, many at the same time: most of each is waiting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.hostile.cases import Case
from tests.hostile.runs import DRIVERS, Run, ended, run_in_parallel


@pytest.fixture(scope="module")
def run_of(request: pytest.FixtureRequest) -> Callable[[Case, str], Run]:
    """The run of a case with a driver, of those that were chosen to be tested."""
    chosen: dict[tuple[str, str], Callable[[], Run]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec"):
            case, drive = item.callspec.params.get("case"), str(item.callspec.params.get("drive"))
            if isinstance(case, Case):
                chosen[case.name, drive] = partial(DRIVERS[drive], case)
    futures = run_in_parallel(chosen)
    return lambda case, drive: ended(futures[case.name, drive])
