"""Run the local HubSpot until Ctrl-C: ``python -m airflow_provider_hubchan.emulator --messages 100``."""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path

from airflow_provider_hubchan.emulator import Emulator


def main() -> None:
    """Parse the command line, seed the messages, say how to connect, serve."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_hubchan.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8920, help="on 127.0.0.1; 0 for any free one (default: %(default)s)")
    parser.add_argument("--channel", default="100200", help="id of the channel that the app owns (default: %(default)s)")
    parser.add_argument(
        "--messages",
        default="0",
        help="a number (ids message-1, message-2, ...), or a JSON Lines file whose message_id keys are seeded",
    )
    parser.add_argument("--limit", type=int, default=110, help="requests per 10 seconds; 0 for none (default: %(default)s)")
    parser.add_argument("--daily", type=int, default=0, help="requests per day; 0 for no limit (default: %(default)s)")
    parser.add_argument(
        "--time-zone", default="US/Eastern", help="of the account: its midnight ends the day (default: %(default)s)"
    )
    chosen = parser.parse_args()
    if chosen.messages.isdigit():
        ids = [f"message-{number}" for number in range(1, int(chosen.messages) + 1)]
    elif Path(chosen.messages).is_file():
        lines = Path(chosen.messages).read_text(encoding="utf-8").splitlines()
        try:
            ids = [str(json.loads(line)["message_id"]) for line in lines if line.strip()]
        except (ValueError, KeyError, TypeError):
            parser.error(f"--messages: every line of {chosen.messages!r} must be a JSON object with the key message_id")
    else:
        parser.error(f"--messages: {chosen.messages!r} is neither a number nor a file")
    for option in ("limit", "daily"):
        if (number := getattr(chosen, option)) < 0:
            parser.error(f"--{option}: {number} is negative; 0 is for no limit")
    try:
        emulator = Emulator(
            port=chosen.port,
            channel_id=chosen.channel,
            limit=chosen.limit,
            daily=chosen.daily,
            time_zone=chosen.time_zone,
        )
    except ValueError as fault:
        parser.error(f"--time-zone: {fault}")
    except OSError as fault:
        parser.error(f"--port {chosen.port}: {fault.strerror}; choose another, or 0 for any free one")
    emulator.world.seed(ids)
    with emulator:
        print(f"HubSpot emulator at {emulator.url}, channel {chosen.channel}, {len(emulator.world.messages):,} messages.")
        print("Connect Airflow with:")
        print(f"  export AIRFLOW_CONN_HUBCHAN_DEFAULT='{json.dumps(emulator.connection())}'")
        print("Ctrl-C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
