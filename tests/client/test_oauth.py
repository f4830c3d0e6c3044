from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_hubchan.client.actions import Halt, Lost, Reply, Request, Stopped, Wait
from airflow_provider_hubchan.client.errors import BAD_TLS, CUT_OFF, NO_CONNECTION, NO_REPLY, Problem
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import Bearer
from airflow_provider_hubchan.client.patience import Patience
from airflow_provider_hubchan.connection import named
from tests.client.canned import reply

APP = Account(client_id="id", client_secret="cl13nt&s3cr3t", refresh_token="r3fr3sh")
PATIENCE = Patience(tries=2)
ELSEWHERE = "That is not HubSpot's token address: check the connection's API base URL and API version."
LATER = "Try again later."
CREDENTIALS = f"Check {named('login')} and {named('password')} of the connection"


def grant(life: Any = 1800, **more: Any) -> Reply:
    return reply(200, {"access_token": "n3w-t0k3n", "expires_in": life, "token_type": "bearer", **more})


def fetch(bearer: Bearer, *answers: Reply | Lost) -> tuple[list[Any], str | Halt]:
    """Perform the story of a fetch; the steps, and the token or the halt."""
    waiting, steps = list(answers), list[Any]()
    story = bearer.fetch(PATIENCE, spread=lambda: 0.0)
    try:
        step = next(story)
        while True:
            steps.append(step)
            step = story.send(waiting.pop(0) if isinstance(step, Request) else None)
    except StopIteration as end:
        return steps, end.value
    except Stopped as stopped:
        return steps, stopped.halt


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("v3", "/oauth/v3/token"),
        ("2025-09", "/oauth/2026-03/token"),
        ("2026-03", "/oauth/2026-03/token"),
        ("2026-09", "/oauth/2026-09/token"),
    ],
)
def test_the_refresh_grant_is_a_form_at_the_connections_version(version: str, path: str) -> None:
    """HubSpot answers JSON with 415; the address follows the API version."""
    account = Account(client_id="id", client_secret="cl13nt&s3cr3t", refresh_token="r3fr3sh", api_version=version)
    (request,), token = fetch(Bearer(account), grant())
    assert token == "n3w-t0k3n"
    assert (request.method, request.url) == ("POST", f"https://api.hubapi.com{path}")
    assert request.content_type == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["id"],
        "client_secret": ["cl13nt&s3cr3t"],
        "refresh_token": ["r3fr3sh"],
    }
    assert not request.paced, "the token endpoint has a limiter of its own"
    assert "r3fr3sh" not in repr(request)


@pytest.mark.parametrize(
    ("life", "used_for"),
    [(1800, 1740.0), (30, 24.0), (60.0, 48.0), (None, float("inf")), ("soon", float("inf")), (-5, float("inf"))],
)
def test_a_token_is_replaced_before_it_ends(life: Any, used_for: float) -> None:
    """A minute before ``expires_in`` is over, or a fifth of a short life; without one, a 401 tells."""
    bearer = Bearer(APP)
    assert bearer.value(0.0, None) is None
    fetch(bearer, grant(life))
    assert bearer.value(min(used_for, 1e9) - 0.001, None) == "n3w-t0k3n"
    if used_for < float("inf"):
        assert bearer.value(used_for, None) is None


def test_a_refused_token_is_not_handed_out_again() -> None:
    """After a 401 the same token is no answer, however long it should have lived."""
    bearer = Bearer(APP)
    fetch(bearer, grant())
    assert bearer.value(0.0, refused="n3w-t0k3n") is None
    assert bearer.value(0.0, refused="an older one") == "n3w-t0k3n"


def test_a_new_refresh_token_is_kept() -> None:
    """Whatever comes back with the grant is used for the next one."""
    bearer = Bearer(APP)
    fetch(bearer, grant(refresh_token="r0tat3d"))
    (request,), _ = fetch(bearer, grant())
    assert parse_qs(request.body.decode())["refresh_token"] == ["r0tat3d"]


def test_every_secret_is_announced_before_it_is_used() -> None:
    """Log maskers learn of fetched tokens, too."""
    heard: list[str] = []
    fetch(Bearer(APP, announce=heard.append), grant(refresh_token="r0tat3d"))
    assert heard == ["n3w-t0k3n", "r0tat3d"]


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (
            400,
            {"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant", "message": "no"},
            "Install the app in the account again",
        ),
        (400, {"error": "invalid_grant", "error_description": "no"}, "Install the app in the account again"),
        (400, {"status": "BAD_HUB", "error": "access_denied", "message": "no"}, "The account has removed the app"),
        (403, {"status": "BAD_HUB", "message": "no"}, "The account has removed the app"),
        (400, {"status": "BAD_CLIENT_ID", "error": "invalid_client", "message": "no"}, CREDENTIALS),
        (400, {"status": "BAD_CLIENT_SECRET", "error": "invalid_client", "message": "no"}, CREDENTIALS),
        (400, {"status": "BAD_GRANT_TYPE", "message": "no"}, ELSEWHERE),
        (400, {"error": "invalid_request"}, ELSEWHERE),
        (400, {"status": ["odd"], "error": {"code": 1}}, ELSEWHERE),
        (401, {"status": "error", "message": "no", "category": "INVALID_AUTHENTICATION"}, ELSEWHERE),
        (404, {"status": "error", "message": "resource not found"}, ELSEWHERE),
        (404, b"<html>", ELSEWHERE),
        (415, b"", ELSEWHERE),
    ],
)
def test_a_refused_grant_ends_the_batch_for_good(status: int, body: Any, advice: str) -> None:
    """One try, then a halt that says what a person has to do."""
    steps, halt = fetch(Bearer(APP), reply(status, body))
    assert isinstance(halt, Halt)
    assert halt.permanent
    assert advice in halt.problem.reason
    assert LATER not in halt.problem.reason
    assert [type(step) for step in steps] == [Request, Halt]


@pytest.mark.parametrize(
    "answer",
    [reply(429, {}), reply(503, b""), Lost(NO_REPLY), reply(200, b"<html>"), reply(200, {}), grant(access_token="a\nb")],
)
def test_a_fault_of_the_token_endpoint_is_waited_out_then_halts(answer: Reply | Lost) -> None:
    """Faults are retried with patience; after it the batch ends, but a retry of the task may do."""
    steps, token = fetch(Bearer(APP), answer, grant())
    assert token == "n3w-t0k3n"
    assert [type(step) for step in steps] == [Request, Wait, Request]
    _, halt = fetch(Bearer(APP), answer, answer)
    assert isinstance(halt, Halt)
    assert not halt.permanent


@pytest.mark.parametrize(
    ("error", "status"),
    [("invalid_grant", "BAD_REFRESH_TOKEN"), ("access_denied", "BAD_HUB"), ("invalid_client", "BAD_CLIENT_ID")],
)
def test_an_error_of_oauth_is_advised_on_as_hubspots_own(error: str, status: str) -> None:
    """HubSpot answers with both, or with one of them."""
    halts = [fetch(Bearer(APP), reply(400, body | {"message": "no"}))[1] for body in ({"error": error}, {"status": status})]
    first, second = (halt.problem.reason for halt in halts if isinstance(halt, Halt))
    assert first == second != "No access token could be fetched. HubSpot answered 400: no."
    assert ELSEWHERE not in first


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(429, {}), f"HubSpot answered 429: 2 bytes of unnamed type instead of an answer of HubSpot's API. {LATER}"),
        (reply(503, b""), f"HubSpot answered 503: no text. {LATER}"),
        (Lost(NO_REPLY), f"No answer from HubSpot: no reply in time. {LATER}"),
        (Lost(CUT_OFF), f"No answer from HubSpot: the connection was closed before the reply was complete. {LATER}"),
        (Lost(NO_CONNECTION), "Check the API base URL, and the worker's way to it (proxy, firewall, name service)."),
        (reply(200, {}), ELSEWHERE),
        (reply(200, b"<html>"), ELSEWHERE),
    ],
)
def test_every_fault_of_the_token_endpoint_has_a_next_step(answer: Reply | Lost, reason: str) -> None:
    """What may pass asks for another try; what answers without a token is something else."""
    _, halt = fetch(Bearer(APP), answer, answer)
    assert isinstance(halt, Halt)
    assert halt.problem.reason.startswith("No access token could be fetched. ")
    assert halt.problem.reason.endswith(reason)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (Lost(BAD_TLS), "CA bundle of the worker"),
        (reply(301, b"", Location="https://elsewhere"), "check the connection's API base URL"),
        (reply(404, b"<html>"), "check the connection's API base URL and API version"),
    ],
)
def test_a_wrong_address_is_told_by_its_first_answer(answer: Reply | Lost, advice: str) -> None:
    """The token address is called first, so it is where a wrong base URL shows: one try, and where to look."""
    steps, halt = fetch(Bearer(APP), answer)
    assert isinstance(halt, Halt)
    assert halt.permanent
    assert advice in halt.problem.reason
    assert len(steps) == 2


def test_a_ready_access_token_cannot_be_renewed() -> None:
    """A connection with only an access token ends with what HubSpot said when it refused it, category and all."""
    bearer = Bearer(Account(access_token="r3ady"))
    assert bearer.value(1e9, None) == "r3ady"
    because = Problem("HubSpot answered 401: no.", "401", 401, "INVALID_AUTHENTICATION", "c-1")
    story = bearer.fetch(PATIENCE, because)
    assert next(story) == Halt(because, permanent=True)
    with pytest.raises(Stopped):
        next(story)


def test_nothing_to_fetch_a_token_with() -> None:
    """An account without any credentials says so without a request."""
    steps, halt = fetch(Bearer(Account()))
    assert isinstance(halt, Halt)
    assert "complete the connection" in halt.problem.reason
    assert len(steps) == 1


def test_an_error_does_not_echo_the_secrets() -> None:
    """The reply of the token endpoint may repeat what it was sent."""
    _, halt = fetch(Bearer(APP), reply(400, {"message": "refresh token r3fr3sh of cl13nt&s3cr3t is invalid"}))
    assert isinstance(halt, Halt)
    assert "refresh token *** of *** is invalid" in halt.problem.reason


def test_a_short_wait_is_no_time_for_the_task_to_come_back() -> None:
    """The tries are used up; to come back in a second, again and again, would use up the task's retries, too."""
    _, halt = fetch(Bearer(APP), *[reply(503, b"", Retry_After="1")] * PATIENCE.tries)
    assert isinstance(halt, Halt)
    assert (halt.permanent, halt.retry_after) == (False, None)
