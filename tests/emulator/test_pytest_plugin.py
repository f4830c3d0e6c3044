"""The local HubSpot in the tests of those who use this package: run by a pytest of their own, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
import requests

from airflow_provider_hubchan.emulator import Emulator
from tests.paths import ROOT

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow
OPT_IN = 'pytest_plugins = ["airflow_provider_hubchan.emulator.pytest_plugin"]'
#: What the tests below know, as a user's test knows it.
HEAD = """
import json, os
import pytest, requests

def connection(conn_id="hubchan_default"):
    return json.loads(os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"])

def patch(emulator, message_id, **body):
    url = f"{emulator.url}/conversations/custom-channels/2026-03/100200/messages/{message_id}"
    headers = {"Authorization": f"Bearer {emulator.world.issue()}"}
    return requests.patch(url, json={"statusType": "READ", **body}, headers=headers, timeout=5)
"""


@pytest.fixture(autouse=True)
def this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other process imports is what stands here; and of pytest's plugins none, which take seconds to load."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, test: str, conftest: str = OPT_IN, *options: str) -> pytest.RunResult:
    """Run a user's test, with warnings as errors and no marker unknown."""
    pytester.makeconftest(conftest)
    pytester.makepyfile(HEAD + test)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", "-W", "error", *options)


def test_the_fixtures_lead_airflow_to_a_fresh_hubspot(pytester: pytest.Pytester) -> None:
    """For the time of a test: no limit, no messages, a login of its own; afterwards the environment is as it was."""
    done = run(
        pytester,
        """
logins = set()

def test_default(hubspot_emulator):
    assert connection() == hubspot_emulator.connection()
    assert hubspot_emulator.world.settings.limit == 0
    assert hubspot_emulator.messages() == []
    logins.add(connection()["extra"]["refresh_token"])

def test_connection(hubspot_emulator, hubchan_connection):
    assert hubchan_connection == "hubchan_default"
    assert connection() == hubspot_emulator.connection()
    logins.add(connection()["extra"]["refresh_token"])

@pytest.mark.hubchan_connection("crm", api_version="v3")
def test_another(hubspot_emulator, hubchan_connection):
    assert hubchan_connection == "crm"
    assert connection("crm") == hubspot_emulator.connection(api_version="v3")
    with hubspot_emulator.as_connection("third", channel_id="7"):
        assert connection("third")["extra"]["channel_id"] == "7"
    assert "AIRFLOW_CONN_THIRD" not in os.environ
    logins.add(connection()["extra"]["refresh_token"])

@pytest.mark.parametrize("hubchan_connection", ["crm", {"conn_id": "crm", "timeout": 3}], indirect=True)
def test_indirect(hubchan_connection):
    assert connection("crm")["extra"].get("timeout") in (None, 3)

def test_after():
    assert not [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]
    assert len(logins) == 3
""",
    )
    done.assert_outcomes(passed=6)


def test_a_reset_leaves_the_connection_as_it_was(pytester: pytest.Pytester) -> None:
    """Whoever has the connection gets a token afterwards, too; with TLS as without."""
    run(
        pytester,
        """
from airflow_provider_hubchan.hooks import HubchanHook

def test_reset(hubspot_emulator):
    hubspot_emulator.reset()
    assert connection() == hubspot_emulator.connection()
    hubspot_emulator.world.seed(["m-1"])
    assert HubchanHook().update_message_status("m-1", "READ")["id"] == "m-1"

@pytest.mark.hubspot_emulator(tls=True)
def test_tls(hubspot_emulator):
    assert connection()["host"].startswith("https://")
    assert requests.get(hubspot_emulator.url, verify=hubspot_emulator.ca_file, timeout=5).status_code == 200
""",
    ).assert_outcomes(passed=2)


def test_a_users_receiver_is_told_what_agents_say(pytester: pytest.Pytester) -> None:
    """By a URL of the marker, or one that is known later; a red test says what became of the webhooks. Nothing stays open."""
    done = run(
        pytester,
        """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

received = []

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["message"])
        self.send_response(204)
        self.end_headers()

def test_later(hubspot_emulator):
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hubspot_emulator.world.set_webhook(f"http://127.0.0.1:{server.server_port}/hubspot")
    message = hubspot_emulator.agent_says("hello", to="+15550100")
    hubspot_emulator.wait_for_webhooks()
    assert [(each["id"], each["text"]) for each in received] == [(message.id, "hello")]
    assert patch(hubspot_emulator, message.id).status_code == 200
    server.shutdown()
    server.server_close()

@pytest.mark.hubspot_emulator(webhook="http://127.0.0.1:9/hubspot", webhook_tries=2, webhook_pause=0)
def test_red(hubspot_emulator):
    hubspot_emulator.agent_says("hello")
    hubspot_emulator.wait_for_webhooks()
    assert hubspot_emulator.ledger.deliveries(status=200)
""",
    )
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["2 webhooks sent", "*to http://127.0.0.1:9/hubspot (try 2) -> connection refused: is the rec*"])


def test_settings_messages_and_faults_are_chosen_with_a_marker(pytester: pytest.Pytester) -> None:
    """On the module, the class or the test, the nearest last; or as a parameter."""
    done = run(
        pytester,
        """
pytestmark = pytest.mark.hubspot_emulator(limit=50, daily=1000, messages=2)

def test_module(hubspot_emulator):
    assert [each.id for each in hubspot_emulator.messages()] == ["message-1", "message-2"]
    assert patch(hubspot_emulator, "message-1").headers["X-HubSpot-RateLimit-Max"] == "50"

@pytest.mark.hubspot_emulator(limit=1, messages=["m-1"], faults=[{"status": 503}])
def test_nearer(hubspot_emulator):
    assert hubspot_emulator.world.settings.daily == 1000
    assert [patch(hubspot_emulator, "m-1").status_code for _ in range(3)] == [503, 200, 429]

@pytest.mark.parametrize("hubspot_emulator", [{"limit": 7}, {"limit": 8}], indirect=True)
def test_parameter(hubspot_emulator):
    assert hubspot_emulator.world.settings.limit in (7, 8)

def test_plan(plain):
    assert plain.world.settings.limit is None
""",
        OPT_IN
        + """
import pytest
from airflow_provider_hubchan.emulator import Emulator

@pytest.fixture
def plain():
    with Emulator(plan="starter") as emulator:
        yield emulator
""",
    )
    done.assert_outcomes(passed=5)


def test_a_plan_keeps_its_own_limit(pytester: pytest.Pytester) -> None:
    """The fixture has no limit by default, but who asks for a plan wants its quota."""
    done = run(
        pytester,
        """
@pytest.mark.hubspot_emulator(plan="professional", messages=1)
def test_plan(hubspot_emulator):
    assert patch(hubspot_emulator, "message-1").headers["X-HubSpot-RateLimit-Max"] == "190"
""",
    )
    done.assert_outcomes(passed=1)


def test_a_slip_in_a_marker_is_named(pytester: pytest.Pytester) -> None:
    """Unknown settings, values that cannot be, a setting without its name, an unknown key of a fault."""
    done = run(
        pytester,
        """
@pytest.mark.hubspot_emulator(limt=5)
def test_unknown(hubspot_emulator): ...

@pytest.mark.hubspot_emulator(limit=-5, plan="gold")
def test_wrong(hubspot_emulator): ...

@pytest.mark.hubspot_emulator(5)
def test_nameless(hubspot_emulator): ...

@pytest.mark.hubspot_emulator(faults=[{"satus": 500}])
def test_fault(hubspot_emulator): ...

def test_after():
    assert not [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]
""",
    )
    done.assert_outcomes(passed=1, errors=4)
    done.stdout.fnmatch_lines(
        [
            "*there is no setting limt; there are channel_id, *",
            "*plan is 'gold', not one of *limit is -5, not a number of at least 0*",
            "*settings are given by name, like limit=100; given was 5*",
            "*a fault has no satus; it has *",
        ]
    )


def test_a_red_test_says_what_the_emulator_saw(pytester: pytest.Pytester) -> None:
    """Messages, why some failed, the last requests, whichever fixture made the emulator; no secrets; nothing of a green one."""
    done = run(
        pytester,
        """
from urllib.parse import urlencode
from airflow_provider_hubchan.emulator import Emulator

@pytest.fixture
def my_own():
    with Emulator() as emulator:
        emulator.world.seed(["own-1"])
        yield emulator

LATER = {"message_id": "message-2", "status": 503, "body": {"message": "Try later."}}

@pytest.mark.hubspot_emulator(messages=3, faults=[LATER])
def test_red(hubspot_emulator):
    login = connection()
    form = {"grant_type": "refresh_token", "client_id": login["login"], "client_secret": login["password"]}
    form["refresh_token"] = login["extra"]["refresh_token"]
    reply = requests.post(f"{hubspot_emulator.url}/oauth/2026-03/token", data=form, timeout=5)
    assert reply.status_code == 200
    patch(hubspot_emulator, "message-1", statusType="FAILED", errorMessage="30003: unreachable")
    patch(hubspot_emulator, "message-2")
    assert hubspot_emulator.messages("READ"), "nobody has read anything"

def test_also_red(my_own):
    for _ in range(25):
        patch(my_own, "own-1")
    assert False

@pytest.mark.hubspot_emulator(messages=["green-1"])
def test_green(hubspot_emulator):
    assert patch(hubspot_emulator, "green-1").ok
""",
    )
    done.assert_outcomes(failed=2, passed=1)
    done.stdout.fnmatch_lines(
        [
            "*- HubSpot emulator at http://127.0.0.1:* -*",
            "3 messages: 1 FAILED, 2 SENT",
            "message-1 is FAILED: 30003: unreachable",
            "3 requests: 2 with 200, 1 with 503, 1 hit by faults",
            "??:??:??.??? POST /oauth/2026-03/token grant_type=refresh_token&*client_secret=%2A%2A%2A*-> 200",
            '??:??:??.??? PATCH */message-1 {"statusType":"FAILED","errorMessage":"30003: unreachable"} -> 200',
            '*PATCH */message-2 {"statusType":"READ"} -> 503 {"message":"Try later."} (fault: *',
            "*- HubSpot emulator at http://127.0.0.1:* -*",
            "25 requests: 25 with 200",
            "the last 20:",
        ]
    )
    shown = done.stdout.str()
    assert shown.count("own-1 ") == 20
    assert "green-1" not in shown
    assert shown.split("- HubSpot emulator at", 1)[1].count("hubchan-demo-client-secret") == 0


def test_nothing_is_loaded_that_was_not_asked_for(pytester: pytest.Pytester) -> None:
    """No entry point of pytest's: without the line in ``conftest.py`` there is no such fixture."""
    ours = [each for each in entry_points(group="pytest11") if each.value.startswith("airflow_provider_hubchan")]
    assert ours == []
    assert "pytest11" not in (ROOT / "pyproject.toml").read_text()
    done = run(pytester, "def test_it(hubspot_emulator): ...\n", "")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*fixture 'hubspot_emulator' not found"])


@pytest.mark.parametrize("names", [["fixture"], ["fixture", "pytest_plugin"]])
def test_the_plugin_has_an_older_name(pytester: pytest.Pytester, names: list[str]) -> None:
    """``emulator.fixture`` loads it, and it is loaded once: what the emulator saw is in the report one time."""
    conftest = f"pytest_plugins = {[f'airflow_provider_hubchan.emulator.{name}' for name in names]}"
    done = run(pytester, "def test_it(hubspot_emulator):\n    assert hubspot_emulator is None\n", conftest)
    done.assert_outcomes(failed=1)
    assert str(done.stdout).count("- HubSpot emulator at ") == 1


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_a_missing_extra_is_named_with_the_command_that_brings_it(pytester: pytest.Pytester, missing: str) -> None:
    """Imported, run as a program, or as a plugin of pytest: the answer is a pip command."""
    wanted = f"The emulator needs {missing}: pip install 'airflow-provider-hubchan[emulator]'"
    block = f"import sys; sys.modules[{missing!r}] = None; "
    for program in (
        "import airflow_provider_hubchan.emulator",
        "import runpy; runpy.run_module('airflow_provider_hubchan.emulator', run_name='__main__')",
    ):
        command = [sys.executable, "-c", block + program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert wanted in done.stderr
    plugged = run(pytester, "def test_it(hubspot_emulator): ...\n", f"{block}\n{OPT_IN}")
    assert plugged.ret != 0
    assert wanted in plugged.stdout.str() + plugged.stderr.str()


def test_tls_without_its_extra_names_the_command_too() -> None:
    """The same command that brings the rest."""
    program = (
        "import sys; sys.modules['trustme'] = None; from airflow_provider_hubchan.emulator import Emulator; Emulator(tls=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "TLS needs trustme: pip install 'airflow-provider-hubchan[emulator]'" in done.stderr


def fail_inside() -> None:
    with Emulator() as running, running.as_connection("crm"):
        assert json.loads(os.environ["AIRFLOW_CONN_CRM"]) == running.connection()
        raise KeyError("inside")


def test_a_script_needs_no_pytest() -> None:
    """``as_connection`` starts the emulator, sets the variable, and sets it back to what it was, an error or not."""
    before = dict(os.environ)
    os.environ["AIRFLOW_CONN_CRM"] = "hubchan://before"
    try:
        with Emulator(limit=0).as_connection("crm", api_version="v3") as hubspot:
            assert requests.get(f"{hubspot.url}/_emulator/health", timeout=5).json() == {"ok": True}
            assert json.loads(os.environ["AIRFLOW_CONN_CRM"]) == hubspot.connection(api_version="v3")
        assert os.environ["AIRFLOW_CONN_CRM"] == "hubchan://before"
        with pytest.raises(KeyError, match="inside"):
            fail_inside()
        assert os.environ["AIRFLOW_CONN_CRM"] == "hubchan://before"
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{hubspot.url}/_emulator/health", timeout=5)
    finally:
        del os.environ["AIRFLOW_CONN_CRM"]
    assert dict(os.environ) == before
