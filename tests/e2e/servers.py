"""PostgreSQL and Redis for one run: on free ports of the loopback address, in the run's folder, with passwords of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from pathlib import Path

from tests.e2e.processes import Processes, free_port
from tests.e2e.waiting import say, until

#: Where Debian keeps PostgreSQL's programs.
DEBIAN = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
#: Whom root starts PostgreSQL as: it refuses to be root.
OTHER = "postgres"
#: What makes it quick: nothing of it has to outlive the run.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
REDIS = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
save ""
appendonly no
"""


def start_postgresql(processes: Processes, folder: Path) -> str:
    """Make a cluster and start its server; give the address of a database."""
    home, port, password = folder / "postgresql", free_port(), secrets.token_hex(16)
    home.mkdir(mode=0o700)
    secret = home / "password"
    secret.write_text(password, encoding="utf-8")
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:
        for place in (home, secret):
            shutil.chown(place, OTHER, OTHER)
        shutil.chown(folder, group=OTHER)
        folder.chmod(0o710)  # to its own folder, past all others
        before = (_program("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups")
    data = str(home / "data")
    login = ("--username", "airflow", "--pwfile", str(secret), "--auth", "scram-sha-256")
    processes.start("initdb", *before, _program("initdb"), "-D", data, *login, "--encoding", "UTF8", "--no-sync")
    processes.finish("initdb", 60)
    settings = {**HASTY, "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    # On SIGTERM it would wait for its clients. SIGKILL would leave shared memory behind.
    processes.start("postgresql", *before, _program("postgres"), "-D", data, *options, ending=signal.SIGINT)
    _wait_for(processes, "postgresql", "ready to accept connections")
    return f"postgresql+psycopg2://airflow:{password}@127.0.0.1:{port}/postgres"


def start_redis(processes: Processes, folder: Path) -> str:
    """Start a server; give the address of a database."""
    home, port, password = folder / "redis", free_port(), secrets.token_hex(16)
    home.mkdir(mode=0o700)
    settings = home / "redis.conf"
    settings.write_text(REDIS.format(port=port, password=password, folder=home), encoding="utf-8")
    processes.start("redis", _program("redis-server"), str(settings))
    _wait_for(processes, "redis", "Ready to accept connections")
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _program(name: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *DEBIAN])
    if found := shutil.which(name, path=path):
        return found
    raise RuntimeError(f"{name} is missing: .ci/servers installs it, or says how")


def _wait_for(processes: Processes, name: str, word: str) -> None:
    def ready() -> bool:
        processes.alive(name)
        return processes.says(name, word)

    until(f"{name}'s word that it is ready", 30, ready)
    say(f"{name} is ready")
