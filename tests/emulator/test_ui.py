"""The page at ``/`` without a browser: what is shown, what of it is told when, and by which routes."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.api import quota
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.faults.fault import Fault
from airflow_provider_hubchan.emulator.faults.schedule import ScheduledFault
from airflow_provider_hubchan.emulator.model.clock import Clock
from airflow_provider_hubchan.emulator.request_log.entry import Entry
from airflow_provider_hubchan.emulator.ui.page import changes
from airflow_provider_hubchan.emulator.ui.threads import ThreadFilter
from airflow_provider_hubchan.emulator.ui.traffic import Traffic
from airflow_provider_hubchan.emulator.ui.view import View, describe

Asked = Callable[[str, str], http.client.HTTPResponse]
NOON = 1_795_176_000.0


@pytest.fixture
def hubspot() -> HubspotBackend:
    """Its clock stands. Four threads: m-1 to m-3, m-4 to m-6 and so on."""
    local = HubspotBackend()
    local.world.clock = Clock(lambda: 0.0, at=NOON)
    local.world.seed(f"m-{number}" for number in range(1, 13))
    return local


def update(hubspot: HubspotBackend, message_id: str, status: str = "READ", error_message: str | None = None) -> None:
    """What a PATCH leaves behind, a second later."""
    hubspot.world.clock.advance(1)
    message = hubspot.world.messages["100200", message_id]
    message.status, message.error_message, message.updated_at = status, error_message, hubspot.world.clock.now()
    request = Request("PATCH", f"/conversations/v3/custom-channels/100200/messages/{message_id}")
    hubspot.ledger.answered(hubspot.ledger.begin(request, hubspot.world), request, Response(200))


def entries(at: Iterable[float], status: int | None, path: str = "/conversations/v3/x") -> list[Entry]:
    return [Entry(moment, "PATCH", path, status=status) for moment in at]


def ids(seen: dict[str, Any]) -> list[list[str]]:
    """The message ids of each thread, as they are shown."""
    return [[message["id"] for message in seen["threads"][str(thread)]["messages"]] for thread in seen["order"]]


def test_the_latest_activity_comes_first(hubspot: HubspotBackend) -> None:
    """A thread whose message was updated is the first, with all its messages in the order in which they were sent."""
    update(hubspot, "m-5")
    seen = View(hubspot, ThreadFilter()).snapshot()
    assert ids(seen) == [["m-4", "m-5", "m-6"], ["m-1", "m-2", "m-3"], ["m-7", "m-8", "m-9"], ["m-10", "m-11", "m-12"]]
    assert seen["threads"][str(seen["order"][0])]["at"] == NOON + 1
    assert seen["counts"] == {"SENT": 11, "READ": 1}


def test_a_failure_comes_with_its_reason(hubspot: HubspotBackend) -> None:
    """The reason of an update that failed, as it was written; none once the message is read after all."""
    update(hubspot, "m-1", "FAILED", "30003: <b>Unreachable</b>")
    view = View(hubspot, ThreadFilter())
    first = view.snapshot()["threads"]["7700880000"]["messages"][0]
    assert (first["status"], first["error"]) == ("FAILED", "30003: <b>Unreachable</b>")
    update(hubspot, "m-1", "READ", "30003")
    assert view.snapshot()["threads"]["7700880000"]["messages"][0]["error"] is None


def test_what_changes_is_seen_before_all_messages_are_gone_through_again(hubspot: HubspotBackend) -> None:
    """With a million messages that is seldom: updates, and messages that are new, come forward at once all the same."""
    view = View(hubspot, ThreadFilter())
    view.snapshot()
    update(hubspot, "m-9")
    hubspot.world.clock.advance(1)
    hubspot.world.seed(["m-13", "m-14"])
    assert ids(view.snapshot())[:2] == [["m-13", "m-14"], ["m-7", "m-8", "m-9"]]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (ThreadFilter(status="FAILED"), [["m-4", "m-5", "m-6"]]),
        (ThreadFilter(search="M-1"), [["m-1", "m-2", "m-3"], ["m-10", "m-11", "m-12"]]),
        (ThreadFilter(search="7700880002"), [["m-7", "m-8", "m-9"]]),
        (ThreadFilter(status="FAILED", search="m-1"), []),
    ],
)
def test_threads_can_be_chosen(hubspot: HubspotBackend, wanted: ThreadFilter, shown: list[list[str]]) -> None:
    """By the status of one of their messages, by an id, by their number, and by both together."""
    update(hubspot, "m-5", "FAILED")
    seen = View(hubspot, wanted).snapshot()
    assert (ids(seen), seen["matching"]) == (shown, len(shown))


def test_a_thread_goes_that_is_wanted_no_more(hubspot: HubspotBackend) -> None:
    """Who looks at failures does not see what has been read meanwhile, and sees what has failed meanwhile."""
    update(hubspot, "m-5", "FAILED")
    view = View(hubspot, ThreadFilter(status="FAILED"))
    view.snapshot()
    update(hubspot, "m-5", "READ")
    update(hubspot, "m-12", "FAILED")
    assert ids(view.snapshot()) == [["m-10", "m-11", "m-12"]]


def test_two_hundred_threads_are_shown_at_most(hubspot: HubspotBackend) -> None:
    """The others are counted; who comes forward pushes the last one out."""
    hubspot.world.seed(f"more-{number}" for number in range(900))
    view = View(hubspot, ThreadFilter())
    seen = view.snapshot()
    assert (len(seen["order"]), len(seen["threads"]), seen["matching"]) == (200, 200, 304)
    update(hubspot, "more-899")
    again = view.snapshot()
    assert again["order"] == [7_700_880_303, *seen["order"][:199]]


def test_of_a_long_thread_the_latest_messages_are_shown(hubspot: HubspotBackend) -> None:
    """Twelve, among them the ones that were searched for; the rest is counted."""
    hubspot.world.seed(f"long-{number}" for number in range(40))
    for _, message in list(hubspot.world.messages.items())[12:]:
        message.thread = 5
    thread = View(hubspot, ThreadFilter(search="long-3")).snapshot()["threads"]["5"]
    assert [message["id"] for message in thread["messages"]] == ["long-3", *(f"long-{n}" for n in range(29, 40))]
    assert thread["more"] == 28


def test_a_reset_makes_a_view_outdated(hubspot: HubspotBackend) -> None:
    """The next one begins without what was."""
    view = View(hubspot, ThreadFilter())
    assert not view.is_outdated()
    hubspot.reset()
    assert view.is_outdated()
    assert View(hubspot, ThreadFilter()).snapshot()["order"] == []


def test_all_messages_are_gone_through_again_in_time(hubspot: HubspotBackend) -> None:
    """So that what a test changes in the world itself is counted, too."""
    view = View(hubspot, ThreadFilter())
    hubspot.world.messages["100200", "m-1"].status = "READ"
    view.renew(float("-inf"))
    assert view.snapshot()["counts"] == {"SENT": 12}, "it is not time yet"
    view.renew(float("inf"))
    assert view.snapshot()["counts"] == {"SENT": 11, "READ": 1}


def test_the_quota_of_every_app_and_account_is_told(hubspot: HubspotBackend) -> None:
    """The first is the one of the plot. No limit is none, not a million."""
    world = hubspot.world
    world.add_install(world.add_app("other", app_id=7), world.add_portal(8))
    assert quota.count_request(world, world.installs[1]) is None
    used = {"used": 0, "limit": 110, "day_used": 0, "day_limit": None}
    first, other = View(hubspot, ThreadFilter()).snapshot()["quotas"]
    assert first == {"app": 300400, "portal": 62515, **used}
    assert other == {"app": 7, "portal": 8, **used, "used": 1, "day_used": 1}
    world.settings.change(limit=0, daily=5)
    assert View(hubspot, ThreadFilter()).snapshot()["quotas"][1] == {**other, "limit": None, "day_limit": 5}


def test_the_traffic_is_of_the_last_minute() -> None:
    """Calls, 429s and the fullest moment of each half second; what is older is forgotten."""
    traffic = Traffic()
    traffic.add(entries([NOON, NOON + 0.1], 200) + entries([NOON + 0.2], 429), NOON + 0.3, used=2, window=10)
    assert traffic.buckets == {int(NOON / 0.5): replace(traffic.buckets[int(NOON / 0.5)], calls=3, refused=1, used=2)}
    traffic.add(entries([NOON + 59], 200), NOON + 59.5, used=1, window=10)
    assert (traffic.refused, traffic.rate(NOON + 60)) == (1, 0.5)
    traffic.add([], NOON + 61, used=0, window=10)
    assert traffic.refused == 0


def test_a_call_that_is_answered_late_counts_when_it_is() -> None:
    """Its 429 belongs to the time at which the call came."""
    traffic = Traffic()
    (late,) = entries([NOON], None)
    assert traffic.add([late], NOON, used=0, window=10) == []
    late.status = 429
    assert traffic.add([], NOON + 5, used=0, window=10) == [late]
    assert {number: bucket.refused for number, bucket in traffic.buckets.items()} == {int(NOON / 0.5): 1}


def test_the_window_is_reckoned_for_the_time_before_anybody_looked() -> None:
    """From what was let through: it counts for ten seconds. Calls for a token do not count."""
    traffic = Traffic()
    heard = entries([NOON, NOON + 4], 200) + entries([NOON + 5], 429) + entries([NOON + 6], 200, "/oauth/v3/token")
    traffic.add(heard, NOON + 20, used=0, window=10)
    used = {number - int(NOON / 0.5): bucket.used for number, bucket in traffic.buckets.items() if bucket.used}
    assert used == {**dict.fromkeys(range(8), 1), **dict.fromkeys(range(8, 20), 2), **dict.fromkeys(range(20, 28), 1)}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(status=500, times=2), "answers 500 to any calls"),
        (Fault(status=429, method="PATCH", message_id="m-1", delay=1.5), "answers 429 to PATCH calls about m-1 after 1.5 s"),
        (Fault(delay=2, path="/oauth/"), "answers any calls to …/oauth/… after 2 s"),
        (Fault(drop="before", apply=True), "closes the connection of any calls, which are done all the same"),
        (Fault(drop="half"), "sends half the answer to any calls"),
        (Fault(answer="locked", rate=0.05), "answers 423 to 5 % of all calls"),
        (Fault(answer="locked", delay={"exponential": 1}), "answers 423 to any calls late"),
        (Fault(trickle=3), "answers any calls, its body within 3 s"),
        (Fault(trickle={"uniform": [1, 2]}), "answers any calls, its body slowly"),
        (Fault(revoke="access"), "answers any calls, revokes the access tokens first"),
        (Fault(lag=30, message_id="m-1"), "answers PATCH calls about m-1, which can be read 30 s later"),
    ],
)
def test_a_fault_is_told_in_words(fault: Fault, text: str) -> None:
    """With the number of calls that it will still hit."""
    assert describe(ScheduledFault(1, {}, fault, 0.0)) == {"text": text, "times": fault.max_hits}


def test_only_what_changed_is_told() -> None:
    """Of threads and buckets by the piece, of all else as a whole."""
    known = {"rate": 1, "order": [1, 2], "threads": {"1": "a", "2": "b"}, "buckets": {"7": [1]}}
    seen = {"rate": 1, "order": [2, 1], "threads": {"1": "a", "2": "c"}, "buckets": {}}
    assert changes({}, known) == known
    assert changes(known, known) == {}
    assert changes(known, seen) == {"order": [2, 1], "threads": {"2": "c"}}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def asked(emulator: Emulator) -> Iterator[Asked]:
    with closing(http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=10)) as connection:

        def ask(method: str, path: str) -> http.client.HTTPResponse:
            connection.close()
            connection.request(method, path)
            return connection.getresponse()

        yield ask


def told(response: http.client.HTTPResponse) -> dict[str, Any]:
    """The next event."""
    while not (line := response.readline()).startswith(b"data: "):
        assert line
    event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return event


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/_emulator/page/page.css", "text/css"), ("/_emulator/page/page.js", "javascript")],
)
def test_the_page_can_load_and_run_nothing_but_its_own(asked: Asked, path: str, kind: str) -> None:
    """Whatever a message may say, the browser is told."""
    response = asked("GET", path)
    assert response.status == 200
    assert kind in str(response.headers["Content-Type"])
    assert "default-src 'none'; script-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_server_that_stops_closes_the_file_that_it_sends() -> None:
    """A browser may be in the middle of loading the page: the garbage collector would warn of the file later on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(20):
            with (
                Emulator() as emulator,
                socket.create_connection(("127.0.0.1", int(emulator.url.rpartition(":")[2])), timeout=5) as browser,
            ):
                browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert browser.recv(12) == b"HTTP/1.1 200"
        gc.collect()
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []


def test_the_page_is_to_be_looked_at_only(emulator: Emulator, asked: Asked) -> None:
    """HubSpot's own addresses are as they were, and looking is not in the ledger."""
    assert asked("POST", "/").status == 405
    assert asked("GET", "/favicon.ico").status == 204
    assert asked("GET", "/x").status == 404
    assert [entry.path for entry in emulator.ledger.entries] == ["/x"]


def test_the_events_begin_with_everything(emulator: Emulator, asked: Asked) -> None:
    """Then come changes; after a reset everything again. A reader does not keep the emulator from ending."""
    emulator.world.seed(["m-1", "m-2", "m-3"])
    response = asked("GET", "/_emulator/events?search=m-2&status=SENT")
    first = told(response)
    assert (response.headers["Content-Type"], first["full"], first["matching"]) == ("text/event-stream; charset=utf-8", True, 1)
    emulator.world.messages["100200", "m-2"].status = "READ"
    changed: dict[str, Any] = {}
    while "order" not in changed:
        changed = told(response)
    assert (changed["full"], changed["order"], "portal" in changed) == (False, [], False)
    emulator.reset()
    while not changed["full"]:
        changed = told(response)
    assert (changed["counts"], changed["order"]) == ({}, [])


def test_a_question_that_cannot_be_answered_is_refused(asked: Asked) -> None:
    """With everything that is wrong with it."""
    response = asked("GET", "/_emulator/events?status=Read&find=m-1")
    said = json.loads(response.read())["error"]
    assert (response.status, said) == (
        400,
        "there is no find; there are status, search; status is 'Read', not one of FAILED, READ, SENT, RECEIVED",
    )
