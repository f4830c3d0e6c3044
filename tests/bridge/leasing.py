"""A worker that leases until nothing is left; a process of its own can run it."""

from __future__ import annotations

from hubspot_bridge.outbox import Outbox

from airflow_provider_hubchan.gateways import TWILIO


def lease_all(url: str, now: float) -> list[str]:
    """The ids of all messages that this worker got."""
    mine: list[str] = []
    with Outbox(url, TWILIO) as outbox:
        while messages := outbox.lease(3, now, 60)[1]:
            mine += [message.message_id for message in messages]
    return mine
