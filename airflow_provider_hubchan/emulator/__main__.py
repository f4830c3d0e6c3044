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

from airflow_provider_hubchan.emulator.faults.schedule import read_faults
from airflow_provider_hubchan.emulator.model.numbers import count_of
from airflow_provider_hubchan.emulator.model.settings import Settings
from airflow_provider_hubchan.emulator.server import Emulator


def command_line() -> argparse.ArgumentParser:
    """The options: the program's own, and one for each setting."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_hubchan.emulator", description=__doc__)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; every program that reaches it may do everything: 0.0.0.0 is for a network of containers "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name or address, without port, that control calls and the page may be called by beside localhost, such as a "
        "container's name; may be given several times",
    )
    parser.add_argument("--port", type=int, default=8920, help="0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--messages",
        default="0",
        help="a number (ids message-1, message-2, ...), or a JSON Lines file whose message_id keys are seeded",
    )
    parser.add_argument("--faults", metavar="FILE", help="YAML or JSON: a list of faults; they replace those of the state")
    parser.add_argument(
        "--webhook",
        metavar="URL",
        help="where the events of the channel are sent, its webhookUrl; see also --webhook-via and --webhook-hosts",
    )
    parser.add_argument("--state", metavar="FILE", help="taken up at the start if it exists, written at the end")
    parser.add_argument("--tls", action="store_true", help="serve https, with a certificate that is made for this run")
    parser.add_argument("--speed", type=float, default=None, help="of the clock, 0 stops it")
    clock = parser.add_mutually_exclusive_group()
    clock.add_argument("--advance", type=float, metavar="SECONDS", help="move the clock forward at the start")
    clock.add_argument("--before-midnight", type=float, metavar="SECONDS", help="... to so long before the account's midnight")
    _add_settings(parser)
    return parser


def main() -> None:
    """Parse the command line, start the emulator, print how to connect, and serve until it is stopped."""
    parser = command_line()
    options = parser.parse_args()
    ids = _message_ids(parser, options.messages)
    try:
        emulator = _make_emulator(options)
        world = emulator.world
        world.seed(message_id for message_id in ids if (world.channel_id, message_id) not in world.messages)
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what stops a container ends it as Ctrl-C does
    try:
        with emulator, contextlib.suppress(KeyboardInterrupt):
            _print_introduction(emulator)
            threading.Event().wait()
    finally:
        if options.state:
            emulator.save(options.state)
    if sys.stdout.isatty():
        print()  # after the ^C


def _print_introduction(emulator: Emulator) -> None:
    """Print where the emulator is, and how to connect."""
    world = emulator.world
    print(f"HubSpot emulator at {emulator.url}, channel {world.channel_id}, {count_of(len(world.messages), 'message')}.")
    print("Connect Airflow with:")
    print(f"  export AIRFLOW_CONN_HUBCHAN_DEFAULT='{json.dumps(emulator.connection())}'")
    if emulator.ca_file:
        print(f"  export REQUESTS_CA_BUNDLE={emulator.ca_file}")
        print(f"  export SSL_CERT_FILE={emulator.ca_file}")
    for channel in world.channels.values():
        if url := world.webhook_url(channel):
            print(f"Webhooks of channel {channel.id} go to {url}, signed with {channel.app.client_secret}.")
    print("Ctrl-C ends it.", flush=True)


def _make_emulator(options: argparse.Namespace) -> Emulator:
    """The emulator of the options.

    :raises ValueError: names what is wrong with them.
    """
    settings = {name: getattr(options, name) for name in Settings.all() if name in options}
    faults = read_faults(options.faults) if options.faults else None
    if options.state and not Path(options.state).absolute().parent.is_dir():
        raise ValueError(f"--state: there is no folder {Path(options.state).parent}")
    try:
        emulator = Emulator(
            host=options.host,
            port=options.port,
            tls=options.tls,
            allowed_hosts=options.allowed_host,
            webhook=options.webhook,
            **settings,
        )
    except OSError as error:
        raise ValueError(
            f"--host {options.host} --port {options.port}: {error.strerror}; choose another, or port 0 for any free one"
        ) from error
    if options.state and Path(options.state).exists():
        emulator.load(options.state)
        emulator.choose(**settings)
        if options.webhook is not None:
            emulator.world.set_webhook(options.webhook)
    world = emulator.world
    if faults is not None:
        emulator.schedule.clear()
        emulator.faults(faults)
    if options.speed is not None:
        world.clock.run(options.speed)
    if options.advance is not None:
        world.clock.advance(options.advance)
    if options.before_midnight is not None:
        world.before_midnight(options.before_midnight)
    return emulator


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, with its mark in the help."""
    for name, setting in Settings.all().items():
        mark = {"ours": ""}.get(setting.metadata["mark"], f"{setting.metadata['mark']}; ")
        default = "that of the plan" if setting.default is None else "none" if setting.default == "" else setting.default
        more: dict[str, Any] = {
            "default": argparse.SUPPRESS,
            "help": f"{setting.metadata['help']} ({mark}default: {default})",
        }
        if isinstance(setting.default, bool):
            more["action"] = argparse.BooleanOptionalAction
        else:
            more |= {"type": int if setting.default is None else type(setting.default), "metavar": name.upper()}
        if choices := setting.metadata["choices"]:
            more |= {"choices": choices, "metavar": "|".join(choices)}
        parser.add_argument(f"--{name.replace('_', '-')}", **more)


def _message_ids(parser: argparse.ArgumentParser, messages: str) -> list[str]:
    """The ids to seed.

    :param messages: a number, or the path of a JSON Lines file.
    """
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
