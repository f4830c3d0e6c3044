"""Run the local HubSpot until Ctrl-C: ``python -m airflow_provider_hubchan.emulator --messages 100``."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.faultfile import read_faults
from airflow_provider_hubchan.emulator.settings import Settings


def command_line() -> argparse.ArgumentParser:
    """The options: the program's own, and one for each setting."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_hubchan.emulator", description=__doc__)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; nothing protects it: 0.0.0.0 is for a network of containers (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=8920, help="0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--messages",
        default="0",
        help="a number (ids message-1, message-2, ...), or a JSON Lines file whose message_id keys are seeded",
    )
    parser.add_argument("--faults", metavar="FILE", help="YAML or JSON: a list of faults; they replace those of the state")
    parser.add_argument("--state", metavar="FILE", help="taken up at the start if it exists, written at the end")
    parser.add_argument("--tls", action="store_true", help="serve https, with a certificate that is made for this run")
    parser.add_argument("--speed", type=float, default=None, help="of the clock, 0 stops it")
    clock = parser.add_mutually_exclusive_group()
    clock.add_argument("--advance", type=float, metavar="SECONDS", help="move the clock forward at the start")
    clock.add_argument("--before-midnight", type=float, metavar="SECONDS", help="... to so long before the account's midnight")
    _add_settings(parser)
    return parser


def main() -> None:
    """Parse the command line, seed the messages, say how to connect, serve."""
    parser = command_line()
    chosen = parser.parse_args()
    ids = _ids(parser, chosen.messages)
    try:
        emulator = _made(chosen)
        emulator.world.seed(each for each in ids if (emulator.world.channel_id, each) not in emulator.world.messages)
    except ValueError as fault:
        parser.error(str(fault))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what stops a container ends it as Ctrl-C does
    try:
        with emulator, contextlib.suppress(KeyboardInterrupt):
            _introduce(emulator)
            threading.Event().wait()
    finally:
        if chosen.state:
            emulator.save(chosen.state)
    if sys.stdout.isatty():
        print()  # after the ^C


def _introduce(emulator: Emulator) -> None:
    """Say where it is, and how to connect."""
    world = emulator.world
    print(f"HubSpot emulator at {emulator.url}, channel {world.channel_id}, {len(world.messages):,} messages.")
    print("Connect Airflow with:")
    print(f"  export AIRFLOW_CONN_HUBCHAN_DEFAULT='{json.dumps(emulator.connection())}'")
    if emulator.ca_file:
        print(f"  export REQUESTS_CA_BUNDLE={emulator.ca_file}")
        print(f"  export SSL_CERT_FILE={emulator.ca_file}")
    print("Ctrl-C ends it.", flush=True)


def _made(chosen: argparse.Namespace) -> Emulator:
    """The emulator as the options want it.

    :raises ValueError: they cannot be.
    """
    settings = {name: getattr(chosen, name) for name in Settings.all() if name in chosen}
    faults = read_faults(chosen.faults) if chosen.faults else None
    if chosen.state and not Path(chosen.state).absolute().parent.is_dir():
        raise ValueError(f"--state: there is no folder {Path(chosen.state).parent}")
    try:
        emulator = Emulator(host=chosen.host, port=chosen.port, tls=chosen.tls, **settings)
    except OSError as error:
        raise ValueError(
            f"--host {chosen.host} --port {chosen.port}: {error.strerror}; choose another, or port 0 for any free one"
        ) from error
    if chosen.state and Path(chosen.state).exists():
        emulator.load(chosen.state)
        emulator.choose(**settings)
    world = emulator.world
    if faults is not None:
        emulator.script.clear()
        emulator.faults(faults)
    if chosen.speed is not None:
        world.clock.run(chosen.speed)
    if chosen.advance is not None:
        world.clock.advance(chosen.advance)
    if chosen.before_midnight is not None:
        world.before_midnight(chosen.before_midnight)
    return emulator


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each setting, with its mark."""
    for name, each in Settings.all().items():
        mark = {"ours": ""}.get(each.metadata["mark"], f"{each.metadata['mark']}; ")
        default = "that of the plan" if each.default is None else each.default
        more: dict[str, Any] = {"default": argparse.SUPPRESS, "help": f"{each.metadata['help']} ({mark}default: {default})"}
        if isinstance(each.default, bool):
            more["action"] = argparse.BooleanOptionalAction
        else:
            more |= {"type": int if each.default is None else type(each.default), "metavar": name.upper()}
        if each.metadata["among"]:
            more |= {"choices": each.metadata["among"], "metavar": "|".join(each.metadata["among"])}
        parser.add_argument(f"--{name.replace('_', '-')}", **more)


def _ids(parser: argparse.ArgumentParser, messages: str) -> list[str]:
    """The ids to seed: so many, or those of a file."""
    if messages.isdigit():
        return [f"message-{number}" for number in range(1, int(messages) + 1)]
    if not Path(messages).is_file():
        parser.error(f"--messages: {messages!r} is neither a number nor a file")
    lines = Path(messages).read_text(encoding="utf-8").splitlines()
    try:
        return [str(json.loads(line)["message_id"]) for line in lines if line.strip()]
    except (ValueError, KeyError, TypeError):
        parser.error(f"--messages: every line of {messages!r} must be a JSON object with the key message_id")


if __name__ == "__main__":
    main()
