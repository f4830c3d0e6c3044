"""How much of a quota the limiter uses, alone and among others, against servers that count in six ways, in simulated runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.properties.fleets import ending_half, losing_a_worker
from tests.properties.simulation import Buckets, Case, Rolling, TokenBucket, TwoWindows, World, fixed, median, ours, stricter
from tests.properties.small_batches import Batches, compare, play

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("case", "used", "rate_limited"),
    [
        pytest.param(Case(), 0.98, 0.0, id="one process"),
        pytest.param(Case(limit=110), 0.98, 0.0, id="one process, 110"),
        pytest.param(Case(latency=0.5, in_flight=16), 0.92, 0.0, id="one process, half a second away"),
        pytest.param(Case(clients=4), 0.96, 0.002, id="four processes"),
        pytest.param(Case(clients=4, limit=110), 0.96, 0.002, id="four processes, 110"),
        pytest.param(Case(foreign=0.3), 0.95, 0.004, id="one process, a foreign program"),
        pytest.param(Case(clients=4, foreign=0.3), 0.95, 0.004, id="four processes, a foreign program"),
        pytest.param(Case(clients=16, limit=110), 0.90, 0.015, id="sixteen processes, 110"),
        pytest.param(Case(server=fixed), 0.88, 0.013, id="fixed windows, one"),
        pytest.param(Case(clients=4, server=fixed), 0.88, 0.013, id="fixed windows, four"),
        pytest.param(Case(server=Buckets), 0.88, 0.013, id="buckets of a second, one"),
        pytest.param(Case(clients=4, server=Buckets), 0.88, 0.013, id="buckets of a second, four"),
        pytest.param(Case(server=TwoWindows), 0.85, 0.013, id="two windows, one"),
        pytest.param(Case(clients=4, server=TwoWindows), 0.87, 0.013, id="two windows, four"),
        pytest.param(Case(server=TokenBucket), 0.88, 0.013, id="a token bucket, one"),
        pytest.param(Case(clients=4, server=TokenBucket), 0.88, 0.013, id="a token bucket, four"),
        pytest.param(Case(server=stricter), 0.79, 0.01, id="stricter than documented, one"),
        pytest.param(Case(clients=4, server=stricter), 0.80, 0.015, id="stricter than documented, four"),
        pytest.param(
            Case(clients=4, server=lambda limit: Rolling(limit, refused_count=True)), 0.96, 0.002, id="refused ones count"
        ),
        pytest.param(Case(headers=False, limit=100), 0.98, 0.0, id="no headers, one"),
        pytest.param(Case(clients=4, headers=False), 0.90, 0.045, id="no headers, four"),
    ],
)
def test_the_quota_is_used_and_not_passed(case: Case, used: float, rate_limited: float) -> None:
    """Accepted requests as a part of what others leave, after the first window; 429s as a part of all requests."""
    result = median(case)
    assert result.used >= used
    assert result.rate_limited <= rate_limited


@pytest.mark.parametrize(("apart", "fairness"), [(0.0, 0.98), (20.0, 0.9)])
def test_workers_become_equal(apart: float, fairness: float) -> None:
    """Four processes that know nothing of each other get as much each, those that came late within a minute."""
    assert median(Case(clients=4, apart=apart, seconds=360.0)).fairness >= fairness


@pytest.mark.parametrize(
    ("clients", "used"),
    [
        pytest.param(4, 0.85, id="two of four"),
        pytest.param(8, 0.88, id="four of eight"),
        pytest.param(16, 0.90, id="eight of 16"),
    ],
)
def test_what_others_leave_is_taken_over(clients: int, used: float) -> None:
    """When half of the processes end at once, the others use nearly all of the quota in the half minute that follows."""
    assert sorted(ending_half(clients, seed) for seed in range(3))[1] >= used


@pytest.mark.parametrize(
    "apart",
    [
        pytest.param((0.5, 4.0), id="one after the other"),
        pytest.param((0.0, 0.6), id="within seconds"),
    ],
)
def test_a_lost_worker_costs_less_than_a_tenth_of_the_quota(apart: tuple[float, float]) -> None:
    """Eight batches; half of them are killed, and come back half a minute later."""
    runs = [losing_a_worker(seed, apart) for seed in range(3)]
    assert sorted(used for used, _ in runs)[1] >= 0.9
    assert sorted(refused for _, refused in runs)[1] <= 0.015


@pytest.mark.parametrize("limit", [110, 190])
@pytest.mark.parametrize("in_flight", [1, 8])
def test_a_part_of_the_quota_is_used_whole_by_who_is_alone(limit: int, in_flight: int) -> None:
    """A sensor with a fifth of the quota and nobody beside it uses the fifth, and no more."""
    part = 0.2

    def reader(world: World, client: int) -> Callable[[], Coroutine[Any, Any, None]]:
        return ours(world, client, part=part)

    result = median(Case(limit=limit, in_flight=in_flight), reader)
    assert 0.9 * part <= result.used <= part
    assert result.rate_limited == 0.0


@pytest.mark.parametrize(("load", "p95"), [(0.3, 1.5), (0.5, 1.5)])
def test_small_batches_in_a_row_are_prompt(load: float, p95: float) -> None:
    """Batches that come and go, each a process: their 95th percentile, beside one process that knows the window exactly."""
    runs = [compare(Batches(load=load), seed) for seed in range(2)]
    ours, exact = (sorted(seconds for run in runs for seconds in run[side].seconds) for side in (0, 1))
    late = int(0.95 * len(ours))
    assert ours[late] <= p95 * exact[late]
    assert max(run[0].rate_limited for run in runs) <= 0.005


def test_who_begins_after_another_has_ended_does_not_divide_with_it() -> None:
    """Two tasks of 65 rows at 110 per 10 s, six seconds apart: 45 at once, the others as the window becomes free."""
    played = play([(0.0, 65), (6.0, 65)], ours)
    assert played.seconds[1] < 10.0
    assert played.rate_limited == 0.0
