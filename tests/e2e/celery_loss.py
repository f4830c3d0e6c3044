"""A worker of the cluster is lost in the middle, and what must be so afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from tests.e2e.celery_cluster import SHARDS, SIZE, WORKERS, Cluster
from tests.e2e.checks import Check, at_least, at_most, same
from tests.e2e.hubspot import Patch
from tests.e2e.scenarios import INTERVAL, WRITING
from tests.e2e.waiting import say, until

#: Requests that HubSpot allows in a window of so many seconds.
LIMIT, WINDOW = 190, 10.0
#: Updates after which the worker is killed: the other one has work left until Airflow has noticed, half a minute later.
EARLY = 1000
#: Parts of the quota that are to be used, and of the requests that may be answered with 429: as docs/rate-limits.md has them.
USED, REFUSED = 0.90, 0.015
#: Threads of a task at most: the operator's default. So many replies may be under way when it is killed.
THREADS = 16
#: What no row may end as.
OPEN = ("rejected", "unresolved")


def lost_worker(cluster: Cluster) -> Iterator[Check]:
    """Eight shards share one quota on two Celery workers, one of which is killed with its tasks: nothing is lost."""
    hubspot = cluster.hubspot
    cluster.runs[0].start()
    until("the first update", 120, lambda: cluster.updates() > 0, every=0.5)
    say("the first update is there")
    until(f"{EARLY:,} updates", 240, lambda: cluster.updates() >= EARLY, every=1.0)
    held = {worker: cluster.shards_of(worker) for worker in WORKERS}
    worker = max(WORKERS, key=lambda each: len(held[each]))
    lost = set(held[worker])
    killed = time.time()
    count = cluster.processes.kill(worker)
    gone = time.time()
    say(f"SIGKILL of {worker}, {count} processes, after {cluster.updates():,} updates: {cluster.updates_of_shards()}")
    yield at_least("tasks killed", 1, len(lost))
    tasks = [run.until("success", 480) for run in cluster.runs]
    yield same("tries of the killed tasks", {2}, {tasks[index]["try_number"] for index in lost})
    yield same("tries of the others", {1}, {task["try_number"] for index, task in enumerate(tasks) if index not in lost})
    ledger = hubspot.ledger()
    yield same("statuses in HubSpot", {"READ": hubspot.rows}, hubspot.statuses())
    yield from _quota(ledger)
    yield from _repeats(cluster, ledger, lost, killed - INTERVAL - WRITING, gone)
    yield from _reports(cluster)


def _quota(ledger: list[Patch]) -> Iterator[Check]:
    """Work is left until the last update; the first window, which may burst, is left out."""
    counted = [patch.at for patch in ledger if patch.status != 429]
    begin, end = counted[0] + WINDOW, counted[-1]
    allowed = LIMIT * (end - begin) / WINDOW
    windows = Counter(int((at - counted[0]) // WINDOW) for at in counted)
    say(f"{len(ledger):,} requests in {end - counted[0]:.1f} s; accepted in each {WINDOW:.0f} s: {[*windows.values()]}")
    yield at_least("quota used, from the first window to the last update", USED, sum(at > begin for at in counted) / allowed)
    yield at_most("answered with 429", REFUSED, 1 - len(counted) / len(ledger))


def _repeats(cluster: Cluster, ledger: list[Patch], lost: set[int], begin: float, end: float) -> Iterator[Check]:
    """What a killed task had done since it last wrote its progress is done again, and no more.

    :param begin: when it wrote that at the earliest.
    :param end: when it was gone; its next try begins later.
    """
    times = Counter(patch.message_id for patch in ledger if _is_update(patch))
    repeats = [0] * SHARDS
    for message_id, updates in times.items():
        repeats[cluster.shard_of(message_id)] += updates - 1
    recent = (patch for patch in ledger if _is_update(patch) and begin <= patch.at <= end)
    unwritten = Counter(cluster.shard_of(patch.message_id) for patch in recent)
    for index in sorted(lost):
        yield at_most(f"shard {index}, killed: repeated updates", unwritten[index] + THREADS, repeats[index])
    yield same("repeated updates of the others", 0, sum(repeats[index] for index in range(SHARDS) if index not in lost))


def _reports(cluster: Cluster) -> Iterator[Check]:
    """Each task accounts for each of its rows."""
    reports = [run.report for run in cluster.runs]
    done = {index: report["updated"] + report["skipped"] for index, report in enumerate(reports)}
    yield same("reports: shards whose rows are all updated or skipped", SHARDS, sum(each == SIZE for each in done.values()))
    yield same("reports: rejected, unresolved", (0, 0), tuple(sum(report[name] for report in reports) for name in OPEN))
    files = [cluster.folder / f"shards.{index}.report.jsonl" for index in range(SHARDS)]
    yield same("report files: rows that were not updated", 0, sum(len(file.read_text("utf-8").splitlines()) for file in files))
    yield same("progress kept", 0, sum(run.progress is not None for run in cluster.runs))


def _is_update(patch: Patch) -> bool:
    return patch.status is not None and 200 <= patch.status < 300
