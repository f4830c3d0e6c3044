"""(j) Small batches in a row, by processes that come and go, beside one process that knows HubSpot's window exactly."""

from __future__ import annotations

from tests.bench.common import percent, say, table
from tests.properties.small_batches import Batches, compare

SEEDS = 3
CASES = [Batches(limit=limit, load=load) for limit, load in ((110, 0.3), (110, 0.5), (110, 0.7), (190, 0.5))]


def run() -> str:
    """The table."""
    rows = []
    for batches in CASES:
        say(f"(j) small batches: {batches.limit} per 10 s, {batches.load:.0%} of the quota")
        runs = [compare(batches, seed) for seed in range(SEEDS)]
        ours, exact = (sorted(seconds for run in runs for seconds in run[side].seconds) for side in (0, 1))
        middle, late = len(ours) // 2, int(0.95 * len(ours))
        rows.append(
            [
                f"{batches.limit} per 10 s, {batches.load:.0%} of the quota",
                f"{ours[middle]:.1f}",
                f"{exact[middle]:.1f}",
                f"{ours[late]:.1f}",
                f"{exact[late]:.1f}",
                f"{ours[late] / exact[late]:.2f}",
                percent(sum(run[0].rate_limited for run in runs) / SEEDS),
            ]
        )
    first = CASES[0]
    title = (
        f"(j) {first.count} batches of {first.sizes[0]} to {first.sizes[1]} rows at random times, each a process, {SEEDS} seeds"
    )
    columns = ["", "median s", "exact", "95 % within s", "exact", "x exact", "429s"]
    notes = (
        "In virtual time. Exact: one limiter for all, which knows what HubSpot has counted and what is on its way, first come, "
        "first served."
    )
    return table(title, columns, rows, notes)


if __name__ == "__main__":
    print(run())
