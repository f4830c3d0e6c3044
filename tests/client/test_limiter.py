"""When the next request may go: rules on a clock that is a number."""

from __future__ import annotations

import heapq
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.client.ratelimit.fair_share import FIRST, Quota
from airflow_provider_hubchan.client.ratelimit.lanes import Lane, Ticket
from airflow_provider_hubchan.client.ratelimit.limiter import ASSUMED_LIMIT, GUARD, HOLD, Pace


def take(pace: Pace, now: float, lane: Lane | None = None) -> list[Ticket]:
    """Take tickets until the pace says wait."""
    tickets = []
    while isinstance(ticket := pace.ask(now, lane or pace.lane()), Ticket):
        tickets.append(ticket)
    return tickets


def until(pace: Pace, now: float, lane: Lane | None = None) -> float:
    """Seconds that the pace tells somebody to wait."""
    wait = pace.ask(now, lane or pace.lane())
    assert isinstance(wait, float)
    return wait


def grown(limit: int, window: float = 10.0, now: float = 0.0) -> Pace:
    """A pace that has had replies enough to hold the whole limit: one of them five seconds after *now*, the others then."""
    pace = Pace(spread=lambda: 0.5)
    used = 0
    flying: deque[Ticket] = deque()
    while pace.tickets < limit or len(flying) > 1:
        flying += take(pace, now)
        used += 1
        pace.answered(now, flying.popleft(), Quota(limit, window, limit - used))
    pace.answered(now + 5.0, flying.popleft(), Quota(limit, window, limit - used - 1))
    return pace


def test_a_new_pace_is_cautious() -> None:
    """Before the first reply only a few requests may be under way."""
    assert len(take(Pace(), 0.0)) == FIRST


def test_alone_it_grows_to_the_limit_in_the_first_window() -> None:
    """Each reply that leaves room brings more tickets, until the limit of the headers is used to the last request."""
    pace = grown(190)
    assert (pace.learned, pace.limit, pace.tickets) == (True, 190, 190)
    assert take(pace, 9.9) == [], "all of them have been used"


def test_without_headers_the_smallest_documented_limit_is_assumed() -> None:
    """Replies without rate headers leave the pace at the assumed limit; the connection may know better."""
    for assumed, limit in ((None, ASSUMED_LIMIT), (250.0, 250), (0.2, 1)):
        pace = Pace(assumed)
        (first, *_) = take(pace, 0.0)
        pace.answered(0.1, first, None)
        assert (pace.learned, pace.limit, pace.tickets) == (False, limit, limit)


def test_a_limit_without_a_remainder_is_used_whole() -> None:
    """A server that says how many are allowed, and not how many are left, is one that tells no headers."""
    pace = Pace()
    (first, *_) = take(pace, 0.0)
    pace.answered(0.1, first, Quota(190, 10.0))
    assert pace.tickets == 190


def test_a_reply_without_headers_among_others_changes_nothing() -> None:
    """A lost reply or a proxy's page says nothing of the quota."""
    pace = grown(20)
    (ticket, *_) = take(pace, 11.0)
    pace.answered(11.1, ticket, None)
    assert (pace.limit, pace.tickets) == (20, 20)


def test_headers_that_cease_leave_the_limit_they_told() -> None:
    """A gateway that begins to strip headers does not throttle us to what a pause left over."""
    pace, now = grown(190), 30.0
    (ticket, *_) = take(pace, now)
    pace.answered(now + 0.1, ticket, None)
    assert (pace.limit, pace.tickets) == (190, 190)


def test_a_limit_that_changes_is_followed() -> None:
    """Another plan, or another limit for the app: the next reply counts."""
    pace = grown(190)
    (ticket, *_) = take(pace, 11.0)
    pace.answered(11.1, ticket, Quota(110, 10.0, 100))
    assert pace.limit == 110
    assert 100 <= pace.tickets <= 110


def test_the_connections_share_is_an_upper_bound() -> None:
    """``requests_per_10s`` bounds what one lane may use, in proportion to the window, and never to nothing."""
    assert len(take(grown(190, now=-20.0), 0.0, Lane(1.0, 50.0))) == FIRST, "it begins anew after a pause"
    assert Lane(1.0, 50.0).bound(190, 10.0) == 50
    assert Lane(1.0, 50.0).bound(30, 10.0) == 30
    assert Lane(1.0, 50.0).bound(190, 5.0) == 25
    assert Lane(1.0, 0.2).bound(190, 10.0) == 1


def test_a_ticket_comes_back_one_window_after_the_reply() -> None:
    """A slot is never used twice within a window, counted from the reply and not from the send."""
    pace = Pace(1.0)
    (first, *_) = take(pace, 0.0)
    pace.answered(3.0, first, Quota(1, 10.0, 0))
    assert until(pace, 10.5) == pytest.approx(3.0 + 10.0 + GUARD - 10.5)
    assert len(take(pace, 13.1)) == 1


def test_a_lost_request_holds_its_ticket() -> None:
    """A request without a reply may have been counted as late as it was given up."""
    pace = Pace(1.0)
    (first, *_) = take(pace, 0.0)
    pace.answered(30.0, first, None)
    assert until(pace, 39.0) > 0.0


def test_a_hold_holds_everybody_who_asks_again() -> None:
    """Nothing is booked ahead: who waits when a hold begins is held too, and a shorter hold does not shorten it."""
    pace = Pace(spread=lambda: 0.5)
    until(grown(5), 0.0)
    pace.hold(0.0, 20.0)
    pace.hold(1.0, 2.0)
    assert until(pace, 5.0, pace.lane(0.2)) == 15.0
    assert take(pace, 20.0) != []


def test_a_hold_without_a_time_is_short_and_doubles() -> None:
    """A burst 429 names no time: a moment at first, twice as long if it was too short, at most a window."""
    pace, now, waits = Pace(spread=lambda: 0.5), 0.0, []
    for _ in range(8):
        pace.hold(now, None)
        pace.hold(now, None)  # of the same burst
        waits.append(until(pace, now))
        now += waits[-1] + 0.1
    assert waits == pytest.approx([HOLD, 2 * HOLD, 4 * HOLD, 8 * HOLD, 16 * HOLD, 32 * HOLD, 10.0, 10.0])
    pace.hold(now + 30.0, None)
    assert until(pace, now + 30.0) == pytest.approx(HOLD), "an old 429 is forgotten"


def test_a_429_costs_tickets_but_never_the_last() -> None:
    """Whoever is refused takes less, however often it happens: no dead stop."""
    pace, now = grown(110), 20.0
    for _ in range(300):
        ticket = pace.ask(now, pace.lane())
        if isinstance(ticket, Ticket):
            pace.answered(now, ticket, Quota(110, 10.0, 0))
            pace.hold(now, 0.1)
        now += 0.5
    assert pace.tickets == 1
    assert take(pace, now + 10.0) != []


def test_readers_get_their_share_and_no_more() -> None:
    """A sensor beside an operator: whoever of them asks first, each gets its part of every window."""
    pace = grown(100)
    reader, writer = pace.lane(0.2), pace.lane()
    now, got, flying = 10.1, {reader: 0, writer: 0}, deque[Ticket]()
    while now < 110.1:
        for lane in (writer, writer, writer, reader):
            if isinstance(ticket := pace.ask(now, lane), Ticket):
                got[lane] += 1
                flying.append(ticket)
        while flying and flying[0].sent < now - 0.15:
            pace.answered(now, flying.popleft(), None)
        now += 0.01
    assert 160 <= got[reader] <= 200
    assert 960 <= got[reader] + got[writer] <= 1000


def test_a_reader_who_has_gone_leaves_nothing_reserved() -> None:
    """A lane that was told to wait and never asked again does not keep tickets from the others."""
    pace = grown(10)
    reader = pace.lane(0.2)
    until(pace, 5.0, reader)
    assert len(take(pace, 10.5)) > 0


def test_a_share_is_a_part() -> None:
    """Nothing and more than all are refused."""
    for share in (0.0, -0.5, 1.5):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            Pace().lane(share)


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    """Tickets neither come back early nor never."""
    pace = grown(10, now=1000.0)
    assert take(pace, 400.0) == [], "five seconds after the first replies"
    assert take(pace, 404.9) == []
    assert take(pace, 405.1) != []


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.floats(0.0, 0.5)),
        st.tuples(st.just("run"), st.floats(1.0, 25.0)),
        st.tuples(st.just("pause"), st.floats(0.0, 30.0)),
        st.tuples(st.just("clock"), st.floats(-1000.0, -1.5)),
        st.tuples(st.just("limit"), st.integers(1, 20)),
        st.tuples(st.just("hold"), st.floats(0.0, 5.0)),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, limit=st.integers(2, 20), chance=st.randoms(use_true_random=False), server=st.floats(0.0, 1.0))
def test_never_more_than_the_limit_never_stuck(
    events: list[tuple[str, float]], limit: int, chance: object, server: float
) -> None:
    """Random arrivals, latencies, lost replies, changing limits, clocks set back, against a brute-force window.

    While it is alone and the headers are true, no rolling window counts more requests than the largest limit that was known in
    it or in the window before (a limit that falls cannot call requests back); and whoever asks gets a ticket in the end.
    """
    random = chance
    pace, now, skew, number = Pace(float(limit), spread=lambda: 0.5), 0.0, 0.0, 0
    flying: list[tuple[float, int, Ticket, float | None]] = []  # (reply comes, number, ticket, counted or lost before)
    counted: list[float] = []
    true, known = limit, [(0.0, limit)]

    def land(until: float) -> None:
        nonlocal now
        while flying and flying[0][0] <= until:
            now, _, ticket, at = heapq.heappop(flying)
            told = None
            if at is not None:
                used = sum(now - 10.0 < each <= now for each in counted)
                told = Quota(true, 10.0, max(0, true - used))
            pace.answered(now + skew, ticket, told)
            known.append((now, pace.limit))
        now = until

    def send() -> bool:
        nonlocal number
        ticket = pace.ask(now + skew, pace.lane())
        if isinstance(ticket, float):
            return False
        latency = 0.02 + 3.0 * random.random() ** 4  # type: ignore[attr-defined]
        lost = random.random() < 0.1  # type: ignore[attr-defined]
        at = now + latency * server
        counted.append(at)
        number += 1
        heapq.heappush(flying, (now + latency, number, ticket, None if lost else at))
        return True

    for kind, value in events:
        if kind == "ask":
            land(now + value)
            send()
        elif kind == "run":  # as fast as it goes, for so many seconds
            end = now + value
            while now < end:
                while send():
                    pass
                land(now + 0.05)
        elif kind == "pause":
            land(now + value)
        elif kind == "clock":
            skew += value
        elif kind == "limit":
            true = max(FIRST, int(value))
        else:
            pace.hold(now + skew, value)

    asked = 0
    while not send():  # never stuck: within a window after the last reply and the last hold somebody gets a ticket
        land(now + 0.25)
        asked += 1
        assert asked < 4 * 60
    counted.sort()
    for index, begin in enumerate(counted):
        within = sum(each < begin + 10.0 for each in counted[index:])
        last = max(position for position, (since, _) in enumerate(known) if since <= max(0.0, begin - 14.0))
        assert within <= max(each for since, each in known[last:] if since <= begin + 10.0)
