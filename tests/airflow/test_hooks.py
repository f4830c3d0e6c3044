from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.client.connection_check import check_connection
from airflow_provider_hubchan.client.errors import BadConnection, BadInput, BadRows, CallFailed
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account, Outcome
from airflow_provider_hubchan.client.oauth import TokenProvider
from airflow_provider_hubchan.client.ratelimit.limiter import Permit, RateLimiter
from airflow_provider_hubchan.client.shared_state import shared_state
from airflow_provider_hubchan.client.sync_driver import SyncDriver
from airflow_provider_hubchan.connection import field_names
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.batch.in_memory import RecordingSink
from tests.local_hubspot import account_of
from tests.waiting import wait_until

QUICK = RetryConfig(max_attempts=3, max_throttles=3, base_delay=0.01, break_after=20)


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(2000))
    return hubspot_emulator


def reconnect(monkeypatch: pytest.MonkeyPatch, hubspot: Emulator, **extra: Any) -> None:
    connection = hubspot.connection(**extra)
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))


def test_one_message(hubspot: Emulator) -> None:
    """A single call gives the message as HubSpot has it now; reading gives the same."""
    hook = HubchanHook()
    message = hook.update_message_status("m-1", "FAILED", "30003: gone")
    assert message["status"]["failureDetails"]["errorMessage"] == "30003: gone"
    assert hook.get_message("m-1") == message
    assert hook.get_message(message_id="m-2", channel_id="100200")["status"] == {"statusType": "SENT"}


def test_one_message_on_an_event_loop(hubspot: Emulator) -> None:
    """The asynchronous twins do the same."""

    async def run() -> tuple[Any, Any]:
        hook = HubchanHook()
        return await hook.aupdate_message_status("m-1", "READ"), await hook.aget_message("m-1")

    updated, read = asyncio.run(run())
    assert updated == read
    assert read["status"] == {"statusType": "READ"}


def test_a_loop_does_not_wait_for_airflow(hubspot: Emulator) -> None:
    """The connection is read in another thread: on Airflow 3.2 a request to the supervisor could block a loop for good."""
    threads = []

    class RecordingHook(HubchanHook):
        @classmethod
        def get_connection(cls, conn_id: str) -> Any:
            threads.append(threading.current_thread())
            return super().get_connection(conn_id)

    async def run() -> Any:
        hook = RecordingHook()
        return [await hook.aget_message(name) for name in ("m-1", "m-2")]

    assert [message["id"] for message in asyncio.run(run())] == ["m-1", "m-2"]
    (thread,) = threads
    assert thread is not threading.main_thread()


def test_a_refused_call_raises_with_fields(hubspot: Emulator) -> None:
    """404: both causes in the text, status and category in fields."""
    with pytest.raises(CallFailed, match="there is no such message in this channel, or the token belongs to an app") as caught:
        HubchanHook().update_message_status("unknown", "READ")
    assert (caught.value.problem.status, caught.value.problem.category) == (404, "OBJECT_NOT_FOUND")
    assert caught.value.permanent


def test_a_single_call_is_checked_before_it_is_sent(hubspot: Emulator) -> None:
    """What a batch refuses, a single call refuses, too."""
    with pytest.raises(BadRows, match="RECEIVED"):
        HubchanHook().update_message_status("m-1", "RECEIVED")  # type: ignore[arg-type]
    assert hubspot.ledger.entries == []


@pytest.mark.parametrize("message_id", ["", " \n", None, True, "\ud800"])
def test_no_message_is_read_by_what_is_no_id(hubspot: Emulator, message_id: Any) -> None:
    """As strict as an update, which takes the same ids; an id with space around it is that id."""
    for call in (HubchanHook().get_message, lambda each: asyncio.run(HubchanHook().aget_message(each))):
        with pytest.raises(BadRows, match="row 1: message_id"):
            call(message_id)
    assert hubspot.ledger.entries == []
    assert HubchanHook().get_message(" m-1\n")["id"] == "m-1"


def test_a_channel_must_come_from_somewhere(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the connection nor in the call: the error names both places."""
    reconnect(monkeypatch, hubspot, channel_id=None)
    with pytest.raises(BadConnection, match="is set neither in the connection nor as the task's argument"):
        HubchanHook().update_message_statuses(["m-1"], status="SENT")
    assert HubchanHook().update_message_statuses(["m-1"], status="SENT", channel_id="100200").updated == 1


CALLS: dict[str, Callable[[HubchanHook, str | None], Any]] = {
    "batch": lambda hook, channel: hook.update_message_statuses(["m-1"], status="SENT", channel_id=channel),
    "update": lambda hook, channel: hook.update_message_status("m-1", "READ", channel_id=channel),
    "get": lambda hook, channel: hook.get_message("m-1", channel_id=channel),
    "asynchronous update": lambda hook, channel: asyncio.run(hook.aupdate_message_status("m-1", "READ", channel_id=channel)),
    "asynchronous get": lambda hook, channel: asyncio.run(hook.aget_message("m-1", channel_id=channel)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_all_faults_of_a_connection_come_at_once(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, call: Callable[[HubchanHook, str | None], Any]
) -> None:
    """The missing channel is among them if the call names none, and not if it does; nothing is sent."""
    reconnect(monkeypatch, hubspot, channel_id=None, Timeout=5, api_version="v9")
    others = [
        "Extra Fields JSON (extra) has names that are almost right: for 'Timeout' write timeout",
        "API version (api_version) is 'v9', not one of 2026-03, 2026-09, v3",
    ]
    missing = "Channel ID (channel_id) is set neither in the connection nor as the task's argument"
    for channel, faults in ((None, [*others, missing]), ("100200", others)):
        with pytest.raises(BadConnection) as caught:
            call(HubchanHook(), channel)
        assert list(caught.value.faults) == faults
    reconnect(monkeypatch, hubspot, channel_id=None)
    hook = HubchanHook()
    assert call(hook, "100200")
    requests = len(hubspot.ledger.entries)
    with pytest.raises(BadConnection) as caught:  # its account has been read by now
        call(hook, " ")
    assert list(caught.value.faults) == [missing]
    assert len(hubspot.ledger.entries) == requests


def test_unknown_extras_are_warned_of_in_the_log(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once for a hook, without their values; before an error, too, which they may explain."""
    warning = "Connection 'hubchan_default': Extra Fields JSON (extra) has 'client_id', 'note', which nothing reads; "
    reconnect(monkeypatch, hubspot, client_id="unr3ad", note="unr3ad")
    hook = HubchanHook()
    hook.get_message("m-1")
    hook.get_message("m-2")
    log = capsys.readouterr().out
    assert log.count(warning) == 1
    assert "unr3ad" not in log
    reconnect(monkeypatch, hubspot, client_id="unr3ad", note="unr3ad", refresh_token=None)
    with pytest.raises(BadConnection, match=re.escape("Refresh token (refresh_token) missing")):
        HubchanHook().get_message("m-1")
    assert warning in capsys.readouterr().out


def test_an_extra_that_is_no_object_quotes_nothing(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the error nor in the log, and the Test button shows the same fault."""
    connection = {**hubspot.connection(), "extra": "{'refresh_token': 'unr3ad'}"}
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))
    fault = 'Extra Fields JSON (extra) is not JSON: write a JSON object like {"channel_id": "100200"}'
    with pytest.raises(BadConnection) as caught:
        HubchanHook().get_message("m-1")
    assert caught.value.faults == (fault,)
    assert HubchanHook().test_connection() == (False, f"Not usable yet: {fault}")
    output = "".join(capfd.readouterr())
    assert "unr3ad" not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("channel", ["my channel", "99999999999999", "-1", "None", 0, 1.5, True])
def test_what_is_no_channel_is_not_sent(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, channel: Any) -> None:
    """HubSpot's are 32-bit integers: every row of the batch would be refused, as if the row were wrong."""
    calls: list[Any] = [
        lambda hook: hook.update_message_statuses(["m-1"], status="SENT", channel_id=channel),
        lambda hook: hook.get_message("m-1", channel_id=channel),
        lambda hook: hook.update_message_status("m-1", "READ", channel_id=channel),
    ]
    for call in calls:
        with pytest.raises(BadInput, match=f"channel_id is '{channel}', not the number of a channel"):
            call(HubchanHook())
    reconnect(monkeypatch, hubspot, channel_id=channel)
    with pytest.raises(BadConnection, match=re.escape(f"Channel ID (channel_id) is '{channel}', not the number")):
        HubchanHook().get_message("m-1")
    assert hubspot.ledger.entries == []


def test_a_channel_may_be_a_number(hubspot: Emulator) -> None:
    """An int is as good as text, and nothing is the connection's."""
    for channel in (100200, " 100200 ", "", None):
        assert HubchanHook().update_message_statuses(["m-1"], status="SENT", channel_id=channel).updated == 1  # type: ignore[arg-type]


def test_a_batch_is_accounted_for_row_by_row(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Updated, skipped and rejected rows, the requests they took, and the log's plan and end."""
    rows = [{"message_id": f"m-{number}", "status": "SENT"} for number in range(100)]
    rows += [{"message_id": "m-1", "status": "READ"}, {"message_id": "nobody", "status": "READ"}]
    dead_letters = RecordingSink()
    report = HubchanHook().run_batch(rows, BatchOptions(), dead_letters=dead_letters)
    assert report.counts() == "102 rows: 100 updated, 1 skipped, 1 rejected, 0 unresolved"
    assert report.requests == len(hubspot.ledger.patches()) == 101
    assert sorted(outcome.update.row for outcome in dead_letters.outcomes) == list(range(1, 103))
    assert hubspot.world.messages["100200", "m-1"].status == "READ"
    log = capsys.readouterr().out
    assert "102 rows: 101 to send, 1 skipped. Quota 100 requests per 10 s (until HubSpot's" in log
    assert "Not updated: 1 skipped: superseded; 1 rejected: 404 ConversationsResourceNotFoundError" in log


def test_bad_rows_stop_a_batch_before_it_begins(hubspot: Emulator) -> None:
    """One bad row among good ones: nothing is sent."""
    with pytest.raises(BadRows):
        HubchanHook().update_message_statuses(["m-1", ""], status="READ")
    assert hubspot.ledger.entries == []


def test_a_dry_run_sends_nothing(hubspot: Emulator) -> None:
    """Rows are read and ordered, and all of them are skipped."""
    report = HubchanHook().update_message_statuses(["m-1", "m-2", "m-1"], status="READ", dry_run=True)
    assert report.counts() == "3 rows: 0 updated, 3 skipped, 0 rejected, 0 unresolved"
    assert hubspot.ledger.entries == []


@pytest.mark.slow
def test_a_missing_scope_ends_the_batch(hubspot: Emulator) -> None:
    """403 concerns everyone: a handful of requests, and the rest is unresolved."""
    hubspot.world.install.scopes = ("oauth", "conversations.custom_channels.read")
    report = HubchanHook().update_message_statuses([f"m-{number}" for number in range(500)], status="READ")
    assert report.unresolved == 500
    assert report.aborted is not None
    assert report.aborted.permanent
    assert "conversations.custom_channels.write" in report.aborted.problem.reason
    assert len(hubspot.ledger.patches()) <= 16


def test_a_server_that_is_down_gets_no_request_for_every_row(hubspot: Emulator) -> None:
    """After twenty rows in a row without an answer the rest is not tried."""
    hubspot.fault(status=503, times=100_000)
    report = HubchanHook(retry=QUICK).update_message_statuses([f"m-{number}" for number in range(500)], status="READ")
    assert report.unresolved == 500
    assert report.aborted is not None
    assert "20 rows in a row got no answer" in report.aborted.problem.reason
    assert not report.aborted.permanent
    assert len(hubspot.ledger.patches()) < 500  # some (20 + 16) * 3, and what threads send before they see the end


def test_the_daily_limit_ends_the_batch_with_its_time(hubspot: Emulator) -> None:
    """What is done stays done; the rest waits for the time that HubSpot names."""
    body = {"policyName": "DAILY", "message": "You have reached your daily limit."}
    hubspot.fault(message_id="m-400", status=429, body=body, headers={"Retry-After": "18720"})
    report = HubchanHook().update_message_statuses([f"m-{number}" for number in range(500)], status="READ")
    assert report.updated >= 300
    assert report.updated == hubspot.world.counts()["READ"]
    assert report.updated + report.unresolved == 500
    assert report.aborted is not None
    assert report.aborted.retry_after == 18720.0


@pytest.mark.slow
def test_a_token_that_ends_is_renewed_once_each_time(hubspot: Emulator) -> None:
    """A batch of four token lives: four grants, whatever the number of threads, and every row updated."""
    hook, done = HubchanHook(), 0

    def half_an_hour_passes(outcome: Outcome) -> None:
        """After every 200 outcomes."""
        nonlocal done
        done += 1
        if done in (200, 400, 600):
            hubspot.world.clock.advance(31 * 60)

    ids = [f"m-{number}" for number in range(800)]
    report = hook.run_batch(ids, BatchOptions(status="READ"), dead_letters=RecordingSink(half_an_hour_passes))
    assert report.updated == 800
    assert len(hubspot.ledger.grants()) == 4
    assert len(hubspot.ledger.patches(status=200)) == 800


def test_everybody_in_a_process_shares_token_and_rate_limiter(hubspot: Emulator) -> None:
    """Two hooks of one account and app fetch one token and have one rate limiter, whatever else their connections say."""
    HubchanHook().get_message("m-1")
    HubchanHook().get_message("m-2")
    assert len(hubspot.ledger.grants()) == 1
    account = HubchanHook().account
    assert shared_state(account).limiter.limit_is_known
    other = replace(account, channel_id="7", timeout=3.0, requests_per_10s=20.0)
    assert shared_state(other).limiter is shared_state(account).limiter
    assert shared_state(other).tokens is shared_state(account).tokens


@pytest.mark.parametrize("other", [{"base_url": "http://127.0.0.1:2"}, {"client_id": "b"}, {"refresh_token": "r2"}])
def test_other_accounts_and_apps_do_not_slow_each_other_down(other: dict[str, str]) -> None:
    """HubSpot counts for each app and account: what one has used up, the other still has."""
    account = Account(base_url="http://127.0.0.1:1", client_id="a", client_secret="s", refresh_token="r1")
    limiter = shared_state(account).limiter
    another = shared_state(replace(account, **other)).limiter  # type: ignore[arg-type]
    limiter.block(0.0, 60.0)
    assert isinstance(limiter.acquire(0.0, limiter.share()), float)
    assert isinstance(another.acquire(0.0, another.share()), Permit)


def test_each_connection_keeps_to_its_own_part_of_the_quota() -> None:
    """Two connections of one app, one of them with ``requests_per_10s``: a bound for the one, and one quota for both."""
    with Emulator(limit=0) as emulator:
        limiter = RateLimiter()
        accounts = [account_of(emulator, requests_per_10s=part) for part in (None, 20.0)]
        drivers = [SyncDriver(account, limiter, TokenProvider(account), RetryConfig()) for account in accounts]
        assert [driver.quota.limit for driver in drivers] == [100, 20]


def test_threads_that_come_at_once_share_one() -> None:
    """However they race, there is one rate limiter and one token for an account."""
    account, barrier, states = Account(access_token="t"), threading.Barrier(8), list[Any]()

    def share() -> None:
        barrier.wait()
        states.append(shared_state(account))

    threads = [threading.Thread(target=share) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(id(each.limiter), id(each.tokens)) for each in states}) == 1


def test_a_blocking_call_on_an_event_loop_is_refused(hubspot: Emulator) -> None:
    """It would stand still, and with it the task on the same loop that is fetching the token."""

    async def run() -> None:
        with pytest.raises(RuntimeError, match="use aget_message"):
            HubchanHook().get_message("m-1")

    asyncio.run(run())


def test_the_last_row_says_what_is_down(hubspot: Emulator) -> None:
    """Twenty rejected rows before the server goes down are not the reason why the batch ended."""
    hubspot.fault(status=503, times=100_000)
    for number in range(20):
        hubspot.fault(message_id=f"m-{number}", status=404, body={"message": "gone", "category": "OBJECT_NOT_FOUND"})
    report = HubchanHook(retry=QUICK).update_message_statuses([f"m-{number}" for number in range(200)], status="READ")
    assert report.aborted is not None
    assert "Status 503 came with" in report.aborted.problem.reason


@pytest.mark.slow
def test_a_stop_leaves_the_rest_unresolved(hubspot: Emulator) -> None:
    """Stopped from another thread: the batch ends soon, with every row accounted for and no thread left."""
    hook = HubchanHook()
    hubspot.fault(delay=0.05, times=100_000)

    def stop_once_it_runs() -> None:
        wait_until(lambda: len(hubspot.ledger.patches(status=200)) >= 20)
        hook.stop()

    threading.Thread(target=stop_once_it_runs).start()
    report = hook.update_message_statuses([f"m-{number}" for number in range(2000)], status="READ")
    assert report.updated + report.unresolved == 2000
    assert report.updated >= 20
    assert report.unresolved > 0
    assert report.updated == hubspot.world.counts()["READ"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hubchan-")]


def test_a_stop_before_the_batch_begins_counts(hubspot: Emulator) -> None:
    """A task that is killed while it reads its rows sends nothing."""
    hook = HubchanHook()
    hook.stop()
    assert hook.update_message_statuses(["m-1"], status="READ").unresolved == 1
    assert hubspot.ledger.entries == []


def test_a_private_app_token_is_warned_of_before_the_first_call(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning says why custom channels will refuse it, and what to use."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps({"conn_type": "hubchan", "extra": {"access_token": "pat-na1-x"}})
    )
    assert HubchanHook().account.access_token == "pat-na1-x"
    log = capsys.readouterr().out
    assert "HubSpot does not support custom channels for private apps. Use the OAuth app that owns the channel" in log
    assert "pat-na1-x" not in log
    assert hubspot.ledger.entries == []


def test_the_test_button_proves_everything_it_can(hubspot: Emulator) -> None:
    """Account, scopes, ownership, life of the token."""
    assert HubchanHook().test_connection() == (
        True,
        "OK: account 62515 (US/Eastern); both custom-channels scopes are granted; the token is good for 30 more minutes and is "
        "renewed before it ends; the app owns channel 100200 (channel accounts: 1)",
    )
    assert {entry.method for entry in hubspot.ledger.entries} == {"GET", "POST"}, "and changes nothing"


def button(monkeypatch: pytest.MonkeyPatch, hubspot: Emulator, **extra: Any) -> str:
    reconnect(monkeypatch, hubspot, **extra)
    ok, text = HubchanHook().test_connection()
    assert not ok
    assert not any(secret in text for secret in ("hubchan-demo-client-secret", "hubchan-demo-refresh-token", "emu-"))
    return text


def test_the_test_button_says_what_to_fix(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wrong setting is answered with its cause, and without a secret."""
    assert "channel 999: HubSpot answered 404: Channel 999 not found" in button(monkeypatch, hubspot, channel_id="999")
    refused = button(monkeypatch, hubspot, refresh_token="wrong")
    assert refused.startswith("Not usable yet: No access token could be fetched. HubSpot answered 400: ")
    assert "Install the app in the account again" in refused
    hubspot.world.install.scopes = ("oauth",)
    assert "the app lacks the scope conversations.custom_channels.write and" in button(monkeypatch, hubspot)


def test_the_test_button_names_no_connection(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow tests what is in the form under a made-up id, which the text must not name."""
    given = hubspot.connection(timeout="x", api_version="v9")
    texts = []
    for name in ("hubchan_default", "7gsrorrv"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(given))
        ok, text = HubchanHook(name).test_connection()
        assert not ok
        texts.append(text)
    assert (
        texts
        == [
            "Not usable yet: API version (api_version) is 'v9', not one of 2026-03, 2026-09, v3; "
            "Timeout (timeout) is 'x', not a number of at least 0.1 and at most 300"
        ]
        * 2
    )


def test_the_test_button_names_unknown_extras(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what was proved, and beside what has to be fixed; without their values."""
    unknown = (
        "; Extra Fields JSON (extra) has 'note', 'team', which nothing reads; the names that are read are refresh_token, "
        "channel_id, access_token, api_version, requests_per_10s, timeout, allow_http"
    )
    reconnect(monkeypatch, hubspot, note="unr3ad", team={"unr3ad": 1})
    ok, text = HubchanHook().test_connection()
    assert ok
    assert text.startswith("OK: account 62515")
    assert text.endswith(f"the app owns channel 100200 (channel accounts: 1){unknown}")
    assert button(monkeypatch, hubspot, note="unr3ad", team="unr3ad", request_per_10s="many") == (
        "Not usable yet: Extra Fields JSON (extra) has names that are almost right: for 'request_per_10s' write "
        "requests_per_10s; Requests per 10 seconds (requests_per_10s) is 'many', not a number of at least 1 and at most 100,000"
        + unknown
    )


def test_the_test_button_sees_what_was_granted_just_now(hubspot: Emulator) -> None:
    """It fetches a token of its own: the one at hand lacks a scope that was granted since."""
    hubspot.world.install.scopes = ("oauth",)
    assert not HubchanHook().test_connection()[0]
    hubspot.world.install.scopes = ("oauth", "conversations.custom_channels.read", "conversations.custom_channels.write")
    assert HubchanHook().test_connection()[0]


@pytest.mark.slow
def test_the_test_button_does_not_wait_for_a_dripping_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then never runs into a read timeout; the button answers all the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X" * 40:
                    connection.send(bytes([byte]))
                    threading.Event().wait(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        connection = {"conn_type": "hubchan", "host": url, "extra": {"access_token": "t0k3n", "timeout": 0.5}}
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))
        assert HubchanHook().test_connection() == (
            False,
            "Could not be checked now, try again later: No answer from HubSpot: no reply in time.",
        )
        thread.join()


def test_the_test_button_knows_private_app_tokens(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token works for the account, but not for custom channels."""
    hubspot.world.issue(value="pat-na1-1234")
    text = ready(monkeypatch, hubspot, "pat-na1-1234")
    assert text.startswith(
        "Not usable yet: account 62515 (US/Eastern); the scopes could not be checked (no introspection); "
        f"no {field_names('channel_id')} is set, so whether the app owns the channel was not checked; "
        "the access token begins with"
    )
    assert text.endswith("Use the OAuth app that owns the channel: its client ID, client secret and refresh token")


def ready(monkeypatch: pytest.MonkeyPatch, hubspot: Emulator, token: str, **extra: Any) -> str:
    """What the Test button says to a connection with nothing but a ready token."""
    connection = {"conn_type": "hubchan", "host": hubspot.url, "extra": {"access_token": token, **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(connection))
    ok, text = HubchanHook().test_connection()
    assert token not in text
    assert ok == text.startswith("OK")
    return text


@pytest.mark.parametrize("status", [401, 403, 503])
def test_the_test_button_knows_private_app_tokens_that_hubspot_refuses(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """At the first call already: whatever HubSpot answers, the token is of the wrong kind."""
    hubspot.fault(path="/account-info/", status=status, body={"message": "No."}, times=9)
    text = ready(monkeypatch, hubspot, "pat-na1-1234", channel_id="100200")
    assert text.startswith("Not usable yet: ")
    assert f"HubSpot answered {status}: No." in text
    assert text.count("HubSpot does not support custom channels for private apps") == 1


def test_the_test_button_says_what_a_ready_token_leaves_open(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the app's credentials can ask for the scopes of a token."""
    hubspot.world.issue(value="r3ady")
    assert ready(monkeypatch, hubspot, "r3ady", channel_id="100200") == (
        "OK: account 62515 (US/Eastern); the scopes could not be checked (no introspection); "
        "the app owns channel 100200 (channel accounts: 1)"
    )


DAILY = {"policyName": "DAILY", "message": "You have reached your daily limit."}
LATER = "Could not be checked now, try again later: "


@pytest.mark.parametrize(
    ("path", "status", "body", "text"),
    [
        ("/account-info/", 503, None, f"{LATER}Status 503 came with"),
        (
            "/account-info/",
            429,
            DAILY,
            f"{LATER}HubSpot answered 429: You have reached your daily limit. The account's daily quota",
        ),
        ("/channel-accounts", 503, None, f"{LATER}account 62515 (US/Eastern); both custom-channels scopes"),
        ("/oauth/", 500, None, f"{LATER}No access token could be fetched. Status 500 came with"),
        ("/channel-accounts", 403, None, "Not usable yet: account 62515"),
        ("/", 200, None, "Not usable yet: No access token could be fetched. Status 200 came with"),
    ],
)
def test_the_test_button_does_not_blame_a_connection_for_what_may_pass(
    hubspot: Emulator, monkeypatch: pytest.MonkeyPatch, path: str, status: int, body: Any, text: str
) -> None:
    """A fault of the moment proves nothing: neither that updates will work, nor that anything has to be fixed."""
    hubspot.fault(path=path, status=status, body=body, times=9)
    assert button(monkeypatch, hubspot).startswith(text)


def test_the_test_button_names_what_to_fix_beside_what_may_pass(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again would not grant the scope."""
    hubspot.world.install.scopes = ("oauth",)
    hubspot.fault(path="/channel-accounts", status=503, times=9)
    text = button(monkeypatch, hubspot)
    assert text.startswith("Not usable yet: ")
    assert "Status 503 came with" in text


@pytest.mark.slow
def test_the_test_button_answers_within_the_timeout(hubspot: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs is given up before the form is."""
    hubspot.fault(path="/", delay=30.0, times=10)
    assert "no reply in time" in button(monkeypatch, hubspot, timeout=2.0)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        pytest.param({"statuses": {"delivered": "sent"}}, ["'delivered': 'sent'"], id="a status that is none"),
        pytest.param({"columns": {"id": "x"}}, ["columns has 'id', not of"], id="a name that is not ours"),
        pytest.param(
            {"status": "gone", "max_rejected": -1, "concurrency": 0},
            ["status is", "max_rejected is", "concurrency is"],
            id="all",
        ),
    ],
)
def test_wrong_arguments_of_a_batch_are_all_named(hubspot: Emulator, arguments: Any, texts: list[str]) -> None:
    """A word that leads to no status would be taken for one that is not final."""
    with pytest.raises(BadInput) as caught:
        HubchanHook().update_message_statuses(["m-1"], **arguments)
    assert all(text in str(caught.value) for text in texts)
    assert hubspot.ledger.patches() == []


WRONG: dict[str, Any] = {
    "dry_run": ["False", 1, None],
    "compare_before_write": ["False", 1, None],
    "error_message": [[1], True, {"a": 1}, math.nan, math.inf],
    "max_runtime": ["5", None, math.nan, -1, True, 10**400],
    "not_found_grace": ["5", None, math.nan, math.inf],
    "channel_id": ["abc", True],
}


@pytest.mark.parametrize("name", WRONG)
def test_the_hook_takes_what_the_operator_takes(hubspot: Emulator, name: str) -> None:
    """Of an argument that the operator refuses a batch is not sent, nor taken for a dry run; with all other faults."""
    for value in WRONG[name]:
        with pytest.raises(BadInput, match=f"concurrency is 0: .*{name} is |{name} is .*concurrency is 0: "):
            HubchanHook().update_message_statuses(["m-1"], status="READ", concurrency=0, **{name: value})
    assert hubspot.ledger.entries == []


def test_a_batch_of_the_hook_has_no_end_unless_it_is_given(hubspot: Emulator) -> None:
    """`math.inf` is the default of *max_runtime*, and may be given."""
    report = HubchanHook().update_message_statuses(["m-1"], status="FAILED", error_message=404, max_runtime=math.inf)  # type: ignore[arg-type]
    assert report.updated == 1


def test_bad_rows_are_rejected_rows_of_the_hook_too(hubspot: Emulator) -> None:
    """As many as are allowed; the report names them."""
    rows = [{"ref": "m-1", "state": "seen"}, {"ref": "m-2", "state": "?"}, {"ref": "m-3", "state": "queued"}]
    arguments: Any = {"columns": {"message_id": "ref", "status": "state"}, "statuses": {"Seen": "READ", "queued": None}}
    with pytest.raises(BadRows, match=r"row 2: status \(state\) is '\?', which is not in statuses: add it there"):
        HubchanHook().update_message_statuses(rows, **arguments)
    assert hubspot.ledger.patches() == []
    report = HubchanHook().update_message_statuses(rows, max_rejected=1, **arguments)
    assert (report.updated, report.skipped, report.rejected) == (1, 1, 1)
    assert report.reasons == {("skipped", "not final"): 1, ("rejected", "unknown status '?'"): 1}


def test_the_test_button_names_a_fault_of_its_own(hubspot: Emulator) -> None:
    """A masker that is away, no memory: that is neither HubSpot's slowness nor a wrong connection field."""

    def mask_nothing(secret: str) -> None:
        raise OSError("the supervisor is gone")

    account = replace(account_of(hubspot), timeout=5.0)
    diagnosis = check_connection(account, RateLimiter(), mask_nothing)
    assert str(diagnosis) == "Not usable yet: the check itself failed (OSError: the supervisor is gone)"


def test_the_test_button_names_an_unknown_connection() -> None:
    """It answers for any id."""
    ok, text = HubchanHook("nobody_defines_this").test_connection()
    assert not ok
    assert "it is not defined" in text
