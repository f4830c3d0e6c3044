"""The notifier as Airflow calls it: in threads as a task does, on an event loop as the triggerer does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.triggers.callback import CallbackTrigger

from airflow_provider_hubchan.notifications import MessageStatusNotifier

PATH = "airflow_provider_hubchan.notifications.MessageStatusNotifier"


def on_a_loop(context: dict[str, Any], **arguments: Any) -> list[Any]:
    """Call the notifier as the triggerer does for a deadline."""

    async def run() -> list[Any]:
        return [event.payload async for event in CallbackTrigger(PATH, {**arguments, "context": context}).run()]

    return asyncio.run(run())


def in_threads(context: dict[str, Any], **arguments: Any) -> None:
    """Call the notifier as a task does."""
    MessageStatusNotifier(**arguments)(context)


BOTH = pytest.mark.parametrize("call", [in_threads, on_a_loop])
Call = Callable[..., Any]
