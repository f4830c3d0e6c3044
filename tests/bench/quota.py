"""(a) How much of the quota is used, and how many requests are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.bench.common import RUNS, middle, percent, say, table
from tests.bench.peers import STRATEGIES, Tally, TickingTime
from tests.properties.simulation import Buckets, Case, Rolling, Server, TokenBucket, TwoWindows, World, fixed, stricter

FOREIGN = 0.3
COMPARED = [Case(clients=n, limit=limit, foreign=part) for limit in (110, 190) for n in (1, 4) for part in (0.0, FOREIGN)]


def refused_count(limit: int) -> Server:
    """A rolling window that counts what it refused, too."""
    return Rolling(limit, refused_count=True)


OTHERS = {
    f"{name}, {clients} process{'es' * (clients > 1)}": Case(clients=clients, limit=limit, server=server, headers=headers)
    for name, server, limit, headers in (
        ("rolling, refused ones count", refused_count, 190, True),
        ("fixed windows", fixed, 190, True),
        ("10 buckets of a second", Buckets, 190, True),
        ("11 buckets, stricter than documented", stricter, 190, True),
        ("two-window approximation", TwoWindows, 190, True),
        ("token bucket", TokenBucket, 190, True),
        ("no headers, 110 per 10 s", Rolling, 110, False),
    )
    for clients in (1, 4)
} | {
    "16 processes, 110 per 10 s": Case(clients=16, limit=110),
    "4 processes, started together": Case(clients=4),
    "4 processes, started 20 s apart": Case(clients=4, apart=20.0),
}


@dataclass(frozen=True)
class Ran:
    """One strategy in one case: medians over the seeds.

    :param used: accepted requests as a part of the quota.
    :param refused: 429s as a part of all requests.
    :param fairness: Jain's index.
    :param lost: messages given up.
    """

    used: float
    refused: float
    fairness: float
    lost: float


def be_nice() -> None:
    """Leave the processor to whatever is measured in real time."""
    os.nice(19)


def simulate(case: Case, strategy: str) -> Ran:
    """Run the seeds of one strategy in one case."""
    ran = []
    for seed in range(RUNS):
        tally = Tally()
        result = World(case, seed, TickingTime()).run(STRATEGIES[strategy](tally))
        ran.append((result.used, result.rate_limited, result.fairness, float(tally.lost)))
    return Ran(*(middle(values) for values in zip(*ran, strict=True)))


class Simulations:
    """All simulations, in processes of their own, which give way to whatever is measured in real time."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(2, initializer=be_nice)
        self._compared = {
            (case, strategy): self._pool.submit(simulate, case, strategy) for case in COMPARED for strategy in STRATEGIES
        }
        self._others = {name: self._pool.submit(simulate, case, "ours") for name, case in OTHERS.items()}

    def wait(self) -> None:
        """Wait for the last one."""
        self._pool.shutdown()
        say("(a) all simulations are done")

    def results(self) -> dict[tuple[Case, str], Ran]:
        """What came of every strategy in every case of COMPARED."""
        return {key: ran.result() for key, ran in self._compared.items()}

    def tables(self) -> list[str]:
        """The comparison, and ours against other servers."""
        ran = self.results()
        return [*(self._compare(ran, *each) for each in SHOWN), self._ours()]

    def _compare(self, ran: dict[tuple[Case, str], Ran], what: str, show: Callable[[Ran, Ran], str]) -> str:
        columns = ["strategy", *(f"{case.clients} x, {case.limit}{', foreign' * bool(case.foreign)}" for case in COMPARED)]
        rows = [[name, *(show(ran[case, name], ran[case, "ours"]) for case in COMPARED)] for name in STRATEGIES]
        title = f"(a) Quota: {what}. 300 s of virtual time, median of {RUNS} seeds; processes x, requests per rolling 10 s"
        return table(title, columns, rows, NOTES)

    def _ours(self) -> str:
        rows = [
            [name, percent(each.used), percent(each.refused), f"{each.fairness:.2f}"]
            for name, each in ((name, ran.result()) for name, ran in self._others.items())
        ]
        title = f"(a) Quota: ours elsewhere. 300 s of virtual time, median of {RUNS} seeds, 190 per 10 s unless named"
        return table(title, ["case", "used", "429s", "fairness (Jain)"], rows)


NOTES = (
    "aiolimiter and pyrate-limiter are given the limit and wait a second after a 429; tenacity waits 1 to 60 s; urllib3 tries "
    "again five times with a backoff factor of 0.3. The foreign program sends from second 100 to second 200."
)
SHOWN: list[tuple[str, Callable[[Ran, Ran], str]]] = [
    (f"part used of what a foreign program (none, or {FOREIGN:.0%}) leaves", lambda each, ours: percent(each.used)),
    ("the same as a ratio to ours", lambda each, ours: f"{each.used / ours.used:.2f}"),
    ("429s as a part of all requests", lambda each, ours: percent(each.refused)),
    ("messages lost, because the retries were used up", lambda each, ours: f"{each.lost:,.0f}"),
]
