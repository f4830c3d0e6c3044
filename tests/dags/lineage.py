"""What OpenLineage sees: tasks with a hook, a green batch, a red one. A program: its listener has to come first."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from airflow.sdk import DAG, chain, task
from airflow.utils.db import initdb

from airflow_provider_hubchan.client.errors import CallFailed
from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

with DAG("lineage_hook", schedule=None) as by_hook:

    @task
    def refused() -> None:
        """A call that writes nothing, into a channel of its own as each of these tasks."""
        with suppress(CallFailed):
            HubchanHook().update_message_status("nobody", "READ", channel_id="7")

    @task
    def batch() -> None:
        HubchanHook().update_message_statuses(["m-1", "m-2"], status="READ")

    @task
    def single() -> None:
        """A hook for each call, as one is tempted to write it."""
        for message_id in ("m-1", "m-2"):
            HubchanHook().update_message_status(message_id, "READ", channel_id="8")

    @task
    def looping() -> None:
        async def both() -> None:
            await asyncio.gather(
                *(HubchanHook().aupdate_message_status(message_id, "READ", channel_id="9") for message_id in ("m-1", "m-2"))
            )

        asyncio.run(both())

    chain(refused(), batch(), single(), looping())

DAGS = [by_hook]  # first: all hooks of a process tell the same collector
for dag_id, message_ids in (("lineage_green", ["m-1", "m-2"]), ("lineage_red", ["m-1", "nobody"])):
    with DAG(dag_id, schedule=None) as each:
        UpdateMessageStatusOperator(task_id="mark", messages=message_ids, status="READ")
    DAGS.append(each)

if __name__ == "__main__":
    initdb()
    for each in DAGS:
        each.test()
