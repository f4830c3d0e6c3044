from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_hubchan.client.actions import (
    INCOMPLETE,
    NO_CONNECTION,
    READ_TIMEOUT,
    UNTRUSTED_TLS,
    Abort,
    Aborted,
    NeedToken,
    NoResponse,
    Request,
    Response,
    Wait,
)
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.client.oauth import RENEWAL_INTERVAL, TokenProvider
from airflow_provider_hubchan.client.problems import NOT_HUBSPOT
from airflow_provider_hubchan.connection import field_names
from tests.client.canned import refusal, reply

APP = Account(client_id="id", client_secret="cl13nt&s3cr3t", refresh_token="r3fr3sh")
RETRY = RetryConfig(max_attempts=2)
WRONG_URL = "That is not HubSpot's token address: check the connection's API base URL and API version."
TRY_LATER = "Try again later."
CREDENTIALS = f"Check {field_names('login')} and {field_names('password')} of the connection"


def grant(expires_in: Any = 1800, **more: Any) -> Response:
    return reply(200, {"access_token": "n3w-t0k3n", "expires_in": expires_in, "token_type": "tokens", **more})


def current(tokens: TokenProvider, now: float, refused: str | None = None) -> str | None:
    token = tokens.current(now, refused)
    return token.value if token else None


def refresh(
    tokens: TokenProvider, *responses: Response | NoResponse, now: float = 0.0, need: NeedToken | None = None
) -> tuple[list[Any], str | Abort]:
    """Perform the flow that fetches a token; its actions, and the token's value or the abort."""
    waiting, actions = list(responses), list[Any]()
    flow = tokens.refresh_flow(RETRY, need or NeedToken(), lambda: now, jitter=lambda: 0.0)
    try:
        action = next(flow)
        while True:
            actions.append(action)
            action = flow.send(waiting.pop(0) if isinstance(action, Request) else None)
    except StopIteration as end:
        return actions, end.value.value
    except Aborted as aborted:
        return actions, aborted.abort


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("v3", "/oauth/v3/token"),
        ("2026-03", "/oauth/2026-03/token"),
        ("2026-09", "/oauth/2026-09/token"),
    ],
)
def test_the_refresh_grant_is_a_form_at_the_connections_version(version: str, path: str) -> None:
    """HubSpot answers JSON with 415; the address follows the API version."""
    account = Account(client_id="id", client_secret="cl13nt&s3cr3t", refresh_token="r3fr3sh", api_version=version)
    (request,), token = refresh(TokenProvider(account), grant())
    assert token == "n3w-t0k3n"
    assert (request.method, request.url) == ("POST", f"https://api.hubapi.com{path}")
    assert request.content_type == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["id"],
        "client_secret": ["cl13nt&s3cr3t"],
        "refresh_token": ["r3fr3sh"],
    }
    assert not request.uses_quota, "the token endpoint has a limiter of its own"
    assert "r3fr3sh" not in repr(request)


@pytest.mark.parametrize(
    ("expires_in", "used_for"),
    [
        (1800, 1740.0),
        (30, 24.0),
        (60.0, 48.0),
        (None, float("inf")),
        ("soon", float("inf")),
        (-5, float("inf")),
        (1e-9, float("inf")),
        (True, float("inf")),
        (float("nan"), float("inf")),
        (10**400, float("inf")),
        (1e12, float("inf")),
    ],
)
def test_a_token_is_replaced_before_it_ends(expires_in: Any, used_for: float) -> None:
    """A minute before ``expires_in`` is over, or a fifth of a short one before; without one, a 401 says that it is over."""
    tokens = TokenProvider(APP)
    assert current(tokens, 0.0, None) is None
    refresh(tokens, grant(expires_in))
    assert current(tokens, min(used_for, 1e9) - 0.001, None) == "n3w-t0k3n"
    if used_for < float("inf"):
        assert current(tokens, used_for, None) is None


def test_a_refused_token_is_not_handed_out_again() -> None:
    """After a 401 the same token is no answer, however long it should have lived."""
    tokens = TokenProvider(APP)
    refresh(tokens, grant())
    assert current(tokens, 0.0, refused="n3w-t0k3n") is None
    assert current(tokens, 0.0, refused="an older one") == "n3w-t0k3n"


def test_a_new_refresh_token_is_kept() -> None:
    """The refresh token that comes with a grant is used for the next one."""
    tokens = TokenProvider(APP)
    refresh(tokens, grant(refresh_token="r0tat3d"))
    (request,), _ = refresh(tokens, grant())
    assert parse_qs(request.body.decode())["refresh_token"] == ["r0tat3d"]


def test_every_secret_is_masked_before_it_is_used() -> None:
    """Log maskers get fetched tokens, too."""
    masked: list[str] = []
    refresh(TokenProvider(APP, mask=masked.append), grant(refresh_token="r0tat3d"))
    assert masked == ["n3w-t0k3n", "r0tat3d"]


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
        (400, {"status": "BAD_GRANT_TYPE", "message": "no"}, WRONG_URL),
        (400, {"error": "invalid_request"}, WRONG_URL),
        (400, {"status": ["odd"], "error": {"code": 1}, "message": "no"}, WRONG_URL),
        (401, {"status": "error", "message": "no", "category": "INVALID_AUTHENTICATION"}, WRONG_URL),
        (404, {"status": "error", "message": "resource not found"}, WRONG_URL),
        (404, {"message": "no"}, WRONG_URL),
        (415, {"status": "error", "message": "Unsupported Media Type"}, WRONG_URL),
    ],
)
def test_a_refused_grant_ends_the_batch_for_good(status: int, body: Any, advice: str) -> None:
    """One attempt, then an abort that says what a person has to do."""
    actions, abort = refresh(TokenProvider(APP), reply(status, body))
    assert isinstance(abort, Abort)
    assert abort.permanent
    assert advice in abort.problem.reason
    assert TRY_LATER not in abort.problem.reason
    assert [type(action) for action in actions] == [Request, Abort]


@pytest.mark.parametrize(
    "response",
    [
        reply(429, {}),
        reply(503, b""),
        NoResponse(READ_TIMEOUT),
        reply(200, b"<html>"),
        reply(200, {}),
        grant(access_token="a\nb"),
        grant(access_token="x" * 1_000_000),
        reply(404, b"<html>"),
        reply(403, b"Forbidden"),
        reply(200, b"[" * 100_000),
    ],
)
def test_a_failure_of_the_token_endpoint_is_retried_then_aborts(response: Response | NoResponse) -> None:
    """Failures are retried as often as is allowed; then the batch ends, but a retry of the task may help."""
    actions, token = refresh(TokenProvider(APP), response, grant())
    assert token == "n3w-t0k3n"
    assert [type(action) for action in actions] == [Request, Wait, Request]
    _, abort = refresh(TokenProvider(APP), response, response)
    assert isinstance(abort, Abort)
    assert not abort.permanent


@pytest.mark.parametrize(
    ("error", "status"),
    [("invalid_grant", "BAD_REFRESH_TOKEN"), ("access_denied", "BAD_HUB"), ("invalid_client", "BAD_CLIENT_ID")],
)
def test_an_error_of_oauth_is_advised_on_as_hubspots_own(error: str, status: str) -> None:
    """HubSpot answers with both, or with one of them."""
    aborts = [
        refresh(TokenProvider(APP), reply(400, body | {"message": "no"}))[1] for body in ({"error": error}, {"status": status})
    ]
    first, second = (abort.problem.reason for abort in aborts if isinstance(abort, Abort))
    assert first == second != "No access token could be fetched. HubSpot answered 400: no."
    assert WRONG_URL not in first


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (refusal(429), f"HubSpot answered 429: No. {TRY_LATER}"),
        (
            reply(503, b""),
            f"Status 503 came with an empty body instead of an answer of HubSpot's API. {TRY_LATER} {NOT_HUBSPOT}",
        ),
        (reply(404, b"<html>"), f"{WRONG_URL} {NOT_HUBSPOT}"),
        (NoResponse(READ_TIMEOUT), f"No answer from HubSpot: no reply in time. {TRY_LATER}"),
        (
            NoResponse(INCOMPLETE),
            f"No answer from HubSpot: the connection was closed before the reply was complete. {TRY_LATER}",
        ),
        (NoResponse(NO_CONNECTION), "Check the API base URL, and the worker's way to it (proxy, firewall)."),
        (reply(200, {}), WRONG_URL),
        (reply(200, b"<html>"), WRONG_URL),
    ],
)
def test_every_failure_of_the_token_endpoint_has_a_next_step(response: Response | NoResponse, reason: str) -> None:
    """A transient failure asks for another try; a server that answers without a token is something else."""
    _, abort = refresh(TokenProvider(APP), response, response)
    assert isinstance(abort, Abort)
    assert abort.problem.reason.startswith("No access token could be fetched. ")
    assert abort.problem.reason.endswith(reason)


@pytest.mark.parametrize(
    ("response", "advice"),
    [
        (NoResponse(UNTRUSTED_TLS), "CA bundle of the worker"),
        (reply(301, b"", Location="https://elsewhere"), "check the connection's API base URL"),
        (reply(404, {"message": "resource not found"}), "check the connection's API base URL and API version"),
    ],
)
def test_a_wrong_base_url_shows_in_the_first_response(response: Response | NoResponse, advice: str) -> None:
    """The token address is called first, so it is where a wrong base URL shows: one attempt, and where to look."""
    actions, abort = refresh(TokenProvider(APP), response)
    assert isinstance(abort, Abort)
    assert abort.permanent
    assert advice in abort.problem.reason
    assert len(actions) == 2


def test_a_ready_access_token_cannot_be_renewed() -> None:
    """A connection with only an access token ends with what HubSpot said when it refused it, category and all."""
    tokens = TokenProvider(Account(access_token="r3ady"))
    assert current(tokens, 1e9, None) == "r3ady"
    problem = Problem("HubSpot answered 401: no.", "401", 401, "INVALID_AUTHENTICATION", "c-1")
    flow = tokens.refresh_flow(RETRY, NeedToken(problem=problem), lambda: 0.0)
    assert next(flow) == Abort(problem, permanent=True)
    with pytest.raises(Aborted):
        next(flow)


def test_nothing_to_fetch_a_token_with() -> None:
    """An account without any credentials says so without a request."""
    actions, abort = refresh(TokenProvider(Account()))
    assert isinstance(abort, Abort)
    assert "complete the connection" in abort.problem.reason
    assert len(actions) == 1


def test_an_error_does_not_echo_the_secrets() -> None:
    """The response of the token endpoint may repeat what it was sent."""
    _, abort = refresh(TokenProvider(APP), reply(400, {"message": "refresh token r3fr3sh of cl13nt&s3cr3t is invalid"}))
    assert isinstance(abort, Abort)
    assert "refresh token *** of *** is invalid" in abort.problem.reason


def test_a_short_wait_is_no_time_for_the_task_to_come_back() -> None:
    """The attempts are used up; to come back in a second, again and again, would use up the task's retries, too."""
    _, abort = refresh(TokenProvider(APP), *[reply(503, b"", Retry_After="1")] * RETRY.max_attempts)
    assert isinstance(abort, Abort)
    assert (abort.permanent, abort.retry_after) == (False, None)


PASSING = [
    reply(503, b""),
    refusal(429),
    NoResponse(READ_TIMEOUT),
    NoResponse(NO_CONNECTION),
    reply(403, b"<html>"),
    reply(200, b"{"),
    reply(503, b"", Retry_After="86400"),
]


@pytest.mark.parametrize("response", PASSING)
def test_a_token_outlives_a_renewal_that_fails(response: Response | NoResponse) -> None:
    """A failure that passes: one attempt, the token goes on, and the next attempt comes some seconds later, until its end."""
    tokens = TokenProvider(APP)
    refresh(tokens, grant(1800))
    actions, token = refresh(tokens, response, now=1741.0)
    assert ([type(action) for action in actions], token) == ([Request], "n3w-t0k3n")
    assert current(tokens, 1741.0 + RENEWAL_INTERVAL - 0.1) == "n3w-t0k3n"
    assert current(tokens, 1741.0 + RENEWAL_INTERVAL) is None
    _, abort = refresh(tokens, response, response, now=1800.0)
    assert isinstance(abort, Abort)
    assert not abort.permanent


@pytest.mark.parametrize(
    ("response", "need"),
    [
        pytest.param(reply(400, {"status": "BAD_REFRESH_TOKEN", "message": "no"}), NeedToken(), id="the app was removed"),
        pytest.param(reply(503, b""), NeedToken(refused="n3w-t0k3n"), id="the token itself was refused"),
    ],
)
def test_a_token_does_not_outlive_a_refusal(response: Response, need: NeedToken) -> None:
    """What HubSpot has refused is not sent again, however long it should have lived."""
    tokens = TokenProvider(APP)
    refresh(tokens, grant(1800))
    attempts = 1 if response.status == 400 else RETRY.max_attempts
    _, abort = refresh(tokens, *[response] * attempts, now=1741.0, need=need)
    assert isinstance(abort, Abort)
    assert abort.permanent == (response.status == 400)


@pytest.mark.parametrize("portal", [True, -1, 0, 2**63, "62515", [], None, 1.5])
def test_an_account_id_that_makes_no_sense_is_none(portal: Any) -> None:
    """It becomes part of links and asset names."""
    tokens = TokenProvider(APP)
    refresh(tokens, grant(hub_id=portal))
    assert tokens.portal is None


def test_a_rotated_refresh_token_is_redacted_and_stays() -> None:
    """A grant without another one leaves it in use; no answer repeats it to a log."""
    tokens = TokenProvider(APP)
    refresh(tokens, grant(refresh_token="r0tat3d"))
    refresh(tokens, grant())
    (request, *_), abort = refresh(tokens, reply(404, {"message": "r0tat3d?"}))
    assert parse_qs(request.body.decode())["refresh_token"] == ["r0tat3d"]
    assert isinstance(abort, Abort)
    assert "r0tat3d" not in abort.problem.reason
