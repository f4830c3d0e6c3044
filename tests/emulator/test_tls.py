"""The local HubSpot over https, with a certificate that one has to be told to trust."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from airflow_provider_hubchan.emulator import Emulator
from tests.emulator.raw_http import message

#: Both of the hook's ways to call, in a process that was told whom to trust before it began.
BOTH = """
import asyncio, json
from airflow_provider_hubchan.hooks import HubchanHook
hook = HubchanHook()
said = [hook.update_message_status("m-1", "READ"), asyncio.run(hook.aget_message("m-1"))]
print(json.dumps([each["status"]["statusType"] for each in said]))
"""


def test_https_is_served_to_who_trusts_it() -> None:
    """By address and by name; whoever was not told of the certificate does not connect."""
    with Emulator(tls=True) as emulator:
        emulator.world.seed(["m-1"])
        headers = {"Authorization": f"Bearer {emulator.world.issue()}"}
        assert emulator.url.startswith("https://127.0.0.1:")
        for url in (emulator.url, emulator.url.replace("127.0.0.1", "localhost")):
            reply = requests.get(url + message("m-1"), headers=headers, verify=emulator.ca_file, timeout=5)
            assert (reply.status_code, reply.json()["id"]) == (200, "m-1")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(emulator.url, verify=True, timeout=5)


def test_faults_come_over_https_too() -> None:
    """What is dropped before the first byte or half way is lost, reset or not, and the next call is answered."""
    with Emulator(tls=True) as emulator:
        for fault in ({"drop": "before"}, {"drop": "before", "reset": True}, {"drop": "half"}, {"drop": "half", "reset": True}):
            emulator.fault(path="/", **fault)
            with pytest.raises((requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)):
                requests.get(emulator.url + "/account-info/v3/details", verify=emulator.ca_file, timeout=5)
        health = requests.get(emulator.url + "/_emulator/health", verify=emulator.ca_file, timeout=5)
        assert health.json() == {"ok": True}


def test_the_certificate_is_gone_at_the_end() -> None:
    """Its file is there while the server runs, and can be read as what it is; without TLS there is none."""
    with Emulator(tls=True) as emulator:
        assert emulator.ca_file is not None
        assert ssl.create_default_context(cafile=emulator.ca_file).cert_store_stats()["x509_ca"] == 1
    assert not Path(emulator.ca_file).exists()
    with Emulator() as plain:
        assert plain.ca_file is None


@pytest.mark.slow
def test_the_hook_calls_over_https() -> None:
    """Blocking calls go by REQUESTS_CA_BUNDLE, those on an event loop by SSL_CERT_FILE."""
    with Emulator(tls=True) as emulator:
        emulator.world.seed(["m-1"])
        told = os.environ | {
            "AIRFLOW_CONN_HUBCHAN_DEFAULT": json.dumps(emulator.connection()),
            "REQUESTS_CA_BUNDLE": str(emulator.ca_file),
            "SSL_CERT_FILE": str(emulator.ca_file),
        }
        done = subprocess.run([sys.executable, "-c", BOTH], env=told, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines()[-1:] == ['["READ", "READ"]'], done.stderr


def test_the_command_line_says_what_to_trust() -> None:
    """The lines to copy name the file."""
    command = [sys.executable, "-m", "airflow_provider_hubchan.emulator", "--port=0", "--tls"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(6)]
            (bundle,) = (line.split("=", 1)[1] for line in lines if line.startswith("export REQUESTS_CA_BUNDLE="))
            (host,) = (json.loads(line.split("=", 1)[1].strip("'"))["host"] for line in lines if "AIRFLOW_CONN" in line)
            assert f"export SSL_CERT_FILE={bundle}" in lines
            assert requests.get(f"{host}/_emulator/health", verify=bundle, timeout=5).json() == {"ok": True}
        finally:
            process.terminate()
    assert process.returncode == 0
    assert not Path(bundle).exists()
