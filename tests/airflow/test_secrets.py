"""No secret of a run in any log, XCom, exception, rendered template or row of Airflow's database."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hubchan.client.errors import CallFailed
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.airflow.dag_runs import mark
from tests.airflow.secret_search import everything_airflow_wrote, found

pytestmark = pytest.mark.usefixtures("airflow_database")

CLIENT_SECRET, REFRESH_TOKEN = "0f7c-cl13nt-s3cr3t", "na1-r3fr3sh-t0k3n"


@pytest.fixture
def hubspot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(limit=0) as emulator:
        emulator.world.install.app.client_secret, emulator.world.install.refresh_token = CLIENT_SECRET, REFRESH_TOKEN
        emulator.world.seed(f"m-{number}" for number in range(20))
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", json.dumps(emulator.connection()))
        yield emulator


@pytest.mark.slow
def test_the_search_finds_what_is_there(hubspot: Emulator) -> None:
    """The check can fail: what a rendered template holds is found in what Airflow wrote."""
    mark(messages=["m-1"], status="FAILED", error_message="{{ 'pl4nt3d' }}-s3cr3t")
    assert found(["pl4nt3d-s3cr3t", "not-there"], everything_airflow_wrote()) == ["pl4nt3d-s3cr3t"]


def echo(hubspot: Emulator) -> dict[str, Any]:
    """An error that repeats every secret it was sent."""
    secrets = [CLIENT_SECRET, REFRESH_TOKEN, *hubspot.world.tokens]
    return {"message": f"Not with {' '.join(secrets)}!", "category": "VALIDATION_ERROR", "correlationId": "c-1"}


@pytest.mark.slow
def test_no_secret_is_written_anywhere(
    hubspot: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Good rows, refused rows, replies that echo the token, and a dead refresh token, with everything logged."""
    caplog.set_level(logging.DEBUG)
    HubchanHook().get_message("m-1")  # fetches the token that the echoes below repeat
    hubspot.fault(message_id="m-1", status=400, body=echo(hubspot))
    hubspot.fault(message_id="m-2", status=526, times=2, body=echo(hubspot))
    report_file = tmp_path / "left.jsonl"
    ran = mark(messages=["m-1", "m-2", "m-3", "nobody"], status="READ", report_file=str(report_file))
    summary = ran.xcom()
    assert (summary["updated"], summary["rejected"], summary["unresolved"]) == (1, 2, 1)
    report = report_file.read_text()
    assert report.count("Not with *** *** ***!") == 2, "the echo came, and is covered"

    hubspot.world.install.revoked = True
    hubspot.world.clock.advance(3600)
    hubspot.fault(path="/oauth/", status=400, body={"message": f"Not with {CLIENT_SECRET} {REFRESH_TOKEN}!"}, times=5)
    assert mark(messages=["m-1"], status="READ").state() == "failed"
    with pytest.raises(CallFailed) as caught:
        HubchanHook().get_message("m-1")
    _, text = HubchanHook().test_connection()

    log, secrets = capfd.readouterr(), [CLIENT_SECRET, REFRESH_TOKEN, *hubspot.world.tokens]
    assert len(secrets) > 2, "a token was fetched"
    assert "Not with *** ***!" in log.out
    places = log.out, log.err, caplog.text, report, text, str(caught.value), repr(caught.value), everything_airflow_wrote()
    assert found(secrets, *places) == []
