"""The receiver and the gateway over real HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn
from starlette.applications import Starlette

from tests.paths import ROOT
from tests.waiting import wait_until


@contextmanager
def served(app: Starlette, log_level: str = "critical") -> Iterator[str]:
    """The address of an application that is served by a thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        # A connection is kept for long: who finds it closed just now has lost a request, which no test here is about.
        config = uvicorn.Config(app, log_config=None, log_level=log_level, lifespan="off", ws="none", timeout_keep_alive=300)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def process_at(port: int, *module: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server as a process of its own, ``python -m …``, once it listens; it is killed at the end.

    :param module: the module and its arguments, without the port.
    """
    command = [sys.executable, "-m", *module, "--port", str(port)]
    paths = os.pathsep.join([str(ROOT), environment.pop("PYTHONPATH", "")])
    with subprocess.Popen(command, env=os.environ | environment | {"PYTHONPATH": paths}, start_new_session=True) as process:
        try:
            wait_until(lambda: process.poll() is not None or is_listening(port))
            yield process
        finally:
            process.kill()


def is_listening(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
