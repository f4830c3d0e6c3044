"""Where secrets and people's words do not go, and whom the provider does not trust. docs/security.md names the test of each."""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred

from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor
from tests.airflow.dag_runs import Ran, mark
from tests.airflow.secret_search import everything_airflow_wrote, found
from tests.airflow.sensor_runs import IDS, SensorTask, TaskInstance
from tests.airflow.stores import Store
from tests.client.driver_runs import with_tasks, with_threads
from tests.paths import DOCS, TESTS

WORDS = "pl4nt3d words of Erika Mustermann"


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[str]]]:
    """A TLS server whose certificate nobody trusts: its address, and the requests that reached it."""
    reached: list[str] = []

    class Listen(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            reached.append(self.path)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the handshake is refused: that is what is wanted

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Server(("127.0.0.1", 0), Listen) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", reached
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("drive", [with_threads, with_tasks])
def test_a_certificate_nobody_trusts_ends_the_batch(drive: Any, stranger: tuple[str, list[str]]) -> None:
    """The token is not sent to whoever answers in HubSpot's place."""
    url, reached = stranger
    outcomes = drive(Account(base_url=url, access_token="t", timeout=5.0))
    assert {outcome.result for outcome in outcomes} == {"unresolved"}
    assert {outcome.problem.label.removeprefix("given up: ") for outcome in outcomes} == {"no trustworthy TLS connection"}
    assert reached == []


@pytest.mark.usefixtures("airflow_database")
def test_what_people_wrote_stays_with_hubspot(
    hubspot_emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """HubSpot answers with the text and people's names: none of it is in log, XCom, database or report file."""
    caplog.set_level(logging.DEBUG)
    hubspot_emulator.world.seed(["m-1", "m-2"])
    message = {"text": WORDS, "senders": [{"name": WORDS}], "status": {"statusType": "SENT"}}
    hubspot_emulator.fault(path="/messages/", status=200, body=message, times=10)
    report_file = tmp_path / "left.jsonl"
    ran = mark(messages=["m-1", "m-2"], status="READ", report_file=str(report_file), compare_before_write=True)
    assert ran.xcom()["updated"] == 2
    log = capfd.readouterr()
    places = log.out, log.err, caplog.text, report_file.read_text(), everything_airflow_wrote()
    assert hubspot_emulator.ledger.patches(), "the answers came"
    assert found([WORDS], *places) == []


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
def test_rows_of_messages_are_shown_by_airflow_and_rows_of_a_file_are_not(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """Airflow keeps what a template field was rendered to, all keys of its rows, for the UI; of a file it keeps the name."""
    row = {"message_id": "m-1", "status": "READ", "name": WORDS}
    hubspot_emulator.world.seed(["m-1"])
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row))

    with DAG("batch", schedule=None) as dag:

        @task.hubchan_status(task_id="mark")
        def returned() -> list[dict[str, str]]:
            return [row]

        returned()

    kept = [ran.rendered() for ran in (mark(messages=[row]), Ran(dag), mark(messages_file=str(file)))]
    assert [found([WORDS], json.dumps(fields)) for fields in kept] == [[WORDS], [WORDS], []]
    assert kept[2]["messages_file"] == str(file)


def test_a_trigger_holds_no_secret(hubspot_emulator: Emulator) -> None:
    """Its arguments lie in Airflow's database as they are: ids, names and numbers."""
    hubspot_emulator.world.seed(["m-1"])
    context: Any = {"ti": TaskInstance(), "task_state_store": Store()}
    with pytest.raises(TaskDeferred) as deferred:
        MessageStatusSensor(task_id="wait", message_ids=["m-1"], statuses=("READ",), deferrable=True).execute(context)
    trigger: Any = deferred.value.trigger
    _, arguments = trigger.serialize()
    install = hubspot_emulator.world.install
    secrets = [install.app.client_secret, install.refresh_token, *hubspot_emulator.world.tokens]
    assert len(secrets) > 2, "a token was fetched"
    assert found(["m-1"], json.dumps(arguments)) == ["m-1"], "the check can fail"
    assert found(secrets, json.dumps(arguments)) == []


@pytest.mark.slow
def test_waiting_writes_nothing(hubspot_emulator: Emulator) -> None:
    """A trigger that is restarted would send twice: the sensor and its trigger only ask."""
    hubspot_emulator.world.seed(IDS)
    hubspot_emulator.fault(message_id=IDS[0], status=503)
    with pytest.raises(AirflowSensorTimeout):
        SensorTask("deferrable", timeout=3.0).run()
    assert {entry.method for entry in hubspot_emulator.ledger.entries if IDS[0] in entry.path} == {"GET"}


@pytest.mark.usefixtures("airflow_database")
def test_a_template_in_a_row_is_text(hubspot_emulator: Emulator, tmp_path: Path) -> None:
    """What a stranger wrote must not run as a template, be it in a file or in another task's output."""
    row = {"message_id": "m-1", "status": "FAILED", "error_message": "{{ 6 * 7 }}"}
    hubspot_emulator.world.seed(["m-1"])
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row))

    @task
    def rows() -> list[dict[str, str]]:
        return [row]

    with DAG("batch", schedule=None) as dag:
        UpdateMessageStatusOperator(task_id="mark", messages=rows())

    assert mark(messages_file=str(file)).state() == Ran(dag).state() == "success"
    sent = [entry.body for entry in hubspot_emulator.ledger.patches()]
    assert sent == [{"statusType": "FAILED", "errorMessage": "{{ 6 * 7 }}"}] * 2


def test_every_statement_names_a_test_that_is_there() -> None:
    """Each row of docs/security.md ends with the test that holds it."""
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(\w+/test_\w+)::(test_\w+)`", row.rsplit("|", 2)[1])
        assert named, row
        for module, test in named:
            assert f"def {test}(" in (TESTS / f"{module}.py").read_text(encoding="utf-8"), test
