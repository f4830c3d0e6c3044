"""One case: what the server does, and what becomes of the row that meets it. And the check of a run against its case."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, quote_plus

from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.flow import RetryConfig
from airflow_provider_hubchan.client.models import Account
from tests.hostile.runs import AMPLE, Run
from tests.hostile.server import Script, Step

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "cl13nt-1d", "cl13nt&s3cr3t/+%=", "r3fr3sh<t0k3n>/+="
ACCESS_TOKEN = '4cc3ss"t0k3n/+&='
FETCHED_TOKEN, ROTATED_TOKEN = "n3w-t0k3n", "r0t4t3d&t0k3n/+="
SECRETS = (CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN, FETCHED_TOKEN, ROTATED_TOKEN)
#: Short: no case waits for more than it must.
RETRY = RetryConfig(max_attempts=2, max_throttles=2, base_delay=0.01, max_delay=1.0)
#: Characters of a problem's reason, and of its category and correlation ID, at most.
MAX_REASON, MAX_WORD = 1500, 200
#: What is believed of a quota at most: requests, and seconds.
MAX_LIMIT, MAX_WINDOW = 1_000_000, 3600.0


@dataclass(frozen=True)
class Case:
    """A script, and what becomes of the rows.

    :param script: as of `Server`.
    :param outcome: of the first row; several with ``|`` between them where HTTP libraries may differ.
    :param reason: a part of why it is not updated; several with ``|`` between them, all of which must be there.
    :param ends: how the batch ends early: ``for good``, ``for now``, or empty if it does not; then the others are unresolved,
        and else updated.
    :param requests: how many requests for the first row there are, at least and at most; None for what its outcome needs.
    :param others: what becomes of the other rows, None for what *ends* says.
    :param timeout: the account's, in seconds: short where it is waited for, and else more than a busy machine needs.
    :param warnings: lines in the log that a person should look at.
    """

    name: str
    script: Script = field(repr=False)
    outcome: str = "unresolved"
    reason: str = ""
    ends: str = ""
    requests: tuple[int, int] | None = None
    others: str | None = None
    rows: tuple[str, ...] = ("m-1", "m-2")
    timeout: float = AMPLE
    warnings: int = 0

    def account(self, url: str) -> Account:
        """An account with a ready token, or with the credentials to fetch one if the script has the token address."""
        if "token" not in self.script:
            return Account(base_url=url, access_token=ACCESS_TOKEN, timeout=self.timeout)
        return Account(
            base_url=url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            refresh_token=REFRESH_TOKEN,
            timeout=self.timeout,
        )

    def __str__(self) -> str:
        return self.name


def case(name: str, *steps: Step, outcome: str = "unresolved", key: str = "m-1", **expected: object) -> Case:
    """A case whose server answers each request for *key* with the same steps; further arguments as of `Case`."""
    return Case(name, {key: [steps]}, outcome, **expected)  # type: ignore[arg-type]


def check(case: Case, run: Run) -> None:
    """Every row has the one outcome it should have; what is said of it can be shown to anybody; nothing is left behind."""
    first, *others = case.rows
    results = {message_id: outcome.result for message_id, outcome in run.outcomes.items()}
    assert list(results) == list(case.rows), "every row has one outcome, in order"
    problem = run.outcomes[first].problem
    assert results[first] in case.outcome.split("|"), problem
    assert {results[other] for other in others} <= {case.others or ("unresolved" if case.ends else "updated")}, run.outcomes
    assert run.ends == case.ends, run.aborted
    least, most = case.requests or _requests_of(case)
    assert least <= run.requests.count(first) <= most, run.requests
    if problem:
        assert [part for part in case.reason.split("|") if part not in problem.reason] == [], problem.reason
    for outcome in run.outcomes.values():
        if outcome.problem:
            assert_presentable(outcome.problem)
    assert len(run.warnings) == case.warnings, run.warnings
    assert all(is_presentable(warning, MAX_REASON) for warning in run.warnings)
    assert run.permits_in_flight == 0
    assert 1 <= run.quota.limit <= MAX_LIMIT
    assert 0.0 < run.quota.window <= MAX_WINDOW
    assert run.next_result == "updated", "the next batch of the process is as if nothing had been"
    assert (run.open_connections, run.tasks) == (0, 0)


def _requests_of(case: Case) -> tuple[int, int]:
    if "token" in case.script:
        return (0, RETRY.max_attempts)
    if "|" in case.outcome:
        return (1, RETRY.max_attempts)
    return (1, 1) if case.ends or case.outcome != "unresolved" else (RETRY.max_attempts, RETRY.max_attempts)


def is_presentable(text: str, max_length: int, secrets: Iterable[str] = SECRETS) -> bool:
    """True if any log and any database can hold the text, and anybody may read it."""
    text.encode()
    is_one_line = not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)
    return len(text) <= max_length and is_one_line and not any(spelling in text for spelling in all_spellings(tuple(secrets)))


def assert_presentable(problem: Problem, secrets: Iterable[str] = SECRETS) -> None:
    """What is said of a row is short, on one line, and holds no secret."""
    assert problem.reason
    assert is_presentable(problem.reason, MAX_REASON, secrets), problem.reason[:5000]
    assert is_presentable(problem.label, MAX_WORD, secrets), problem.label[:5000]
    assert is_presentable(problem.category or "", MAX_WORD, secrets), problem.category
    assert is_presentable(problem.correlation_id or "", MAX_WORD, secrets), problem.correlation_id
    assert is_presentable(str(problem), MAX_REASON + 2 * MAX_WORD + 50, secrets)


@cache
def all_spellings(secrets: tuple[str, ...]) -> frozenset[str]:
    """Each secret in each spelling."""
    return frozenset(spelling for secret in secrets for spelling in spellings(secret).values())


def spellings(secret: str) -> dict[str, str]:
    """A secret as servers repeat it."""
    return {
        "plain": secret,
        "percent-encoded": quote(secret, safe=""),
        "percent-encoded but for slashes": quote(secret),
        "as in a form": quote_plus(secret),
        "percent-encoded in lower case": quote(secret, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
        "percent-encoded throughout": "".join(f"%{ord(character):02X}" for character in secret),
        "in JSON": json.dumps(secret)[1:-1],
        "in JSON with slashes escaped": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "in HTML": html.escape(secret),
    }
