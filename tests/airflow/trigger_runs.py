"""The trigger of a sensor, as a triggerer builds it."""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from airflow_provider_hubchan.triggers import MessageStatusTrigger


def trigger(seconds: float = 60.0, **arguments: Any) -> MessageStatusTrigger:
    """A trigger for one message.

    :param seconds: until its end.
    :param arguments: others than the defaults.
    """
    now = time.time()
    defaults: dict[str, Any] = {
        "message_ids": ["m-1"],
        "before": StatusPoll(["m-1"], Target(("READ",))).snapshot(),
        "statuses": ["READ"],
        "fail_on": ["FAILED"],
        "needed": None,
        "arrived": 0,
        "unknown_until": now,
        "ends": now + seconds,
        "poke_interval": 0.1,
        "share": 0.2,
        "channel_id": None,
        "hubchan_conn_id": "hubchan_default",
    }
    return MessageStatusTrigger(**defaults | arguments)
