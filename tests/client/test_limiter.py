"""When the next request may be sent: rules on a clock that is a number."""

from __future__ import annotations

import heapq
from collections import deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.ratelimit.fair_share import INITIAL_PERMITS
from airflow_provider_hubchan.client.ratelimit.limiter import (
    ASSUMED_LIMIT,
    BASE_BLOCK,
    Permit,
    QuotaShare,
    RateLimiter,
)
from airflow_provider_hubchan.client.ratelimit.request_bound import CLOCK_MARGIN, RequestBound


def take(limiter: RateLimiter, now: float, share: QuotaShare | None = None) -> list[Permit]:
    """Take permits until the limiter says to wait."""
    permits = []
    while isinstance(permit := limiter.acquire(now, share or limiter.share()), Permit):
        permits.append(permit)
    return permits


def take_one(limiter: RateLimiter, now: float) -> Permit:
    permit = limiter.acquire(now, limiter.share())
    assert isinstance(permit, Permit)
    return permit


def wait_for(limiter: RateLimiter, now: float, share: QuotaShare | None = None) -> float:
    """Seconds that the limiter says to wait."""
    wait = limiter.acquire(now, share or limiter.share())
    assert isinstance(wait, float)
    return wait


def grown(limit: int, window: float = 10.0, now: float = 0.0) -> RateLimiter:
    """A limiter that has had responses for the whole limit: the last of them five seconds after *now*, the others then."""
    limiter = RateLimiter(jitter=lambda: 0.5)
    in_flight: deque[Permit] = deque()
    for used in range(1, limit):
        in_flight += take(limiter, now)
        limiter.release(now, in_flight.popleft(), Quota(limit, window, limit - used))
    (last,) = take(limiter, now)
    limiter.release(now + 5.0, last, Quota(limit, window, 0))
    return limiter


def test_a_new_limiter_is_cautious() -> None:
    """Before the first response only a few requests may be in flight."""
    assert len(take(RateLimiter(), 0.0)) == INITIAL_PERMITS


def test_alone_it_grows_to_the_limit_in_the_first_window() -> None:
    """Each response that leaves room brings more permits, until the limit of the headers is used to the last request."""
    limiter = grown(190)
    assert (limiter.limit_is_known, limiter.limit, limiter.permits) == (True, 190, 190)
    assert take(limiter, 9.9) == [], "all of them have been used"


def test_without_headers_the_smallest_documented_limit_is_assumed() -> None:
    """Responses without rate headers leave the limiter at the assumed limit, which a connection may set."""
    for assumed, limit in ((None, ASSUMED_LIMIT), (250.0, 250), (0.2, 1)):
        limiter = RateLimiter(assumed)
        (first, *_) = take(limiter, 0.0)
        limiter.release(0.1, first, None)
        assert (limiter.limit_is_known, limiter.limit, limiter.permits) == (False, limit, limit)


def test_a_limit_without_a_remainder_is_used_whole() -> None:
    """A server that says how many requests are allowed, and not how many remain, is like one without headers."""
    limiter = RateLimiter()
    (first, *_) = take(limiter, 0.0)
    limiter.release(0.1, first, Quota(190, 10.0))
    assert limiter.permits == 190


def test_a_response_without_headers_among_others_changes_nothing() -> None:
    """A lost response or a proxy's page says nothing of the quota."""
    limiter = grown(20)
    (permit, *_) = take(limiter, 11.0)
    limiter.release(11.1, permit, None)
    assert (limiter.limit, limiter.permits) == (20, 20)


def test_headers_that_cease_leave_the_limit_as_it_was() -> None:
    """A gateway that begins to strip headers does not throttle us to what a pause left over."""
    limiter, now = grown(190), 30.0
    (permit, *_) = take(limiter, now)
    limiter.release(now + 0.1, permit, None)
    assert (limiter.limit, limiter.permits) == (190, 190)


def test_headers_that_cease_after_the_first_response_leave_the_room_that_it_told() -> None:
    """A gateway strips the headers of all responses but the first: sixty rows of an account with room are sent at once."""
    limiter, now, sent, in_flight = RateLimiter(), 0.0, 0, deque[Permit]()
    while sent < 60:
        permits = take(limiter, now)
        in_flight += permits
        sent += len(permits)
        now += 0.1
        for permit in [in_flight.popleft() for _ in range(len(in_flight))]:
            limiter.release(now, permit, Quota(110, 10.0, 109) if now == 0.1 else None)
    assert now < 5.0


def test_a_new_process_asks_again_when_it_hears_nothing() -> None:
    """Others have ended and left a full window: it becomes free while this process has no permit and no response on the way.
    One request may go after two seconds; when it found nothing free, the next one after four.
    """
    limiter, now, sent = RateLimiter(), 0.0, []
    while now < 9.9:
        permit = limiter.acquire(now, limiter.share())
        if isinstance(permit, Permit):
            sent.append(round(now, 1))
            limiter.release(now, permit, Quota(110, 10.0, 0))
            continue
        now += permit
    assert sent == pytest.approx([0.0, 0.0, 2.0, 6.0], abs=0.1)


def test_responses_out_of_order_are_not_taken_for_others() -> None:
    """Sixteen threads read their responses in another order than HubSpot counted the requests: alone is alone, and who is alone
    need not spread its requests.
    """
    limiter, now, used, random = RateLimiter(), 0.0, 0, Random(1)
    counted: list[tuple[Permit, int]] = []
    while used < 150:
        if len(counted) < 16 and isinstance(permit := limiter.acquire(now, limiter.share()), Permit):
            used += 1
            counted.append((permit, used))
        elif counted:
            answered, before = counted.pop(random.randrange(len(counted)))
            now += 0.001
            limiter.release(now, answered, Quota(190, 10.0, 190 - before))
        else:
            now += wait_for(limiter, now)
    assert now < 0.2


def test_who_was_refused_begins_anew_with_one_request() -> None:
    """The window of others is still full, perhaps: two requests would be two 429s."""
    limiter = RateLimiter(jitter=lambda: 0.5)
    for permit in take(limiter, 0.0):
        limiter.release(0.1, permit, None)
        limiter.block(0.1, None)
    assert len(take(limiter, 20.0)) == 1
    assert len(take(RateLimiter(), 20.0)) == INITIAL_PERMITS


def test_a_limit_that_changes_is_followed() -> None:
    """Another plan, or another limit for the app: the next response counts."""
    limiter = grown(190)
    (permit, *_) = take(limiter, 11.0)
    limiter.release(11.1, permit, Quota(110, 10.0, 100))
    assert limiter.limit == 110
    assert 100 <= limiter.permits <= 110


def test_the_connections_share_is_an_upper_bound() -> None:
    """``requests_per_10s`` bounds what one share may use, in proportion to the window, and never to nothing."""
    share = QuotaShare(1.0, RequestBound(50.0))
    assert len(take(grown(190, now=-20.0), 0.0, share)) == INITIAL_PERMITS, "it begins anew after a pause"
    assert share.max_permits(190, 10.0) == 50
    assert share.max_permits(30, 10.0) == 30
    assert share.max_permits(190, 5.0) == 25
    assert QuotaShare(1.0, RequestBound(0.2)).max_permits(190, 10.0) == 1


def test_a_permit_comes_back_one_window_after_the_response() -> None:
    """A permit is never used twice within a window, counted from the response and not from the send."""
    limiter = RateLimiter(1.0)
    (first, *_) = take(limiter, 0.0)
    limiter.release(3.0, first, Quota(1, 10.0, 0))
    assert wait_for(limiter, 10.5) == pytest.approx(3.0 + 10.0 + CLOCK_MARGIN - 10.5)
    assert len(take(limiter, 13.1)) == 1


def test_a_lost_request_keeps_its_permit() -> None:
    """A request without a response may have been counted as late as it was given up."""
    limiter = RateLimiter(1.0)
    (first, *_) = take(limiter, 0.0)
    limiter.release(30.0, first, None)
    assert wait_for(limiter, 39.0) > 0.0


def test_a_block_is_for_everybody_who_asks_again() -> None:
    """Nothing is reserved ahead: who waits when a block begins is blocked too, and a shorter block does not shorten it."""
    limiter = RateLimiter(jitter=lambda: 0.5)
    wait_for(grown(5), 0.0)
    limiter.block(0.0, 20.0)
    limiter.block(1.0, 2.0)
    assert wait_for(limiter, 5.0, limiter.share(0.2)) == 15.0
    assert take(limiter, 20.0) != []


def test_a_block_without_a_time_is_short_and_doubles() -> None:
    """A burst 429 names no time: a moment at first, twice as long if it was too short, at most a window."""
    limiter, now, waits = RateLimiter(jitter=lambda: 0.5), 0.0, []
    for _ in range(8):
        limiter.block(now, None)
        limiter.block(now, None)  # of the same burst
        waits.append(wait_for(limiter, now))
        now += waits[-1] + 0.1
    assert waits == pytest.approx(
        [BASE_BLOCK, 2 * BASE_BLOCK, 4 * BASE_BLOCK, 8 * BASE_BLOCK, 16 * BASE_BLOCK, 32 * BASE_BLOCK, 10.0, 10.0]
    )
    limiter.block(now + 30.0, None)
    assert wait_for(limiter, now + 30.0) == pytest.approx(BASE_BLOCK), "an old 429 is forgotten"


@pytest.mark.parametrize("quota", [pytest.param(None, id="no headers"), pytest.param(Quota(110, 10.0, 0), id="headers")])
def test_a_request_may_go_at_the_time_that_hubspot_named(quota: Quota | None) -> None:
    """A 429 costs permits, and the last one comes back a window after the response; but after five seconds HubSpot wants one
    request again. One, until there is a response.
    """
    limiter, now = RateLimiter(), 0.0
    for _ in range(3):
        limiter.release(now, take_one(limiter, now), quota)
        limiter.block(now, 5.0)
        assert wait_for(limiter, now + 2.0) == 3.0
        now += 5.0
    assert len(take(limiter, now)) == 1


def test_a_pause_without_a_time_allows_no_request_beyond_the_permits() -> None:
    """What we guess is no invitation, also if it is longer than the time that HubSpot had named."""
    limiter = RateLimiter(jitter=lambda: 0.5)
    limiter.release(0.0, take_one(limiter, 0.0), None)
    limiter.block(0.0, 0.1)
    limiter.block(0.0, None)
    assert wait_for(limiter, 1.0) > 8.0


def test_the_time_that_hubspot_named_does_not_go_beyond_the_limits() -> None:
    """Neither the account's limit in a window nor that of the connection is exceeded, however soon HubSpot wants a request."""
    for limiter, most in ((RateLimiter(4.0), None), (RateLimiter(), 4.0)):
        sent = list[float]()
        share = limiter.share(1.0, most)
        for step in range(400):
            now = step / 10
            if isinstance(permit := limiter.acquire(now, share), Permit):
                sent.append(now)
                limiter.release(now, permit, None)
                limiter.block(now, 0.2)
        assert max(sum(start <= at < start + 10.0 for at in sent) for start in sent) == 4


def test_a_429_costs_permits_but_never_the_last() -> None:
    """Each 429 takes permits away, but however many there are, sending never ends."""
    limiter, now = grown(110), 20.0
    for _ in range(300):
        permit = limiter.acquire(now, limiter.share())
        if isinstance(permit, Permit):
            limiter.release(now, permit, Quota(110, 10.0, 0))
            limiter.block(now, 0.1)
        now += 0.5
    assert limiter.permits == 1
    assert take(limiter, now + 10.0) != []


def test_readers_get_their_share_and_no_more() -> None:
    """A sensor beside an operator: whichever of them asks first, each gets its part of every window."""
    limiter = grown(100)
    reader, writer = limiter.share(0.2), limiter.share()
    now, got, in_flight = 10.1, {reader: 0, writer: 0}, deque[Permit]()
    while now < 110.1:
        for share in (writer, writer, writer, reader):
            if isinstance(permit := limiter.acquire(now, share), Permit):
                got[share] += 1
                in_flight.append(permit)
        while in_flight and in_flight[0].sent_at < now - 0.15:
            limiter.release(now, in_flight.popleft(), None)
        now += 0.01
    assert 160 <= got[reader] <= 200
    assert 960 <= got[reader] + got[writer] <= 1000


def test_a_reader_who_has_gone_leaves_nothing_reserved() -> None:
    """A share that had to wait and never asked again does not keep permits from the others."""
    limiter = grown(10)
    reader = limiter.share(0.2)
    wait_for(limiter, 5.0, reader)
    assert len(take(limiter, 10.5)) > 0


def test_a_share_is_a_part() -> None:
    """A share of nothing, or of more than all, is a ValueError."""
    for share in (0.0, -0.5, 1.5):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            RateLimiter().share(share)


def test_threads_that_read_the_clock_in_another_order_lose_nothing() -> None:
    """A thread may read the clock before another one and get the lock after it: permits come back neither early nor never."""
    limiter = grown(10, now=1000.0)
    assert take(limiter, 1004.2) == [], "the last response came at 1005"
    assert take(limiter, 1009.9) == []
    assert take(limiter, 1009.1) == []
    assert take(limiter, 1010.1) != []


class Simulation:
    """A limiter that is alone with a server, whose rolling window has ten seconds.

    Latencies and lost responses are random. A thread reads the clock and gets the limiter's lock later, by up to *disorder*
    seconds, so calls may come with times in another order.

    :param limit: the server's.
    :param counted_after: part of the latency after which the server counts a request.
    """

    def __init__(self, limit: int, counted_after: float, random: Random) -> None:
        self.limiter = RateLimiter(float(limit), jitter=lambda: 0.5)
        self.limit, self.disorder = limit, 0.0
        self.counted: list[float] = []
        self.known_limits = [(0.0, limit)]  # since when the limiter knows which limit
        self._counted_after, self._random = counted_after, random
        self._now, self._sent = 0.0, 0
        # The lock is got, number, the response has come, permit, the server has counted it (None: the response is lost).
        self._in_flight: list[tuple[float, int, float, Permit, float | None]] = []

    def handle(self, kind: str, value: float) -> None:
        """Let one of `EVENTS` happen."""
        match kind:
            case "ask":
                self.advance(value)
                self.send()
            case "run":  # as fast as it goes, for so many seconds
                end = self._now + value
                while self._now < end:
                    while self.send():
                        pass
                    self.advance(0.05)
            case "pause":
                self.advance(value)
            case "disorder":
                self.disorder = value
            case "limit":
                self.limit = max(INITIAL_PERMITS, int(value))
            case "block":
                self.limiter.block(self._now - self._delay(), value)

    def advance(self, seconds: float) -> None:
        """Let time pass, and responses come."""
        end = self._now + seconds
        while self._in_flight and self._in_flight[0][0] <= end:
            self._now, _, came_at, permit, counted_at = heapq.heappop(self._in_flight)
            quota = None
            if counted_at is not None:
                used = sum(came_at - 10.0 < each <= came_at for each in self.counted)
                quota = Quota(self.limit, 10.0, max(0, self.limit - used))
            self.limiter.release(came_at, permit, quota)
            self.known_limits.append((self._now, self.limiter.limit))
        self._now = end

    def send(self) -> bool:
        """Send a request if the limiter gives a permit.

        :return: True if it did.
        """
        permit = self.limiter.acquire(self._now - self._delay(), self.limiter.share())
        if isinstance(permit, float):
            return False
        latency = 0.02 + 3.0 * self._random.random() ** 4
        is_lost = self._random.random() < 0.1
        counted_at, came_at = self._now + latency * self._counted_after, self._now + latency
        self.counted.append(counted_at)
        self._sent += 1
        response = (came_at + self._delay(), self._sent, came_at, permit, None if is_lost else counted_at)
        heapq.heappush(self._in_flight, response)
        return True

    def _delay(self) -> float:
        """Seconds from reading the clock until getting the lock."""
        return self.disorder * self._random.random()


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.floats(0.0, 0.5)),
        st.tuples(st.just("run"), st.floats(1.0, 25.0)),
        st.tuples(st.just("pause"), st.floats(0.0, 30.0)),
        st.tuples(st.just("disorder"), st.floats(0.0, 0.9)),
        st.tuples(st.just("limit"), st.integers(1, 20)),
        st.tuples(st.just("block"), st.floats(0.0, 5.0)),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(
    events=EVENTS,
    limit=st.integers(2, 20),
    random=st.randoms(use_true_random=False),
    counted_after=st.floats(0.0, 1.0),
)
def test_never_more_than_the_limit_never_stuck(
    events: list[tuple[str, float]], limit: int, random: Random, counted_after: float
) -> None:
    """Random arrivals, latencies, lost responses, changing limits and clock readings in disorder, against a brute-force window.

    While it is alone and the headers are true, no rolling window counts more requests than the largest limit that was known in
    it or in the window before (a limit that falls cannot call requests back); and whoever asks gets a permit in the end.
    """
    simulation = Simulation(limit, counted_after, random)
    for kind, value in events:
        simulation.handle(kind, value)

    attempts = 0
    while not simulation.send():  # never stuck: there is a permit within a window after the last response and the last block
        simulation.advance(0.25)
        attempts += 1
        assert attempts < 4 * 60
    counted, known = sorted(simulation.counted), simulation.known_limits
    for index, begin in enumerate(counted):
        within = sum(each < begin + 10.0 for each in counted[index:])
        last = max(position for position, (since, _) in enumerate(known) if since <= max(0.0, begin - 14.0))
        assert within <= max(each for since, each in known[last:] if since <= begin + 10.0)
