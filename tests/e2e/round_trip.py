"""The whole way there and back: from what an agent types to the status that the gateway's word stands for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psutil

from tests.e2e.bridge import DAGS, LATE, Bridge
from tests.e2e.checks import Check, at_least, at_most, counted, differences, same
from tests.e2e.hubspot import Hubspot
from tests.e2e.run import Run
from tests.e2e.stage import Stage
from tests.e2e.waiting import ENOUGH, say, until

#: What the stand-in gateway does with twelve replies, by words in their text: a third fail, a third are late.
KINDS = (
    *("be delivered", "refuse", "be late", "fail", "read", "be late and fail"),
    *("be delivered", "be silent and read", "be late and read", "be silent and fail", "be delivered", "be late and silent"),
)
REPLIES, CUSTOMERS = 200, 20
#: Seconds from one reply to the next; of so many the receiver is dead while so many are typed.
TYPING, LIFE, DEATH = 0.25, 40, 8
#: Calls that the gateway answers with 502, though it has taken the message: fewer than make the task give up.
UNANSWERED = 2
#: Seconds in which a worker sends the first message of its lease, and gets no answer; it waits longer than that.
SENDING = 3.0
#: Seconds that a killed worker keeps its messages, and until the gateway is asked. The scenario does not wait for them.
LEASE, ASKING = 300.0, 900.0
#: Seconds between two runs of a DAG, and for one run: three tasks, each a process that has to start on a busy machine.
EVERY, RUN = 60.0, 45.0
#: A reply waits for the next run that delivers. If no callback tells how it ended, a run asks the gateway, the next one marks.
BOUND = (EVERY + RUN) + LATE + (EVERY + RUN) + (EVERY + RUN)


def round_trip(stage: Stage) -> Iterator[Check]:
    """Agents type 200 replies; receiver and worker are killed meanwhile. Each ends as the gateway says, delivered once."""
    hubspot, bridge = stage.hubspot, stage.bridge
    bridge.freeze_gateway()
    stage.airflow.set_paused(DAGS, False)
    with ThreadPoolExecutor(1) as agents:
        typing = agents.submit(_type, hubspot, bridge, REPLIES)
        killed = _kill_worker(stage)
        ids = typing.result()
    until("that the receiver has all replies", 60, lambda: len(bridge.states()) == len(ids))
    stored_at = time.monotonic()
    until("that the gateway has all of them", EVERY + RUN, lambda: set(bridge.states().values()) <= {"handed_over", "refused"})
    bridge.make_older(ASKING)
    until("the end of all of them", BOUND, lambda: bridge.ends() == hubspot.status_of_each(), every=1.0)
    yield at_most("seconds from the last reply to the last status", BOUND, round(time.monotonic() - stored_at))
    stage.airflow.set_paused(DAGS, True)
    tasks = [each for dag_id in DAGS for each in _tasks(stage, dag_id, "failed")]
    yield same("tasks that have failed once they had begun", 0, sum(bool(each["start_date"]) for each in tasks))
    yield at_least("tries of the task whose process was killed: one more for the 502s", 3, killed.task["try_number"])
    yield from _check_webhooks(hubspot, bridge, ids)
    yield from _check_gateway(bridge, ids)
    yield from _check_statuses(hubspot, bridge)


def _type(hubspot: Hubspot, bridge: Bridge, count: int) -> list[str]:
    """Let agents write so many replies, and let the receiver die again and again; gives the messages' ids."""
    ids = []
    for number in range(count):
        ids.append(hubspot.reply(f"Reply {number}: {KINDS[number % len(KINDS)]}", f"+155501{number % CUSTOMERS:05}"))
        if number % LIFE == LIFE // 2:
            bridge.kill_receiver()
        if number % LIFE == LIFE // 2 + DEATH:
            bridge.start_receiver()
        ENOUGH.wait(TYPING)
    return ids


def _kill_worker(stage: Stage) -> Run:
    """SIGKILL the process of the task that delivers, when the gateway has a message of it, and before it can note that."""
    airflow, bridge = stage.airflow, stage.bridge
    until("a worker that delivers", 2 * EVERY + RUN, lambda: "leased" in bridge.states().values())
    (task,) = _tasks(stage, stage.run.dag_id, "running")
    run = Run(airflow, stage.run.dag_id, task["task_id"], run_id=task["dag_run_id"])
    worker = psutil.Process(replace(stage, run=run).worker())
    ENOUGH.wait(SENDING)
    worker.suspend()
    bridge.thaw_gateway()
    until("that the gateway has a message", 30, bridge.ledger)
    worker.kill()
    say(f"{run.dag_id}: SIGKILL of the task that delivers, {Counter(bridge.states().values())['leased']} messages are leased")
    bridge.leave_unanswered(UNANSWERED)
    bridge.make_older(LEASE)
    return run


def _tasks(stage: Stage, dag_id: str, state: str) -> list[dict[str, Any]]:
    """Of all runs of a DAG."""
    path = f"dags/{dag_id}/dagRuns/~/taskInstances"
    tasks: list[dict[str, Any]] = stage.airflow.ask("GET", path, state=state)["task_instances"]
    return tasks


def _check_webhooks(hubspot: Hubspot, bridge: Bridge, ids: Sequence[str]) -> Iterator[Check]:
    webhooks, stored = hubspot.webhooks(), bridge.states()
    acknowledged = {each.message_id for each in webhooks if each.status == 200}
    yield at_least("webhooks that the receiver did not live to answer", 1, sum(each.status is None for each in webhooks))
    yield same(
        "replies: written, acknowledged, in the outbox", (len(ids),) * 3, (len(set(ids)), len(acknowledged), len(stored))
    )
    yield same("acknowledged replies that the outbox has not", 0, len(acknowledged - stored.keys()))


def _check_gateway(bridge: Bridge, ids: Sequence[str]) -> Iterator[Check]:
    ledger = bridge.ledger()
    yield from delivered_once(ledger, ids)
    yield same("messages that it has beside them", 0, len({each["key"] for each in ledger}.difference(ids)))
    yield at_least("times that it was given one again", 1 + UNANSWERED, sum(each["posts"] - 1 for each in ledger))


def _check_statuses(hubspot: Hubspot, bridge: Bridge) -> Iterator[Check]:
    ends, statuses, sent = bridge.ends(), hubspot.status_of_each(), hubspot.sent()
    yield same("statuses in HubSpot", counted(ends.values()), counted(statuses.values()))
    yield same("statuses other than the gateway's ledger implies", 0, differences(ends, statuses))
    implied = {each["key"]: f"{each['error_code']}: {each['error_message']}" for each in bridge.ledger() if each["error_code"]}
    reasons = {each: bodies[-1].get("errorMessage") for each, bodies in sent.items() if ends[each] == "FAILED"}
    yield same("FAILED without the gateway's reason", 0, differences(implied, reasons))
    # Two: what the gateway refuses may be found by both DAGs at once.
    yield at_most("updates of a message", 2, max(map(len, sent.values())))
    yield same("updates of those that are SENT from the start to the end", 0, sum(ends[each] == "SENT" for each in sent))


def delivered_once(ledger: Iterable[dict[str, Any]], ids: Sequence[str]) -> Iterator[Check]:
    """The gateway has each of these messages, and has sent none of them twice."""
    times = Counter(each["key"] for each in ledger)
    yield same("replies that the gateway has not, or more than once", 0, sum(times[each] != 1 for each in ids))
    yield same("messages that it has sent twice", 0, sum(each["words"].count("sent") > 1 for each in ledger))
