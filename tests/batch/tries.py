"""A batch in several tries, against the local HubSpot."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.batch.dead_letters import DeadLetterSink
from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.batch.runner import BatchOptions
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.batch.in_memory import MemoryStore

IDS = [f"m-{number}" for number in range(200)]


def run_try(
    store: MemoryStore,
    rows: Any = IDS,
    *,
    channel_id: str | None = None,
    dead_letters: DeadLetterSink | None = None,
    **options: Any,
) -> Report:
    """The next try of the batch whose progress is in the store."""
    store.try_number += 1
    batch = BatchOptions(**{"status": "READ", **options})
    return HubchanHook().run_batch(rows, batch, channel_id=channel_id, dead_letters=dead_letters, checkpoints=store)


def empty_store() -> MemoryStore:
    """A store of a batch that was not tried yet."""
    store = MemoryStore()
    store.try_number = 0
    return store


def run_interrupted_try(hubspot: Emulator, store: MemoryStore, at: int, **other: Any) -> None:
    """A try that ends after so many outcomes because the account is being moved."""
    for name in IDS[at:]:
        hubspot.fault(message_id=name, status=477, headers={"Retry-After": "3600"})
    report = run_try(store, **other)
    assert report.unresolved
    hubspot.schedule.clear()
