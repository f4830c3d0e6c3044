"""Our own bookkeeping: metrics, traces, lineage, XCom, progress. What fails there never changes what became of a batch."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from airflow_provider_hubchan.client.error_texts import format_error, readable


class best_effort:  # noqa: N801  # like contextlib.suppress
    """Do what may fail without harm: an error in the block ends the block, is logged as one line, and goes no further.

    What is not an `Exception` passes: Airflow's timeout, a deferral, a signal.

    :param warn: takes the line, such as ``log.warning``.
    :param failure: what could not be done, and after a semicolon what follows from it.
    """

    def __init__(self, warn: Callable[[str], object], failure: str) -> None:
        self._warn, self._failure = warn, failure

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """End, without the error if there is one."""
        if not isinstance(error, Exception):
            return False
        self._warn(readable(f"{self._failure} ({format_error(error)})."))
        return True
