"""(h) What progress keeps of large batches with mixed outcomes, and how often rows are sent in a batch of four days."""

from __future__ import annotations

import random
import sys
import time

from airflow_provider_hubchan.batch.progress import MAX_BITS_LENGTH
from airflow_provider_hubchan.batch.update_states import UpdateStates
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import MessageStatus, Outcome, Update
from tests.batch.days import Account, is_refused, play
from tests.batch.in_memory import MemoryStore
from tests.batch.played import Clock
from tests.bench.common import percent, say, table

SIZES = (1_000_000, 5_000_000)
UPDATE = Update(1, "m", MessageStatus.READ)
OUTCOMES = {
    "updated": Outcome(UPDATE, "updated"),
    "rejected": Outcome(UPDATE, "rejected", Problem("no such message", "404")),
    "skipped": Outcome(UPDATE, "skipped", Problem("it was READ", "already so")),
    "unresolved": Outcome(UPDATE, "unresolved", Problem("no answer", "timeout")),
}
#: By name: the parts of the outcomes, at random.
MIXES = {
    "all updated": {"updated": 1.0},
    "5 % rejected": {"updated": 0.95, "rejected": 0.05},
    "a third each updated, rejected, skipped": {"updated": 1.0, "rejected": 1.0, "skipped": 1.0},
    "0.1 % without a final answer": {"updated": 0.999, "unresolved": 0.001},
    "5 % without a final answer": {"updated": 0.95, "unresolved": 0.05},
}
#: Rows of the batch of four days.
ROWS, REJECTED = 200_000, 0.05


def remember(size: int, mix: dict[str, float]) -> list[str]:
    """Part of the updates that are done which is kept, characters, and milliseconds for it."""
    rng, states = random.Random(7), UpdateStates(size)
    for position, name in enumerate(rng.choices(list(mix), list(mix.values()), k=size)):
        states.record(position, OUTCOMES[name], 1)
    states.not_durable.clear()
    began = time.process_time()
    done, left_out = states.done(size, MAX_BITS_LENGTH)
    seconds = time.process_time() - began
    return [percent(done.total / (done.total + left_out)), f"{len(done.bits):,}", f"{1000 * seconds:.0f}"]


def remembered() -> str:
    """The table of what is kept."""
    rows = []
    for size in SIZES:
        for name, mix in MIXES.items():
            say(f"(h) progress of {size:,} rows, {name}")
            rows.append([f"{size:,}, {name}", *remember(size, mix)])
    title = "(h) Progress: updates that are done and kept as such, when a batch has been sent to its end, outcomes at random"
    notes = f"What is done and not kept is sent again. At most {MAX_BITS_LENGTH:,} characters of 65,535 are for it."
    return table(title, ["rows", "kept", "characters", "CPU ms"], rows, notes)


def four_days(rows: int) -> str:
    """The table of a batch with a quarter of its rows allowed a day; on the third day its worker is killed."""
    messages, store, clock = [f"m-{number}" for number in range(rows)], MemoryStore(), Clock()
    account, cells = Account(rows // 4, REJECTED, store), list[list[str]]()
    store.try_number = 1
    for day in range(1, 7):
        say(f"(h) a batch of {rows:,} rows and four days, day {day}")
        if day == 3:
            account.kill_after = account.left // 2
            play(account, store, messages, clock, [])
            store.try_number += 1
        report = play(account, store, messages, clock, [])
        sent = sum(account.sent.values())
        done = report.rows - report.unresolved
        cells.append([f"{day}", f"{done:,}", f"{sent:,}", f"{sent - len(account.sent):,}", f"{len(store.text or ''):,}"])
        if not report.unresolved:
            break
        account.next_day()
    refused = sum(is_refused(message, REJECTED) for message in messages)
    assert (report.rejected, report.updated + report.skipped) == (refused, rows - refused), report.counts()
    title = f"(h) Progress: {rows:,} rows, {REJECTED:.0%} rejected at random, a daily quota of a quarter, a kill on day 3"
    columns = ["day", "rows done", "requests so far", "rows sent twice", "characters kept"]
    return table(title, columns, cells, "In virtual time, at 19 updates per second.")


def run(rows: int = ROWS) -> str:
    """Both tables."""
    return "\n".join((remembered(), four_days(rows)))


if __name__ == "__main__":
    print(run(*map(int, sys.argv[1:])))
