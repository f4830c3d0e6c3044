"""Deferred sensors on one event loop: how many sockets they hold, and for how long they block it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import pendulum

from tests.bench.common import emulator, environment, say, table

#: Seconds of a wait, of a pause between two looks, and of the sleep of the task that watches the loop.
WAIT, PAUSE, NAP = 20.0, 5.0, 0.005
#: By name: the quota of the account (requests per 10 s, 0 for none), and the part of it that the sensors may use.
KINDS: dict[str, tuple[int, float] | None] = {
    "Airflow's DateTimeTrigger": None,
    "ours, the quota is no limit": (0, 1.0),
    "ours, all wait for the quota": (190, 0.2),
}
COUNTS = (300, 1000)


def run() -> str:
    """The table."""
    rows = []
    for count in COUNTS:
        for name, kind in KINDS.items():
            say(f"(i) {count:,} triggers: {name}")
            limit, share = kind or (0, 0.0)
            with emulator(count, limit) as connection:
                figures = _figures(connection, count, share)
            rows.append(
                [
                    f"{count:,}, {name}",
                    f"{figures['sockets']:,.0f}",
                    f"{figures['gap'] * 1000:,.0f}",
                    f"{figures['busy'] * 1000:,.0f}",
                    f"{figures['cpu']:.1f}",
                    f"{figures['requests']:,.0f}",
                ]
            )
    title = f"(i) Deferred sensors of one account on one event loop, one message each, for {WAIT:.0f} s"
    notes = (
        "Gap: the longest time in which the loop did not get to a task that wanted to run; busy: the most processor time that "
        "the loop's thread took at a stretch for something else, whatever else the machine did. CPU: of the whole process. The "
        "garbage collector leaves Airflow's modules out here (gc.freeze): a full collection of these is a gap of its own."
    )
    columns = ["triggers", "sockets at most", "longest gap, ms", "busy, ms", "CPU s", "requests"]
    return table(title, columns, rows, notes)


def _figures(connection: dict[str, Any], count: int, share: float) -> dict[str, float]:
    extra = connection["extra"] | ({"requests_per_10s": 100_000} if share == 1.0 else {})
    settings = {"AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps({**connection, "extra": extra})}
    command = [sys.executable, "-m", "tests.bench.triggers", str(count), str(share)]
    env = environment(connection["host"]) | settings
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


class LoopWatch:
    """What a loop did not get to, and the most sockets that were open.

    :ivar gap: the longest time in which a task that wanted to run did not, in seconds.
    :ivar busy: the most processor time that the loop's thread took between two runs of that task, in seconds.
    """

    def __init__(self) -> None:
        self.gap, self.busy, self.sockets = 0.0, 0.0, 0

    async def run(self) -> None:
        """Watch until it is cancelled."""
        turns = 0
        while True:
            before, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(NAP)
            self.gap = max(self.gap, time.perf_counter() - before - NAP)
            self.busy = max(self.busy, time.thread_time() - busy)
            turns += 1
            if turns % 10 == 0:
                self.sockets = max(self.sockets, _open_sockets())


def _open_sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue  # it was closed meanwhile
    return found


def _triggers(count: int, share: float) -> list[Any]:
    """Sensors' triggers; with a share of 0 Airflow's own, which only sleep."""
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
    from airflow_provider_hubchan.triggers import MessageStatusTrigger

    now = time.time()
    if not share:
        return [DateTimeTrigger(pendulum.from_timestamp(now + WAIT)) for _ in range(count)]
    return [
        MessageStatusTrigger(
            message_ids=[f"message-{number}"],
            before=StatusPoll([], Target()).snapshot(),
            statuses=["READ"],
            fail_on=["FAILED"],
            needed=None,
            arrived=0,
            unknown_until=now,
            ends=now + WAIT,
            poke_interval=PAUSE,
            share=share,
            channel_id=None,
            hubchan_conn_id="hubchan_default",
        )
        for number in range(1, count + 1)
    ]


async def _measure(count: int, share: float) -> dict[str, float]:
    async def first_event(trigger: Any) -> Any:
        async for event in trigger.run():
            return event.payload

    triggers, before = _triggers(count, share), _open_sockets()
    gc.collect()
    gc.freeze()
    watch, cpu, running = LoopWatch(), time.process_time(), []
    watching = asyncio.create_task(watch.run())
    for trigger in triggers:
        running.append(asyncio.create_task(first_event(trigger)))
        await asyncio.sleep(0)  # as the triggerer does
    events = await asyncio.gather(*running)
    watching.cancel()
    requests = 0
    if share:
        assert {event["outcome"] for event in events} == {"timeout"}, events[0]
        from airflow_provider_hubchan.client.shared_state import shared_state
        from airflow_provider_hubchan.hooks import HubchanHook

        requests = shared_state(HubchanHook().account).limiter.given
    figures = {"sockets": watch.sockets - before, "gap": watch.gap, "busy": watch.busy, "requests": requests}
    return {"cpu": time.process_time() - cpu} | {name: float(value) for name, value in figures.items()}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(json.dumps(asyncio.run(_measure(int(sys.argv[1]), float(sys.argv[2])))))
    else:
        print(run())
