"""What a sensor in reschedule mode keeps between its looks: of one try, and only of what it waits for."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hubchan.client.compressed_text import compress
from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from airflow_provider_hubchan.poll_state import SNAPSHOT_KEY, PollSnapshotStore
from tests.airflow.failing import ERRORS
from tests.airflow.stores import Store, deep

LOG: Any = logging.getLogger("tests.poll_state")
READ = Target(("READ",))
IDS = ("a", "b", "half \ud83d")


def seen(*message_ids: str, of: tuple[str, ...] = IDS, target: Target = READ) -> StatusPoll:
    """A poll in which these have been read."""
    poll = StatusPoll(of, target)
    poll.statuses |= dict.fromkeys(message_ids, "READ")
    return poll


def snapshots(store: Store | None, try_number: int = 1, max_tries: int = 1, scope: str = "100200") -> PollSnapshotStore:
    context = {"ti": SimpleNamespace(try_number=try_number, max_tries=max_tries)}
    return PollSnapshotStore(context | ({"task_state_store": store} if store is not None else {}), LOG, scope)


def test_a_look_finds_what_the_last_one_saw() -> None:
    """An id may be any text."""
    store, again = Store(), seen()
    snapshots(store).save(seen("a"))
    snapshots(store).restore(again)
    assert again.open == ["b", "half \ud83d"]


@pytest.mark.parametrize(
    ("poll", "options"),
    [
        pytest.param(seen(of=("a",)), {}, id="other messages"),
        pytest.param(seen(target=Target(("READ", "SENT"))), {}, id="other statuses"),
        pytest.param(seen(target=Target(("READ",), fail_on=())), {}, id="another fail_on"),
        pytest.param(seen(), {"scope": "7"}, id="another channel"),
        pytest.param(seen(), {"try_number": 2}, id="a retry"),
        pytest.param(seen(), {"try_number": 2, "max_tries": 2}, id="a clear"),
    ],
)
def test_what_was_seen_for_something_else_asks_for_all(poll: StatusPoll, options: dict[str, Any]) -> None:
    """Whoever clears a sensor wants to know what HubSpot says now; and what is left is deleted at the end."""
    store = Store()
    snapshots(store).save(seen("a"))
    later = snapshots(store, **options)
    later.restore(poll)
    assert poll.statuses == {}
    later.clear()
    assert store == {}


def test_what_is_stored_already_is_not_written_again() -> None:
    """A look that sees nothing new costs Airflow's API one call; and without anything to delete none."""
    store, again = Store(), seen()
    snapshots(store).clear()
    snapshots(store).save(seen("a"))
    later = snapshots(store)
    later.restore(again)
    later.save(again)
    assert store.writes == 1
    later.save(seen("a", "b"))
    assert store.writes == 2


def test_a_sensor_without_a_store_asks_for_all() -> None:
    """Airflow 3.2 has none."""
    again = seen()
    snapshots(None).save(seen("a"))
    snapshots(None).restore(again)
    assert len(again.open) == 3


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_store_that_is_away_costs_no_poke(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    """All messages are asked for."""
    store, again = Store(), seen()
    store.error = error
    kept = snapshots(store)
    kept.save(seen("a"))
    kept.restore(again)
    kept.clear()
    assert len(again.open) == 3
    assert caplog.text.count("The statuses that were seen could not be stored; the next poke asks for all") == 1
    assert caplog.text.count("The statuses that were seen before could not be read; asking for all") == 1
    assert caplog.text.count("The statuses that were seen could not be deleted; another try asks anew") == 1


BOMB = compress(b"R" * 10_000_000)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda kept: "text", id="a text"),
        pytest.param(lambda kept: [kept], id="a list"),
        pytest.param(lambda kept: deep(), id="deep"),
        pytest.param(lambda kept: {"try": kept["try"], "of": kept["of"]}, id="nothing seen"),
        *(
            pytest.param(lambda kept, value=value: {**kept, "seen": value}, id=name)
            for name, value in {
                "null": None,
                "number": 7,
                "list": ["R"],
                "no base64": "no base64!",
                "not ASCII": "é",
                "no zlib": "AAAA",
                "cut": compress(b"RRR")[:-4],
                "longer": compress(b"RRRR"),
                "shorter": compress(b"RR"),
                "no text": compress(b"\xff\xfe\xfd"),
                "bomb": BOMB,
            }.items()
        ),
    ],
)
def test_a_damaged_snapshot_asks_for_all(caplog: pytest.LogCaptureFixture, change: Any) -> None:
    """With one line of the log; nothing of it is used."""
    store, again = Store(), seen()
    snapshots(store).save(seen("a"))
    store[SNAPSHOT_KEY] = change(store[SNAPSHOT_KEY])
    snapshots(store).restore(again)
    assert len(again.open) == 3
    assert (len(caplog.records), caplog.text.count("could not be read; asking for all (")) == (1, 1)
