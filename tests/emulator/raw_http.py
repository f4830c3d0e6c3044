"""The local HubSpot over raw HTTP: in this process, and as a program of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_hubchan.emulator import Emulator

FORM = "application/x-www-form-urlencoded"


class Raw:
    """One keep-alive connection and no cleverness."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.connection = http.client.HTTPConnection(str(urlsplit(emulator.url).netloc), timeout=5)
        self.token = emulator.world.issue()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        raw = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        self.connection.request(method, path, raw, sent)
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text[:1] in (b"{", b"[") else text, response.headers

    def patch(self, message_id: str = "m-1", body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        return self.ask("PATCH", message(message_id), {"statusType": "READ"} if body is None else body, **headers)


def message(message_id: str, version: str = "2026-03", channel: str = "100200") -> str:
    base = "/conversations/v3/custom-channels" if version == "v3" else f"/conversations/custom-channels/{version}"
    return f"{base}/{channel}/messages/{message_id}"


def grant_form(emulator: Emulator) -> dict[str, str]:
    """A refresh grant that is good."""
    install = emulator.world.install
    return {
        "grant_type": "refresh_token",
        "client_id": install.app.client_id,
        "client_secret": install.app.client_secret,
        "refresh_token": install.refresh_token,
    }


@contextmanager
def served(*options: str) -> Iterator[tuple[list[str], Callable[..., tuple[int, Any]]]]:
    """The emulator as a program: the first lines that it prints, and a way to ask it: method, path, token, body."""
    command = [sys.executable, "-m", "airflow_provider_hubchan.emulator", "--port=0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            host = json.loads(lines[2].split("=", 1)[1].strip().strip("'"))["host"]
            with closing(http.client.HTTPConnection(str(urlsplit(host).netloc), timeout=5)) as asker:

                def ask(method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
                    raw = None if body is None else json.dumps(body)
                    asker.request(method, path, raw, headers={"Authorization": f"Bearer {token}"})
                    response = asker.getresponse()
                    return response.status, json.loads(response.read())

                yield lines, ask
        finally:
            process.terminate()
