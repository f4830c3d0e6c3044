"""Run the local HubSpot until Ctrl-C: ``python -m airflow_provider_hubchan.emulator --messages 100``."""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path
from typing import Any

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.emulator.settings import Settings


def main() -> None:
    """Parse the command line, seed the messages, say how to connect, serve."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_hubchan.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8920, help="on 127.0.0.1; 0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--messages",
        default="0",
        help="a number (ids message-1, message-2, ...), or a JSON Lines file whose message_id keys are seeded",
    )
    _add_settings(parser)
    chosen = parser.parse_args()
    ids = _ids(parser, chosen.messages)
    try:
        emulator = Emulator(port=chosen.port, **{name: getattr(chosen, name) for name in Settings.all()})
        emulator.world.seed(ids)
    except ValueError as fault:
        parser.error(str(fault))
    except OSError as fault:
        parser.error(f"--port {chosen.port}: {fault.strerror}; choose another, or 0 for any free one")
    with emulator:
        world = emulator.world
        print(f"HubSpot emulator at {emulator.url}, channel {world.channel_id}, {len(world.messages):,} messages.")
        print("Connect Airflow with:")
        print(f"  export AIRFLOW_CONN_HUBCHAN_DEFAULT='{json.dumps(emulator.connection())}'")
        print("Ctrl-C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each setting, with its mark."""
    for name, each in Settings.all().items():
        mark = {"ours": ""}.get(each.metadata["mark"], f"{each.metadata['mark']}; ")
        default = "that of the plan" if each.default is None else each.default
        more: dict[str, Any] = {"default": each.default, "help": f"{each.metadata['help']} ({mark}default: {default})"}
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
