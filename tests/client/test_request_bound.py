"""``requests_per_10s`` of a connection is a promise: rules on a clock that is a number."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.client.models import Quota
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.ratelimit.request_bound import CLOCK_MARGIN, RequestBound


def test_a_request_counts_until_ten_seconds_after_its_end() -> None:
    """It was counted some time before its end, and another one may be counted as soon as it is sent."""
    bound = RequestBound(2.0)
    bound.on_send()
    assert bound.wait(0.0) == 0.0
    bound.on_send()
    assert bound.wait(0.0) == math.inf, "one of them has to end first"
    bound.on_end(3.0)
    assert bound.wait(4.0) == pytest.approx(9.0 + CLOCK_MARGIN)
    assert bound.wait(13.0 + CLOCK_MARGIN) == 0.0


@pytest.mark.parametrize(("given_bound", "most"), [(None, math.inf), (50.0, 50), (50.9, 50), (1.0, 1), (0.2, 1)])
def test_a_fraction_allows_no_further_request(given_bound: float | None, most: float) -> None:
    """No more than what was given, but one, or nothing would ever be sent."""
    assert RequestBound(given_bound).most == most


def test_all_shares_of_a_connection_have_one_bound() -> None:
    """A sensor beside an operator: together they keep to the number of their connection."""
    limiter = RateLimiter()
    reader, writer = limiter.share(0.2, 30.0), limiter.share(1.0, 30.0)
    assert reader.bound is writer.bound
    assert limiter.share(1.0, 40.0).bound is not writer.bound
    assert limiter.share(0.2, 30.0) is reader


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1)),  # by one of the two shares, as many as it may
        st.tuples(st.just("pass"), st.floats(0.0, 12.0)),
        st.tuples(st.just("wait"), st.integers(0, 1)),  # as long as that share is told to
        st.tuples(st.just("end"), st.sampled_from(["headers", "no headers", "429", "429 with a time", "lost"])),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(
    steps=STEPS,
    most=st.floats(1.0, 6.0),
    windows=st.lists(st.sampled_from([1.0, 3.0, 10.0, 60.0]), min_size=1, max_size=3),
    random=st.randoms(use_true_random=False),
)
def test_no_ten_seconds_have_more_requests(
    steps: list[tuple[str, float | str]], most: float, windows: list[float], random: Random
) -> None:
    """Whatever HubSpot's window and limit are, whatever it answers, and whenever between send and end it counts a request: of
    all requests that it may have counted within ten seconds, there are no more than was given.
    """
    limiter, now, limit = RateLimiter(jitter=random.random), 0.0, 60
    shares = [limiter.share(1.0, most), limiter.share(0.2, most)]
    in_flight: list[Permit] = []
    ended: list[tuple[float, float]] = []  # when a request was sent, and when it ended
    for kind, value in steps:
        match kind, value:
            case "send", int():
                while isinstance(permit := limiter.acquire(now, shares[value]), Permit):
                    in_flight.append(permit)
            case "wait", int():
                wait = limiter.acquire(now, shares[value])
                if isinstance(wait, Permit):
                    in_flight.append(wait)
                else:
                    now += wait
            case "pass", float():
                now += value
            case "end", str() if in_flight:
                permit = in_flight.pop(random.randrange(len(in_flight)))
                ended.append((permit.sent_at, now))
                has_headers = value in ("headers", "429")
                limiter.release(
                    now, permit, Quota(limit, random.choice(windows), random.randint(0, limit)) if has_headers else None
                )
                if str(value).startswith("429"):
                    limiter.block(now, random.uniform(0.0, 3.0) if value == "429 with a time" else None)
    requests = ended + [(permit.sent_at, math.inf) for permit in in_flight]
    for begin in [at for request in requests for at in request]:
        assert sum(sent < begin + 10.0 and end >= begin for sent, end in requests) <= most
