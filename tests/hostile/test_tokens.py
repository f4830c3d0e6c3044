"""The token address under fire, and a token that outlives a refresh that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.hostile.cases import FETCHED_TOKEN, Case, check
from tests.hostile.runs import AMPLE, DRIVERS, Run
from tests.hostile.server import (
    Reply,
    Script,
    Step,
    answer,
    close,
    drip,
    endless,
    good_reply,
    hang,
    later,
    page,
    reset,
)

#: Seconds that a token lives, and after how many it is renewed.
LIFE, RENEWED_AFTER = 1800, 1740


def grant(expires_in: Any = LIFE, token: Any = FETCHED_TOKEN, **other: Any) -> bytes:
    return answer(body={"access_token": token, "expires_in": expires_in, "token_type": "bearer", **other})


def raw_grant(expires_in: str) -> bytes:
    return answer(body=f'{{"access_token": "{FETCHED_TOKEN}", "expires_in": {expires_in}}}'.encode())


def token_case(
    name: str, *steps: Step, ends: str = "", grants: tuple[int, int] | None = None, **other: Any
) -> tuple[Case, Any]:
    """A case whose token address answers each request alike.

    :param grants: how many token requests there are, at least and at most; None for one if the token is used, else two.
    """
    outcome = "unresolved" if ends else "updated"
    return Case(name, {"token": [steps]}, outcome, ends=ends, **other), grants or ((1, 2) if ends else (1, 1))


USED = [
    token_case(f"a life of {name}", raw_grant(text))
    for name, text in {
        "400 digits": "9" * 400,
        "minus 400 digits": "-" + "9" * 400,
        "NaN": "NaN",
        "infinity": "Infinity",
        "minus infinity": "-Infinity",
        "a number beyond all floats": "1e400",
        "a billionth of a second": "1e-9",
        "zero": "0",
        "minus one": "-1",
        "a text": '"1800"',
        "a word": '"soon"',
        "true": "true",
        "false": "false",
        "null": "null",
        "a list": "[1800]",
        "an object": '{"seconds": 1800}',
        "a thousand years": "31536000000",
    }.items()
] + [
    *(
        token_case(f"an account id of {name}", grant(hub_id=hub_id))
        for name, hub_id in {
            "400 digits": 10**400,
            "a text": "62515",
            "true": True,
            "minus one": -1,
            "a fraction": 1.5,
            "infinity": float("inf"),
            "a list": [62515],
            "null": None,
        }.items()
    ),
    *(
        token_case(f"a refresh token that is {name}", grant(refresh_token=refresh_token))
        for name, refresh_token in {
            "a number": 17,
            "a list": ["r"],
            "empty": "",
            "null": None,
            "two lines": "r\r\nX-A: b",
            "NUL": "r\x00",
            "a lone surrogate": "\ud800",
            "half a megabyte": "r" * 500_000,
        }.items()
    ),
    token_case("an interim reply and a token", b"HTTP/1.1 103 Early Hints\r\n\r\n" + grant()),
]
NOT_USED = [
    token_case("a life of 5,000 digits", raw_grant("9" * 5000), ends="for now"),
    *(
        token_case(f"a token that is {name}", grant(token=token), ends="for now")
        for name, token in {
            "a number": 17,
            "a list": ["t0k3n"],
            "an object": {"value": "t0k3n"},
            "null": None,
            "true": True,
            "empty": "",
            "a space": " ",
            "two lines": "t0k3n\r\nX-Admin: yes",
            "NUL": "t0k3n\x00",
            "a lone surrogate": "t0k3n\ud800",
            "not ASCII": "t0k3n-é",
            "a megabyte": "t" * 1_000_000,
        }.items()
    ),
    token_case("100,000 brackets", answer(body=b"[" * 100_000), ends="for now"),
    token_case("100,000 brackets with status 400", answer(400, b"[" * 100_000), ends="for now"),
    token_case("a list", answer(body=[{"access_token": "t"}]), ends="for now"),
    token_case("an empty object", answer(body={}), ends="for now"),
    token_case("nothing", answer(body=b""), ends="for now"),
    token_case("half a document", answer(body=b'{"access_token": "t0'), ends="for now"),
    token_case("204", b"HTTP/1.1 204 No Content\r\n\r\n", ends="for now"),
    token_case("a page", page(200, "Sign in"), ends="for now", reason="Sign in"),
    *(
        token_case(f"a page with status {status}", page(status), ends="for now")
        for status in (400, 401, 403, 404, 407, 429, 503)
    ),
    token_case("JSON with status 407", answer(407, {"message": "no"}), ends="for now"),
    token_case("101", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", close, ends="for now"),
    token_case("103 alone", b"HTTP/1.1 103 Early Hints\r\n\r\n", close, ends="for now"),
    token_case("a negative chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}", close, ends="for now"),
    token_case(
        "a length of 20 digits", b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n{}", close, ends="for now"
    ),
    token_case("a reset", reset, ends="for now"),
    token_case("silence", hang, ends="for now", timeout=0.4),
    token_case("drips", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", drip(b" " * 900), ends="for now", timeout=0.4),
    token_case("a body without end", b"HTTP/1.1 200 OK\r\n\r\n", endless(b" " * 10_000), ends="for now"),
    token_case("Retry-After beyond all floats", answer(429, {"message": "no"}, "Retry-After: 1e400"), ends="for now"),
    token_case("Retry-After of an hour", answer(429, {"message": "no"}, "Retry-After: 3600"), ends="for now"),
    token_case("a redirect", answer(302, b"", Location="/"), ends="for good"),
    token_case("the app was removed", answer(400, {"status": "BAD_REFRESH_TOKEN", "message": "no"}), ends="for good"),
    token_case("the words of OAuth", answer(400, {"error": "invalid_grant"}), ends="for good"),
]
GRANTS = {case.name: grants for case, grants in [*USED, *NOT_USED]}
FIRST_FETCH = [case for case, _ in [*USED, *NOT_USED]]

FAILURES: dict[str, list[Step]] = {
    "503": [answer(503, {"message": "Busy"})],
    "503 for an hour": [answer(503, {"message": "Busy"}, "Retry-After: 3600")],
    "429": [answer(429, {"message": "Slow down"})],
    "a page with status 200": [page(200)],
    "a page with status 403": [page(403)],
    "brackets": [answer(body=b"[" * 100_000)],
    "a token that is a list": [grant(token=["t"])],
    "a reset": [reset],
    "the end of the connection": [close],
    "silence": [hang],
    "drips": [drip(good_reply("token"))],
}
ROWS = tuple(f"m-{number}" for number in range(1, 5))


def outlived(first: Step, *failure: Step, seconds: float = RENEWED_AFTER + 10) -> Script:
    """A token is fetched, the first row uses it, and so many seconds later each refresh fails."""
    refresh: list[Reply] = [[grant()], failure]
    return {"token": refresh, "m-1": [[later(seconds), first]]}


RENEWALS = [
    *(
        Case(
            f"a token is good when its renewal meets {name}",
            outlived(good_reply("m-1"), *steps),
            "updated",
            rows=ROWS,
            requests=(1, 1),
            timeout=0.4 if name in ("silence", "drips") else AMPLE,
        )
        for name, steps in FAILURES.items()
    ),
    *(
        Case(
            f"a token is over when its renewal meets {name}",
            outlived(good_reply("m-1"), *steps, seconds=LIFE + 10),
            "updated",
            rows=ROWS,
            requests=(1, 1),
            ends="for now",
            timeout=0.4 if name in ("silence", "drips") else AMPLE,
        )
        for name, steps in FAILURES.items()
    ),
    *(
        Case(
            f"a token is refused and its renewal meets {name}",
            outlived(answer(401, {"message": "no"}), *steps, seconds=10),
            rows=ROWS,
            requests=(1, 1),
            ends="for now",
            timeout=0.4 if name in ("silence", "drips") else AMPLE,
        )
        for name, steps in FAILURES.items()
    ),
    Case(
        "a renewal is refused for good",
        outlived(good_reply("m-1"), answer(400, {"status": "BAD_REFRESH_TOKEN", "message": "no"})),
        "updated",
        rows=ROWS,
        requests=(1, 1),
        ends="for good",
    ),
    Case(
        "a renewal works at the second attempt",
        {
            "token": [[grant()], [answer(503, {"message": "Busy"})], [grant(token="s3c0nd-t0k3n")]],
            "m-1": [[later(RENEWED_AFTER + 1), good_reply("m-1")]],
            "m-2": [[later(30), good_reply("m-2")]],
        },
        "updated",
        rows=ROWS,
        requests=(1, 1),
    ),
]
CASES = [*FIRST_FETCH, *RENEWALS]


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_token_address_decides_about_the_token_alone(case: Case, drive: str, run_of: Callable[[Case, str], Run]) -> None:
    """Rows go on with a token that is good, and a batch without one ends and can be tried again."""
    run = run_of(case, drive)
    check(case, run)
    least, most = GRANTS.get(case.name, (1, 4))
    assert least <= run.requests.count("token") <= most, run.requests


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize(
    "case", [case for case in RENEWALS if case.name.startswith("a token is refused")], ids=lambda case: case.name
)
def test_a_refused_token_is_not_sent_again(case: Case, drive: str, run_of: Callable[[Case, str], Run]) -> None:
    """However long it should still live."""
    bearers = [
        request.headers["authorization"] for request in run_of(case, drive).received if "authorization" in request.headers
    ]
    assert bearers == [f"Bearer {FETCHED_TOKEN}"]


@pytest.mark.parametrize("drive", DRIVERS)
def test_a_token_of_a_billionth_of_a_second_is_not_fetched_for_each_row(drive: str) -> None:
    """Nor one without an end for no reason: what makes no sense is no information, and a 401 will tell."""
    rows = tuple(f"m-{number}" for number in range(20))
    script: Script = {"token": [[answer(body=json.loads('{"access_token": "t", "expires_in": 1e-9}'))]]}
    run = DRIVERS[drive](Case("", script, "updated", rows=rows))
    assert run.requests.count("token") == 1
    assert {outcome.result for outcome in run.outcomes.values()} == {"updated"}
