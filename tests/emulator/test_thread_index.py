"""Finding threads without going through all messages, while messages come and go."""

from __future__ import annotations

from airflow_provider_hubchan.emulator.model.thread_index import ThreadIndex
from airflow_provider_hubchan.emulator.model.world import World


def test_messages_that_were_removed_are_not_found() -> None:
    """Not even if as many others have come instead before the next look: another thread may be at it meanwhile."""
    world, index = World(), ThreadIndex()
    other = world.add_channel("7")
    world.seed(["m-1", "m-2"], "7")
    old = world.messages["7", "m-1"].thread
    assert index.latest(world.messages, old) is world.messages["7", "m-2"]
    world.remove(other)
    world.seed([f"n-{number}" for number in range(9)])
    assert index.latest(world.messages, world.messages["100200", "n-8"].thread) is world.messages["100200", "n-8"]
    assert index.latest(world.messages, old) is world.messages["100200", "n-2"]
    world.messages.clear()
    assert index.latest(world.messages, old) is None
