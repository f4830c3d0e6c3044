"""Ways to send updates, each in a process that reads on stdin how many to send and prints its figures."""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.bench.common import measured

THREADS = 16
PATH = "/conversations/custom-channels/2026-03/100200/messages/message-"
BODY = {"statusType": "READ"}
HEADERS = {"Authorization": "Bearer t"}

Send = Callable[[int], None]


class Instance:
    """What the operator needs of a task instance."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Take the report."""


def ours(url: str) -> Send:
    """The operator, as a task runs it."""
    from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

    def send(updates: int) -> None:
        ids = [f"message-{number}" for number in range(1, updates + 1)]
        operator = UpdateMessageStatusOperator(task_id="mark", messages=ids, status="READ", concurrency=THREADS)
        report = operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]
        assert report["updated"] == updates, report

    return send


def session(url: str) -> Send:
    """What people write: one session, ``patch(json=…)`` in a loop."""
    import requests

    kept = requests.Session()
    kept.headers.update(HEADERS)

    def send(updates: int) -> None:
        for number in range(1, updates + 1):
            kept.patch(f"{url}{PATH}{number}", json=BODY, timeout=10).raise_for_status()

    return send


def sessions(url: str) -> Send:
    """The same in threads that pull from one counter, a session for each."""
    kept = [session(url) for _ in range(THREADS)]

    def send(updates: int) -> None:
        numbers = itertools.repeat(1, updates)
        lock = threading.Lock()

        def work(one: Send) -> None:
            while True:
                with lock:
                    if next(numbers, None) is None:
                        return
                one(1)

        threads = [threading.Thread(target=work, args=(one,)) for one in kept]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return send


def http_hook(url: str) -> Send:
    """Airflow's HttpHook, one hook for all."""
    from airflow.providers.http.hooks.http import HttpHook

    hook = HttpHook(method="PATCH", http_conn_id="http_default")

    def send(updates: int) -> None:
        for number in range(1, updates + 1):
            hook.run(f"{PATH}{number}", json=BODY, headers=HEADERS)

    return send


def hubspot(url: str) -> Send:
    """HubSpot's own client, its call for addresses it has no method for."""
    from hubspot import HubSpot

    client = HubSpot(access_token="t", base_url=url)  # its default is HubSpot itself

    def send(updates: int) -> None:
        for number in range(1, updates + 1):
            reply = client.api_request({"path": f"{PATH}{number}", "method": "PATCH", "body": BODY})
            assert reply.status_code == 200

    return send


def floor(url: str) -> Send:
    """The standard library's http.client, kept alive."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    headers = HEADERS | {"Content-Type": "application/json"}

    def send(updates: int) -> None:
        for number in range(1, updates + 1):
            connection.request("PATCH", f"{PATH}{number}", json.dumps(BODY), headers)
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 200

    return send


CLIENTS: dict[str, Callable[[str], Send]] = {
    "Session.patch in a loop": session,
    f"ours, the operator, {THREADS} threads": ours,
    f"Session.patch in {THREADS} threads": sessions,
    "Airflow's HttpHook.run": http_hook,
    "hubspot-api-client": hubspot,
    "http.client (floor)": floor,
}


def main(name: str, url: str) -> None:
    """Send one update; then as many as each line of stdin says, and print what each cost."""
    send = CLIENTS[name](url)
    send(1)
    print("ready", flush=True)
    for line in sys.stdin:
        updates = int(line)
        print(json.dumps(measured(lambda: send(updates), updates)), flush=True)  # noqa: B023


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
