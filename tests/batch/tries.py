"""A batch in several tries, against the local HubSpot."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.batch.report import Report
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.hooks import HubchanHook
from tests.batch.in_memory import MemoryStore

IDS = [f"m-{number}" for number in range(200)]


def mark(store: MemoryStore, rows: Any = IDS, **other: Any) -> Report:
    """One try more of the batch whose progress is in the store."""
    store.attempt += 1
    return HubchanHook().update_message_statuses(rows, **{"status": "READ", "keeper": store, **other})


def empty_store() -> MemoryStore:
    """A store of a batch that was not tried yet."""
    store = MemoryStore()
    store.attempt = 0
    return store


def break_off(hubspot: Emulator, store: MemoryStore, at: int, **other: Any) -> None:
    """A first try that ends after so many outcomes because a day's quota is used up."""
    for name in IDS[at:]:
        hubspot.fault(message_id=name, status=477, headers={"Retry-After": "3600"})
    report = mark(store, **other)
    assert report.unresolved
    hubspot.schedule.clear()
