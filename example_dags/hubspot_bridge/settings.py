"""Settings of the receiver and of the DAGs: environment variables, the same ones for both.

OUTBOX_URL             an SQLAlchemy URL; all that use the outbox need to reach it: SQLite is for one machine, and its default
                       in /tmp is to try it: others can read it there, and the system deletes what is old. With PostgreSQL
                       add ?connect_timeout=5: a server that does not answer would hold the receiver's threads for minutes
HUBSPOT_CLIENT_SECRET  of the app that the channel belongs to; HubSpot signs its webhooks with it
WEBHOOK_URL            the channel's webhookUrl, character for character as HubSpot has it
CALLBACK_URL           where the gateway reaches the receiver: https://hooks.example.com/receipts
CALLBACK_SECRET        any long random text: signs the callback URLs, so that nobody else can report a delivery
GATEWAY_URL            of the gateway
"""

from __future__ import annotations

import os

from airflow_provider_hubchan.gateways import TWILIO
from hubspot_bridge.delivery import Gateway
from hubspot_bridge.outbox import Outbox

DEFAULTS = {"OUTBOX_URL": "sqlite:////tmp/hubspot_outbox.db"}


def setting(name: str) -> str:
    """The value of an environment variable.

    :raises RuntimeError: it is not set, or empty: an empty secret would sign whatever anybody sends.
    """
    if not (value := os.environ.get(name) or DEFAULTS.get(name)):
        raise RuntimeError(f"The environment variable {name} is not set: hubspot_bridge/settings.py says what it is for.")
    return value


def open_outbox() -> Outbox:
    """The outbox, with Twilio's words; it is a context manager, which closes its connections."""
    return Outbox(setting("OUTBOX_URL"), TWILIO)


def open_gateway() -> Gateway:
    """The gateway's API."""
    return Gateway(setting("GATEWAY_URL"), setting("CALLBACK_URL"), setting("CALLBACK_SECRET"))
