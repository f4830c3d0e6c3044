"""When the DAGs of the bridge run: every minute, or at once on a signal of the receiver's."""

from __future__ import annotations

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from hubspot_bridge.settings import optional_setting

EVERY_MINUTE = "* * * * *"
#: Beside the signals: for those that are lost, for what the gateway or HubSpot did not take, and to ask for lost callbacks.
EVERY_FIVE_MINUTES = "*/5 * * * *"
#: Seconds between two looks of the triggerer at the channel; the default is 60, more than what a signal is to save.
POLL_INTERVAL = 1.0


def every_minute_or_on(channel: str) -> str | AssetOrTimeSchedule:
    """Every minute; or, if SIGNAL_CONN_ID names Airflow's connection to Redis, on a signal, and every five minutes besides.

    Signals that come during a run become one run after it, if the DAG has ``max_active_runs=1``.

    :param channel: of `hubspot_bridge.signals`; each DAG needs one of its own.
    """
    if not (conn_id := optional_setting("SIGNAL_CONN_ID")):
        return EVERY_MINUTE
    # Needs apache-airflow-providers-common-messaging and apache-airflow-providers-redis.
    from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

    trigger = MessageQueueTrigger(scheme="redis+pubsub", channels=[channel], redis_conn_id=conn_id, poll_interval=POLL_INTERVAL)
    asset = Asset(channel, watchers=[AssetWatcher(name=channel, trigger=trigger)])
    return AssetOrTimeSchedule(assets=[asset], timetable=CronTriggerTimetable(EVERY_FIVE_MINUTES, timezone="UTC"))
