"""What goes on around deliveries: tasks' states become statuses, somebody waits for READ, a callback tells of a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

from tests.e2e.checks import Check, counted, differences, same
from tests.e2e.hubspot import Hubspot
from tests.e2e.stage import Stage
from tests.e2e.waiting import ENOUGH, until

#: Seconds between two messages that are read.
READING = 0.1
#: What a task of *mapped* that fails leaves in XCom.
REASON = "30003: Unreachable destination handset of {}"


def mapped(stage: Stage) -> Iterator[Check]:
    """Each message is delivered by a mapped task of its own, a third fail: HubSpot gets the end of each, and the reason."""
    run, hubspot = stage.run, stage.hubspot
    run.start()
    run.until("success", 300)
    states = dict(zip(hubspot.ids, run.states("deliver"), strict=True))
    refused = hubspot.rows // 3
    yield same("delivery tasks", {"failed": refused, "success": hubspot.rows - refused}, counted(states.values()))
    sent = hubspot.sent()
    yield same("updates of each message", {1}, set(map(len, sent.values())))
    last = {message_id: bodies[-1] for message_id, bodies in sent.items()}
    statuses = {each: {"success": "SENT", "failed": "FAILED"}.get(state or "") for each, state in states.items()}
    yield same("messages with an update", hubspot.rows, len(last))
    yield same("statuses of the updates", {"FAILED": refused, "SENT": hubspot.rows - refused}, counted(_status(last).values()))
    yield same("updates with another status than their task's", 0, differences(statuses, _status(last)))
    reasons = {each: REASON.format(each) if state == "failed" else None for each, state in states.items()}
    yield same("updates with another reason than their task's", 0, differences(reasons, _reason(last)))
    yield same("statuses in HubSpot", {"FAILED": refused, "SENT": hubspot.rows - refused}, hubspot.statuses())
    report = run.report
    yield same("report: updated", hubspot.rows, report["updated"])
    yield same("tries", 1, run.task["try_number"])


def waiting(stage: Stage) -> Iterator[Check]:
    """Messages are READ one by one, and the triggerer is killed meanwhile: the sensor sees all of them, and writes nothing."""
    run, hubspot = stage.run, stage.hubspot
    agents, last = iter(hubspot.ids[:-1]), hubspot.ids[-1]
    run.start()
    run.until("deferred", 90)
    _read(hubspot, agents, hubspot.rows // 4)
    _look(hubspot, last)
    stage.kill_triggerer()
    _read(hubspot, agents, hubspot.rows // 4)
    yield same("state without a triggerer", "deferred", run.task["state"])
    stage.airflow.start_part("triggerer")
    _read(hubspot, agents, hubspot.rows)
    _look(hubspot, last)
    yield same("state while one is not READ", "deferred", run.task["state"])
    hubspot.read(last)
    task = run.until("success", 60)
    yield same("tries", 1, task["try_number"])
    seen = run.report
    yield same("return_value: messages", hubspot.rows, len(seen))
    yield same("return_value: messages that are not READ", 0, differences(dict.fromkeys(hubspot.ids, "READ"), seen))
    yield same("PATCHes of agents", hubspot.rows, stage.updates)
    yield same("PATCHes beside them", 0, sum(map(len, hubspot.sent().values())) - hubspot.rows)


def notified(stage: Stage) -> Iterator[Check]:
    """A delivery fails with secrets in its exception: a callback marks its messages FAILED, and says why without them."""
    run, hubspot = stage.run, stage.hubspot
    run.start()
    run.until("failed", 90)
    until("the callback's updates", 30, lambda: stage.updates >= hubspot.rows)  # Airflow calls it after the task has ended
    yield same("statuses", {"FAILED": hubspot.rows}, hubspot.statuses())
    sent = hubspot.sent()
    yield same("updates of each message", {1}, set(map(len, sent.values())))
    reasons = {str(body.get("errorMessage")) for bodies in sent.values() for body in bodies}
    yield same("why", {f"GatewayDown: {hubspot.rows} messages refused with *** and ***"}, reasons)
    yield same("secrets of the connection in that", 0, sum(each in json.dumps(sent) for each in hubspot.secrets()))


def _read(hubspot: Hubspot, message_ids: Iterator[str], most: int) -> None:
    """Let agents read these messages, one by one."""
    for message_id in islice(message_ids, most):
        hubspot.read(message_id)
        ENOUGH.wait(READING)


def _look(hubspot: Hubspot, message_id: str) -> None:
    """Wait until there was one more GET of it."""
    before = hubspot.gets(message_id)
    until(f"a look at {message_id}", 90, lambda: hubspot.gets(message_id) > before)


def _status(updates: dict[str, dict[str, str]]) -> dict[str, str | None]:
    return {message_id: body.get("statusType") for message_id, body in updates.items()}


def _reason(updates: dict[str, dict[str, str]]) -> dict[str, str | None]:
    return {message_id: body.get("errorMessage") for message_id, body in updates.items()}
