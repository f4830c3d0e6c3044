"""A sensor outside a DAG run: in each of its three modes, from leg to leg."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timezone
from typing import Any, TypeVar

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_provider_hubchan.sensors import MessageStatusSensor
from airflow_provider_hubchan.triggers import MessageStatusTrigger
from tests.airflow.stores import Store

T = TypeVar("T")

IDS = [f"m-{number}" for number in range(10)]
MODES: dict[str, dict[str, Any]] = {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop on which a sleep of seconds takes a twentieth of its time: a trigger looks first after five seconds, and
    ends a few seconds sooner or later than others. Timeouts take as long as ever.
    """

    def call_later(  # type: ignore[override]  # its callback takes what it is given
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        is_sleep = getattr(callback, "__name__", "") == "_set_result_unless_cancelled"
        return super().call_later(delay / 20 if is_sleep and delay >= 1.0 else delay, callback, *args, context=context)


def run_hurried(main: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``, on a `HurriedLoop`."""
    loop = HurriedLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


class TaskInstance:
    """A task instance that keeps what is pushed."""

    try_number, max_tries = 1, 0

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.began = datetime.now(timezone.utc)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_first_reschedule_date(self, context: Any) -> datetime:
        return self.began


class SensorTask:
    """A sensor, and what Airflow does with it: each leg is a new object, as it is a new process."""

    def __init__(self, mode: str, **arguments: Any) -> None:
        self.arguments = {"message_ids": IDS, "statuses": ("READ",), "poke_interval": 0.05, "timeout": 60.0, **MODES[mode]}
        self.arguments |= arguments
        self.context: Any = {"ti": TaskInstance(), "task_state_store": Store()}

    def sensor(self) -> MessageStatusSensor:
        return MessageStatusSensor(task_id="wait", **self.arguments)

    def run(self) -> Any:
        """To the end."""
        leg: Any = lambda: self.sensor().execute(self.context)  # noqa: E731
        while True:
            try:
                return leg()
            except AirflowRescheduleException:
                continue
            except TaskDeferred as deferred:
                event = run_hurried(first_event(rebuilt(deferred.trigger)))
                leg = lambda event=event: self.resume(event)  # noqa: E731

    def resume(self, event: Any) -> Any:
        """The process after the wait in the triggerer."""
        return self.sensor().resume_execution("execute_complete", {"event": event}, self.context)


def rebuilt(trigger: Any) -> MessageStatusTrigger:
    """As another triggerer builds it."""
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_hubchan.triggers.MessageStatusTrigger"
    built = MessageStatusTrigger(**arguments)
    assert built.serialize() == (path, arguments)
    return built


async def first_event(trigger: MessageStatusTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
