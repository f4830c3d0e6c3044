"""Everything, in an order that keeps two processors busy; the tables come at the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.bench import (
    airflow_share,
    ending,
    imports,
    local_hubspot,
    memory,
    plots,
    progress,
    quota,
    reading,
    realtime,
    refused,
    small_batches,
    speed,
    triggers,
)
from tests.bench.common import say


def main() -> None:
    """Measure what takes a whole processor alone, simulate beside what has time to spare, print tables and draw plots."""
    grown = memory.run()
    local = local_hubspot.run()
    read, ended, kept_of_batches = reading.run(), ending.run(), progress.run()
    fast = [speed.compare(0.0)]
    simulations = quota.Simulations()
    with ThreadPoolExecutor(1) as beside:
        real = beside.submit(realtime.run)
        fast += [speed.compare(0.1)]
    simulations.wait()
    fast += [speed.servers()]
    fast += [refused.run(), triggers.run()]
    share = airflow_share.run()
    compared = simulations.results()
    plots.quota(compared)
    plots.memory(memory.medians(grown, "megabytes"))
    kept, growth = memory.tables(grown)
    print(
        "\n".join(
            [
                *simulations.tables(),
                real.result(),
                *fast,
                local,
                imports.run(),
                kept,
                share,
                growth,
                read,
                ended,
                kept_of_batches,
                small_batches.run(),
            ]
        )
    )
    say("done")


if __name__ == "__main__":
    main()
