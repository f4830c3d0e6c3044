"""The round trip on signals: what an agent types is delivered seconds later, as long as Redis is there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from itertools import cycle, islice

from tests.e2e.bridge import DAGS
from tests.e2e.checks import Check, at_most, differences, same
from tests.e2e.round_trip import EVERY, RUN, delivered_once
from tests.e2e.stage import Stage
from tests.e2e.waiting import say, until

#: Replies one by one, replies while Redis is dead, and after that; what becomes of them in turn.
MEASURED, LOST, AFTER = 5, 5, 10
KINDS = ("be delivered", "read", "fail", "refuse")
#: Seconds between two runs by the clock, which brings what signals do not.
CLOCK = 300.0


def signalled(stage: Stage) -> Iterator[Check]:
    """The same on signals of the receiver's: 20 replies, and Redis dies in the middle; the next signal brings what waits."""
    airflow, bridge, hubspot = stage.airflow, stage.bridge, stage.hubspot
    bridge.run_on_signals()
    airflow.set_paused(DAGS, False)
    airflow.read_again(DAGS[0])  # the other one is in the same file
    until("that Airflow waits for signals", 120, bridge.is_listened_to)
    kinds = cycle(KINDS)

    def type_replies(count: int) -> list[str]:
        return [hubspot.reply(f"To {kind}", "+15550200") for kind in islice(kinds, count)]

    def wait_for(what: str, ids: list[str], seconds: float) -> float:
        began = time.monotonic()
        until(what, seconds, lambda: set(ids) <= bridge.ends().keys())
        return round(time.monotonic() - began, 1)

    ids, seconds = [], []
    for number in range(MEASURED):
        ids += type_replies(1)
        seconds.append(wait_for(f"reply {number + 1} at the gateway", ids, CLOCK + RUN))
    say(f"signalled: seconds from a reply to the gateway: {', '.join(map(str, seconds))}")
    yield at_most(
        "seconds from a reply to the gateway, by a signal, the median: sooner than every minute",
        EVERY,
        statistics.median(seconds),
    )
    bridge.kill_redis()
    ids += type_replies(LOST)
    until("that the receiver has them all the same", 10, lambda: set(ids) <= bridge.states().keys())
    bridge.start_redis()
    ids += type_replies(AFTER)
    took = wait_for("the rest at the gateway", ids, CLOCK + RUN)
    yield at_most("seconds from Redis' return until the rest is there, too: a signal, or the clock", CLOCK + RUN, took)
    until("their ends", CLOCK + RUN, lambda: not differences(bridge.ends(), hubspot.status_of_each()), every=1.0)
    airflow.set_paused(DAGS, True)
    yield from delivered_once(bridge.ledger(), ids)
    ends, statuses = bridge.ends(), hubspot.status_of_each()
    yield same("statuses other than the gateway's ledger implies", 0, sum(ends[each] != statuses[each] for each in ids))
