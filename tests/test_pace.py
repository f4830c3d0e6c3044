from __future__ import annotations

import random

from airflow_provider_hubchan.client.pace import ASSUMED_LIMIT, CAUTIOUS, GUARD, Pace, Quota


def take(pace: Pace, now: float) -> int:
    """Take tickets until the pace says wait; say how many."""
    taken = 0
    while pace.ask(now) == 0.0:
        taken += 1
    return taken


def learned(limit: int, window: float = 10.0, ceiling: float | None = None) -> Pace:
    """A pace that has had one reply, long ago."""
    pace = Pace(ceiling)
    assert pace.ask(-100.0) == 0.0
    pace.answered(-100.0, Quota(limit, window))
    return pace


def test_a_new_pace_is_cautious() -> None:
    """Before the first reply only a handful of requests may be under way."""
    assert take(Pace(), 0.0) == CAUTIOUS


def test_the_limit_is_learned_from_the_headers() -> None:
    """After a reply with headers the account's own limit holds, whatever was assumed."""
    pace = learned(190)
    assert pace.learned
    assert take(pace, 0.0) == 190


def test_without_headers_the_smallest_documented_limit_is_assumed() -> None:
    """Replies without rate headers leave the pace at the assumed limit."""
    pace = Pace()
    pace.ask(0.0)
    pace.answered(0.0, None)
    assert pace.limit == ASSUMED_LIMIT
    assert take(pace, 1.0) == ASSUMED_LIMIT - 1


def test_the_connections_share_is_an_upper_bound() -> None:
    """``requests_per_10s`` bounds the limit that HubSpot tells, and stands in for it until then."""
    assert learned(190, ceiling=50.0).limit == 50
    assert learned(30, ceiling=50.0).limit == 30
    assert learned(190, window=5.0, ceiling=50.0).limit == 25
    assert Pace(250.0).limit == 250


def test_there_is_always_one_request_per_window() -> None:
    """No limit, however small, stops the pace for ever."""
    assert take(learned(190, ceiling=0.2), 0.0) == 1


def test_a_ticket_comes_back_one_window_after_the_reply() -> None:
    """A slot is never used twice within a window, counted from the reply and not from the send."""
    pace = learned(1)
    assert pace.ask(0.0) == 0.0
    pace.answered(3.0, None)
    assert pace.ask(10.5) == 3.0 + 10.0 + GUARD - 10.5
    assert pace.ask(13.1) == 0.0


def test_a_lost_request_holds_its_ticket() -> None:
    """A request without a reply may have been counted as late as it was given up."""
    pace = learned(1)
    pace.ask(0.0)
    pace.answered(30.0, None)
    assert pace.ask(39.0) > 0.0


def test_a_hold_holds_everybody_who_asks_again() -> None:
    """Nothing is booked ahead: who waits when a hold begins is held too, and a shorter hold does not shorten it."""
    pace = learned(190)
    pace.hold(0.0, 20.0)
    pace.hold(1.0, 2.0)
    assert pace.ask(5.0) == 15.0
    assert pace.ask(20.0) == 0.0


def test_a_hold_without_a_time_lasts_one_window() -> None:
    """A burst 429 names no time; after a whole window the account is free again."""
    pace = learned(190, window=10.0)
    pace.hold(0.0, None)
    assert pace.ask(9.9) > 0.0
    assert pace.ask(10.0) == 0.0


def test_no_window_ever_holds_more_than_the_limit() -> None:
    """Whatever the latency and wherever in it the server counts: brute force over 20,000 requests."""
    chance = random.Random(7)
    limit, window, now = 20, 10.0, 0.0
    pace = learned(limit, window)
    in_flight: list[tuple[float, float]] = []  # (reply, counted)
    counted: list[float] = []
    while len(counted) < 20_000:
        for end, _ in sorted(each for each in in_flight if each[0] <= now):
            pace.answered(end, Quota(limit, window))
        in_flight = [each for each in in_flight if each[0] > now]
        wait = pace.ask(now)
        if wait == 0.0:
            latency = chance.lognormvariate(-2.0, 1.2)
            counted.append(now + latency * chance.random())
            in_flight.append((now + latency, counted[-1]))
        else:
            now += min([wait, *(end - now for end, _ in in_flight)])
    counted.sort()
    spans = [later - earlier for earlier, later in zip(counted, counted[limit:], strict=False)]
    assert min(spans) > window
    assert len(counted) / (counted[-1] - counted[0]) > 0.9 * limit / window, "and the quota is used"
