"""Processes in sessions of their own: whatever they fork can be found again, and nothing else is ever signalled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

#: Seconds that processes get to end by themselves.
GRACE = 5.0
#: Below the ports that Linux (from 32768 on), macOS and Windows (from 49152 on) choose themselves.
PORTS = range(20_000, 32_768)


class Ended(RuntimeError):
    """A process has ended that should not have, or not so.

    :param name: what it was started as.
    :param code: its exit code; a negative one is the number of a signal.
    """

    def __init__(self, name: str, code: int) -> None:
        self.name, self.code = name, code
        super().__init__(f"{name} ended with {code}")


class Processes:
    """Starts processes, each as the leader of a session and with a log file; ends all of them with all they forked.

    :param folder: for the log files.
    :param environment: of all of them.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self.environment = folder, environment
        self._leaders: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, tuple[tuple[str, ...], signal.Signals, Path | None]] = {}

    def start(self, name: str, *command: str, ending: signal.Signals = signal.SIGTERM, folder: Path | None = None) -> None:
        """Start one, or start it again; its output goes to the end of ``name.log``.

        :param ending: the signal on which it ends in order.
        :param folder: that it works in; None for ours.
        """
        self._commands[name] = command, ending, folder
        self.again(name)

    def again(self, name: str) -> None:
        """Start one as it was started before."""
        command, _, folder = self._commands[name]
        with (self._folder / f"{name}.log").open("ab") as log:
            self._leaders[name] = subprocess.Popen(
                command,
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, name: str, seconds: float) -> None:
        """Wait for one that ends by itself.

        :raises subprocess.TimeoutExpired: if it does not within *seconds*.
        :raises Ended: if it ends with a fault.
        """
        if code := self._leaders[name].wait(seconds):
            raise Ended(name, code)

    def alive(self, name: str) -> None:
        """Nothing happens if that one runs.

        :raises Ended: if it does not.
        """
        if (code := self._leaders[name].poll()) is not None:
            raise Ended(name, code)

    def says(self, name: str, text: str) -> bool:
        """True if that is in its output so far."""
        return text in (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def holds(self, name: str, pid: int) -> bool:
        """True if the process runs and belongs to the session of that one."""
        return pid in (process.pid for process in self._members(self._leaders[name]))

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one and all it forked."""
        for process in self._members(self._leaders[name]):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self, name: str) -> int:
        """SIGKILL one and all it forked, at once; gives how many they were."""
        members = self._members(self._leaders[name])
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(members, GRACE)
        self._leaders[name].wait(GRACE)
        return len(members)

    def stop(self) -> None:
        """Let all end in order, wait, SIGKILL what is left."""
        for name, leader in self._leaders.items():
            for process in self._members(leader):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(self._commands[name][1])
        end = time.monotonic() + GRACE
        while any(self._members(leader) for leader in self._leaders.values()) and time.monotonic() < end:
            time.sleep(0.1)
        for name in self._leaders:
            while self.kill(name):  # again, if one of them forked meanwhile
                pass

    def tails(self, lines: int) -> str:
        """The last lines of every log file."""
        return "\n".join(self.tail(log.stem, lines) for log in sorted(self._folder.glob("*.log")))

    def tail(self, name: str, lines: int) -> str:
        """The last lines of a process's log file."""
        log = self._folder / f"{name}.log"
        text = log.read_text(encoding="utf-8", errors="replace")
        return "\n".join([f"--- the end of {log.name}", *(line[:400] for line in text.splitlines()[-lines:])])

    def _members(self, leader: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The session: no other can have its number while its leader is not waited for, or any of its members runs."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getsid(process.pid) == leader.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment.

    It is none of those that systems choose themselves, for outgoing connections and for servers that ask for any: such a
    one may be taken by the time that a process, which needs seconds to load, listens on it.
    """
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.choice(PORTS)))
            return int(listener.getsockname()[1])
