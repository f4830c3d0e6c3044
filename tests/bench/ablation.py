"""What each number of the fair share is for: the simulations again with it taken away.

`python -m tests.bench.ablation` takes about ten minutes and prints the table that stands in client/ratelimit/fair_share.py.
"""

from __future__ import annotations

import math
from statistics import median

from airflow_provider_hubchan.client.ratelimit import fair_share
from tests.bench.common import percent, say, table
from tests.properties.fleets import losing_a_worker
from tests.properties.simulation import Case, TwoWindows, World, fixed, ours, stricter
from tests.properties.small_batches import Batches, compare

SEEDS = 3
CASES = {
    "four": Case(clients=4),
    "sixteen": Case(clients=16, limit=110),
    "foreign": Case(clients=4, foreign=0.3),
    "late": Case(clients=4, apart=20.0, seconds=360.0),
    "fixed": Case(clients=4, server=fixed),
    "two windows": Case(clients=4, server=TwoWindows),
    "stricter": Case(clients=4, server=stricter),
}
#: What takes a number away.
WITHOUT = {
    "INITIAL_PERMITS": 8,
    "FREE_PER_PERMIT": 0.0,
    "STEP": math.inf,
    "MAX_GAIN": math.inf,
    "EXTRA_FREE": 0.0,
    "EXTRA_FREE_WINDOWS": fair_share.MEMORY,
    "MEMORY": 1.0,
    "JUMP": math.inf,
    "RECENT": 0.05,
    "CARE": 0.0,
    "SPREAD": 100.0,
    "CATCH_UP": fair_share.SPREAD,
}


def measure() -> dict[str, tuple[float, float]]:
    """For each case: the quota used (small batches: seconds beside an exact window), and 429s as a part of all requests."""
    found = {}
    for name, case in CASES.items():
        runs = [World(case, seed).run(ours) for seed in range(SEEDS)]
        found[name] = median(run.used for run in runs), median(run.rate_limited for run in runs)
    lost = [losing_a_worker(seed, (0.5, 4.0)) for seed in range(SEEDS)]
    found["lost"] = median(used for used, _ in lost), median(refused for _, refused in lost)
    small = [compare(Batches(load=0.5), seed) for seed in range(SEEDS)]
    late = [sorted(seconds for run in small for seconds in run[side].seconds)[int(0.95 * 100 * SEEDS)] for side in (0, 1)]
    found["small"] = late[0] / late[1], sum(run[0].rate_limited for run in small) / SEEDS
    return found


def run() -> str:
    """The table."""
    rows = []
    for name, value in [("as it is", None), *WITHOUT.items()]:
        say(f"ablation: {name} = {value}")
        kept = getattr(fair_share, name, None)
        if value is not None:
            setattr(fair_share, name, value)
        found = measure()
        if value is not None:
            setattr(fair_share, name, kept)
        label = name if value is None else f"{name} = {value:g}"
        rows.append([label, *(f"{used:.2f} {percent(refused)}" for used, refused in found.values())])
    notes = (
        "Quota used and 429s, in virtual time, 190 requests per 10 s (sixteen and small: 110). Small: the 95th percentile of "
        "the seconds of batches of 20 to 200 rows, half of the quota, beside one process that knows the window exactly."
    )
    return table("What each number of the fair share is for", ["", *found], rows, notes)


if __name__ == "__main__":
    print(run())
